"""How a page gets its videos: within itself, or by their addresses beside it."""

import os
from pathlib import Path
from urllib.parse import quote_from_bytes

__all__ = ["MAX_EMBED_BYTES", "is_embedded"]

MAX_EMBED_BYTES = 50_000_000
"""Up to how many bytes a page holds a video within itself, where it takes a third more."""

_TYPES = {
    ".webm": "video/webm",
    ".ogv": "video/ogg",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".avi": "video/x-msvideo",
    ".3gp": "video/3gpp",
    **dict.fromkeys((".mpg", ".mpeg"), "video/mpeg"),
    **dict.fromkeys((".ts", ".mts", ".m2ts"), "video/mp2t"),
}


def is_embedded(video: Path) -> bool:
    """Tell whether a page holds a video within itself, if it may.

    Args:
        video: The file.

    Returns:
        Whether it has at most :data:`MAX_EMBED_BYTES`; a larger one is linked.

    Raises:
        OSError: If the file is not there.
    """
    return video.stat().st_size <= MAX_EMBED_BYTES


def media_type(video: Path) -> str:
    """Return the media type of a video, by its suffix.

    Example:
        >>> media_type(Path("a.MKV")), media_type(Path("a.mp4"))
        ('video/x-matroska', 'video/mp4')
    """
    return _TYPES.get(video.suffix.lower(), "video/mp4")


def video_address(video: Path, folder: Path | None = None) -> str:
    r"""Return the address by which a page links a video.

    Args:
        video: The file, whatever bytes its name holds.
        folder: Where the page lies; None if that is unknown.

    Returns:
        A relative address, so that page and video can move together; an absolute one where there is
        no ``folder``, or where it is on another drive.

    Example:
        >>> video_address(Path("videos/a #1.mp4"), Path("pages"))
        '../videos/a%20%231.mp4'
    """
    if folder is not None:
        try:
            relative = os.path.relpath(video, folder)
        except ValueError:  # another drive
            return video.absolute().as_uri()
        return quote_from_bytes(os.fsencode(relative.replace(os.sep, "/")))
    return video.absolute().as_uri()
