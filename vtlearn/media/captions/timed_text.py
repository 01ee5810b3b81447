"""Read timed text in XML: TTML, and the three layouts of YouTube's own (srv1, srv2, srv3)."""

import html
from collections.abc import Iterator

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.caption import Caption, Skipped, Transcript
from vtlearn.media.captions.ttml import read_ttml
from vtlearn.media.captions.ttml_times import TimeReader
from vtlearn.media.captions.xml_tree import Element, parse_xml

__all__: list[str] = []

_YOUTUBE = frozenset({"timedtext", "transcript"})


def parse_timed_text(content: bytes | str) -> Transcript:
    """Read TTML, or YouTube's ``timedtext`` and ``transcript``.

    Args:
        content: The whole file; where it is decoded, the encoding that it declares does not count.
            Of TTML see :func:`~vtlearn.media.captions.ttml.read_ttml`.

    Returns:
        The captions in the file's order, on one line each; those without text are none. Those whose
        time is wrong or missing are among its ``skipped``.

    Raises:
        TranscriptError: If it is not valid XML, has a document type (where entities would be
            defined), or rates that are not numbers; it says which line. If it is XML of another
            kind with text, and has no caption.

    Example:
        >>> body = b'<tt><body><p begin="00:00:04.130" end="6.5s">so we<br/>moved</p></body></tt>'
        >>> parse_timed_text(body)
        [Caption(start=4.13, end=6.5, text='so we moved')]
    """
    root = parse_xml(content)
    if root.name in _YOUTUBE:
        return _read_youtube(root)
    transcript = read_ttml(root)
    if root.name != "tt" and not transcript and not transcript.skipped:
        _require_silent(root)
    return transcript


def _require_silent(root: Element) -> None:
    """Refuse text in something that is not timed text, such as a page that reports an error."""
    text = " ".join("".join(_pieces(root)).split())
    if text:
        message = f"it is <{root.name}>, not TTML, and none of its text is a caption: {text[:80]!r}"
        raise TranscriptError(message)


def _read_youtube(root: Element) -> Transcript:
    reader = TimeReader(Element("tt", "", {}, root.line))
    captions: list[Caption] = []
    skipped: list[Skipped] = []
    for element in root.all():
        if element.name not in {"p", "text"}:
            continue
        try:
            text = " ".join(html.unescape("".join(_pieces(element))).split())
            if text:
                captions.append(Caption(*_span(element, reader), text))
        except (TranscriptError, ValueError) as error:  # a character of thousands of digits, too
            skipped.append(Skipped(element.line, f"line {element.line}: {error}"))
    return Transcript(captions, skipped)


def _pieces(element: Element) -> Iterator[str]:
    for each in element.content:
        if isinstance(each, str):
            yield each
        else:
            yield " " if each.name == "br" else "".join(_pieces(each))


def _span(element: Element, reader: TimeReader) -> tuple[float, float]:
    """Return when a caption starts and ends."""
    given = element.attributes
    if element.name == "text" and "t" not in given:
        start, length, unit = given.get("start"), given.get("dur"), "s"
    else:
        start, length, unit = given.get("t"), given.get("d"), "ms"
    if start is None or length is None:
        message = "a caption has no start or no duration"
        raise TranscriptError(message)
    begin = reader.seconds(start + unit)
    return float(begin), float(begin + reader.seconds(length + unit))
