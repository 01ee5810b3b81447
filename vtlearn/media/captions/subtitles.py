"""Read subtitles made to be displayed: SRT and WebVTT.

Home-made although pysubs2 and webvtt-py exist: of a line that should be a time and is not, the one
makes text of the caption before, the other leaves its caption out, both without a word.
"""

import html
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.caption import Caption, dedupe_rolling

__all__: list[str] = []

_CLOCK = r"(?:\d{1,9}:)?[0-5]?\d:[0-5]?\d[.,]\d{1,3}"
_TIMING = re.compile(rf"\s*({_CLOCK})\s*-->\s*({_CLOCK})(?:\s.*)?")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<[\d:.,]+>|\{\\[^{}]*\}")
_ASIDE = re.compile(r"(NOTE|STYLE|REGION)(\s|$)")


class _Line(NamedTuple):
    """A line and its number, from 1."""

    number: int
    text: str


class _Layout(NamedTuple):
    """How lines are told, whole ones."""

    blank: re.Pattern[str]
    timing: re.Pattern[str]  # right or wrong
    number: re.Pattern[str]  # that may stand before a timing, with no blank line before it


# In WebVTT no text has an arrow, and a number with no blank line before it is text.
_SRT = _Layout(re.compile(r"\s*"), re.compile(r"\s*[\d:.,]+\s*-->.*"), re.compile(r"\s*\d+\s*"))
_WEBVTT = _Layout(re.compile(r""), re.compile(r".*-->.*"), re.compile(r"(?!)"))


class _Cue(NamedTuple):
    """What is displayed at a time: raw lines, with their tags."""

    start: float
    end: float
    text: str


def parse_srt(text: str) -> list[Caption]:
    r"""Read SubRip subtitles.

    Args:
        text: The whole file. Times may have a comma or a dot, and no hours. Numbers may
            lack, and so may the blank lines between captions.

    Returns:
        The captions in the file's order, on one line each, without tags; cues without text are no
        captions.

    Raises:
        TranscriptError: If a line is neither a time nor a cue's; it says which line.

    Example:
        >>> parse_srt("1\n00:00:04,130 --> 00:00:06,500\n<i>so we</i>\nmoved\n")
        [Caption(start=4.13, end=6.5, text='so we moved')]
    """
    cues = [cue for block in _blocks(_lines(text), _SRT) if (cue := _cue(block))]
    return _on_one_line(_plain(cues))


def parse_webvtt(text: str, *, rolling: bool | None = None) -> list[Caption]:
    r"""Read WebVTT subtitles.

    Args:
        text: The whole file. Notes, styles, regions, settings and names of cues are passed over.
            A line with an arrow begins a cue, with a blank line before it or without.
        rolling: Whether what a caption repeats of the last one is taken away, see
            :func:`~vtlearn.media.captions.dedupe_rolling`. None: where a cue of several lines has
            an empty one, as in YouTube's automatic captions.

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
        return dedupe_rolling(captions)
    return _on_one_line(captions)


def _webvtt_cues(text: str) -> list[_Cue]:
    if not re.match(r"WEBVTT(\s|$)", text):
        message = f"line 1 has to be WEBVTT, but is {text[:20].partition(chr(10))[0]!r}"
        raise TranscriptError(message)
    _, *lines = _lines(text)
    body = itertools.dropwhile(lambda line: line.text and "-->" not in line.text, lines)
    told = (block for block in _blocks(body, _WEBVTT) if not _is_aside(block))
    return [cue for block in told if (cue := _cue(block))]


def _lines(text: str) -> list[_Line]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [_Line(number, line) for number, line in enumerate(lines, 1)]


def _blocks(lines: Iterable[_Line], layout: _Layout) -> list[list[_Line]]:
    """Return the lines that belong together, none of them blank."""
    return [block for block in _cut(lines, layout) if block]


def _cut(lines: Iterable[_Line], layout: _Layout) -> Iterator[list[_Line]]:
    """Cut at blank lines, and before timings that have none before them."""
    block: list[_Line] = []
    for line in lines:
        if layout.blank.fullmatch(line.text):
            yield block
            block = []
            continue
        if layout.timing.fullmatch(line.text):
            end = _end_of_cue(block, layout)
            yield block[:end]
            block = block[end:]
        block.append(line)
    yield block


def _end_of_cue(block: list[_Line], layout: _Layout) -> int:
    """Return how many of the lines before a timing are not its own."""
    if len(block) == 1 and "-->" not in block[0].text:
        return 0  # its name or number
    ends = [line.text for line in (block[:1] + block[-1:])]
    is_numbered = len(block) > 2 and all(map(layout.number.fullmatch, ends))
    return len(block) - is_numbered


def _is_aside(block: list[_Line]) -> bool:
    """Tell what is no cue, unless the keyword is the name of one."""
    first, *others = block
    return bool(_ASIDE.match(first.text)) and not any("-->" in line.text for line in others)


def _cue(block: list[_Line]) -> _Cue | None:
    """Read a block: perhaps a name or a number, a time, and lines of text, or none."""
    first, *others = block[1:] if "-->" not in block[0].text and len(block) > 1 else block
    times = _TIMING.fullmatch(first.text)
    if not times:
        message = f"line {first.number} is not the time of a caption: {first.text[:80]!r}"
        raise TranscriptError(message)
    start, end = _seconds(times[1]), _seconds(times[2])
    if end < start:
        message = f"line {first.number}: the caption ends at {end} s, before it starts at {start} s"
        raise TranscriptError(message)
    said = "\n".join(line.text for line in others)
    return _Cue(start, end, said) if said.strip() else None


def _seconds(clock: str) -> float:
    *hours, minutes, seconds = clock.replace(",", ".").split(":")
    whole, fraction = seconds.split(".")
    total = 60 * int(minutes) + int(whole) + 3600 * int(hours[0] if hours else 0)
    return float(f"{total}.{fraction}")  # not a sum, which would not be the nearest float


def _plain(cues: list[_Cue]) -> list[Caption]:
    return [Caption(cue.start, cue.end, _without_tags(cue.text)) for cue in cues]


def _without_tags(text: str) -> str:
    try:
        return html.unescape(_TAG.sub("", text))
    except ValueError as error:  # a character's number of thousands of digits
        message = f"a caption's text cannot be read: {error}"
        raise TranscriptError(message) from error


def _on_one_line(captions: list[Caption]) -> list[Caption]:
    lines = (caption._replace(text=" ".join(caption.text.split())) for caption in captions)
    return [caption for caption in lines if caption.text]


def _rolls(captions: list[Caption]) -> bool:
    """Tell YouTube's two lines, one of which is empty at first, from other subtitles."""
    lines = (caption.text.split("\n") for caption in captions)
    return any(len(shown) > 1 and not all(map(str.strip, shown)) for shown in lines)
