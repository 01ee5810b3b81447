"""Pickles of plain data, read without running what a stranger wrote into them."""

import pickle
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from vtlearn.errors import TranscriptError

__all__ = ["load_plain"]


def load_plain(path: Path) -> Any:
    """Load a pickle of dicts, lists, tuples, strings, numbers and numpy arrays.

    Args:
        path: The file. Anything else in it, which may be code, is refused before it is touched.

    Returns:
        What the file holds.

    Raises:
        TranscriptError: If it holds anything else, or cannot be read.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "caption.pickle")
        ...     _ = file.write_bytes(pickle.dumps({"nVbIUDjzWY4": np.array([4.13, 6.5])}))
        ...     load_plain(file)
        {'nVbIUDjzWY4': array([4.13, 6.5 ])}
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
        message = f"it is no pickle, or cut off: {type(error).__name__}: {error}"
        raise TranscriptError(message) from error


def _latin1(text: str, encoding: str) -> bytes:
    """Stand in for ``_codecs.encode``, by which old protocols write bytes."""
    if encoding != "latin1":
        message = f"it holds bytes encoded by {encoding}"
        raise TranscriptError(message)
    return text.encode(encoding)


# Under all names that numpy 1 and 2 write; taken from numpy's own pickles, since they move about.
_REBUILDERS = {
    "_reconstruct": np.zeros(0).__reduce__()[0],
    "scalar": np.float64(0).__reduce__()[0],
    "_frombuffer": np.zeros(1).__reduce_ex__(5)[0],
    "ndarray": np.ndarray,
    "dtype": np.dtype,
}
_HOMES = {
    "numpy": ("ndarray", "dtype"),
    "numpy.core.multiarray": ("_reconstruct", "scalar"),
    "numpy._core.multiarray": ("_reconstruct", "scalar"),
    "numpy.core.numeric": ("_frombuffer",),
    "numpy._core.numeric": ("_frombuffer",),
}


class _PlainUnpickler(pickle.Unpickler):
    """Finds what numpy arrays are rebuilt by, and nothing else."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        if global_name in _HOMES.get(module_name, ()):
            return _REBUILDERS[global_name]
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
