from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.media.video.sounds import laid_out, onsets, scramble, tone, write_sound
from tests.media.video.writing import join_clocks, shift_clock, write_audio, write_video
from vtlearn.errors import UnreadableVideoError
from vtlearn.media.clips import VideoBytes
from vtlearn.media.video import sound
from vtlearn.media.video.sound import SOUND_RATE, SoundFile


def heard(path: Path) -> list[tuple[float, float]]:
    return onsets(laid_out(list(SoundFile(path).pieces())))


def close(*seconds: tuple[float, float]) -> Any:
    return [pytest.approx(pair, abs=0.03) for pair in seconds]


def test_a_tone_is_heard_at_its_second_sample_by_sample(tmp_path: Path) -> None:
    written = tone(1.0, 2.0, 4.0)
    path = write_sound(tmp_path / "a.mkv", written, picture=4)
    (piece,) = SoundFile(path).pieces()
    assert piece.start == 0
    assert piece.samples.dtype == np.float32
    np.testing.assert_allclose(piece.samples, written, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mkv", {}),
        ("a.mp4", {"codec": "aac"}),
        ("a.mov", {"rate": 44100}),
        ("a.avi", {"codec": "mp2", "rate": 44100}),
        ("a.webm", {"codec": "libopus", "rate": 48000}),
        ("a.ts", {"codec": "aac", "rate": 48000}),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_any_container_coder_rate_and_number_of_channels(
    name: str, options: dict[str, Any], channels: int, tmp_path: Path
) -> None:
    written = tone(1.0, 2.0, 4.0, options.get("rate", 16000))
    both = np.stack([written] * channels)
    picture = 0 if name.endswith("webm") else 4  # which takes no MPEG-4
    path = write_sound(tmp_path / name, both, picture=picture, **options)
    assert heard(path) == close((1, 2))
    loudest = np.abs(laid_out(list(SoundFile(path).pieces()))).max()
    assert loudest == pytest.approx(0.5, abs=0.06)


def test_channels_are_mixed(tmp_path: Path) -> None:
    left, right = tone(1.0, 2.0, 4.0), tone(3.0, 3.5, 4.0)
    path = write_sound(tmp_path / "a.mkv", np.stack([left, right]))
    assert heard(path) == close((1, 2), (3, 3.5))


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "pcm_s16le"), ("a.mp4", "aac")])
def test_sound_that_begins_after_the_picture_is_heard_late(
    name: str, codec: str, tmp_path: Path
) -> None:
    path = write_sound(tmp_path / name, tone(1, 2, 3), late=3.0, picture=6, codec=codec)
    assert heard(path) == close((4, 5))


def test_seconds_count_from_the_start_of_the_file_whatever_its_clock_says(tmp_path: Path) -> None:
    plain = write_sound(tmp_path / "a.ts", tone(1, 2, 3), late=1.5, picture=5, codec="aac")
    shifted = shift_clock(plain, tmp_path / "b.ts", seconds=100.0)
    assert heard(plain) == close((2.5, 3.5))
    assert heard(shifted) == close((2.5, 3.5))


def test_a_clock_that_starts_again_continues(tmp_path: Path) -> None:
    written = tone(1, 2, 3, 48000)
    part = write_sound(tmp_path / "a.ts", written, rate=48000, picture=3, codec="aac")
    twice = join_clocks([part, part], tmp_path / "b.ts")
    assert heard(twice) == [pytest.approx(pair, abs=0.1) for pair in ((1, 2), (4, 5))]


def part(path: Path, *tones: float, sound: float = 3.0, picture: float = 3.0) -> Path:
    """Some seconds of sound and of picture, by the clock of their own, with tones of 0.5 s."""
    rate = 48000
    written = sum((tone(at, at + 0.5, sound, rate) for at in tones), tone(0, 0, sound, rate))
    return write_sound(path, written, rate=rate, picture=picture, codec="aac")


def begins(path: Path) -> list[float]:
    return [start for start, _ in heard(path)]


def test_sound_is_where_its_picture_is_when_a_clock_starts_again(tmp_path: Path) -> None:
    first = part(tmp_path / "a.ts", 0.2, sound=1, picture=5)
    second = part(tmp_path / "b.ts", 1.0, 2.0)
    joined = join_clocks([first, second], tmp_path / "c.ts")
    assert begins(joined) == pytest.approx([0.2, 6.0, 7.0], abs=0.1)
    assert len(list(SoundFile(joined).pieces())) == 1  # the last of the first part is in it


def test_a_part_without_sound_takes_its_time(tmp_path: Path) -> None:
    spoken = part(tmp_path / "a.ts", 1.0)
    silent = write_video(tmp_path / "b.ts", [100] * 75)
    joined = join_clocks([spoken, silent, spoken], tmp_path / "c.ts")
    assert begins(joined) == pytest.approx([1.0, 7.0], abs=0.15)


def test_sound_that_begins_with_a_later_part_is_heard(tmp_path: Path) -> None:
    silent = write_video(tmp_path / "a.ts", [100] * 75)
    joined = join_clocks([silent, part(tmp_path / "b.ts", 1.0)], tmp_path / "c.ts")
    assert begins(joined) == pytest.approx([4.0], abs=0.15)


def test_sound_and_picture_stay_together_however_often_a_clock_starts_again(tmp_path: Path) -> None:
    joined = join_clocks([part(tmp_path / "a.ts", 1.0, sound=2, picture=2)] * 20, tmp_path / "b.ts")
    assert begins(joined) == pytest.approx([2 * n + 1.0 for n in range(20)], abs=0.12)


def test_sound_that_outlasts_its_picture_is_not_lost_nor_what_follows(tmp_path: Path) -> None:
    first = part(tmp_path / "a.ts", 0.2, 5.0, sound=6)
    joined = join_clocks([first, part(tmp_path / "b.ts", 1.0)], tmp_path / "c.ts")
    one, other = SoundFile(joined).pieces()
    assert [start for start, _ in onsets(one.samples)] == pytest.approx([0.2, 5.0], abs=0.1)
    assert other.start == pytest.approx(3.0, abs=0.1)
    assert [start for start, _ in onsets(other.samples)] == pytest.approx([1.0], abs=0.1)


def test_sound_without_a_picture_goes_on_where_it_ended(tmp_path: Path) -> None:
    alone = part(tmp_path / "a.ts", 1.0, picture=0)
    assert begins(join_clocks([alone] * 3, tmp_path / "b.ts")) == pytest.approx([1, 4, 7], abs=0.15)


def test_a_short_gap_is_silence(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.mkv", tone(5, 6, 8), skip=[(1, 4)], picture=8)
    (piece,) = SoundFile(path).pieces()
    assert onsets(piece.samples) == close((5, 6))


def test_after_a_long_gap_a_piece_begins(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.mkv", tone(12, 13, 14), skip=[(1, 11)], picture=14)
    first, second = SoundFile(path).pieces()
    assert (first.start, len(first.samples) / SOUND_RATE) == pytest.approx((0, 1), abs=0.1)
    assert second.start == pytest.approx(11, abs=0.1)
    assert heard(path) == close((12, 13))


def test_a_clock_that_jumps_ahead_by_days_takes_no_memory(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.mkv", tone(1, 2, 3), late=1e6, picture=1)
    (piece,) = SoundFile(path).pieces()
    assert piece.start == pytest.approx(1e6, abs=0.1)
    assert len(piece.samples) == pytest.approx(3 * SOUND_RATE, abs=1000)


def test_long_sound_is_cut_where_it_is_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sound, "_LONGEST", 4.0)
    monkeypatch.setattr(sound, "_QUIET", 2.0)
    written = tone(0, 20, 20, pitch=1000)
    for second in (3, 6, 9, 12, 15, 18):
        written[second * 16000 : second * 16000 + 4800] = 0
    path = write_sound(tmp_path / "a.mkv", written)
    pieces = list(SoundFile(path).pieces())
    np.testing.assert_allclose(laid_out(pieces), written, atol=1e-4)
    assert all(len(piece.samples) <= 4.2 * SOUND_RATE for piece in pieces)
    cuts = [piece.start for piece in pieces[1:]]
    assert len(cuts) == 6
    assert all(0 <= cut % 3 <= 0.3 for cut in cuts)


def test_a_file_without_sound_has_no_piece(tmp_path: Path) -> None:
    assert list(SoundFile(write_video(tmp_path / "a.mp4", range(10))).pieces()) == []


def test_sound_without_a_picture_is_heard(tmp_path: Path) -> None:
    assert heard(write_sound(tmp_path / "a.mkv", tone(1, 2, 3))) == close((1, 2))
    assert list(SoundFile(write_audio(tmp_path / "a.mp4")).pieces())


def test_bytes_are_read_as_files_are(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.mkv", tone(1, 2, 3))
    (piece,) = SoundFile(VideoBytes("a", path.read_bytes())).pieces()
    assert onsets(piece.samples) == close((1, 2))


def test_of_a_file_that_was_cut_off_what_there_is_is_heard(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.mkv", tone(1, 2, 8), picture=8)
    whole = SoundFile(path)
    assert list(whole.pieces())
    assert not whole.damaged
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    cut = SoundFile(path)
    (piece,) = cut.pieces()
    assert onsets(piece.samples) == close((1, 2))
    assert 2 < len(piece.samples) / SOUND_RATE < 6
    assert cut.damaged == 1


def test_a_file_whose_index_came_first_may_be_cut_off_too(tmp_path: Path) -> None:
    index_first = {"movflags": "faststart"}
    written = tone(0, 8, 8, 48000)
    path = write_sound(tmp_path / "a.mp4", written, rate=48000, codec="aac", container=index_first)
    whole = SoundFile(path)
    assert onsets(laid_out(list(whole.pieces()))) == close((0, 8))
    assert not whole.damaged
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    cut = SoundFile(path)
    ((start, end),) = onsets(laid_out(list(cut.pieces())))
    assert start < 0.03
    assert 2 < end < 6
    assert cut.damaged


def test_sound_behind_damage_keeps_its_time(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.mkv", tone(5, 6, 7, 48000), rate=48000, codec="flac")
    file = SoundFile(scramble(path, tmp_path / "b.mkv", 1, 3))
    assert onsets(laid_out(list(file.pieces())))[-1:] == close((5, 6))
    assert file.damaged > 10


def test_sound_in_a_stream_that_lost_packets_keeps_its_time(tmp_path: Path) -> None:
    written = tone(7, 8, 9, 48000)
    path = write_sound(tmp_path / "a.ts", written, rate=48000, picture=9, codec="aac")
    content = path.read_bytes()
    third = len(content) // 3 // 188 * 188
    path.write_bytes(content[:third] + content[third + 188 * 60 :])
    assert heard(path)[-1:] == close((7, 8))


def test_sound_of_which_nothing_can_be_decoded_is_an_error(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.mkv", tone(1, 2, 3, 48000), rate=48000, codec="flac")
    with pytest.raises(UnreadableVideoError, match="none of its sound can be decoded"):
        list(SoundFile(scramble(path, tmp_path / "b.mkv", 0, 9)).pieces())


@pytest.mark.parametrize("content", [b"", b"<html>Not found</html>", b"\0" * 4096])
def test_what_is_no_video_is_an_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(UnreadableVideoError, match=r"a\.mp4 cannot be read: "):
        list(SoundFile(path).pieces())


@pytest.mark.parametrize("name", ["absent.mp4", "a\0b.mp4"])
def test_what_is_not_there_is_an_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableVideoError, match="cannot be read: "):
        list(SoundFile(tmp_path / name).pieces())
