import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from tests.media.video.videos import (
    B_FRAMES,
    FILES,
    FIXED,
    LONG,
    NUMBERED,
    OPEN_GOP,
    STEP,
    damage,
    noise,
    note_calls,
    numbers,
    open_files,
    packets,
    plain,
)
from tests.media.video.writing import (
    edit_parts,
    forget_order,
    join_clocks,
    shift_clock,
    write_audio,
    write_palette,
    write_video,
)
from vtlearn.errors import ArgumentError, UnreadableVideoError
from vtlearn.media.clips import Clips, Source, VideoBytes
from vtlearn.media.video import file as module
from vtlearn.media.video.file import VideoFile
from vtlearn.media.video.reader import VideoReader

# Decoding and seeking


@pytest.mark.parametrize(("name", "options"), LONG.items())
def test_random_access_gives_what_sequential_decoding_gives(
    name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    path = write_video(tmp_path / name, noise(500), **options)
    times, pictures = plain(path)
    times = np.arange(500) / 25 if name == "raw.h264" else times - times[0]
    starts = np.random.default_rng(1).uniform(0, 21, 8)
    together = VideoReader().clips(path, starts, num_frames=4, fps=9, size=32)
    asked = starts[:, None] + np.arange(4) / 9
    shown = np.clip((times <= asked[..., None] + 1e-6).sum(-1) - 1, 0, None)
    assert torch.equal(together.frames, pictures[torch.from_numpy(shown)])
    alone = [VideoReader().clips(path, [start], num_frames=4, fps=9, size=32) for start in starts]
    assert torch.equal(together.frames, torch.cat([clip.frames for clip in alone]))


MATROSKA: dict[str, dict[str, Any]] = {
    "a.mkv": {"gop": 25, "b_frames": 2, "options": B_FRAMES},
    "a.webm": {"gop": 25, "codec": "libvpx-vp9", "options": {"cpu-used": "8"}},
}
HARD_TO_SEEK: dict[str, dict[str, Any]] = {
    "reset.ts": {"gop": 25, "b_frames": 2, "options": B_FRAMES},
    "reset.flv": {"gop": 25, "b_frames": 2, "options": B_FRAMES},
    "unordered.avi": {"gop": 25, "b_frames": 2, "options": B_FRAMES},
    "unordered.mp4": {"gop": 25, "b_frames": 2, "options": B_FRAMES},
    "late.avi": {"gop": 25, "b_frames": 2, "codec": "mpeg4"},
    "palette.avi": {"codec": "rawvideo"},
    "palette.mov": {"codec": "rawvideo"},
}


@pytest.mark.parametrize(("name", "options"), HARD_TO_SEEK.items())
def test_where_seeks_mislead_frames_alone_are_those_among_others(
    name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    path = hard_to_seek(tmp_path / name, options)
    every = VideoReader().clips(path, [0.02], num_frames=300, fps=25, size=16)
    valid = every.valid[0].numpy()
    assert valid.sum() >= 298  # FFmpeg takes the packet before a join of MPEG-TS for corrupt
    shown = numbers(every.frames)[0]
    np.testing.assert_array_equal(shown[valid], np.arange(300)[valid] % 50)
    wanted = np.random.default_rng(3).integers(0, 300, 12)
    starts = wanted / 25 + 0.02
    together = VideoReader().clips(path, starts, num_frames=1, fps=1, size=16)
    assert torch.equal(together.frames[:, 0], every.frames[0, wanted])
    assert torch.equal(together.valid[:, 0], every.valid[0, wanted])
    for start, clip, is_valid in zip(starts, *together, strict=True):
        alone = VideoReader().clips(path, [start], num_frames=1, fps=1, size=16)
        assert torch.equal(alone.frames[0], clip)
        assert torch.equal(alone.valid[0], is_valid)


def test_where_h264_is_refreshed_bit_by_bit_decoding_begins_at_the_start(tmp_path: Path) -> None:
    options = {"preset": "medium", "x264-params": "intra-refresh=1:scenecut=0"}
    path = write_video(tmp_path / "a.mkv", noise(450), gop=25, options=options)
    times, pictures = plain(path)
    numbered = np.arange(400, 407)  # made from frames before, though a keyframe is said to be there
    starts = (times[numbered] + 0.02).tolist()
    clips = VideoReader().clips(path, starts, num_frames=1, fps=1, size=32)
    assert torch.equal(clips.frames[:, 0], pictures[torch.from_numpy(numbered)])
    assert clips.valid.all()


def test_a_frame_without_a_time_follows_the_one_before_after_a_seek_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = [number % 50 * STEP for number in range(250)]
    path = write_video(tmp_path / "a.mp4", levels, gop=25, b_frames=2, options=B_FRAMES)
    frames = VideoFile._frames

    def forgetful(file: VideoFile, packets: Any) -> Iterator[av.VideoFrame | None]:
        for frame in frames(file, packets):
            if frame is not None and frame.pts == 160 * 512:
                frame.pts = None
            yield frame

    monkeypatch.setattr(VideoFile, "_frames", forgetful)
    for starts in ([0.02, 6.3], [6.3]):
        clips = VideoReader().clips(path, starts, num_frames=5, fps=12.5, size=8)
        assert numbers(clips.frames)[-1].tolist() == [7, 9, 11, 13, 15]


def test_frames_lost_from_a_file_that_counts_them_are_invalid(tmp_path: Path) -> None:
    path = hard_to_seek(tmp_path / "unordered.avi", HARD_TO_SEEK["unordered.avi"])
    damage(path, range(60, 63))
    starts = np.arange(0, 12, 0.4) + 0.02
    clips = VideoReader().clips(path, starts, num_frames=1, fps=1, size=16)
    valid = clips.valid[:, 0].numpy()
    assert valid[starts < 2.2].all()
    assert not valid[starts > 2.6].any()
    np.testing.assert_array_equal(
        numbers(clips.frames)[valid, 0], (starts[valid] * 25).astype(int) % 50
    )


@pytest.mark.parametrize("suffix", [".avi", ".mp4", ".flv"])
def test_frames_are_not_counted_from_the_second_keyframe(suffix: str, tmp_path: Path) -> None:
    raw = write_video(
        tmp_path / "a.h264", [*NUMBERED, *NUMBERED], gop=25, b_frames=2, options=B_FRAMES
    )
    whole = tmp_path / "b.h264"
    whole.write_bytes(raw.read_bytes()[packets(raw)[1][0] :])  # the first keyframe is lost
    path = forget_order(whole, tmp_path / f"a{suffix}")
    for starts in ([0.02], [1.02, 0.5], [3.0]):
        clips = unless_unreadable(path, starts)
        assert clips is None or not clips.valid.any()


def unless_unreadable(path: Path, starts: list[float]) -> Clips | None:
    try:
        return VideoReader().clips(path, starts, num_frames=1, fps=1, size=8)
    except UnreadableVideoError:
        return None


def hard_to_seek(path: Path, options: dict[str, Any]) -> Path:
    """Write 300 frames, whose level is the number modulo 50, so that seeks mislead."""
    levels = [number % 50 * STEP for number in range(300)]
    if path.stem == "unordered":
        whole = write_video(path.with_suffix(".h264"), levels, **options)
        return forget_order(whole, path)
    if path.stem == "palette":
        return write_palette(path, levels, **options)
    if path.stem == "reset":
        parts = [
            write_video(path.with_name(f"{number}{path.suffix}"), levels[:150], **options)
            for number in range(2)
        ]
        return join_clocks(parts, path)
    return write_video(path, levels, **options)


@pytest.mark.parametrize("name", ["a.mkv", "a.webm"])
def test_matroska_files_may_be_joined(name: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / name, NUMBERED, **MATROSKA[name])
    joined = join_clocks([path, path], tmp_path / f"joined_{name}")
    assert VideoReader().probe(joined).duration == pytest.approx(4.0, abs=0.05)
    require_frames(joined, {1.02: 25, 1.82: 45, 2.02: 0, 3.02: 25, 3.82: 45})


@pytest.mark.parametrize("name", ["a.mkv", "a.webm"])
def test_what_matroska_has_before_0_is_not_shown(name: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / name, [*NUMBERED, *NUMBERED], **MATROSKA[name])
    shifted = shift_clock(path, tmp_path / f"b_{name}", seconds=-0.5)
    assert VideoReader().probe(shifted).first == pytest.approx(0)
    assert VideoReader().probe(shifted).duration == pytest.approx(3.48, abs=0.05)
    require_frames(shifted, {-1.0: 13, 0.01: 13, 0.25: 19, 0.45: 24, 0.49: 25, 1.49: 0, 2.01: 13})


def require_frames(path: Path, expected: dict[float, int]) -> None:
    """Read frames together, alone, and by one reader in several orders: these are shown then."""
    used = VideoReader()
    readings = [(VideoReader(), list(expected)), *((VideoReader(), [start]) for start in expected)]
    readings += [(used, [start]) for start in (*expected, *reversed(expected))]
    for reader, starts in readings:
        clips = reader.clips(path, starts, num_frames=1, fps=1, size=8)
        assert clips.valid.all()
        assert numbers(clips.frames)[:, 0].tolist() == [expected[start] for start in starts]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(1.0, 1.0), (3.0, 1.0)], [*range(25, 50), *range(75, 100)]),
        ([(3.0, 1.0), (1.0, 1.0)], [*range(75, 100), *range(25, 50)]),
        ([(1.0, 1.0), (1.0, 1.0)], [*range(25, 50), *range(25, 50)]),
        ([(0.52, 1.0), (2.2, 0.8)], [*range(13, 38), *range(55, 75)]),
    ],
)
def test_an_edit_list_may_join_parts(
    parts: list[tuple[float, float]], expected: list[int], tmp_path: Path
) -> None:
    levels = [*NUMBERED, *NUMBERED]
    before = write_video(tmp_path / "a.mp4", levels, gop=25, b_frames=2, options=B_FRAMES)
    path = edit_parts(before, tmp_path / "b.mp4", parts)
    info = VideoReader().probe(path)
    assert info.duration == pytest.approx(len(expected) / 25, abs=0.05)
    asked: dict[str, Any] = {"num_frames": 1, "fps": 1, "size": 8}
    starts = [number / 25 + 0.02 for number in range(len(expected))]
    together = VideoReader().clips(path, starts, **asked)
    assert together.valid.all()
    assert numbers(together.frames)[:, 0].tolist() == [number % 50 for number in expected]
    alone = [VideoReader().clips(path, [start], **asked) for start in starts[::7]]
    assert torch.equal(torch.cat([clip.frames for clip in alone]), together.frames[::7])


@pytest.mark.parametrize("seconds", [20, 60])
@pytest.mark.parametrize("sound", [0, 1, 63])
def test_what_a_clock_leaps_over_is_unknown_unless_there_is_sound(
    sound: float, seconds: int, tmp_path: Path
) -> None:
    pts = [*range(25), *range(25 * (1 + seconds), 25 * (2 + seconds))]
    path = write_video(
        tmp_path / "a.ts", NUMBERED, pts=pts, gop=10, b_frames=2, options=B_FRAMES, sound=sound
    )
    is_known = sound > seconds or seconds < 30
    starts = [0.54, 0.98, 7.0, 15.0, 1.5 + seconds, 1.9 + seconds]
    together = VideoReader().clips(path, starts, num_frames=1, fps=1, size=8)
    assert together.valid[:, 0].tolist() == [True, True, is_known, is_known, True, True]
    shown = numbers(together.frames)[together.valid.numpy()[:, 0], 0]
    assert shown.tolist() == [13, 24, *([24, 24] if is_known else []), 37, 47]
    for start, clip, valid in zip(starts, *together, strict=True):
        alone = VideoReader().clips(path, [start], num_frames=1, fps=1, size=8)
        assert torch.equal(alone.valid[0], valid)
        assert torch.equal(alone.frames[0], clip)


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


@pytest.mark.parametrize("name", ["25.mp4", "late.mkv", "stream.ts", "raw.h264"])
def test_times_beyond_all_counting_are_past_the_end(name: str, tmp_path: Path) -> None:
    path = write_video(tmp_path / name, NUMBERED, **FILES[name])
    for time, shown in ((1e18, 49), (-1e18, 0), (1e308, 49)):
        clips = VideoReader().clips(path, [time], num_frames=2, fps=1, size=8)
        assert numbers(clips.frames)[0].tolist() == [shown, shown]
        assert clips.valid.all()


def test_the_duration_of_what_knows_no_time_is_counted(tmp_path: Path) -> None:
    info = VideoReader().probe(write_video(tmp_path / "a.h264", NUMBERED))
    assert info.duration == 2.0


def test_the_duration_of_a_late_file_counts_from_its_start(tmp_path: Path) -> None:
    for name in ("late.mp4", "late.mkv"):
        path = write_video(tmp_path / name, NUMBERED, **FILES[name])
        assert VideoReader().probe(path).duration == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("name", ["a.ts", "a.flv"])
def test_the_duration_of_a_clock_that_starts_again_is_that_of_all(
    name: str, tmp_path: Path
) -> None:
    part = write_video(tmp_path / name, NUMBERED, gop=25)
    path = join_clocks([part] * 3, tmp_path / f"joined{part.suffix}")
    info = VideoReader().probe(path)
    assert info.duration == pytest.approx(6.0, abs=0.05)
    assert info.frames == pytest.approx(150, abs=2)


def test_the_duration_of_frames_in_avi_is_their_number(tmp_path: Path) -> None:
    for name in ("late.avi", "unordered.avi"):
        path = hard_to_seek(tmp_path / name, HARD_TO_SEEK[name])
        assert VideoReader().probe(path).duration == pytest.approx(12.0)


# Files that cannot be opened


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


def test_a_path_that_cannot_be_one_is_unreadable() -> None:
    for read in readings("a\0b.mp4"):
        with pytest.raises(UnreadableVideoError, match="null"):
            read()


def test_a_playlist_does_not_reach_for_other_files(tmp_path: Path) -> None:
    write_video(tmp_path / "secret.ts", NUMBERED)
    path = tmp_path / "a.m3u8"
    path.write_text("#EXTM3U\n#EXTINF:2,\nhttp://127.0.0.1:9/secret.ts\n#EXT-X-ENDLIST\n")
    for read in readings(path):
        with pytest.raises(UnreadableVideoError):
            read()


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


# Files that are damaged


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


# Files that are kept open


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
    opened = note_calls(monkeypatch, module, "open_named")
    reader = VideoReader()
    sources: list[Source] = [path, content]
    for count, source in enumerate(sources, 1):
        reader.probe(source)
        for starts in ([0.0], [6.0, 0.5], [7.0], [3.0], [0.1]):
            reader.clips(source, starts, num_frames=2, fps=5, size=8)
        assert len(opened) == count


def test_a_damaged_file_is_not_kept(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", noise(80), gop=10, options=B_FRAMES)
    damage(path, range(20, 23))
    before = open_files()
    reader = VideoReader()
    assert not reader.clips(path, [0.0], num_frames=80, fps=25, size=16).valid.all()
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


def readings(path: Source) -> Sequence[Callable[[], object]]:
    reader = VideoReader()
    return (
        lambda: reader.clips(path, [0.0, 1.0], num_frames=2, fps=1, size=8),
        lambda: reader.clips(path, [1.5], num_frames=1, fps=1, size=8),
        lambda: reader.probe(path),
    )
