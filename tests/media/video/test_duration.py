import struct
from pathlib import Path
from typing import Any, Literal

import av
import pytest
import torch

from tests.media.video.videos import B_FRAMES, STEP, note_calls, numbers, packets
from tests.media.video.writing import write_audio, write_video
from vtlearn.media.clips import VideoBytes
from vtlearn.media.video import duration as module
from vtlearn.media.video.duration import tagged_end
from vtlearn.media.video.reader import VideoReader


@pytest.mark.parametrize("factor", [1 / 30, 4])
def test_a_stated_duration_is_held_against_the_table_of_frames(
    factor: float, tmp_path: Path
) -> None:
    levels = [number % 50 * STEP for number in range(250)]
    path = write_video(tmp_path / "a.mp4", levels, gop=25, b_frames=2, options=B_FRAMES)
    state_duration(path, factor)
    if factor < 1:  # FFmpeg itself takes the edit list's where that is shorter
        with av.open(path) as container:
            assert container.streams.video[0].duration == pytest.approx(128000 * factor, rel=1e-3)
    assert VideoReader().probe(path).duration == pytest.approx(10.0, abs=0.05)
    clips = VideoReader().clips(path, [9.02, 12.0], num_frames=1, fps=1, size=8)
    assert numbers(clips.frames).ravel().tolist() == [25, 49]
    assert clips.valid.all()


LEVELS = [number % 50 * STEP for number in range(100)]
SLIDES = ([0, 10, 60], [0, 60, 61, 62, 63], [0, 0.04, 0.08, 30], [0, 5, 6, 7, 50])


@pytest.mark.parametrize("starts", SLIDES)
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".avi", ".mkv"])
def test_the_duration_of_slides_is_no_guess(
    suffix: str, starts: list[float], tmp_path: Path
) -> None:
    path = write_slides(tmp_path / f"a{suffix}", starts)
    end = starts[-1] + 0.04
    assert VideoReader().probe(path).duration == pytest.approx(end, abs=0.1)
    clips = VideoReader().clips(path, [end - 0.02, end + 1, 90], num_frames=1, fps=1, size=8)
    assert numbers(clips.frames).ravel().tolist() == [len(starts) - 1] * 3
    assert clips.valid.all()


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("factor", [0.1, 1, 3])
def test_a_last_slide_may_stay_for_long(suffix: str, factor: float, tmp_path: Path) -> None:
    path = write_slides(tmp_path / f"a{suffix}", [0, 10, 60], last=25)
    state_duration(path, factor)
    assert VideoReader().probe(path).duration == pytest.approx(85, abs=0.1)
    clips = VideoReader().clips(path, [70, 100], num_frames=1, fps=1, size=8)
    assert clips.valid.all()


@pytest.mark.parametrize("seconds", [0.0, 1.0, 12.0, 600.0])
def test_flv_is_as_long_as_its_packets(seconds: float, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.flv", LEVELS, gop=25, b_frames=2, options=B_FRAMES)
    overwrite(path, b"duration\x00", 0, struct.pack(">d", seconds))
    require_four_seconds(path)


@pytest.mark.parametrize("seconds", [1.0, 34.0])
def test_asf_is_as_long_as_its_packets(seconds: float, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.asf", LEVELS, codec="msmpeg4v3", gop=25)
    name = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # File Properties
    overwrite(path, name, 48, struct.pack("<Q", round((seconds + 3.1) * 1e7)))  # with the preroll
    require_four_seconds(path)


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
@pytest.mark.parametrize("factor", [0.1, 0.5, 3, 30])
def test_avi_has_as_many_frames_as_its_index(factor: float, codec: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", LEVELS, codec=codec, gop=25, b_frames=2)
    overwrite(path, b"strh", 4 + 32, struct.pack("<I", round(100 * factor)))
    overwrite(path, b"avih", 4 + 16, struct.pack("<I", round(100 * factor)))
    require_four_seconds(path)


def test_sound_that_goes_on_in_flv_is_not_the_end_of_the_frames(tmp_path: Path) -> None:
    sound = write_audio(tmp_path / "sound.mp4", 9)
    frames = write_video(tmp_path / "a.mp4", LEVELS, gop=25)
    path = tmp_path / "a.flv"
    with av.open(frames) as first, av.open(sound) as second, av.open(path, "w") as output:
        sources = (first.streams.video[0], second.streams.audio[0])
        copies = [output.add_stream_from_template(each) for each in sources]
        for source, stream, copy in zip((first, second), sources, copies, strict=True):
            for packet in source.demux(stream):
                if packet.size:
                    packet.stream = copy
                    output.mux(packet)
    assert VideoReader().probe(path).duration == pytest.approx(4.0, abs=0.2)
    assert VideoReader().clips(path, [3.0, 5.5], num_frames=1, fps=1, size=8).valid.all()


def test_flv_that_was_cut_off_ends_invalid(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.flv", LEVELS, gop=25, b_frames=2, options=B_FRAMES)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert VideoReader().probe(path).duration == pytest.approx(4.0, abs=0.1)
    assert not VideoReader().clips(path, [3.5], num_frames=1, fps=1, size=8).valid.any()


@pytest.mark.parametrize("pad", ["edge", "black"])
@pytest.mark.parametrize("count", [74, 75, 76, 77, 100])
def test_flv_ends_alike_from_wherever_it_is_read(
    count: int, pad: Literal["edge", "black"], tmp_path: Path
) -> None:
    path = write_video(tmp_path / "a.flv", LEVELS, gop=25, b_frames=2, options=B_FRAMES)
    if count < 100:
        path.write_bytes(
            path.read_bytes()[: packets(path)[count][0] + 10]
        )  # within the header of one
    starts = [number / 50 + 0.015 for number in range(220)]  # so near that nothing is sought
    asked: dict[str, Any] = {"num_frames": 1, "fps": 1, "size": 8, "pad": pad}
    together = VideoReader().clips(path, starts, **asked)
    alone = [VideoReader().clips(path, [start], **asked) for start in starts[100:]]
    assert torch.equal(torch.cat([clip.valid for clip in alone]), together.valid[100:])
    assert torch.equal(torch.cat([clip.frames for clip in alone]), together.frames[100:])


@pytest.mark.parametrize("stated", [1000.0, 10_400.0, 600_000.0])
def test_a_stated_duration_is_held_against_the_last_keyframe(stated: float, tmp_path: Path) -> None:
    path = write_matroska(tmp_path / "a.mkv", stated)
    assert VideoReader().probe(path).duration == pytest.approx(10.0, abs=0.5)
    clips = VideoReader().clips(path, [9.0, 12.0, 100.0], num_frames=1, fps=1, size=8)
    assert numbers(clips.frames).ravel().tolist() == [25, 49, 49]
    assert clips.valid.all()


def test_a_long_duration_is_believed_of_a_file_whose_last_keyframe_is_lost(tmp_path: Path) -> None:
    path = write_matroska(tmp_path / "a.mkv", 10_000.0, cues_to_front="1")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert VideoReader().probe(path).duration == pytest.approx(10.0, abs=0.05)
    clips = VideoReader().clips(path, [0.0, 9.0, 9.8], num_frames=1, fps=1, size=8)
    assert clips.valid[:, 0].tolist() == [True, False, False]


def write_matroska(path: Path, stated: float, **container: str) -> Path:
    """Write 10 s that say they last so many milliseconds."""
    levels = [number % 50 * STEP for number in range(250)]
    write_video(path, levels, gop=25, b_frames=2, options=B_FRAMES, container=container)
    content = path.read_bytes().replace(b"DURATION", b"ORDINARY")
    place = content.index(b"\x44\x89\x88") + 3  # Duration, 8 bytes
    assert struct.unpack(">d", content[place : place + 8]) == (10_000.0,)
    path.write_bytes(content[:place] + struct.pack(">d", stated) + content[place + 8 :])
    return path


def test_what_follows_the_last_keyframe_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = note_calls(monkeypatch, module, "_end_of_packets")
    path = write_matroska(tmp_path / "a.mkv", 1000.0)
    infos = [VideoReader().probe(path) for _ in range(3)]
    assert infos[0] == infos[1] == infos[2]
    assert len(calls) == 1
    data = VideoBytes("a.mkv", path.read_bytes())
    assert [VideoReader().probe(data) for _ in range(2)] == infos[:2]
    assert len(calls) == 3


def test_sound_that_goes_on_is_not_the_end_of_the_frames(tmp_path: Path) -> None:
    levels = [number % 50 * STEP for number in range(100)]
    path = write_video(tmp_path / "a.mkv", levels, gop=10, sound=6)
    assert VideoReader().probe(path).duration == pytest.approx(4.0, abs=0.05)
    assert VideoReader().clips(path, [3.0, 5.5], num_frames=1, fps=1, size=8).valid.all()


def test_a_matroska_file_that_was_cut_off_ends_invalid_however_long_it_was(tmp_path: Path) -> None:
    levels = [number % 50 * STEP for number in range(1000)]
    path = write_video(tmp_path / "a.mkv", levels, gop=10)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 4])
    for starts in ([2.0, 30.0], [30.0], [39.0, 2.0]):
        valid = VideoReader().clips(path, starts, num_frames=1, fps=1, size=8).valid[:, 0]
        assert valid.tolist() == [start < 10 for start in starts]
    assert VideoReader().probe(path).duration == pytest.approx(40.0, abs=0.05)


def test_a_part_that_was_cut_off_counts(tmp_path: Path) -> None:
    levels = [number % 50 * STEP for number in range(250)]
    options = {"movflags": "+faststart"}
    path = write_video(tmp_path / "a.mp4", levels, gop=25, container=options)
    path.write_bytes(path.read_bytes()[:-2000])
    assert VideoReader().probe(path).duration == pytest.approx(10.0, abs=0.05)


def test_tags_that_state_no_end() -> None:
    assert tagged_end({"DURATION": "soon"}) is None
    assert tagged_end({}) is None


def state_duration(path: Path, factor: float) -> None:
    """Change the duration that an MP4's media header states."""
    content = bytearray(path.read_bytes())
    place = content.index(b"mdhd") + 20  # after version, two dates and the time scale, 4 each
    (ticks,) = struct.unpack(">I", content[place : place + 4])
    content[place : place + 4] = struct.pack(">I", round(ticks * factor))
    path.write_bytes(content)


def write_slides(path: Path, starts: list[float], last: float = 0.04) -> Path:
    """Write frames that are shown from these seconds on, and the last for so long."""
    levels = [number * STEP for number in range(len(starts))]
    pts = [round(start * 25) for start in starts]
    codec = "mpeg4" if path.suffix == ".avi" else "libx264"  # whose times FFmpeg guesses there
    before = write_video(path.with_stem("before"), levels, pts=pts, codec=codec)
    with av.open(before) as source, av.open(path, "w") as output:
        stream = source.streams.video[0]
        copy = output.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.size]
        assert stream.time_base is not None
        packets[-1].duration = round(last / stream.time_base)
        for packet in packets:
            packet.stream = copy
            output.mux(packet)
    return path


def overwrite(path: Path, name: bytes, after: int, value: bytes) -> None:
    """Put a value into a file, so many bytes after a name."""
    content = bytearray(path.read_bytes())
    place = content.index(name) + len(name) + after
    content[place : place + len(value)] = value
    path.write_bytes(content)


def require_four_seconds(path: Path) -> None:
    """Read a file of 100 frames, 25 per second."""
    info = VideoReader().probe(path)
    assert info.duration == pytest.approx(4.0, abs=0.05)
    assert info.frames == pytest.approx(100, abs=1)
    clips = VideoReader().clips(path, [3.98, 4.5, 8.0], num_frames=1, fps=1, size=8)
    assert clips.valid.all()
    assert VideoReader().clips(path, [3.5], num_frames=1, fps=1, size=8).valid.all()
