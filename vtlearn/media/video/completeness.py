"""Say whether a file is as long as its own structure says, or was cut off."""

from collections.abc import Callable
from io import BytesIO, FileIO
from os import SEEK_END

from vtlearn.media.clips import Source
from vtlearn.media.video.opening import ASF, AVI, FLV, MATROSKA, open_raw

__all__: list[str] = []

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"  # of Matroska: names of elements
_HEAD = 65_536  # bytes at a file's beginning in which its length is stated
_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # an object of ASF
_FLV_TAG, _FLV_KINDS = 11, (8, 9, 18)  # bytes of a tag's header; sound, video and data


def is_whole(source: Source, name: str) -> bool:
    """Say whether all of a file is there.

    Args:
        source: The file, or the bytes of one.
        name: FFmpeg's name of its format.

    Returns:
        False as well where that cannot be said.
    """
    look = _LOOKS.get(name)
    if look is None:
        return False
    with open_raw(source) as raw:
        return look(raw, raw.seek(0, SEEK_END))


def is_continued(source: Source) -> bool:
    """Say whether more follows what a Matroska file says that it holds, as where two are joined.

    Args:
        source: The file, or the bytes of one.
    """
    with open_raw(source) as raw:
        end = segment_end(_read(raw, 0, _HEAD))
        return end is not None and end < raw.seek(0, SEEK_END)


def segment_end(head: bytes) -> int | None:
    """Return where what a Matroska file holds ends, in bytes.

    Args:
        head: How the file begins.

    Returns:
        None where that is not stated, as in a file that was written to a pipe.

    Example:
        >>> segment_end(bytes.fromhex("1a45dfa3 81 00 18538067 8a 0000"))
        21
    """
    place = 0
    for name in (_EBML, _SEGMENT):
        if not head.startswith(name, place):
            return None
        place += len(name)
        width = 9 - head[place].bit_length() if place < len(head) else 9
        size = int.from_bytes(head[place : place + width], "big") & (1 << 7 * width) - 1
        if width > 8 or size == (1 << 7 * width) - 1:
            return None
        place += width + size
    return place


def _has_segment(raw: BytesIO | FileIO, size: int) -> bool:
    end = segment_end(_read(raw, 0, _HEAD))
    return end is not None and end <= size


def _has_riffs(raw: BytesIO | FileIO, size: int) -> bool:
    """Follow the lists that an AVI file consists of: one, or one for each gigabyte."""
    place = end = 0
    while place < size:
        head = _read(raw, place, 8)
        length = int.from_bytes(head[4:], "little")
        if not head.startswith(b"RIFF") or not length:  # not known when it was written
            break
        end = place + 8 + length
        place = end + length % 2
    return 0 < end <= size


def _has_last_tag(raw: BytesIO | FileIO, size: int) -> bool:
    """Find at the end of an FLV file how long the last tag is, and a tag so long before it."""
    length = int.from_bytes(_read(raw, max(0, size - 4), 4), "big")
    head = _read(raw, max(0, size - 4 - length), _FLV_TAG)
    is_tag = length >= _FLV_TAG and len(head) == _FLV_TAG and head[0] & 0x1F in _FLV_KINDS
    return is_tag and int.from_bytes(head[1:4], "big") + _FLV_TAG == length


def _has_stated_size(raw: BytesIO | FileIO, size: int) -> bool:
    """Look up in the header of an ASF file how many bytes it has."""
    head = _read(raw, 0, _HEAD)
    place = head.find(_FILE_PROPERTIES) + 40  # after what objects begin with, and an id
    stated = int.from_bytes(head[place : place + 8], "little")
    return _FILE_PROPERTIES in head and 0 < stated <= size


def _read(raw: BytesIO | FileIO, place: int, size: int) -> bytes:
    raw.seek(place)
    return raw.read(size) or b""


_LOOKS: dict[str, Callable[[BytesIO | FileIO, int], bool]] = {
    MATROSKA: _has_segment,
    AVI: _has_riffs,
    FLV: _has_last_tag,
    ASF: _has_stated_size,
}
