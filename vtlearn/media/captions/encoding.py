"""Which characters the bytes of a text file are: UTF-8 mostly, and what people have otherwise."""

import codecs
import logging

import charset_normalizer

from vtlearn.errors import TranscriptError
from vtlearn.unicode import replace_surrogates

__all__ = ["decode_text"]

_LOG = logging.getLogger(__name__)
_RARE = ("mac_", "utf_16", "utf_32")  # these without a byte order mark
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


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
        text = content.decode("utf-8-sig", "replace")
    bad = text.count("\ufffd")
    good = sum(not each.isascii() for each in text) - bad
    return text if good > bad else None


def _detected(content: bytes, name: object) -> str:
    best = min(charset_normalizer.from_bytes(content), key=_unlikely, default=None)
    if best is None:
        message = "it is not UTF-8; save it as UTF-8"
        raise TranscriptError(message)
    _LOG.warning("%s is not UTF-8, and is read as %s", name, best.encoding)
    return str(best)


def _unlikely(match: charset_normalizer.CharsetMatch) -> tuple[bool, float, float, bool]:
    """Order encodings: the rare ones last, and of those that fit alike, Western European first."""
    is_rare = match.encoding.startswith(_RARE)
    is_western = "cp1252" in match.could_be_from_charset
    return is_rare, match.chaos, -match.coherence, not is_western
