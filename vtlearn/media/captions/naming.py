"""Which video a transcript's name means: ``<id>.vtt``, ``<id>.en.vtt`` or ``<id>.mp4.vtt``."""

import re
from collections.abc import Iterator

from vtlearn.media.captions.transcripts import SUFFIXES
from vtlearn.media.ids import video_stem

__all__: list[str] = []

_LANGUAGE = re.compile(r"\.[A-Za-z]{2,3}(?:[-_][A-Za-z0-9_-]+)?$")
"""A language at the end of a name, as BCP 47 and yt-dlp write it: en, pt-BR, zh-Hans, en-orig."""


def transcript_stem(path: str) -> str:
    """Take the suffix of its format off a transcript's name or path.

    Args:
        path: It ends with one of :data:`~vtlearn.media.captions.transcripts.SUFFIXES`, in any case.

    Example:
        >>> transcript_stem("a/1. Intro.en.VTT")
        'a/1. Intro.en'
    """
    return path[: -len(SUFFIXES[kind_rank(path)])]


def kind_rank(path: str) -> int:
    """Return the place of a transcript's suffix among those with most to tell first.

    Args:
        path: As for :func:`transcript_stem`.
    """
    lower = path.lower()
    return next(rank for rank, suffix in enumerate(SUFFIXES) if lower.endswith(suffix))


def meant_stems(stem: str) -> Iterator[str]:
    """Yield what the video may be called that a transcript is of, the longest first.

    Args:
        stem: The transcript's name or path, less its suffix.

    Yields:
        The stem itself, and what is left of it without a language or a video suffix at its end.

    Example:
        >>> list(meant_stems("a/vol. 2 [x].mp4.en-US"))
        ['a/vol. 2 [x].mp4.en-US', 'a/vol. 2 [x].mp4', 'a/vol. 2 [x]']
    """
    yield stem
    while (shorter := _LANGUAGE.sub("", stem)) != stem or (shorter := video_stem(stem)) != stem:
        yield shorter
        stem = shorter
