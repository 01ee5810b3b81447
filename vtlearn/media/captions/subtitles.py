"""Read subtitles made to be displayed: SRT and WebVTT.

Home-made although pysubs2 and webvtt-py exist: of a line that should be a time and is not, the one
makes text of the caption before, the other leaves its caption out, both without a word. Here it is
left out and counted.
"""

import html
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.caption import Caption, Skipped, Transcript, dedupe_rolling

__all__: list[str] = []

_CLOCK = r"(?:\d{1,9}:)?[0-5]?\d:[0-5]?\d[.,]\d{1,3}"
_WEBVTT_TIMING = re.compile(rf"\s*({_CLOCK})\s*-->\s*({_CLOCK})(?:\D.*)?")
# What people's scripts write: no fraction or a long one, spaces, other arrows, HTML's.
_LOOSE = r"(?:\d{1,9}\s?:\s?)?\d{1,2}\s?:\s?\d{1,2}(?:\s?[.,:]\s?\d{1,9})?"
_ARROW = r"(?:[-=\u2013\u2014]{1,3}\s?(?:>|&gt;)|\u2192)"
_SRT_TIMING = re.compile(rf"\s*({_LOOSE})\s*{_ARROW}\s*({_LOOSE})(?:\s.*)?")
_SRT_COMMA = re.compile(r"\d,\d{1,3}\s*-->\s*\d")
_SRT_ARROW = re.compile(r"--(?:>|&gt;)")
_SRT_MEANT = re.compile(rf"\s*[\d:.,]+\s*{_SRT_ARROW.pattern}.*")  # to be a time, right or wrong
_SBV_TIMING = re.compile(rf"\s*({_LOOSE})\s*,\s*({_LOOSE})\s*")
_SBV_MEANT = re.compile(r"\s*\d+:\S*\s*,\s*\d*:\S*\s*")  # to be a time, right or wrong
_HEAD = re.compile(r"\[[A-Z ]+\]")  # of SubViewer, in lines of its own before the captions
_PARTS = re.compile(r"\A(?:(\d+):)?(\d{1,2}):(\d{1,2})(?:[.,:](\d+))?\Z")
_NUMBER = re.compile(r"\s*\d+\s*")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<[\d:.,]+>|\{\\[^{}]*\}")
_RUBY = re.compile(r"<ruby\b[^>]*>.*?(?:</ruby>|\Z)", re.DOTALL)
_RT = re.compile(r"<rt\b[^>]*>.*?(?:</rt>|(?=</ruby>)|\Z)", re.DOTALL)
_WORD_TIME = re.compile(rf"<({_CLOCK})>")
_HEADER = re.compile(r"\ufeff?WEBVTT(\s.*)?")
_MPEGTS, _LOCAL = re.compile(r"MPEGTS:(\d{1,20})"), re.compile(rf"LOCAL:({_CLOCK})")
_TICKS = 90000  # of MPEG's clock per second, which begins again after 2 ** 33
_MARKS = re.compile("[\u200e\u200f]")  # say where text runs to, and nothing
_ASIDE = re.compile(r"(NOTE|STYLE|REGION)(\s|$)")


class _Line(NamedTuple):
    """A line and its number, from 1."""

    number: int
    text: str


class _Block(NamedTuple):
    """Lines that belong together: one that should be a time, and text; None: the time is missing.

    Attributes:
        time: The line with the arrow.
        text: What is displayed then.
        offset: Seconds to add to the time.
    """

    time: _Line | None
    text: list[_Line]
    offset: float = 0.0


class _Cue(NamedTuple):
    """What is displayed at a time: raw lines, with their tags."""

    start: float
    end: float
    text: str


def parse_srt(text: str) -> Transcript:
    r"""Read SubRip subtitles.

    Args:
        text: The whole file. Times may have a comma or a dot, no fraction or a long one, and no
            hours; arrows may be ``->`` or HTML's. Numbers may be missing, and so may the blank
            lines between captions; where a caption has blank lines inside, it goes on after them.

    Returns:
        The captions in the file's order, on one line each, without tags; cues without text are no
        captions. Those whose time is wrong or missing are among its ``skipped``.

    Example:
        >>> parse_srt("1\n00:00:04,130 --> 00:00:06,500\n<i>so we</i>\nmoved\n")
        [Caption(start=4.13, end=6.5, text='so we moved')]
    """
    cues = _read(_srt_blocks(_lines(text)), _SRT_TIMING)
    return Transcript(_on_one_line(cues), cues.skipped)


def parse_webvtt(text: str, *, rolling: bool | None = None) -> Transcript:
    r"""Read WebVTT subtitles.

    Args:
        text: The whole file. Notes, styles, regions, settings and names of cues are ignored.
            A line with an arrow begins a cue, with a blank line before it or without.
        rolling: Whether what a caption repeats of the last one is taken away, see
            :func:`~vtlearn.media.captions.dedupe_rolling`. None: where a cue of several lines has
            an empty one, as in YouTube's automatic captions. There words whose own times are after
            the end of their cue are captions of their own.

    Returns:
        The captions in the file's order, on one line each, without tags and what annotates others
        (``<rt>``); cues without text are not captions. Of segments of HLS, one after another, times
        count from the clock of the first (X-TIMESTAMP-MAP), and a cue that comes again is there
        once. Cues whose time is wrong, and text without one, which browsers drop as well, are
        among its ``skipped``.

    Raises:
        TranscriptError: If it does not begin with WEBVTT, and is not SRT, by its commas, either.

    Example:
        >>> parse_webvtt("WEBVTT\n\n00:04.130 --> 00:06.500 align:start\nso we <c>moved</c>\n")
        [Caption(start=4.13, end=6.5, text='so we moved')]
    """
    if not re.match(r"WEBVTT(\s|$)", text):
        if _SRT_COMMA.search(text):
            return parse_srt(text)
        message = f"line 1 has to be WEBVTT, but is {text[:20].partition(chr(10))[0]!r}"
        raise TranscriptError(message)
    blocks = list(_blocks_on_one_clock(_lines(text)))
    cues = _read(blocks, _WEBVTT_TIMING)
    if _rolls(cues) if rolling is None else rolling:
        late = _late_words(blocks)
        captions = [part for each in dedupe_rolling(cues) for part in _apart(each, late)]
    else:
        captions = _on_one_line(cues)
    return Transcript(captions, cues.skipped)


def parse_sbv(text: str) -> Transcript:
    r"""Read SubViewer subtitles, which YouTube's are.

    Args:
        text: The whole file: ``0:00:04.130,0:00:06.500`` and the lines of a caption, in turn, or
            one with ``[br]`` between them. Lines that begin with another word in brackets, such as
            ``[INFORMATION]``, are not captions.

    Returns:
        The captions in the file's order, on one line each. Those whose time is wrong or missing are
        among its ``skipped``.

    Example:
        >>> parse_sbv("0:00:04.130,0:00:06.500\nso we\nmoved\n")
        [Caption(start=4.13, end=6.5, text='so we moved')]
    """
    blocks: list[_Block] = []
    lines = [line for line in _lines(text.replace("[br]", "\n")) if not _HEAD.match(line.text)]
    for paragraph in _paragraphs(lines):
        for place, line in enumerate(paragraph):
            if _SBV_TIMING.fullmatch(line.text) or _SBV_MEANT.fullmatch(line.text):
                blocks.append(_Block(line, []))
            elif place == 0:
                blocks.append(_Block(None, [line]))
            else:
                blocks[-1].text.append(line)
    cues = _read(blocks, _SBV_TIMING)
    return Transcript(_on_one_line(cues), cues.skipped)


def _lines(text: str) -> list[_Line]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [_Line(number, line) for number, line in enumerate(lines, 1)]


def _paragraphs(lines: Iterable[_Line]) -> list[list[_Line]]:
    """Cut at lines without text."""
    groups = itertools.groupby(lines, key=lambda line: bool(line.text.strip()))
    return [list(group) for is_text, group in groups if is_text]


def _srt_blocks(lines: Iterable[_Line]) -> list[_Block]:
    """Find the times; text between two of them, less the second one's number, is the first's."""
    blocks: list[_Block] = []
    paragraphs = _paragraphs(lines)
    for paragraph, following in itertools.pairwise([*paragraphs, []]):
        places = [place for place in range(len(paragraph)) if _is_srt_time(paragraph, place)]
        head = paragraph[: places[0]] if places else paragraph
        is_numbered = bool(places and head and _NUMBER.fullmatch(head[-1].text))
        _add_untimed(blocks, head[:-1] if is_numbered else head, following)
        for place, end in itertools.pairwise([*places, len(paragraph)]):
            said = paragraph[place + 1 : end]
            if is_numbered and said and end < len(paragraph) and _NUMBER.fullmatch(said[-1].text):
                said.pop()
            blocks.append(_Block(paragraph[place], said))
    return blocks


def _is_srt_time(paragraph: Sequence[_Line], place: int) -> bool:
    """Tell a line that is a time, or is where one should be and looks like it."""
    text = paragraph[place].text
    if _SRT_TIMING.fullmatch(text) or _SRT_MEANT.fullmatch(text):
        return True
    is_first = place == 0 or (place == 1 and bool(_NUMBER.fullmatch(paragraph[0].text)))
    return is_first and bool(_SRT_ARROW.search(text))


def _add_untimed(blocks: list[_Block], lines: list[_Line], following: Sequence[_Line]) -> None:
    """Give lines without a time to the cue before, unless they are a cue that lost its time."""
    if all(_NUMBER.fullmatch(line.text) for line in lines):
        has_own = bool(following) and bool(_NUMBER.fullmatch(following[0].text))
        is_text = has_own and bool(blocks) and bool(lines)
        if not is_text or (blocks[-1].text and _is_next(lines[-1], following[0])):
            return  # the number of a cue, alone
    if not blocks or (len(lines) > 1 and _NUMBER.fullmatch(lines[0].text)):
        blocks.append(_Block(None, lines))
    else:
        blocks[-1].text.extend(lines)


def _is_next(number: _Line, following: _Line) -> bool:
    """Tell whether a number comes right before another one, as those of cues do."""
    return int(number.text) + 1 == int(following.text)


def _blocks_on_one_clock(lines: Sequence[_Line]) -> Iterator[_Block]:
    """Yield the blocks of a file, or of segments of HLS that were put one after another."""
    places = [n for n in range(1, len(lines)) if _is_header(lines, n)]
    first: float | None = None
    offset = 0.0
    seen: set[tuple[object, ...]] = set()
    for start, end in itertools.pairwise([0, *places, len(lines)]):
        segment = lines[start + 1 : end]
        body = list(itertools.dropwhile(lambda line: line.text and "-->" not in line.text, segment))
        clock = _clock_of(segment[: len(segment) - len(body)])
        if clock is not None:
            first = clock if first is None else first
            offset = _forward(clock - first)
        blocks = [block._replace(offset=offset) for block in _webvtt_blocks(body)]
        keys = [_identity(block) for block in blocks]
        yield from (block for block, key in zip(blocks, keys, strict=True) if key not in seen)
        seen.update(keys)


def _identity(block: _Block) -> tuple[object, ...]:
    """Return when a block is displayed, and what; the same again is in two segments."""
    text = tuple(line.text for line in block.text)
    times = _WEBVTT_TIMING.fullmatch(block.time.text) if block.time else None
    if not times:
        return (block.time and block.time.text, *text)
    return (*(round(_seconds(time) + block.offset, 3) for time in times.groups()), *text)


def _is_header(lines: Sequence[_Line], place: int) -> bool:
    """Tell where another segment begins; its first line might be the name of a cue as well."""
    following = lines[place + 1].text if place + 1 < len(lines) else ""
    is_first = not lines[place - 1].text.strip()
    return is_first and bool(_HEADER.fullmatch(lines[place].text)) and "-->" not in following


def _clock_of(header: Iterable[_Line]) -> float | None:
    """Return what to add to the times of a segment to be on MPEG's clock."""
    for line in header:
        ticks, local = _MPEGTS.search(line.text), _LOCAL.search(line.text)
        if line.text.startswith("X-TIMESTAMP-MAP") and ticks and local:
            return int(ticks[1]) / _TICKS - _seconds(local[1])
    return None


def _forward(seconds: float) -> float:
    """Undo that MPEG's clock begins again."""
    period = 2**33 / _TICKS
    return (seconds + period / 2) % period - period / 2


def _webvtt_blocks(lines: Iterable[_Line]) -> Iterator[_Block]:
    """Cut as browsers do, and ignore what is not meant to be a cue."""
    in_style = False  # CSS with blank lines, until the first cue
    for block in filter(None, _cut(lines)):
        has_name = len(block) > 1 and "-->" not in block[0].text
        first, *others = block[1:] if has_name else block
        if "-->" in first.text:
            in_style = in_style and not _WEBVTT_TIMING.fullmatch(first.text)
            yield _Block(first, others)
        elif aside := _ASIDE.match(block[0].text):
            in_style = in_style or aside[1] == "STYLE"
        elif not (in_style or (not others and _NUMBER.fullmatch(first.text))):
            yield _Block(None, block)


def _cut(lines: Iterable[_Line]) -> Iterator[list[_Line]]:
    """Cut at empty lines, and before arrows that have none before them."""
    block: list[_Line] = []
    for line in lines:
        if not line.text:
            yield block
            block = []
            continue
        is_named = len(block) == 1 and "-->" not in block[0].text
        if "-->" in line.text and not is_named:
            yield block
            block = []
        block.append(line)
    yield block


def _read(blocks: Iterable[_Block], timing: re.Pattern[str]) -> Transcript:
    """Read the times and take the tags away; lines stay."""
    captions: list[Caption] = []
    skipped: list[Skipped] = []
    for block in blocks:
        try:
            cue = _cue(block, timing)
            if cue is not None:
                captions.append(Caption(cue.start, cue.end, _without_tags(cue.text)))
        except TranscriptError as error:
            line = block.time or block.text[0]
            skipped.append(Skipped(line.number, f"line {line.number}{error}"))
    return Transcript(captions, skipped)


def _cue(block: _Block, timing: re.Pattern[str]) -> _Cue | None:
    """Read the time of a block; where it has no text, it is not a cue."""
    line = block.time or block.text[0]
    times = timing.fullmatch(line.text) if block.time else None
    if not times:
        message = f" is not the time of a caption: {line.text[:80]!r}"
        raise TranscriptError(message)
    said = "\n".join(each.text for each in block.text)
    if not said.strip():
        return None
    start, end = _seconds(times[1]), _seconds(times[2])
    if block.offset:
        start, end = round(start + block.offset, 3), round(end + block.offset, 3)
    if end < start:
        message = f": the caption ends at {end} s, before it starts at {start} s"
        raise TranscriptError(message)
    return _Cue(start, end, said)


def _seconds(clock: str) -> float:
    hours, minutes, seconds, fraction = _PARTS.findall(re.sub(r"\s", "", clock))[0]
    total = 3600 * int(hours or 0) + 60 * int(minutes) + int(seconds)
    return float(f"{total}.{fraction or 0}")  # not a sum, which would not be the nearest float


def _late_words(blocks: Iterable[_Block]) -> dict[tuple[float, float], list[tuple[int, float]]]:
    """Find the words whose own times are after the end of their cue.

    Returns:
        For the start and end of a cue, how many words there are from such a time on, and the time.
    """
    late: dict[tuple[float, float], list[tuple[int, float]]] = {}
    for block in blocks:
        times = _WEBVTT_TIMING.fullmatch(block.time.text) if block.time else None
        if not times:
            continue
        span = _seconds(times[1]), _seconds(times[2])
        pieces = _WORD_TIME.split("\n".join(line.text for line in block.text))
        for place in range(1, len(pieces), 2):
            seconds = _seconds(pieces[place])
            words = len(_TAG.sub("", "".join(pieces[place + 1 :: 2])).split())
            if seconds > span[1] and words:
                late.setdefault(span, []).append((words, seconds))
    return late


def _apart(
    caption: Caption, late: Mapping[tuple[float, float], list[tuple[int, float]]]
) -> Iterator[Caption]:
    """Cut off the words that are spoken after the end of their cue."""
    words = caption.text.split()
    ends = late.get((caption.start, caption.end), [])
    cuts = [(len(words) - count, seconds) for count, seconds in ends if count <= len(words)]
    first = cuts[0][0] if cuts else len(words)
    if first:
        yield caption._replace(text=" ".join(words[:first]))
    for (place, start), (stop, end) in itertools.pairwise(
        [*cuts, (len(words), cuts[-1][1])] if cuts else []
    ):
        if stop > place:
            yield Caption(start, max(start, end), " ".join(words[place:stop]))


def _without_tags(text: str) -> str:
    try:
        return _MARKS.sub("", html.unescape(_TAG.sub("", _RUBY.sub(_without_rt, text))))
    except ValueError as error:  # a character's number of thousands of digits
        message = f": a caption's text cannot be read: {error}"
        raise TranscriptError(message) from error


def _without_rt(ruby: re.Match[str]) -> str:
    return _RT.sub("", ruby[0])


def _on_one_line(captions: list[Caption]) -> list[Caption]:
    lines = (caption._replace(text=" ".join(caption.text.split())) for caption in captions)
    return [caption for caption in lines if caption.text]


def _rolls(captions: list[Caption]) -> bool:
    """Tell YouTube's two lines, one of which is empty at first, from other subtitles."""
    lines = [caption.text.split("\n") for caption in captions]
    return any(len(shown) == 2 and not all(map(str.strip, shown)) for shown in lines)
