"""Read subtitles made to be displayed: SRT and WebVTT, with YouTube's times of single words."""

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.caption import Caption, repeated_words, unroll

__all__ = ["parse_srt", "parse_webvtt", "parse_webvtt_words"]

_CLOCK = r"(?:\d+:)?[0-5]?\d:[0-5]?\d[.,]\d{1,3}"
_TIMING = re.compile(rf"\s*({_CLOCK})\s*-->\s*({_CLOCK})(?:\s.*)?")
_WORD_TIME = re.compile(rf"<({_CLOCK})>")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<[\d:.,]+>|\{\\[^{}]*\}")
_ASIDE = re.compile(r"(NOTE|STYLE|REGION)(\s|$)")


class _Cue(NamedTuple):
    """What is displayed at a time: raw lines, with their tags."""

    start: float
    end: float
    text: str


def parse_srt(text: str) -> list[Caption]:
    r"""Read SubRip subtitles.

    Args:
        text: The whole file. Times may have a comma or a dot, and no hours; numbers may lack.

    Returns:
        The captions in the file's order, on one line each, without tags; cues without text are no
        captions.

    Raises:
        TranscriptError: If a line is neither a time nor a cue's; it says which line.

    Example:
        >>> parse_srt("1\n00:00:04,130 --> 00:00:06,500\n<i>so we</i>\nmoved\n")
        [Caption(start=4.13, end=6.5, text='so we moved')]
    """
    cues = [cue for block in _blocks(text, blank=r"\s*") if (cue := _cue(*block))]
    return _on_one_line(_plain(cues))


def parse_webvtt(text: str, *, rolling: bool | None = None) -> list[Caption]:
    r"""Read WebVTT subtitles.

    Args:
        text: The whole file. Notes, styles, regions, settings and names of cues are passed over.
        rolling: Whether what a caption repeats of the last one is taken away, see
            :func:`~vtlearn.media.captions.unroll`. None: where a cue of several lines has an
            empty one, as in YouTube's automatic captions.

    Returns:
        The captions in the file's order, on one line each, without tags; cues without text are no
        captions.

    Raises:
        TranscriptError: If a line is neither a time nor a cue's; it says which line.

    Example:
        >>> parse_webvtt("WEBVTT\n\n00:04.130 --> 00:06.500 align:start\nso we <c>moved</c>\n")
        [Caption(start=4.13, end=6.5, text='so we moved')]
    """
    captions = _plain(_webvtt_cues(text))
    if _rolls(captions) if rolling is None else rolling:
        return unroll(captions)
    return _on_one_line(captions)


def parse_webvtt_words(text: str) -> list[Caption]:
    r"""Read the times of single words, which YouTube's automatic captions have.

    Args:
        text: The whole file.

    Returns:
        The pieces of text that the file gives a time of their own, as captions: mostly single
        words; whole cues where it does not. Rolling captions are unrolled. The times of a cue's
        words are held between its own.

    Raises:
        TranscriptError: If a line is neither a time nor a cue's; it says which line.

    Example:
        >>> parse_webvtt_words("WEBVTT\n\n00:04.130 --> 00:06.500\nso<00:05.000><c> we</c>\n")
        [Caption(start=4.13, end=5.0, text='so'), Caption(start=5.0, end=6.5, text='we')]
    """
    cues = _webvtt_cues(text)
    captions = _plain(cues)
    repeated = repeated_words(captions) if _rolls(captions) else [0] * len(cues)
    return [
        piece
        for cue, known in zip(cues, repeated, strict=True)
        for piece in _new_pieces(cue, known)
    ]


def _webvtt_cues(text: str) -> list[_Cue]:
    if not re.match(r"WEBVTT(\s|$)", text):
        message = f"line 1 has to be WEBVTT, but is {text[:20].partition(chr(10))[0]!r}"
        raise TranscriptError(message)
    _, *blocks = _blocks(text, blank="")
    told = (block for block in blocks if not _ASIDE.match(block[1][0]))
    return [cue for block in told if (cue := _cue(*block))]


def _blocks(text: str, blank: str) -> Iterator[tuple[int, list[str]]]:
    """Yield what blank lines separate, with the number of its first line."""
    block: list[str] = []
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate([*lines, ""], 1):
        if not re.fullmatch(blank, line):
            block.append(line)
        elif block:
            yield number - len(block), block
            block = []


def _cue(number: int, lines: list[str]) -> _Cue | None:
    """Read a block: perhaps a name or a number, a time, and lines of text, or none."""
    if "-->" not in lines[0] and len(lines) > 1:
        number, lines = number + 1, lines[1:]
    times = _TIMING.fullmatch(lines[0])
    if not times:
        message = f"line {number} is not the time of a caption: {lines[0][:80]!r}"
        raise TranscriptError(message)
    start, end = _seconds(times[1]), _seconds(times[2])
    if end < start:
        message = f"line {number}: the caption ends at {end} s, before it starts at {start} s"
        raise TranscriptError(message)
    return _Cue(start, end, "\n".join(lines[1:])) if "".join(lines[1:]).strip() else None


def _seconds(clock: str) -> float:
    *hours, minutes, seconds = clock.replace(",", ".").split(":")
    whole, fraction = seconds.split(".")
    total = 60 * int(minutes) + int(whole) + 3600 * int(hours[0] if hours else 0)
    return float(f"{total}.{fraction}")  # not a sum, which would not be the nearest float


def _plain(cues: list[_Cue]) -> list[Caption]:
    return [Caption(cue.start, cue.end, _without_tags(cue.text)) for cue in cues]


def _without_tags(text: str) -> str:
    return html.unescape(_TAG.sub("", text))


def _on_one_line(captions: list[Caption]) -> list[Caption]:
    lines = (caption._replace(text=" ".join(caption.text.split())) for caption in captions)
    return [caption for caption in lines if caption.text]


def _rolls(captions: list[Caption]) -> bool:
    """Tell YouTube's two lines, one of which is empty at first, from other subtitles."""
    lines = (caption.text.split("\n") for caption in captions)
    return any(len(shown) > 1 and not all(map(str.strip, shown)) for shown in lines)


def _new_pieces(cue: _Cue, repeated: int) -> list[Caption]:
    """Cut a cue at the times within it, less the words it repeats at its start."""
    first, *rest = _WORD_TIME.split(cue.text)
    pieces = [(cue.start, _without_tags(first))]
    for clock, raw in zip(rest[::2], rest[1::2], strict=True):
        text, (start, before) = _without_tags(raw), pieces[-1]
        if before and text and not before[-1].isspace() and not text[0].isspace():
            pieces[-1] = (start, before + text)  # a time within a word
        else:
            pieces.append((min(max(_seconds(clock), start), cue.end), text))
    ends = [start for start, _ in pieces[1:]] + [cue.end]
    words: list[Caption] = []
    for (start, text), end in zip(pieces, ends, strict=True):
        new = text.split()[repeated:]
        repeated = max(0, repeated - len(text.split()))
        if new:
            words.append(Caption(start, end, " ".join(new)))
    return words
