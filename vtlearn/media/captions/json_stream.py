"""JSON files that are larger than memory, one value after another.

Home-made although ijson exists: it refuses the NaN that Python's own json writes, its fast backend
reads half a surrogate pair as a question mark, and it reads captions no faster.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from vtlearn.errors import TranscriptError

__all__: list[str] = []

_SPACE = re.compile(r"[ \t\n\r]*")
_WORD = 16  # characters; longer than any literal or escape that may be cut in two


def stream_object(pieces: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Read a large JSON object, without holding more than a piece and the largest value.

    Args:
        pieces: Its text, cut anywhere. NaN and Infinity are read as numbers.

    Yields:
        Its keys, which may come again, and their values, in their order.

    Raises:
        TranscriptError: If the text is not a JSON object, or is cut off; with the character.

    Example:
        >>> list(stream_object(['{"a": [1, 2', '5], "b', '": NaN}']))
        [('a', [1, 25]), ('b', nan)]
    """
    stream = _Stream(iter(pieces))
    stream.take("{")
    separator = "" if stream.peek() == "}" else ","
    while separator == ",":
        key = stream.value()
        if not isinstance(key, str):
            stream.fail(f"{key!r:.80} is not a key")
        stream.take(":")
        yield key, stream.value()
        if separator := stream.peek().replace("}", ""):
            stream.take(",")
    stream.take("}")
    if found := stream.peek():
        stream.fail(f"its end is expected, but there is {found}")


class _Stream:
    """Text of which a part is in memory."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self._pieces = pieces
        self._decoder = json.JSONDecoder()
        self._text = ""
        self._at = 0  # what is before this in the text has been used
        self._used = 0  # characters before the text

    def peek(self) -> str:
        """Return the next character that is no space; nothing at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._text) or not self._read(1):
                return self._text[self._at : self._at + 1]

    def take(self, expected: str) -> None:
        """Pass this character."""
        if (found := self.peek()) != expected:
            self.fail(f"{expected} is expected, but there is {found or 'its end'}")
        self._at += 1

    def value(self) -> Any:
        """Read a whole value."""
        if not self.peek():
            self.fail("it is cut off")
        while True:
            size = len(self._text) - self._at
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                ahead = error.pos - self._at  # before reading moves both
                unfinished = "Unterminated" in error.msg or error.pos > len(self._text) - _WORD
                if not unfinished or not self._read(size):  # as much again, or it takes for ever
                    self.fail(error.msg, ahead)
            except RecursionError:
                self.fail("it is nested too deeply")
            except ValueError as error:  # Python limits the digits of integers
                self.fail(str(error))
            else:
                whole = len(self._text) - end >= _WORD  # or a number may go on: 1 .5
                if whole or not self._read(size):
                    self._at = end
                    return value

    def fail(self, what: str, ahead: int = 0) -> NoReturn:
        """Say what is wrong, and where."""
        message = f"it is not valid JSON: {what}, at character {self._used + self._at + ahead}"
        raise TranscriptError(message)

    def _read(self, size: int) -> bool:
        """Add at least so many characters; say whether there were any."""
        pieces: list[str] = []
        while size > 0 and (piece := next(self._pieces, None)) is not None:
            pieces.append(piece)
            size -= len(piece)
        if not pieces:
            return False
        self._used += self._at
        self._text, self._at = "".join([self._text[self._at :], *pieces]), 0
        return True
