"""Which video and language a transcript's name means: ``<id>.vtt``, ``<id>.en.vtt``."""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from vtlearn.errors import ArgumentError
from vtlearn.media.captions.transcripts import SUFFIXES
from vtlearn.media.ids import video_stem

__all__: list[str] = []

_TAG = r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9_-]+)?"
_MARKS = {"default": 0, "full": 0, "cc": 1, "sdh": 1, "hi": 1, "auto": 2, "foreign": 3, "forced": 3}
_LANGUAGE = re.compile(rf"\.({_TAG})((?:\.(?:{'|'.join(_MARKS)}))*)$", re.IGNORECASE)
"""A language at the end of a name, as BCP 47 and yt-dlp write it: en, pt-BR, zh-Hans, en-orig.

After it stand the marks that players know: ``<id>.en.sdh.srt`` is for the deaf, ``<id>.en.forced``
what is said in a foreign language.
"""

_NO_LANGUAGE = frozenset(("cc", "sdh", "und", "mis", "mul", "zxx"))  # codespell:ignore mis
"""Marks that have as many letters as a language, and the tags of ISO 639 for none or several."""

_SAME = (
    "ar ara arabic/bg bul bulgarian/bn ben bengali/ca cat catalan/cs ces cze czech",
    "da dan danish/de deu ger german/el ell gre greek/en eng english/es spa spanish",
    "et est estonian/eu eus baq basque/fa fas per persian/fi fin finnish",
    "fr fra fre french/gl glg galician/he heb iw hebrew/hi hin hindi",
    "hr hrv croatian/hu hun hungarian/id ind in indonesian/is isl ice icelandic",
    "it ita italian/ja jpn japanese/ka kat geo georgian/ko kor korean",
    "lt lit lithuanian/lv lav latvian/mk mkd mac macedonian/ms msa may malay",
    "nl nld dut dutch/no nor norwegian/pl pol polish/pt por portuguese",
    "ro ron rum romanian/ru rus russian/sk slk slo slovak/sl slv slovenian",
    "sq sqi alb albanian/sr srp serbian/sv swe swedish/ta tam tamil",
    "te tel telugu/th tha thai",  # codespell:ignore te,tha
    "tr tur turkish/uk ukr ukrainian/ur urd urdu",
    "vi vie vietnamese",  # codespell:ignore vie
    "zh zho chi chinese",
)
_CODES: Mapping[str, str] = MappingProxyType(
    {name: code for code, *names in map(str.split, "/".join(_SAME).split("/")) for name in names}
)
"""Of a language ISO 639-1's two letters, by those of ISO 639-2, old ones, or its English name."""


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
        The stem itself, and what is left of it without marks, language or video suffix at its end.

    Example:
        >>> list(meant_stems("a/vol. 2 [x].mp4.en-US"))
        ['a/vol. 2 [x].mp4.en-US', 'a/vol. 2 [x].mp4', 'a/vol. 2 [x]']
    """
    yield stem
    while (shorter := _shorter(stem)) != stem:
        yield shorter
        stem = shorter


def _shorter(stem: str) -> str:
    """Take a mark, a language or a video suffix off the end of a name."""
    return stem.rpartition(".")[0] if _LANGUAGE.search(stem) else video_stem(stem)


def language_distance(wanted: str | None, rest: str, told: str = "") -> int | None:
    """Measure how well a transcript's language fits.

    Args:
        wanted: Such as ``en``, which ``eng``, ``en-GB`` and ``en-orig`` are too, or ``en-GB``, for
            which ``en`` may stand, but not ``en-US``; None for any.
        rest: What follows the video's name in the transcript's, less the suffix of its format.
        told: The language that the transcript itself says it is in, which counts where its name
            says none; empty where it does not.

    Returns:
        0 for the language itself, and for any where none is wanted; 1 for a kind of it, or what it
        is a kind of; 2 where neither says; None for another language.

    Example:
        >>> rests = (".eng", ".en.forced", ".mp4.en-orig", ".mp4", ".de")
        >>> [language_distance("en", rest) for rest in rests]
        [0, 0, 1, 2, None]
    """
    if wanted is None:
        return 0
    named = _LANGUAGE.search(video_stem(f"id{rest}"))
    language = _normalized(named[1] if named else "") or _normalized(told)
    wanted = _normalized(wanted)
    if not language:
        return 2
    if language == wanted:
        return 0
    is_kind = language.startswith(f"{wanted}-") or wanted.startswith(f"{language}-")
    return 1 if is_kind else None


def mark_rank(rest: str) -> int:
    """Say how late a transcript comes among those of its language, as its marks tell.

    Args:
        rest: As for :func:`language_distance`.

    Returns:
        0 for what is said; 1 with sounds described as well; 2 where a machine wrote it; 3 where it
        is only what is said in a foreign language.

    Example:
        >>> [mark_rank(rest) for rest in (".en", ".en.sdh", ".en.auto", ".en.forced")]
        [0, 1, 2, 3]
    """
    named = _LANGUAGE.search(video_stem(f"id{rest}"))
    marks = named[2].lower().split(".")[1:] if named else []
    return max((_MARKS[mark] for mark in marks), default=0)


def _normalized(tag: str) -> str:
    """Write tags of one language alike: eng as en, pt_BR as pt-br, and what says nothing as ''."""
    language, hyphen, rest = tag.lower().replace("_", "-").partition("-")
    return "" if language in _NO_LANGUAGE else f"{_CODES.get(language, language)}{hyphen}{rest}"


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
