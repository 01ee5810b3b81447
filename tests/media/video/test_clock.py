from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from tests.media.video.videos import B_FRAMES, NUMBERED, damage, numbers
from tests.media.video.writing import forget_order, join_clocks, shift_clock, write_video
from vtlearn.media.video.clock import (
    ContinuousClock,
    first_packets,
    lacks_order,
    may_lack_order,
    spread,
    survey_packets,
)
from vtlearn.media.video.reader import VideoReader

HEADERS = {".avi": 8, ".flv": 16}  # bytes before a packet's own
REORDERED: dict[str, Any] = {"gop": 25, "b_frames": 2, "options": B_FRAMES}


def packet(pts: int | None, dts: int | None, duration: int = 4) -> "av.Packet[VideoStream]":
    made = cast("av.Packet[VideoStream]", av.Packet(1))
    made.pts, made.dts, made.duration = pts, dts, duration
    return made


def times(clock: ContinuousClock, *given: "av.Packet[VideoStream]") -> list[tuple[Any, Any]]:
    for one in given:
        clock.adjust(one)
    return [(one.pts, one.dts) for one in given]


def test_a_clock_that_starts_again_goes_on_where_the_last_frame_ended() -> None:
    clock = ContinuousClock(0.01)
    given = (packet(104, 96), packet(112, 100), packet(108, 104), packet(3, 1), packet(7, 5))
    assert times(clock, *given) == [(104, 96), (112, 100), (108, 104), (116, 114), (120, 118)]
    assert clock.end == 124


def test_a_clock_may_start_again_twice() -> None:
    given = (packet(50, 50), packet(0, 0), packet(50, 50), packet(0, 0))
    assert times(ContinuousClock(0.01), *given) == [(50, 50), (54, 54), (104, 104), (108, 108)]


def test_a_clock_that_is_taken_for_one_that_has_come_round_goes_on() -> None:
    given = (packet(9_000_000, 9_000_000), packet(2**33, 2**33), packet(2**33 + 4, 2**33 + 4))
    found = times(ContinuousClock(1 / 90_000), *given)
    assert found == [(9_000_000 + step,) * 2 for step in (0, 4, 8)]


def test_decoding_times_that_are_off_by_little_are_no_new_clock() -> None:
    given = (packet(50, 50), packet(54, 45), packet(None, None), packet(58, 46))
    assert times(ContinuousClock(0.01), *given) == [(50, 50), (54, 45), (None, None), (58, 46)]


@pytest.mark.parametrize("suffix", [".ts", ".flv"])
def test_a_survey_finds_clocks_that_go_back(suffix: str, tmp_path: Path) -> None:
    part = write_video(tmp_path / f"a{suffix}", NUMBERED, **REORDERED)
    twice = join_clocks([part, part], tmp_path / f"b{suffix}")
    for path, is_steady, seconds in ((part, True, 2.0), (twice, False, 4.0)):
        with av.open(path) as container:
            stream = container.streams.video[0]
            assert stream.time_base is not None
            assert stream.start_time is not None
            tick = float(stream.time_base)
            found = survey_packets(container, stream, tick)
            assert found.is_steady == is_steady
            assert found.end is not None
            first = 80 if suffix == ".flv" else stream.start_time
            assert (found.end - first) * tick == pytest.approx(seconds, abs=0.05)


@pytest.mark.parametrize("suffix", [".ts", ".mpg"])
def test_a_survey_finds_clocks_that_start_again_behind_late_ones(
    suffix: str, tmp_path: Path
) -> None:
    options = {**REORDERED, "codec": "mpeg2video", "options": None}
    part = write_video(tmp_path / f"a{suffix}", NUMBERED, **options)
    late = shift_clock(part, tmp_path / f"b{suffix}", seconds=100)
    path = join_clocks([late, part, part], tmp_path / f"c{suffix}")
    with av.open(path) as container:
        stream = container.streams.video[0]
        assert not survey_packets(container, stream, 1 / 90_000).is_steady
    assert VideoReader().probe(path).duration == pytest.approx(6.0, abs=0.1)
    for starts in ([3.1, 1.0], [3.1], [5.1, 0.0]):
        clips = VideoReader().clips(path, starts, num_frames=1, fps=1, size=8)
        assert clips.valid.all()
        assert numbers(clips.frames)[0] == pytest.approx(27, abs=1)


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_times_of_decoding_are_told_from_those_of_presentation(suffix: str, tmp_path: Path) -> None:
    raw = write_video(tmp_path / "a.h264", NUMBERED, **REORDERED)
    forgetful = forget_order(raw, tmp_path / f"a{suffix}")
    ordered = write_video(tmp_path / "b.mp4", NUMBERED, **REORDERED)
    plain = write_video(tmp_path / "c.mp4", NUMBERED)
    for path, may, does in (
        (forgetful, True, True),
        (ordered, False, False),
        (plain, True, False),
    ):
        with av.open(path) as container:
            assert may_lack_order(first_packets(container.demux(video=0))) == may
        with av.open(path) as container:
            assert lacks_order(container, container.streams.video[0], []) == does


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".flv"])
def test_b_frames_that_come_late_are_found(suffix: str, tmp_path: Path) -> None:
    raw = write_video(tmp_path / "a.h264", [*NUMBERED, *NUMBERED], plain=60, **REORDERED)
    forgetful = forget_order(raw, tmp_path / f"a{suffix}")
    ordered = write_video(tmp_path / "b.mp4", [*NUMBERED, *NUMBERED], plain=60, **REORDERED)
    for path, does in ((forgetful, True), (ordered, False)):
        with av.open(path) as container:
            assert may_lack_order(first_packets(container.demux(video=0)))
        with av.open(path) as container:
            stream = container.streams.video[0]
            end = 4000 if path.suffix == ".flv" else None
            places = spread(stream, end)
            assert len(places) == 3
            assert lacks_order(container, stream, places) == does
        with av.open(path) as container:
            assert not lacks_order(container, container.streams.video[0], [])
    clips = VideoReader().clips(forgetful, [3.02, 3.5, 0.22], num_frames=5, fps=25, size=8)
    expected = [[*range(25, 30)], [*range(37, 42)], [*range(5, 10)]]
    assert numbers(clips.frames).astype(int).tolist() == expected


@pytest.mark.parametrize("which", [4, 10, 30])
@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".flv"])
def test_packets_that_cannot_be_looked_at_are_no_evidence_of_order(
    suffix: str, which: int, tmp_path: Path
) -> None:
    raw = write_video(tmp_path / "a.h264", [*NUMBERED, *NUMBERED], **REORDERED)
    path = forget_order(raw, tmp_path / f"a{suffix}")
    damage(path, [which], header=HEADERS.get(suffix, 0))
    with av.open(path) as container:
        assert lacks_order(container, container.streams.video[0], [])
    shown = (np.arange(100) / 25 + 0.02).tolist()
    together = VideoReader().clips(path, shown, num_frames=1, fps=1, size=8)
    valid = together.valid[:, 0].numpy()
    assert valid[: which - 3].all()
    assert not valid[which + 2 :].any()
    assert (numbers(together.frames)[:, 0] == np.arange(100) % 50)[valid].all()
    alone = [VideoReader().clips(path, [t], num_frames=1, fps=1, size=8) for t in shown[::9]]
    assert [clip.valid.item() for clip in alone] == valid[::9].tolist()


def test_damage_is_no_evidence_against_order_that_is_seen(tmp_path: Path) -> None:
    levels = [*NUMBERED, *NUMBERED]
    path = write_video(tmp_path / "a.mp4", levels, plain=60, **REORDERED)
    damage(path, [10])
    with av.open(path) as container:
        stream = container.streams.video[0]
        assert not lacks_order(container, stream, spread(stream, None))
