"""Files of text that are small enough to be read whole, in whatever encoding they are."""

import io
from collections.abc import Iterator
from pathlib import Path

from vtlearn.datasets.files import why_unreadable
from vtlearn.errors import ArgumentError, TranscriptError
from vtlearn.media.captions.encoding import decode_text

__all__: list[str] = []


def read_text(path: Path, kind: str) -> str:
    r"""Read a file of text.

    Args:
        path: The file. One that is not UTF-8 is read in the encoding that fits best, which is
            logged; see :func:`~vtlearn.media.captions.encoding.decode_text`.
        kind: What it should be, for the error.

    Returns:
        Its text, which is valid Unicode; lines end in ``\n`` alone.

    Raises:
        ArgumentError: If it cannot be read.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "list.txt")
        ...     _ = file.write_bytes(b"\xef\xbb\xbfvideo1\r\n")
        ...     read_text(file, "a list of ids")
        'video1\n'
    """
    try:
        return io.StringIO(decode_text(path.read_bytes(), path), newline=None).read()
    except (OSError, TranscriptError) as error:
        message = f"{path} cannot be read as {kind}: {why_unreadable(error)}"
        raise ArgumentError(message) from error


def whole_lines(path: Path) -> Iterator[str]:
    """Read the lines of a file, with the ends they have.

    Args:
        path: The file, in any encoding as for :func:`read_text`.

    Yields:
        The lines.

    Raises:
        OSError: If it cannot be read.
        TranscriptError: If no encoding fits.
    """
    yield from io.StringIO(decode_text(path.read_bytes(), path), newline="")
