r"""Files of text that are too large to be read whole, and UTF-8 but for a byte here and there.

What is not UTF-8 becomes half a surrogate pair per byte, as Python has it in names of files, until
the reader of a text or an id makes it valid (:mod:`vtlearn.unicode`): captions have U+FFFD then.
"""

import codecs
import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from vtlearn.unicode import replace_surrogates

__all__ = ["decode_blocks", "read_lines"]

_LOG = logging.getLogger(__name__)
_BLOCK = 2**20  # bytes
_FEW = 3  # places that any file may have
_PER = 1000  # characters among which there may be one more; in a text in Latin-1 it is dozens
_AROUND = 20  # characters of what is shown
_UTF16 = ("\udcff\udcfe", "\udcfe\udcff")  # its byte order marks
_HIGH, _LOW = "[\ud800-\udbff]", "[\udc00-\udfff]"
_BAD = re.compile(f"(?:{_HIGH}(?!{_LOW})|(?<!{_HIGH}){_LOW})+")

_reported: set[tuple[str, str]] = set()


def read_lines(path: Path, newline: str = "") -> Iterator[str]:
    r"""Read a file line by line.

    Args:
        path: The file.
        newline: Where its lines end, as :func:`open` takes it; they keep their ends.

    Yields:
        The lines. At the end it is logged how much is not UTF-8, once per file.

    Raises:
        OSError: If the file cannot be read.
        UnicodeError: If too much of it is not UTF-8: at its end.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "list.csv")
        ...     _ = file.write_bytes(b"id,text\n1,caf\xe9\n")
        ...     [ascii(line) for line in read_lines(file)]
        ["'id,text\\n'", "'1,caf\\udce9\\n'"]
    """
    damage = _Damage(path)
    with path.open(encoding="utf-8-sig", errors=_HANDLER, newline=newline) as file:
        while lines := file.readlines(_BLOCK):
            damage.add("".join(lines))
            yield from lines
    damage.report()


def decode_blocks(blocks: Iterable[bytes], name: object) -> Iterator[str]:
    """Decode a file that comes in blocks.

    Args:
        blocks: What it holds, cut anywhere.
        name: What it is called in the log.

    Yields:
        Its text in pieces, without a byte order mark.

    Raises:
        UnicodeError: As :func:`read_lines` does.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")(_HANDLER)
    damage = _Damage(name)
    for block in blocks:
        text = decoder.decode(block)
        damage.add(text)
        yield text
    text = decoder.decode(b"", final=True)
    damage.add(text)
    yield text
    damage.report()


class _Damage:
    """Counts the places of a file that are not UTF-8."""

    def __init__(self, name: object) -> None:
        self._name = str(name)
        self._size = self._lines = self._count = 0
        self._first = ""

    def add(self, text: str) -> None:
        """Look at the next piece of it; refuse one that is in UTF-16."""
        if not self._size and text.startswith(_UTF16):
            raise UnicodeError
        if not _is_valid(text):
            places = [found.start() for found in _BAD.finditer(text)]
            if places and not self._count:
                self._first = self._shown(text, places[0])
            self._count += len(places)
        self._size += len(text)
        self._lines += text.count("\n")

    def report(self) -> None:
        """Log what there was; refuse a file of which that is too much."""
        if self._count > max(_FEW, self._size // _PER):
            raise UnicodeError
        places = "1 place is" if self._count == 1 else f"{self._count} places are"
        message = f"{places} not UTF-8 (first: {self._first})"
        if self._count and (self._name, message) not in _reported:
            _reported.add((self._name, message))
            _LOG.warning("%s: %s", self._name, message)

    def _shown(self, text: str, place: int) -> str:
        line = self._lines + text.count("\n", 0, place) + 1
        before = text[max(0, place - _AROUND) : place].rpartition("\n")[2]
        after = text[place : place + _AROUND].partition("\n")[0]
        return f"line {line}, {replace_surrogates(before + after).strip()!r}"


def _is_valid(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _escaped(error: UnicodeError) -> tuple[str | bytes, int]:
    """Keep what cannot be decoded: half a surrogate pair, encoded by itself, or a byte."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    half = error.object[error.start : error.start + 3]
    try:
        return half.decode("utf-8", "surrogatepass"), error.start + 3
    except UnicodeDecodeError:
        found = error.object[error.start : error.end]
        return found.decode("ascii", "surrogateescape"), error.end


_HANDLER = "vtlearn.keep_bytes"
codecs.register_error(_HANDLER, _escaped)
