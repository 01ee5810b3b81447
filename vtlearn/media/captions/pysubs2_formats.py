"""Read what pysubs2 reads better than a reader of our own would: ASS, SSA, SAMI and MicroDVD.

A line at a time where the format has one caption per line, so that a bad one costs itself alone.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

import pysubs2

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.caption import Caption, Skipped, Transcript

__all__: list[str] = []

_FRAMES = re.compile(r"\s*\{\s*\d+\s*\}\s*\{\s*\d+\s*\}.*")
_RATE = re.compile(r"\s*\{\s*1\s*\}\s*\{\s*1\s*\}\s*(\d{1,4}(?:[.,]\d{1,9})?)\s*")
_UNSHOWN = re.compile(r"<head\b.*?</head\s*>|<!--.*?-->|<[^>]*>|&nbsp;?", re.IGNORECASE | re.DOTALL)
_SYNC, _PARAGRAPH = (re.compile(rf"(?=<{tag}\b)", re.IGNORECASE) for tag in ("SYNC", "P"))
_CLASS = re.compile(r"<P\b[^>]*?\bClass\s*=\s*[\"']?([\w-]+)", re.IGNORECASE)
_FAULTS = (ValueError, LookupError, TypeError, OverflowError, pysubs2.exceptions.Pysubs2Error)


def parse_substation(text: str, kind: str = "ass") -> Transcript:
    r"""Read Advanced SubStation Alpha, or its elder, SSA.

    Args:
        text: The whole file. Comments and drawings are ignored, and a line that comes again at the
            same time, as its own shadow, counts once.
        kind: ``ass`` or ``ssa``.

    Returns:
        The captions in the file's order, on one line each, without tags; what has no text is none.

    Raises:
        TranscriptError: If there is text of another kind, and no caption.

    Example:
        >>> parse_substation(r"Dialogue: 0,0:00:04.13,0:00:06.50,Default,,0,0,0,,{\b1}so\N we")
        [Caption(start=4.13, end=6.5, text='so we')]
    """
    lines = [
        (number, line.strip())
        for number, line in enumerate(text.splitlines(), 1)
        if line.lstrip().startswith("Dialogue:")
    ]
    first = next((line.strip() for line in text.splitlines() if line.strip()), "[")
    if not lines and not first.startswith(("[", ";")):
        message = f"it has no line that begins with Dialogue:, and begins with {first[:80]!r}"
        raise TranscriptError(message)
    transcript = _by_line(lines, kind)
    return Transcript(dict.fromkeys(transcript), transcript.skipped)


def parse_microdvd(text: str, fps: float | None = None) -> Transcript:
    r"""Read MicroDVD, whose times are frames.

    Args:
        text: The whole file; a first line ``{1}{1}25`` says how many frames there are per second.
        fps: Frames per second of the video, where the file does not say.

    Returns:
        The captions in the file's order, on one line each, without tags.

    Raises:
        TranscriptError: If there are no frames per second.

    Example:
        >>> parse_microdvd("{1}{1}25\n{25}{50}so|we\n")
        [Caption(start=1.0, end=2.0, text='so we')]
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if lines and (rate := _RATE.fullmatch(lines[0][1])):
        fps = float(rate[1].replace(",", "."))
        lines = lines[1:]
    if not fps and any(_FRAMES.fullmatch(line) for _, line in lines):
        message = "its times are frames; say how many there are per second in line 1, as {1}{1}25"
        raise TranscriptError(message)
    return _by_line(lines, "microdvd", fps)


def parse_sami(text: str) -> Transcript:
    """Read SAMI, whose captions have no end.

    Args:
        text: The whole file. Where it has captions in several languages, which are told by their
            classes, those in the first are read.

    Returns:
        The captions, on one line each. Each ends with the next, empty or not, or earlier where its
        text is so short that pysubs2 believes it has been read.

    Raises:
        TranscriptError: If a time is not a number, or there is text and no caption.

    Example:
        >>> parse_sami("<SAMI><BODY><SYNC Start=1000><P>so we<SYNC Start=1500><P>&nbsp;</SAMI>")
        [Caption(start=1.0, end=1.5, text='so we')]
    """
    text = f"{_in_one_language(text)}</SAMI>"  # without an end pysubs2 drops the last caption
    try:
        captions = Transcript(_captions(pysubs2.SSAFile.from_string(text, format_="sami")))
    except _FAULTS as error:
        message = f"it is not SAMI: {error}"
        raise TranscriptError(message) from error
    shown = "" if captions else " ".join(_UNSHOWN.sub(" ", text).split())
    if shown:
        message = f"it has text outside of any caption, and none that is in one: {shown[:80]!r}"
        raise TranscriptError(message)
    return captions


def sami_language(text: str) -> str:
    """Return the language of the captions of SAMI that :func:`parse_sami` reads.

    Args:
        text: The whole file.

    Returns:
        The tag that the style of their class has; empty where it has none, or they have no class.

    Example:
        >>> sami_language("<STYLE>.KRCC {Name:Korean; lang:ko-KR;}</STYLE><SYNC><P Class=KRCC>")
        'ko-KR'
    """
    first = _CLASS.search(text)
    return _styled_language(text, first[1]) if first else ""


def _styled_language(text: str, name: str) -> str:
    style = rf"\.{re.escape(name)}\s*\{{[^{{}}]*?\blang\s*:\s*([A-Za-z][\w-]*)"
    found = re.search(style, text, re.IGNORECASE)
    return found[1] if found else ""


def _in_one_language(text: str) -> str:
    """Leave out paragraphs of classes of other languages than the first, and times of no others."""
    names = {name.lower(): None for name in _CLASS.findall(text)}
    if len(names) < 2:
        return text
    languages = {name: _styled_language(text, name).lower() or name for name in names}
    first = languages[next(iter(names))]
    head, *blocks = _SYNC.split(text)
    kept = [head]
    for block in blocks:
        sync, *paragraphs = _PARAGRAPH.split(block)
        own = [each for each in paragraphs if _language_of(each, languages, first) == first]
        if own or not paragraphs:
            kept += [sync, *own]
    return "".join(kept)


def _language_of(paragraph: str, languages: Mapping[str, str], default: str) -> str:
    named = _CLASS.match(paragraph)
    return languages[named[1].lower()] if named else default


def _by_line(lines: Iterable[tuple[int, str]], kind: str, fps: float | None = None) -> Transcript:
    captions: list[Caption] = []
    skipped: list[Skipped] = []
    for number, line in lines:
        try:
            events = pysubs2.SSAFile.from_string(line, format_=kind, fps=fps)
        except _FAULTS:
            events = pysubs2.SSAFile()
        if not events or any(event.end < event.start for event in events):
            skipped.append(Skipped(number, f"line {number} is not a caption: {line[:80]!r}"))
        else:
            captions += _captions(events)
    return Transcript(captions, skipped)


def _captions(events: Iterable[pysubs2.SSAEvent]) -> Iterator[Caption]:
    for event in events:
        text = " ".join(event.plaintext.split())
        if text and event.is_text:
            yield Caption(event.start / 1000, event.end / 1000, text)
