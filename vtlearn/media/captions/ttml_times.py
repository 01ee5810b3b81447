"""Times of TTML: clocks, offsets, frames and ticks, as exact numbers."""

import re
from collections.abc import Iterable
from fractions import Fraction

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.xml_tree import Element

__all__: list[str] = []

# Digits are bounded, since numbers are exact here, however long they take.
_NUMBER = r"\d{1,20}(?:\.\d{1,30})?"
_CLOCK = re.compile(rf"(\d{{1,20}}):([0-5]?\d):([0-5]?\d(?:\.\d{{1,30}})?)(?::({_NUMBER}))?")
_OFFSET = re.compile(rf"({_NUMBER})(h|m|s|ms|f|t)")
_APPLE = re.compile(rf"(?:(\d{{1,20}}):)?({_NUMBER})")
_POSITIVE = rf"(?=[\d.]*[1-9]){_NUMBER}"
_RATE = re.compile(rf"\s*({_POSITIVE})\s*")
_MULTIPLIER = re.compile(rf"\s*({_POSITIVE})[\s:]+({_POSITIVE})\s*")
_UNITS = {"h": Fraction(3600), "m": Fraction(60), "s": Fraction(1), "ms": Fraction(1, 1000)}


def is_apple(times: Iterable[str]) -> bool:
    """Tell the times of Apple's files: seconds without a unit, or with minutes.

    Args:
        times: All of a file.

    Returns:
        Whether most are such; a few among others are mistakes.

    Example:
        >>> is_apple(["1.5", "1:02.3"]), is_apple(["16s", "18", "20s"])
        (True, False)
    """
    times = list(times)
    return 2 * sum(bool(_APPLE.fullmatch(time)) for time in times) > len(times)


class TimeReader:
    """Reads the times of one document.

    Args:
        root: The document, which says how long a frame and a tick last.
        apple: Seconds have no unit.

    Raises:
        TranscriptError: If a rate is not a number above 0, or has too many digits.
    """

    def __init__(self, root: Element, *, apple: bool = False) -> None:
        self._apple = apple
        self._drop_mode = root.get("dropMode")
        frames = _RATE.fullmatch(root.get("frameRate") or "30")
        parts = _RATE.fullmatch(root.get("subFrameRate") or "1")
        scale = _MULTIPLIER.fullmatch(root.get("frameRateMultiplier") or "1 1")
        ticks = _RATE.fullmatch(root.get("tickRate") or "1")
        if not (frames and parts and scale and ticks):
            message = (
                f"line {root.line}: its frame rate or tick rate is not a number above 0, or a very "
                "long one"
            )
            raise TranscriptError(message)
        rate = Fraction(frames[1]) * Fraction(scale[1]) / Fraction(scale[2])
        tick_rate = Fraction(ticks[1])
        if root.get("tickRate") is None and root.get("frameRate") is not None:
            tick_rate = Fraction(frames[1]) * Fraction(parts[1])
        self._lengths = {**_UNITS, "f": 1 / rate, "t": 1 / tick_rate}
        # a clock of SMPTE counts frames, as many a second as their rate before it is multiplied
        self._counted = Fraction(frames[1]) if root.get("timeBase") == "smpte" else None

    def seconds(self, text: str) -> Fraction:
        """Read a time exactly; as a float it is the nearest one to what the file says.

        Args:
            text: As the file has it.

        Raises:
            TranscriptError: If it is not a time.
        """
        text = text.strip()
        if clock := _CLOCK.fullmatch(text):
            hours, minutes = int(clock[1]), int(clock[2])
            whole = 3600 * hours + 60 * minutes + Fraction(clock[3])
            frames = Fraction(clock[4] or 0)
            if self._counted is None:
                return whole + frames * self._lengths["f"]
            dropped = self._dropped(hours, minutes)
            return (whole * self._counted + frames - dropped) * self._lengths["f"]
        if offset := _OFFSET.fullmatch(text):
            return Fraction(offset[1]) * self._lengths[offset[2]]
        if self._apple and (plain := _APPLE.fullmatch(text)):
            return Fraction(plain[1] or 0) * 60 + Fraction(plain[2])
        message = f"{text[:80]!r} is not a time"
        raise TranscriptError(message)

    def _dropped(self, hours: int, minutes: int) -> int:
        """Count the numbers that SMPTE's clock has skipped by then."""
        if self._drop_mode == "dropNTSC":  # two a minute, but for every tenth
            return 2 * (54 * hours + minutes - minutes // 10)
        if self._drop_mode == "dropPAL":  # four every other minute, but for every twentieth
            return 4 * (27 * hours + minutes // 2 - minutes // 20)
        return 0
