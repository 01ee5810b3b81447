"""Pickles of plain data, read without running what a stranger wrote into them.

Nothing of numpy's own is handed to a pickle, since numpy trusts what it is told there: an array of
objects made of raw bytes is one of pointers that the file's author chose. Stand-ins check first.

Home-made: fickling and picklescan judge a pickle and do not load it, and
``torch.load(weights_only=True)`` loads the files of ``torch.save`` alone.
"""

import math
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from vtlearn.errors import TranscriptError

__all__: list[str] = []

_DTYPE = re.compile(r"[biufcSU]\d{1,9}|O\d?")  # no fields, no references within an item
_MAX_DIMS = 32


def load_plain(path: Path) -> Any:
    """Load a pickle of dicts, lists, tuples, strings, numbers and numpy arrays.

    Args:
        path: The file. Anything else in it, which may be code, is refused before it is touched.

    Returns:
        What the file holds; arrays are of a subclass of numpy's, single numbers Python's.

    Raises:
        TranscriptError: If it holds anything else, or cannot be read.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "caption.pickle")
        ...     _ = file.write_bytes(pickle.dumps({"nVbIUDjzWY4": np.array([4.13, 6.5])}))
        ...     load_plain(file)["nVbIUDjzWY4"].tolist()
        [4.13, 6.5]
    """
    try:
        with path.open("rb") as file:
            return _PlainUnpickler(file).load()
    except OSError as error:
        raise TranscriptError(str(error.strerror)) from error
    except (
        *(pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError, AttributeError),
        *(OverflowError, MemoryError, RecursionError, AssertionError),
    ) as error:  # whatever bytes that are no pickle lead to
        message = f"it is not a pickle, or is cut off: {type(error).__name__}: {error}"
        raise TranscriptError(message) from error


def _refuse(what: str) -> NoReturn:
    message = f"it holds {what}, and only arrays as numpy writes them are loaded from a pickle"
    raise TranscriptError(message)


class _DType:
    """Stands in for numpy's dtype, of which it keeps the two words that tell a plain one."""

    def __init__(self, code: str) -> None:
        self._code = code
        self._order = "|"

    def __setstate__(self, state: Any) -> None:
        """Take the order of bytes; refuse fields, by which bytes may be taken for pointers."""
        _, order, *parts = state
        if order not in ("<", ">", "|", "=") or any(part is not None for part in parts[:3]):
            _refuse("an array with fields")
        self._order = order

    def fresh(self) -> np.dtype[Any]:
        """Return numpy's own, made of nothing but a checked name."""
        return np.dtype(self._code).newbyteorder(self._order)  # type: ignore[arg-type]


class _Array(np.ndarray[Any, np.dtype[Any]]):
    """An array that is filled once, of as many items as it has room for."""

    is_filled = False

    def __setstate__(self, state: Any) -> None:
        """Fill it with what numpy wrote."""
        _, shape, dtype, is_fortran, items = state
        if self.is_filled or not _is_shape(shape):
            _refuse("an array that is filled twice, or has no shape")
        fresh, count = _fresh(dtype), math.prod(shape)
        is_whole = (
            type(items) is list and len(items) == count
            if fresh.hasobject
            else type(items) is bytes and len(items) == count * fresh.itemsize
        )
        if not is_whole:
            _refuse("an array whose items are not as many, or not of the kind, that it says")
        state = (1, shape, fresh, bool(is_fortran), items)
        super().__setstate__(state)
        self.is_filled = True


def _is_shape(shape: Any) -> bool:
    is_short = type(shape) is tuple and len(shape) <= _MAX_DIMS
    return is_short and all(type(size) is int and size >= 0 for size in shape)


def _fresh(dtype: Any) -> np.dtype[Any]:
    return dtype.fresh() if isinstance(dtype, _DType) else _refuse("an array of no dtype")


def _values(data: Any, dtype: Any) -> tuple[bytes, np.dtype[Any]]:
    """Check that items are given as bytes and are no pointers."""
    fresh = _fresh(dtype)
    if not isinstance(data, bytes | bytearray) or fresh.hasobject:
        _refuse("objects made of bytes")
    return bytes(data), fresh


class _StandIn:
    """Decorates what a pickle may call instead of numpy's own, and cannot change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        """Make what numpy would."""
        return self._function(*arguments)

    def __setstate__(self, _: Any) -> NoReturn:
        """Refuse to be given attributes, which would last beyond this pickle."""
        _refuse("a change of what arrays are made by")


@_StandIn
def _ndarray(*_: Any) -> NoReturn:
    """Refuse to be called; pickles of numpy only name it."""
    _refuse("a view of memory")


@_StandIn
def _dtype(code: Any, *_: Any) -> _DType:
    if not isinstance(code, str) or not _DTYPE.fullmatch(code):
        _refuse(f"an array of {code!r:.80}")
    return _DType(code)


@_StandIn
def _reconstruct(kind: Any, *_: Any) -> _Array:
    if kind is not _ndarray:
        _refuse("an array of an unknown class")
    return np.ndarray.__new__(_Array, (0,), np.int8)


@_StandIn
def _frombuffer(data: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> _Array:
    values, fresh = _values(data, dtype)
    flat = np.frombuffer(values, fresh)
    # In order K the axes are written as they lie in memory.
    array = flat.reshape(shape).transpose(axes) if axes else flat.reshape(shape, order=order)
    filled = array.copy().view(_Array)
    filled.is_filled = True
    return filled


@_StandIn
def _scalar(dtype: Any, data: Any) -> Any:
    values, fresh = _values(data, dtype)
    if len(values) != fresh.itemsize:
        _refuse("a number of the wrong size")
    return np.ndarray((), fresh, values).item()


@_StandIn
def _latin1(text: str, encoding: str) -> bytes:
    """Stand in for ``_codecs.encode``, by which old protocols write bytes."""
    if encoding != "latin1":
        message = f"it holds bytes encoded by {encoding}"
        raise TranscriptError(message)
    return text.encode(encoding)


_STAND_INS = {
    "_reconstruct": _reconstruct,
    "scalar": _scalar,
    "_frombuffer": _frombuffer,
    "ndarray": _ndarray,
    "dtype": _dtype,
}
_HOMES = {  # in numpy 1 and in numpy 2
    "numpy": ("ndarray", "dtype"),
    "numpy.core.multiarray": ("_reconstruct", "scalar"),
    "numpy._core.multiarray": ("_reconstruct", "scalar"),
    "numpy.core.numeric": ("_frombuffer",),
    "numpy._core.numeric": ("_frombuffer",),
}


class _PlainUnpickler(pickle.Unpickler):
    """Finds stand-ins for what numpy arrays are rebuilt by, and nothing else."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        if global_name in _HOMES.get(module_name, ()):
            return _STAND_INS[global_name]
        if (module_name, global_name) == ("_codecs", "encode"):
            return _latin1
        message = (
            f"it holds {module_name}.{global_name}, and only plain data and numpy arrays are "
            "loaded from a pickle, since anything else may be code; write it as JSON"
        )
        raise TranscriptError(message)

    def persistent_load(self, pid: Any) -> NoReturn:
        message = f"it refers to {pid!r} outside of it"
        raise TranscriptError(message)
