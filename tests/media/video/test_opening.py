from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import av
import pytest
from av.container import InputContainer

from tests.media.video.videos import NUMBERED, numbers
from tests.media.video.writing import join_programs, join_streams, write_video
from vtlearn.errors import UnreadableVideoError
from vtlearn.media.clips import VideoBytes
from vtlearn.media.video.opening import (
    best_stream,
    error_text,
    logged,
    open_container,
    open_named,
    open_raw,
    read_packets,
)
from vtlearn.media.video.probing import hash_all, probe, scan
from vtlearn.media.video.reader import VideoReader

COVER: dict[str, Any] = {"codec": "mjpeg", "pix_fmt": "yuvj420p", "size": (64, 64)}


def test_a_file_and_its_bytes_are_opened(tmp_path: Path) -> None:
    path = write_video(tmp_path / "%d.mp4", NUMBERED)
    for source in (path, VideoBytes("a", path.read_bytes())):
        with open_raw(source) as raw, open_container(raw) as container:
            assert container.streams.video[0].frames == 50


def test_errors_have_the_words_of_ffmpeg(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", NUMBERED)
    with open_raw(VideoBytes("a", path.read_bytes()[:1500])) as raw:
        with pytest.raises(av.FFmpegError) as caught:
            open_container(raw)
        assert error_text(caught.value) == "Invalid data found when processing input"
        assert "moov atom not found" in logged(raw)


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", NUMBERED)
    raw, container = open_named(path, "a.mp4")
    with raw, container:
        assert container.streams.video[0].frames == 50
    cut = VideoBytes("a", path.read_bytes()[:1500])
    for source, reason in (
        (cut, r"Invalid data .* \(moov atom not found\)"),
        (tmp_path / "absent.mp4", "No such file or directory"),
        ("a\0b", "embedded null byte"),
    ):
        with pytest.raises(UnreadableVideoError, match=f"^its name cannot be read: {reason}"):
            open_named(source, "its name")


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize("default", [0, 1])
@pytest.mark.parametrize("first", ["large", "small"])
def test_the_stream_marked_as_default_is_watched_by_all(
    first: str, default: int, suffix: str, tmp_path: Path
) -> None:
    small = write_video(tmp_path / "a.mp4", [20, 20, 20, 20], rate=1)
    large = write_video(tmp_path / "b.mp4", NUMBERED, size=(48, 96), gop=10)
    parts = [large, small] if first == "large" else [small, large]
    path = join_streams(parts, tmp_path / f"c{suffix}", default=default)
    assert_watched(path, parts[default])


@pytest.mark.parametrize("suffix", [".mkv", ".ts"])
@pytest.mark.parametrize("first", ["many", "one"])
def test_of_streams_not_marked_the_one_of_many_frames_is_watched(
    first: str, suffix: str, tmp_path: Path
) -> None:
    one = write_video(tmp_path / "a.mp4", [20])
    many = write_video(tmp_path / "b.mp4", NUMBERED, size=(48, 96), gop=10)
    parts = [many, one] if first == "many" else [one, many]
    path = join_streams(parts, tmp_path / f"c{suffix}")
    assert_watched(path, many)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_cover_art_is_not_watched(suffix: str, first: bool, tmp_path: Path) -> None:
    cover = write_video(tmp_path / "a.mp4", [200], **COVER)
    film = write_video(tmp_path / "b.mp4", NUMBERED, gop=10)
    parts = [cover, film] if first else [film, cover]
    path = join_streams(parts, tmp_path / f"c{suffix}", cover=parts.index(cover))
    with av.open(path) as container:
        assert len(container.streams.video) == 2
    assert_watched(path, film)


def test_a_file_of_cover_art_alone_has_no_video(tmp_path: Path) -> None:
    cover = write_video(tmp_path / "a.mp4", [200], **COVER)
    path = join_streams([cover], tmp_path / "b.mp4", cover=0)
    with pytest.raises(UnreadableVideoError, match="it has no video stream"):
        VideoReader().probe(path)


def test_what_cannot_be_decoded_is_not_watched_where_something_else_can(tmp_path: Path) -> None:
    film = write_video(tmp_path / "a.mp4", NUMBERED)
    path = join_streams([film, film], tmp_path / "b.mp4", default=1)
    head, _, tail = path.read_bytes().rpartition(b"avc1")
    path.write_bytes(head + b"none" + tail)
    with av.open(path) as container:
        found = best_stream(container)
        assert found is not None
        assert found.index == 0
    path.write_bytes(path.read_bytes().replace(b"avc1", b"none"))
    with pytest.raises(UnreadableVideoError, match="no decoder"):
        VideoReader().probe(path)


def test_of_several_programs_one_is_watched(tmp_path: Path) -> None:
    written = [
        write_video(
            tmp_path / f"{number}.ts",
            NUMBERED[number * 10 : number * 10 + 40],
            size=(32 + 16 * number, 64),
            gop=10,
            container={
                "mpegts_service_id": str(1 + number),
                "mpegts_pmt_start_pid": str(0x1000 + number),
                "mpegts_start_pid": str(0x100 + 0x10 * number),
            },
        )
        for number in range(2)
    ]
    path = join_programs(written, tmp_path / "both.ts")
    with av.open(path) as container:
        assert len(container.streams.video) == 2
    assert_watched(path, written[0])


def test_a_stream_that_comes_later_does_not_end_reading_in_an_error() -> None:
    packets = [av.Packet(1), av.Packet(1)]

    class Growing:
        """What PyAV does where it finds more streams at the end than there were at first."""

        def demux(self) -> "Iterator[av.Packet[Any]]":
            yield from packets
            raise IndexError

    assert list(read_packets(cast("InputContainer", Growing()))) == packets


def assert_watched(path: Path, alone: Path) -> None:
    """See that clips, probe, scan and hash of a file are of that stream which is one by itself."""
    info, expected = VideoReader().probe(path), VideoReader().probe(alone)
    assert (info.width, info.height, info.fps) == (expected.width, expected.height, expected.fps)
    assert info.duration == pytest.approx(expected.duration, abs=0.05)
    assert probe(path, None) == info
    assert scan(path, info.duration, None) == 0
    hashes = dict(hash_all([("a", path), ("b", alone)], workers=1, time_budget=None))
    assert hashes["a"] == hashes["b"]
    starts = [0.02, 1.22, 0.42]
    together, apart = (
        VideoReader().clips(one, starts, num_frames=2, fps=5, size=16) for one in (path, alone)
    )
    assert numbers(together.frames).tolist() == numbers(apart.frames).tolist()
    assert together.valid.all()
