"""Which characters the bytes of a text file are: UTF-8 mostly, and what people have otherwise."""

import codecs
import logging
import re
from contextlib import suppress

import charset_normalizer

from vtlearn.errors import TranscriptError
from vtlearn.unicode import replace_surrogates

__all__ = ["decode_text"]

_LOG = logging.getLogger(__name__)
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_USED = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258"),
    *("koi8_r", "cp866", "cp874", "gb18030", "big5", "cp932", "euc_jp", "cp949"),
    *("utf_16_le", "utf_16_be"),
)
"""The encodings that people have; of those that fit alike, the first is taken."""

# UTF-8 of more than one byte: whole, cut off before the last byte, or at the end of the file
_CHARACTERS = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{1,2}"
    rb"|[\xf0-\xf4][\x80-\xbf]{1,3}|[\xc2\xc3]\Z"
)
_ODD = re.compile("[\u0080-\u00a0\u00a2-\u00aa\u00ac-\u00ba\u00bc-\u00be\u2500-\u25ff]")  # signs
_OTHER_SCRIPT = re.compile(r"(?<![A-Za-z])[^\W\d_\u0000-\u024f]{2,}(?![A-Za-z])")
_MIXED = re.compile(r"[A-Za-z][^\W\d_\u0000-\u024f]|[^\W\d_\u0000-\u024f][A-Za-z]")


def decode_text(content: bytes, name: object) -> str:
    r"""Decode a text file.

    Args:
        content: What it holds.
        name: What it is called in a warning.

    Returns:
        Its text, which is valid Unicode. UTF-8, with a byte order mark or without, and UTF-16 with
        one are told from others for sure; where most of what is not ASCII is UTF-8, the rest is
        U+FFFD: a text cut off within a character, or half of an emoji. Otherwise the encoding is
        the one that fits best, which is logged.

    Raises:
        TranscriptError: If none fits.

    Example:
        >>> [decode_text(text, "a.txt") for text in (b"\xef\xbb\xbfa mark", b"\xff\xfeh\0i\0")]
        ['a mark', 'hi']
    """
    if content.startswith(_WIDE):
        whole = len(content) // 2 * 2  # one that is cut off may end in half a character
        return replace_surrogates(content[:whole].decode("utf-16", "surrogatepass"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _damaged(content) or _detected(content, name)


def _damaged(content: bytes) -> str | None:
    """Decode UTF-8 with some bytes that are none; None where it is rather another encoding."""
    try:  # halves of surrogate pairs, each encoded by itself
        return replace_surrogates(content.decode("utf-8-sig", "surrogatepass"))
    except UnicodeDecodeError:
        good, others = len(_CHARACTERS.findall(content)), _CHARACTERS.sub(b"", content)
    bad = sum(byte > 127 for byte in others)
    return content.decode("utf-8-sig", "replace") if good > bad else None


def _detected(content: bytes, name: object) -> str:
    matches = charset_normalizer.from_bytes(content, cp_isolation=list(_USED))
    best = min(matches, key=_unlikely, default=None)
    if best is None:
        message = "it is not UTF-8; save it as UTF-8"
        raise TranscriptError(message)
    encoding, text = best.encoding, str(best)
    if _MIXED.search(text) and not _OTHER_SCRIPT.search(text):  # of a few words, all are likely
        with suppress(UnicodeDecodeError):
            encoding, text = _USED[0], content.decode(_USED[0])
    _LOG.warning("%s is not UTF-8, and is read as %s", name, encoding)
    return text


def _unlikely(match: charset_normalizer.CharsetMatch) -> tuple[float, float, int, int, int]:
    """Order encodings: by how orderly the text is, words of two scripts, and signs in it."""
    text = str(match)
    mixed, odd = len(_MIXED.findall(text)), len(_ODD.findall(text))
    return match.chaos, -match.coherence, mixed, odd, _USED.index(match.encoding)
