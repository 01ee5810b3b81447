"""Arrays in files, which the processes of a machine share instead of each holding its own.

Not ``numpy.memmap``: it refuses empty files, and a slice of it takes ten times as long to make.
"""

import mmap
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["map_array"]

ScalarT = TypeVar("ScalarT", bound=np.generic)


def map_array(path: Path, dtype: type[ScalarT]) -> NDArray[ScalarT]:
    """Map a file of little-endian numbers into memory, read-only.

    Pages are read when they are touched and belong to the system's cache, so that any number of
    processes have them once, and give them back when memory is short.

    Args:
        path: The file: numbers one after another, nothing else.
        dtype: Their type.

    Returns:
        The numbers, in one dimension. The file may be removed while they are in use.

    Raises:
        OSError: If the file cannot be opened.
        ValueError: If it ends within a number.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "numbers").write_bytes(np.array([3, 5], "<i8").tobytes())
        ...     map_array(Path(folder, "numbers"), np.int64).tolist()
        [3, 5]
    """
    little = np.dtype(dtype).newbyteorder("<")
    with path.open("rb") as file:
        if path.stat().st_size == 0:  # nothing cannot be mapped
            return np.empty(0, little)
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), little)
