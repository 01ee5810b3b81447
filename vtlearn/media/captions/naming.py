"""Which video and language a transcript's name means: ``<id>.vtt``, ``<id>.en.vtt``."""

import re
from collections.abc import Iterator

from vtlearn.errors import ArgumentError
from vtlearn.media.captions.transcripts import SUFFIXES
from vtlearn.media.ids import video_stem

__all__: list[str] = []

_LANGUAGE = re.compile(r"\.([A-Za-z]{2,3}(?:[-_][A-Za-z0-9_-]+)?)$")
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


def language_distance(wanted: str | None, rest: str) -> int | None:
    """Measure how well a transcript's language fits.

    Args:
        wanted: Such as ``en``, which ``en-GB`` and ``en-orig`` are too, or ``en-GB``; None for any.
        rest: What follows the video's name in the transcript's, less the suffix of its format.

    Returns:
        0 for the language itself, and for any where none is wanted; 1 for a kind of it; 2 where the
        name has no language; None for another language.

    Example:
        >>> [language_distance("en", rest) for rest in (".en", ".mp4.en-orig", ".mp4", ".de")]
        [0, 1, 2, None]
    """
    if wanted is None:
        return 0
    named = _LANGUAGE.search(video_stem(f"id{rest}"))
    if named is None:
        return 2
    language, wanted = (tag.lower().replace("_", "-") for tag in (named[1], wanted))
    if language == wanted:
        return 0
    return 1 if language.startswith(f"{wanted}-") else None


def require_language(language: str) -> None:
    """Refuse what is not a language as names of transcripts have it.

    Args:
        language: Such as ``en`` or ``pt-BR``.

    Raises:
        ArgumentError: If it is not.
    """
    if not _LANGUAGE.fullmatch(f".{language}"):
        message = f"language: expected a tag as in <id>.en.vtt, en or pt-BR, got {language!r}"
        raise ArgumentError(message)
