"""Clips and the captions that are written of them."""

from pathlib import Path
from typing import NamedTuple

__all__ = ["CaptionedClip"]


class CaptionedClip(NamedTuple):
    """A clip of a video and what is written of it; a corpus lists them.

    Attributes:
        id: The clip's id.
        path: The file that it is in.
        start: Where it begins in the file, in seconds.
        end: Where it ends in the file, in seconds; None where it lasts until the file ends.
        texts: Its captions.
        text_ids: Their ids, as many as there are captions.

    Example:
        >>> path, texts, text_ids = Path("video7.mp4"), ("a dog barks",), ("video7#0",)
        >>> CaptionedClip("video7", path, 0.0, None, texts, text_ids).texts
        ('a dog barks',)
    """

    id: str
    path: Path
    start: float
    end: float | None
    texts: tuple[str, ...]
    text_ids: tuple[str, ...]
