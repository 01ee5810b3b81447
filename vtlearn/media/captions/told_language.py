"""The language that a transcript itself says it is in, for those whose names say none.

Speech recognition writes it beside the text, WebVTT has a line ``Language:`` in its header, TTML
``xml:lang`` on its root, and SAMI styles that name one for each class of captions.
"""

import re
from collections.abc import Mapping
from typing import Any

__all__: list[str] = []

_TAG = re.compile(r"[A-Za-z]{2,20}(?:[-_][A-Za-z0-9]{1,8}){0,4}")
_WEBVTT = re.compile(r"Language:(.*)")
_ROOT = re.compile(r"<(?:[\w.-]+:)?tt\b[^>]*?\sxml:lang\s*=\s*[\"']([^\"']*)[\"']")
_HEAD = 4096  # bytes, in which the root of an XML file has begun


def json_language(content: Any) -> str:
    """Return what speech recognition, or youtube-transcript-api, says beside its text.

    Args:
        content: What a JSON file holds, in any layout.

    Returns:
        The language's tag, or its English name; empty where none is said. What the release for
        HowTo100M has in ``segments`` is English, whatever was spoken, if there are
        ``segments_native``.

    Example:
        >>> [json_language(content) for content in ({"language": "de"}, {"segments": []})]
        ['de', '']
    """
    if not isinstance(content, Mapping):
        return ""
    if "segments_native" in content:
        return "en"
    result = content.get("result")  # whisper.cpp's
    told = [content.get("language_code"), content.get("language")]
    if isinstance(result, Mapping):
        told.append(result.get("language"))
    return next((tag for each in told if (tag := _checked(each))), "")


def webvtt_language(text: str) -> str:
    r"""Return what the header of WebVTT says.

    Args:
        text: The whole file.

    Returns:
        The language's tag; empty where none is said.

    Example:
        >>> webvtt_language("WEBVTT\nKind: captions\nLanguage: en\n\n00:01.000 --> 00:02.000\nso")
        'en'
    """
    for line in text[:_HEAD].splitlines()[1:]:
        if not line.strip():
            break
        if found := _WEBVTT.match(line):
            return _checked(found[1])
    return ""


def ttml_language(content: bytes | str) -> str:
    """Return what the root of TTML says.

    Args:
        content: The whole file.

    Returns:
        The language's tag; empty where none is said.

    Example:
        >>> ttml_language(b'<tt xmlns="http://www.w3.org/ns/ttml" xml:lang="en"><body/></tt>')
        'en'
    """
    head = content[:_HEAD]
    found = _ROOT.search(head if isinstance(head, str) else head.decode("latin-1"))
    return _checked(found[1]) if found else ""


def _checked(told: Any) -> str:
    """Return a language; nothing in place of anything else."""
    tag = told.strip() if isinstance(told, str) else ""
    return tag if _TAG.fullmatch(tag) else ""
