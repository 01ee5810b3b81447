"""Read XML into a tree of plain elements, with the line that each begins in."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from vtlearn.errors import TranscriptError

__all__: list[str] = []

_REFERENCE = re.compile("&#(?:[0-9]{1,9}|[xX][0-9a-fA-F]{1,8});")
_DEEPEST = 100  # elements in elements; TTML nests spans as deep as it likes


@dataclass(slots=True)
class Element:
    """An element of XML.

    Attributes:
        name: Its name without a prefix.
        space: The namespace that its prefix stands for, or the prefix where it stands for none.
        attributes: By their names with prefixes.
        line: Where it begins, from 1.
        content: Elements and text, in order.
    """

    name: str
    space: str
    attributes: dict[str, str]
    line: int
    content: list["Element | str"] = field(default_factory=list)

    @property
    def elements(self) -> Iterator["Element"]:
        """The elements in it, without text."""
        return (each for each in self.content if isinstance(each, Element))

    def all(self) -> Iterator["Element"]:
        """Yield it and all elements below, in the order of the document."""
        yield self
        for each in self.elements:
            yield from each.all()

    def get(self, name: str) -> str | None:
        """Return an attribute by its name without a prefix; one without a prefix comes first.

        Args:
            name: The name.
        """
        if name in self.attributes:
            return self.attributes[name]
        with_prefix = (key for key in self.attributes if key.rpartition(":")[2] == name)
        return self.attributes.get(next(with_prefix, name))


def parse_xml(content: bytes | str) -> Element:
    """Read a document.

    Args:
        content: The whole file.

    Returns:
        Its root.

    Raises:
        TranscriptError: If it is not valid XML, has a document type (where entities would be
            defined), or is nested absurdly deep.

    Example:
        >>> parse_xml(b"<tt><p>so <br/></p></tt>").all()
        <generator object Element.all at ...>
    """
    reader = _Reader()
    try:
        reader.parser.Parse(_allowed(content), True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # encodings that are unknown, too
        message = f"it is not valid XML: {error}"
        raise TranscriptError(message) from error
    return reader.root


def _allowed(content: bytes | str) -> bytes | str:
    """Replace references to what is not a character in XML by U+FFFD: half an emoji, mostly.

    In UTF-16 they are not found, and the document is refused.
    """
    if isinstance(content, str):
        return _REFERENCE.sub(lambda found: _checked(found[0]), content)
    as_text = content.decode("latin-1")  # any byte, and back
    return _REFERENCE.sub(lambda found: _checked(found[0]), as_text).encode("latin-1")


def _checked(reference: str) -> str:
    number = reference[2:-1].lower()
    code = int(number[1:], 16) if number.startswith("x") else int(number)
    is_character = code in (9, 10, 13) or 32 <= code < 0xD800 or 0xE000 <= code < 0xFFFE
    return reference if is_character or 0x10000 <= code <= 0x10FFFF else "&#xFFFD;"


class _Reader:
    """What expat calls as it meets elements and text."""

    def __init__(self) -> None:
        self.root = Element("", "", {}, 0)
        self._open: list[Element] = []
        self._spaces: list[dict[str, str]] = [{}]  # by prefix, of the elements that we are in
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse  # before any entity is expanded

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) == _DEEPEST:
            self._fail(f"elements are nested deeper than {_DEEPEST}")
        named = {key[6:]: uri for key, uri in attributes.items() if key.startswith("xmlns:")}
        if "xmlns" in attributes:
            named[""] = attributes["xmlns"]
        self._spaces.append({**self._spaces[-1], **named} if named else self._spaces[-1])
        prefix, _, name = tag.rpartition(":")
        space = self._spaces[-1].get(prefix, prefix)
        element = Element(name, space, attributes, self.parser.CurrentLineNumber)
        if self._open:
            self._open[-1].content.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, _: str) -> None:
        self._open.pop()
        self._spaces.pop()

    def _text(self, text: str) -> None:
        self._open[-1].content.append(text)

    def _refuse(self, *_: object) -> None:
        self._fail("a document type, which captions have no need of, is not read")

    def _fail(self, what: str) -> NoReturn:
        message = f"line {self.parser.CurrentLineNumber}: {what}"
        raise TranscriptError(message)
