from pathlib import Path
from typing import Any

import pytest

from tests.media.video.videos import NUMBERED, packets
from tests.media.video.writing import write_video
from vtlearn.media.clips import Source, VideoBytes
from vtlearn.media.video.completeness import is_whole, segment_end
from vtlearn.media.video.opening import ASF, AVI, FLV, MATROSKA, MP4

FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "a.mkv": (MATROSKA, {}),
    "a.avi": (AVI, {"codec": "mpeg4"}),
    "a.flv": (FLV, {}),
    "a.asf": (ASF, {"codec": "msmpeg4v3"}),
}


@pytest.mark.parametrize(("name", "format_name", "options"), [(k, *v) for k, v in FORMATS.items()])
def test_what_was_cut_off_is_told_from_what_is_whole(
    name: str, format_name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    path = write_video(tmp_path / name, NUMBERED, gop=10, **options)
    assert is_whole(path, format_name)
    content = path.read_bytes()
    cuts = [len(content) // 2, packets(path)[40][0] + 20, len(content) - 10, 100, 3, 0]
    for size in cuts:
        sources: list[Source] = [VideoBytes(name, content[:size])]
        assert not any(is_whole(source, format_name) for source in sources)


def test_of_others_it_is_not_known(tmp_path: Path) -> None:
    assert not is_whole(write_video(tmp_path / "a.mp4", NUMBERED), MP4)


def test_lists_of_avi_follow_one_another() -> None:
    def riff(size: int) -> bytes:
        return b"RIFF" + size.to_bytes(4, "little") + bytes(size)

    for content, whole in (
        (riff(8) + riff(6), True),
        (riff(7) + b"\0" + riff(6), True),
        (riff(8) + b"junk of others", True),
        ((riff(8) + riff(6))[:-1], False),
        (riff(7), True),
        (b"RIFF" + bytes(20), False),
    ):
        assert is_whole(VideoBytes("a.avi", content), AVI) == whole


@pytest.mark.parametrize(
    ("head", "end"),
    [
        ("1a45dfa3 82 0000 18538067 4010", 29),
        ("1a45dfa3 82 0000 18538067 01ffffffffffffff", None),  # unknown
        ("1a45dfa3 82 0000 18538067 ff", None),
        ("1a45dfa3 82 0000 18538067 00", None),
        ("1a45dfa3 82 0000 18538067", None),
        ("1a45dfa3 82 0000 114d9b74", None),
        ("00000018 66747970", None),
        ("", None),
    ],
)
def test_the_end_of_a_segment(head: str, end: int | None) -> None:
    assert segment_end(bytes.fromhex(head)) == end
