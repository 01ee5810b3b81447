"""Many strings without a Python object each, such as the ids of a corpus.

A list of a million strings is a million objects, and whoever looks at one writes to its reference
count: a loader's forked workers then copy the list page by page, until each holds all of it. Here
they are bytes and offsets in a few arrays, which workers share.

Home-made although pyarrow has such arrays: every worker would import a large package for it, and
its arrays find a string only by looking at all of them.
"""

import hashlib
import operator
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from vtlearn.errors import VTLearnError
from vtlearn.storage.mapped import map_array

__all__ = ["Strings"]


class _Arrays(NamedTuple):
    """What strings are kept in; ``text`` has (bytes,), ``offsets`` (strings + 1,)."""

    text: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    hashes: NDArray[np.uint64]  # of every string, sorted
    order: NDArray[np.int64]  # which string each hash is of; of equal hashes, the first comes first


class Strings(Sequence[str]):
    """A sequence of strings in a few arrays, in memory or mapped from files.

    Made by :meth:`of`, :meth:`shared` or :meth:`load`. It finds a string in any order in a few
    microseconds, by its hash. It pickles as a path where it was loaded from files, and whole where
    it was not.

    Example:
        >>> ids = Strings.of(["nVbIUDjzWY4", "-CTPAZ2euJ2"])
        >>> ids[1], len(ids), "nVbIUDjzWY4" in ids, ids.index("-CTPAZ2euJ2")
        ('-CTPAZ2euJ2', 2, True, 1)
    """

    def __init__(self, arrays: _Arrays, home: tuple[Path, str] | None = None) -> None:
        self._arrays = arrays
        self._text = arrays.text.data
        self._home = home

    @classmethod
    def of(cls, strings: Iterable[str]) -> "Strings":
        """Keep strings in memory.

        Args:
            strings: What to keep, in their order.

        Returns:
            The strings. Any string can be kept, lone surrogates included.
        """
        encoded = [_encoded(string) for string in strings]
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(each) for each in encoded], out=offsets[1:])
        hashes = np.array([_hash(each) for each in encoded], np.uint64)
        order = hashes.argsort(kind="stable")
        text = np.frombuffer(b"".join(encoded), np.uint8)
        return cls(_Arrays(text, offsets, hashes[order], order))

    @classmethod
    def load(cls, folder: Path, name: str) -> "Strings":
        """Map what :meth:`save` wrote.

        Args:
            folder: Where it was saved.
            name: Under which name.

        Returns:
            The strings, of which nothing is read before it is needed.

        Raises:
            VTLearnError: If the files are not there or do not belong together.
        """
        paths = _paths(folder, name)
        try:
            arrays = _Arrays(
                map_array(paths[0], np.uint8),
                map_array(paths[1], np.int64),
                map_array(paths[2], np.uint64),
                map_array(paths[3], np.int64),
            )
        except (OSError, ValueError) as error:
            message = f"{folder / name} holds no strings that can be read: {error}; remove it"
            raise VTLearnError(message) from error
        text, offsets, hashes, order = arrays
        if (
            len(offsets) == 0
            or offsets[-1] != len(text)
            or {len(hashes), len(order)} != {len(offsets) - 1}
        ):
            message = f"{folder / name}: the files of these strings do not belong together; remove"
            raise VTLearnError(message)
        return cls(arrays, (folder, name))

    @classmethod
    def shared(cls, strings: Iterable[str]) -> "Strings":
        """Keep strings in files of their own, so that spawned processes share them too.

        Args:
            strings: What to keep, in their order.

        Returns:
            The strings, which pickle as a path. The files go when they, or this process, do.
        """
        folder = Path(tempfile.mkdtemp(prefix="vtlearn-strings-"))
        cls.of(strings).save(folder, "strings")
        held = cls.load(folder, "strings")
        weakref.finalize(held, _remove, folder, os.getpid())
        return held

    def save(self, folder: Path, name: str) -> None:
        """Write the strings to files, for :meth:`load`.

        Args:
            folder: Where; it has to be there. The files are not written atomically.
            name: What their names begin with.
        """
        arrays: tuple[NDArray[Any], ...] = self._arrays
        for path, array in zip(_paths(folder, name), arrays, strict=True):
            path.write_bytes(array.astype(array.dtype.newbyteorder("<"), copy=False).data)

    def __len__(self) -> int:
        """Return how many strings there are."""
        return len(self._arrays.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        """Return one string, or a list of several."""
        if isinstance(index, slice):
            return [self._string(each) for each in range(*index.indices(len(self)))]
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            raise IndexError(index)
        return self._string(number % len(self))

    def __contains__(self, value: object) -> bool:
        """Return whether a string is among these."""
        return isinstance(value, str) and next(self._places(value), None) is not None

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """Find a string.

        Args:
            value: The string.
            start: The first place to look at.
            stop: The place to stop before; None for the end.

        Returns:
            The first place it is at.

        Raises:
            ValueError: If it is at none.
        """
        within = range(*slice(start, stop).indices(len(self)))
        places = self._places(value) if isinstance(value, str) else iter(())
        for place in places:
            if place in within:
                return place
        message = f"{value!r} is not among these {len(self)} strings"
        raise ValueError(message)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        """Pickle as a path where there is one."""
        if self._home is not None:
            return Strings.load, self._home
        return Strings, (self._arrays,)

    def _string(self, number: int) -> str:
        start, end = self._arrays.offsets[number : number + 2].tolist()
        return str(self._text[start:end], "utf-8", "surrogatepass")

    def _places(self, value: str) -> Iterator[int]:
        """Yield every place of a string, the first one first."""
        _, _, hashes, order = self._arrays
        wanted = np.uint64(_hash(_encoded(value)))  # typed, or numpy converts the whole array
        for rank in range(int(hashes.searchsorted(wanted)), len(hashes)):
            if hashes[rank] != wanted:
                return
            if self._string(place := int(order[rank])) == value:  # a hash alone proves nothing
                yield place


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # and not one that was forked from it
        shutil.rmtree(folder, ignore_errors=True)


def _encoded(string: str) -> bytes:
    return string.encode("utf-8", "surrogatepass")


def _hash(encoded: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(encoded, digest_size=8).digest(), "little")


def _paths(folder: Path, name: str) -> list[Path]:
    return [folder / f"{name}.{field}" for field in _Arrays._fields]
