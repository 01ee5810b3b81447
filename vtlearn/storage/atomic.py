"""Files that are either whole or not there, whenever a process is killed.

Home-made, since atomicwrites is not maintained any more, and all it takes is a rename.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from vtlearn.unicode import escape_bytes

__all__ = ["remove_leftovers", "replace_text", "replacing"]

_UNFINISHED = ".unfinished"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a file another name while it is being written, and its own once it is whole.

    Args:
        path: The file; what is there already stays until the new one is whole.

    Yields:
        The path to write to, in the same folder. After an error the file is removed.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with replacing(Path(folder, "a.txt")) as unfinished:
        ...         _ = unfinished.write_text("whole")
        ...     Path(folder, "a.txt").read_text()
        'whole'
    """
    # Two writers of one file, on two machines even, must not write into each other's. The name does
    # not hold the file's own, which may be as long as the disk allows.
    unfinished = path.with_name(f".{uuid4().hex}{_UNFINISHED}")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Write a text file that is either whole or not there.

    Args:
        path: The file.
        text: What it shall hold; bytes of file names that are not UTF-8 are escaped.
    """
    with replacing(path) as unfinished:
        unfinished.write_text(escape_bytes(text), encoding="utf-8")


def remove_leftovers(folder: Path, *, nested: bool = True, unused_for: float | None = None) -> None:
    """Remove what writers that were killed left behind.

    Args:
        folder: Where they wrote.
        nested: Whether they wrote into folders below it as well.
        unused_for: How many seconds ago at least, where another process may be writing what is
            younger; None: no matter when.
    """
    pattern = f".*{_UNFINISHED}"
    for path in folder.rglob(pattern) if nested else folder.glob(pattern):
        try:
            if unused_for is None or path.stat().st_mtime < time.time() - unused_for:
                path.unlink(missing_ok=True)
        except FileNotFoundError:  # it has got its name in the meantime
            continue
