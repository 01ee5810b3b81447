"""Captions of TTML by the standard: when each piece of text is displayed, and which is speech.

Home-made although ttconv reads TTML: it wants all of a document valid, and gives what is on screen
from one change to the next, where a transcript has each sentence once.
Source: W3C, Timed Text Markup Language 1 (third edition, 2018), sections 10 and 11.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.caption import Caption, Skipped, Transcript
from vtlearn.media.captions.ttml_times import TimeReader, is_apple
from vtlearn.media.captions.xml_tree import Element

__all__: list[str] = []

_TIMED = frozenset({"body", "div", "p", "span"})
_INLINE = frozenset({"p", "span"})
_TIMES = ("begin", "end", "dur")
_NOT_SPOKEN = frozenset({"text", "textContainer", "delimiter"})  # of tts:ruby: what annotates

_Span = tuple[Fraction, Fraction | None]  # absolute; None: to the end of the video


class _Run(NamedTuple):
    """Text that is displayed at one time."""

    span: _Span
    text: str


class _Times(NamedTuple):
    """What an element says of its time, in seconds."""

    begin: Fraction
    end: Fraction | None
    dur: Fraction | None


def read_ttml(root: Element) -> Transcript:
    """Read the captions of a document.

    Args:
        root: The document.

    Returns:
        The captions in the document's order, on one line each. Each is the text of a ``p`` that is
        displayed at one time: of spans with times of their own, one each. What has no end lasts
        until the next begins, and the last of those no time; what lies outside the time of what it
        is in is never displayed. Those whose time is wrong, or who have none, are among its
        ``skipped``.

    Raises:
        TranscriptError: If its frame rate or tick rate is not a number.
    """
    return _Document(root).transcript()


class _Document:
    def __init__(self, root: Element) -> None:
        self._space = root.space
        self._styles = {
            name: each
            for each in root.all()
            if each.name == "style" and (name := each.get("id")) is not None
        }
        timed = [each for each in root.all() if self._is(each, _TIMED)]
        given = [each.attributes[key] for each in timed for key in _TIMES if key in each.attributes]
        self._apple = is_apple(given)
        self._reader = TimeReader(root, apple=self._apple)
        self._known: dict[int, _Times] = {}  # of elements by identity: each is asked for often
        self._regions = {
            name: each
            for each in root.all()
            if self._is(each, frozenset({"region"})) and (name := each.get("id")) is not None
        }
        self._bodies = [each for each in root.elements if self._is(each, _TIMED)]
        self._captions: list[Caption | tuple[Fraction, str]] = []
        self._skipped: list[Skipped] = []

    def transcript(self) -> Transcript:
        for body in self._bodies:
            self._walk(body, Fraction(0), None, is_timed=False, in_sequence=False, region=None)
        starts = sorted(float(each[0]) for each in self._captions)
        captions = [
            each if isinstance(each, Caption) else _until_next(float(each[0]), each[1], starts)
            for each in self._captions
        ]
        return Transcript(captions, self._skipped)

    def _is(self, element: Element, names: frozenset[str]) -> bool:
        return element.name in names and element.space == self._space

    def _walk(
        self,
        element: Element,
        base: Fraction,
        limit: Fraction | None,
        *,
        is_timed: bool,
        in_sequence: bool,
        region: str | None,
    ) -> None:
        """Go through body and div; below an element whose time is wrong nothing can be timed."""
        if self._is_hidden(element):
            return
        region = element.attributes.get("region", region)
        if element.name in _INLINE:
            is_timed = is_timed or self._is_timed(element) or self._has_times(region)
            self._add_paragraph(
                *(element, base, limit), is_timed=is_timed, in_sequence=in_sequence, region=region
            )
            return
        try:
            begin, end = self._active(element, base, limit, in_sequence=in_sequence)
        except TranscriptError as error:
            texts = [each for each in element.all() if self._is(each, frozenset({"p"}))]
            self._skipped += [
                Skipped(each.line, f"line {each.line}: {error}") for each in texts if _said(each)
            ]
            return
        is_timed = is_timed or any(key in element.attributes for key in _TIMES)
        sequence = _is_sequence(element)
        place: Fraction | None = begin
        for child in element.elements:
            if not self._is(child, _TIMED):
                continue
            if place is None:  # after what lasts for ever
                break
            self._walk(child, place, end, is_timed=is_timed, in_sequence=sequence, region=region)
            if sequence:
                place = self._own_end(child, place, in_sequence=True)

    def _own_end(self, element: Element, base: Fraction, *, in_sequence: bool) -> Fraction | None:
        """Return when an element ends; in a sequence the next one begins there."""
        try:
            return self._resolved(element, base, in_sequence=in_sequence)[1]
        except TranscriptError:
            return base  # as if it were not there

    def _active(
        self, element: Element, base: Fraction, limit: Fraction | None, *, in_sequence: bool
    ) -> _Span:
        begin, end = self._resolved(element, base, in_sequence=in_sequence)
        return begin, end if self._apple else _earlier(end, limit)

    def _resolved(self, element: Element, base: Fraction, *, in_sequence: bool) -> _Span:
        """Return begin and end of an element, by itself and by what it holds."""
        times = self._times(element)
        if self._apple:
            base = Fraction(0)  # all times count from the start of the video
        begin = base + times.begin
        given = None if times.end is None else base + times.end
        if times.dur is not None:
            given = _earlier(given, begin + times.dur)
        if given is not None:
            if given < begin:
                message = (
                    f"a caption ends at {float(given):g} s, before it starts at {float(begin):g} s"
                )
                raise TranscriptError(message)
            return begin, given
        return begin, self._implied_end(element, begin, in_sequence=in_sequence)

    def _implied_end(
        self, element: Element, begin: Fraction, *, in_sequence: bool
    ) -> Fraction | None:
        sequence = _is_sequence(element)
        is_inline = element.name in _INLINE and not sequence
        if is_inline and any(isinstance(each, str) for each in element.content):
            return None  # text alone lasts as long as what it is in
        if element.name in {"br", "set", "region"}:
            return begin if in_sequence else None
        end: Fraction | None = begin
        for child in element.elements:
            if not self._is(child, _TIMED | {"br"}):
                continue
            if sequence:
                if end is None:
                    break
                end = self._own_end(child, end, in_sequence=True)
            else:
                own = self._own_end(child, begin, in_sequence=False)
                end = None if end is None or own is None else max(end, own)
        return end

    def _times(self, element: Element) -> _Times:
        known = self._known.get(id(element))
        if known is None:
            given = {key: element.attributes[key] for key in _TIMES if key in element.attributes}
            read = {key: self._reader.seconds(text) for key, text in given.items()}
            known = _Times(read.get("begin", Fraction(0)), read.get("end"), read.get("dur"))
            self._known[id(element)] = known
        return known

    def _add_paragraph(
        self,
        paragraph: Element,
        base: Fraction,
        limit: Fraction | None,
        *,
        is_timed: bool,
        in_sequence: bool,
        region: str | None,
    ) -> None:
        if not _said(paragraph):
            return
        try:
            runs = list(self._runs(paragraph, base, limit, in_sequence=in_sequence))
            if self._apple and paragraph.attributes.get("end"):  # its spans are single words
                span = self._active(paragraph, base, limit, in_sequence=in_sequence)
                runs = [_Run(span, text) for _, text in runs]
            self._add_runs(self._in_region(runs, region), is_timed=is_timed)
        except TranscriptError as error:
            self._skipped.append(Skipped(paragraph.line, f"line {paragraph.line}: {error}"))

    def _has_times(self, region: str | None) -> bool:
        found = self._regions.get(region or "")
        return found is not None and any(key in found.attributes for key in _TIMES)

    def _in_region(self, runs: list[_Run], region: str | None) -> list[_Run]:
        """Clip the times of text to that of the region that it is displayed in."""
        if not self._has_times(region):
            return runs
        first, last = self._active(
            self._regions[region or ""], Fraction(0), None, in_sequence=False
        )
        return [_Run((max(begin, first), _earlier(end, last)), text) for (begin, end), text in runs]

    def _is_timed(self, paragraph: Element) -> bool:
        below = (each for each in paragraph.all() if self._is(each, _INLINE))
        return any(key in each.attributes for each in below for key in _TIMES)

    def _add_runs(self, runs: list[_Run], *, is_timed: bool) -> None:
        """Put together what is displayed at one time."""
        if not is_timed:
            message = "a caption has no begin and no end, nor has what it is in"
            raise TranscriptError(message)
        texts: dict[_Span, str] = {}
        last: _Span | None = None
        for span, text in runs:
            apart = "" if span == last or span not in texts else " "
            texts[span] = texts.get(span, "") + apart + text
            last = span
        for (begin, end), text in texts.items():
            said = " ".join(text.split())
            if said and end is None:
                self._captions.append((begin, said))
            elif said and end is not None and end >= begin:  # else its time is another's, or past
                self._captions.append(Caption(float(begin), float(end), said))

    def _runs(
        self, element: Element, base: Fraction, limit: Fraction | None, *, in_sequence: bool
    ) -> Iterator[_Run]:
        """Yield the text below an element with the time of each."""
        begin, end = self._active(element, base, limit, in_sequence=in_sequence)
        shown = self._displayed(element, (begin, end))
        sequence = _is_sequence(element)
        place: Fraction | None = begin
        for each in element.content:
            if isinstance(each, str):
                if not sequence:  # text alone takes no time of a sequence
                    yield _Run(shown, each)
            elif self._is(each, frozenset({"br"})):
                yield _Run(shown, " ")
            elif self._is(each, frozenset({"span"})) and not self._is_hidden(each):
                if place is None:
                    break
                for span, text in self._runs(each, place, shown[1], in_sequence=sequence):
                    yield _Run((max(span[0], shown[0]), span[1]), text)
                if sequence:
                    place = self._own_end(each, place, in_sequence=True)

    def _is_hidden(self, element: Element) -> bool:
        """Tell annotations of other words, and what is never displayed."""
        if self._style(element, "ruby") in _NOT_SPOKEN:
            return True
        return self._style(element, "display") == "none" and not any(self._changes(element))

    def _changes(self, element: Element) -> Iterator[Element]:
        """Yield what changes whether an element is displayed."""
        for each in element.elements:
            if self._is(each, frozenset({"set"})) and each.get("display") is not None:
                yield each

    def _displayed(self, element: Element, span: _Span) -> _Span:
        """Return when an element is displayed, up to the second change of that."""
        is_hidden = self._style(element, "display") == "none"
        for change in self._changes(element):
            if (change.get("display") == "none") != is_hidden:
                begin, end = self._active(change, *span, in_sequence=False)
                return (begin, end) if is_hidden else (span[0], _earlier(begin, span[1]))
        return span

    def _style(self, element: Element, name: str, depth: int = 8) -> str | None:
        """Look a style up, on the element or in the styles that it names."""
        own = element.get(name)
        if own is not None or depth == 0:
            return own
        for key in reversed((element.attributes.get("style") or "").split()):
            if key in self._styles:
                found = self._style(self._styles[key], name, depth - 1)
                if found is not None:
                    return found
        return None


def _is_sequence(element: Element) -> bool:
    return element.attributes.get("timeContainer") == "seq"


def _earlier(one: Fraction | None, other: Fraction | None) -> Fraction | None:
    return other if one is None else one if other is None else min(one, other)


def _said(element: Element) -> bool:
    """Tell whether there is any text in an element."""
    return any(isinstance(x, str) and x.strip() for each in element.all() for x in each.content)


def _until_next(start: float, text: str, starts: list[float]) -> Caption:
    """Let a caption without an end last until another begins."""
    return Caption(start, next((each for each in starts if each > start), start), text)
