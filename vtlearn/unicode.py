r"""Names and texts that are not valid Unicode, made valid.

A file's name may hold any bytes. Python turns those that are not UTF-8 into half a surrogate pair
each, so that the file can be opened by it; but such a string cannot be printed, hashed or written.
What stands for a file elsewhere (ids, messages, records) has ``%FF`` for the byte FF.

Texts hold halves of surrogate pairs where they were cut within an emoji: ``"\ud83d"`` in JSON.
"""

import codecs
import json
import re
from typing import Any, TextIO

__all__ = ["escape_bytes", "escape_name", "parse_json", "replace_surrogates", "show_escaped_bytes"]

_BYTE = re.compile("[\udc80-\udcff]")
_PERCENT = re.compile("%(?=[0-9A-Fa-f]{2})")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_FIRST = 0xDC00  # the surrogate that stands for a byte is this and the byte


def escape_name(name: str) -> str:
    r"""Turn the name or path of a file into an id: valid UTF-8, and another for each name.

    Args:
        name: As Python gives it, with ``surrogateescape``.

    Returns:
        The name, with ``%FF`` for each byte FF that is not UTF-8, and ``%25`` for each ``%`` that
        stands before two hexadecimal digits.

    Example:
        >>> [escape_name(name) for name in ("caf\udce9", "caf%E9", "100 %")]
        ['caf%E9', 'caf%25E9', '100 %']
    """
    return escape_bytes(_PERCENT.sub("%25", name)) if "%" in name else escape_bytes(name)


def escape_bytes(text: str) -> str:
    r"""Make a text printable that may name files: ``%FF`` for each byte FF that is not UTF-8.

    Args:
        text: A message or a path; ``%`` in it stays.

    Example:
        >>> escape_bytes("videos/caf\udce9.mp4 is 50%25 off")
        'videos/caf%E9.mp4 is 50%25 off'
    """
    return text if text.isascii() else _BYTE.sub(lambda found: _percent(found[0]), text)


def replace_surrogates(text: str) -> str:
    r"""Make a text valid Unicode.

    Args:
        text: What a reader found.

    Returns:
        The text; halves of a pair that follow each other are joined, others are U+FFFD.

    Example:
        >>> ascii(replace_surrogates("so we \ud83d")), replace_surrogates("\ud83c\udf45")
        ("'so we \\ufffd'", '🍅')
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def parse_json(text: str) -> Any:
    r"""Read JSON, with all strings in it made valid as by :func:`replace_surrogates`.

    Args:
        text: The JSON.

    Raises:
        ValueError: If it is not valid.
        RecursionError: If it is nested too deeply.

    Example:
        >>> ascii(parse_json(r'["cut off \ud83d", "whole \ud83c\udf45"]'))
        "['cut off \\ufffd', 'whole \\U0001f345']"
    """
    content = json.loads(text)
    if _HALF.search(text):
        content = json.loads(replace_surrogates(json.dumps(content, ensure_ascii=False)))
    return content


def show_escaped_bytes(*streams: TextIO) -> None:
    """Have streams print what cannot be encoded as :func:`escape_bytes` does, and never raise.

    Args:
        streams: Such as ``sys.stdout``; those that cannot be set up stay as they are.
    """
    for stream in streams:
        if hasattr(stream, "reconfigure"):  # not what a notebook or a test puts in its place
            stream.reconfigure(errors=_HANDLER)


def _percent(byte: str) -> str:
    return f"%{ord(byte) - _FIRST:02X}"


def _escaped(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    shown = escape_bytes(found).encode(error.encoding, "backslashreplace")
    return shown.decode(error.encoding), error.end


_HANDLER = "vtlearn.escape_bytes"
codecs.register_error(_HANDLER, _escaped)
