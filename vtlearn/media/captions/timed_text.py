"""Read timed text in XML: TTML, and the three layouts of YouTube's own (srv1, srv2, srv3).

Home-made although ttconv reads TTML: it reads none of YouTube's, and two readers are no simpler.
"""

import html
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NoReturn
from xml.parsers import expat

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.caption import Caption

__all__: list[str] = []

# Digits are bounded, since numbers are exact here, however long they take.
_NUMBER = r"\d{1,20}(?:\.\d{1,30})?"
_CLOCK = re.compile(rf"(\d{{1,20}}):([0-5]?\d):([0-5]?\d(?:\.\d{{1,30}})?)(?::({_NUMBER}))?")
_OFFSET = re.compile(rf"({_NUMBER})(h|m|s|ms|f|t)")
_POSITIVE = rf"(?=[\d.]*[1-9]){_NUMBER}"
_RATE = re.compile(rf"\s*({_POSITIVE})\s*")
_MULTIPLIER = re.compile(rf"\s*({_POSITIVE})\s+({_POSITIVE})\s*")
_UNITS = {"h": Fraction(3600), "m": Fraction(60), "s": Fraction(1), "ms": Fraction(1, 1000)}


def parse_timed_text(content: bytes) -> list[Caption]:
    """Read TTML, or YouTube's ``timedtext`` and ``transcript``.

    Args:
        content: The whole file. Of TTML, clock times, offsets, frames and ticks are understood,
            ``end`` and ``dur``, and times of ``body`` and ``div`` that those within count from.

    Returns:
        The captions in the file's order, on one line each; those without text are none.

    Raises:
        TranscriptError: If it is not valid XML, has a document type (where entities would be
            defined), or a caption has no time; it says which line.

    Example:
        >>> body = b'<tt><body><p begin="00:00:04.130" end="6.5s">so we<br/>moved</p></body></tt>'
        >>> parse_timed_text(body)
        [Caption(start=4.13, end=6.5, text='so we moved')]
    """
    reader = _Reader()
    try:
        reader.parser.Parse(content, True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # encodings that are unknown, too
        message = f"it is not valid XML: {error}"
        raise TranscriptError(message) from error
    return reader.captions


class _Reader:
    """What expat calls as it meets elements and text."""

    def __init__(self) -> None:
        self.captions: list[Caption] = []
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse  # before any entity is expanded
        self._rates = {"f": Fraction(1, 30), "t": Fraction(1)}
        self._begins = [Fraction(0)]  # of the elements that we are in
        self._span: tuple[float, float] | None = None
        self._said: list[str] = []
        self._youtube = False

    def _refuse(self, *_: Any) -> None:
        self._fail("a document type, which captions have no need of, is not read")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local(tag)
        given = {_local(key): value for key, value in attributes.items()}
        if name == "tt":
            self._rates = self._given_rates(given)
        self._youtube = self._youtube or name in {"timedtext", "transcript"}
        if name in {"body", "div"} and not self._youtube:
            begin = self._seconds(given["begin"]) if "begin" in given else Fraction(0)
            self._begins.append(self._begins[-1] + begin)
        elif name == "p" or (name == "text" and self._youtube):
            self._span, self._said = self._span_of(name, given), []
        elif name == "br":
            self._said.append(" ")

    def _end(self, tag: str) -> None:
        name = _local(tag)
        if name in {"body", "div"} and not self._youtube:
            self._begins.pop()
        elif name in {"p", "text"} and self._span is not None:
            said = "".join(self._said)
            text = " ".join((html.unescape(said) if self._youtube else said).split())
            if text:
                self.captions.append(Caption(*self._span, text))
            self._span = None

    def _text(self, text: str) -> None:
        if self._span is not None:
            self._said.append(text)

    def _span_of(self, name: str, given: Mapping[str, str]) -> tuple[float, float]:
        """Return when a caption starts and ends."""
        if self._youtube and name == "text" and "t" not in given:
            start, length, unit = given.get("start"), given.get("dur"), "s"
        elif self._youtube:
            start, length, unit = given.get("t"), given.get("d"), "ms"
        else:
            return self._span_of_ttml(given)
        if start is None or length is None:
            self._fail("a caption has no start or no duration")
        begin = self._seconds(start + unit)
        return float(begin), float(begin + self._seconds(length + unit))

    def _span_of_ttml(self, given: Mapping[str, str]) -> tuple[float, float]:
        if "begin" not in given or not ("end" in given or "dur" in given):
            self._fail("a caption has no begin, or neither end nor dur")
        begin = self._begins[-1] + self._seconds(given["begin"])
        if "end" in given:
            end = self._begins[-1] + self._seconds(given["end"])
        else:
            end = begin + self._seconds(given["dur"])
        if end < begin:
            self._fail(f"a caption ends at {given['end']}, before it starts")
        return float(begin), float(end)

    def _seconds(self, text: str) -> Fraction:
        """Read a time exactly; as a float it is the nearest one to what the file says."""
        if clock := _CLOCK.fullmatch(text):
            hours, minutes, seconds, frames = (Fraction(part or 0) for part in clock.groups())
            return hours * 3600 + minutes * 60 + seconds + frames * self._rates["f"]
        offset = _OFFSET.fullmatch(text)
        if offset is None:
            self._fail(f"{text!r} is not a time")
        return Fraction(offset[1]) * {**_UNITS, **self._rates}[offset[2]]

    def _given_rates(self, given: Mapping[str, str]) -> dict[str, Fraction]:
        """Return how long a frame and a tick last."""
        frames = _RATE.fullmatch(given.get("frameRate", "30"))
        scale = _MULTIPLIER.fullmatch(given.get("frameRateMultiplier", "1 1"))
        ticks = _RATE.fullmatch(given.get("tickRate", "1"))
        if not (frames and scale and ticks):
            self._fail("its frame rate or tick rate is not a number above 0, or a very long one")
        rate = Fraction(frames[1]) * Fraction(scale[1]) / Fraction(scale[2])
        return {"f": 1 / rate, "t": 1 / Fraction(ticks[1])}

    def _fail(self, what: str) -> NoReturn:
        message = f"line {self.parser.CurrentLineNumber}: {what}"
        raise TranscriptError(message)


def _local(name: str) -> str:
    """Return a name without its namespace."""
    return name.rpartition(":")[2]
