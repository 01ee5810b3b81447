import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.damage import READABLE, UNREADABLE, Way
from tests.media.video.hanging import spare_what_does_not_hang
from tests.media.video.writing import write_audio, write_video
from vtlearn.errors import ArgumentError, UnreadableVideoError
from vtlearn.media.video.probing import has_picture, hash_all, probe_all, scan_all
from vtlearn.media.video.reader import VideoInfo, VideoReader

SECONDS = 12


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "video.mp4"
    return write_video(path, [20 + 2 * i for i in range(SECONDS * 8)], rate=8, gop=8)


def damaged(good: Path, way: Way) -> Path:
    path = good.with_name(f"{way.name}.mp4")
    if not path.exists():
        shutil.copy(good, path)
        way.apply(path)
    return path


@pytest.fixture(scope="module")
def films(good: Path) -> list[tuple[str, Path]]:
    """Every kind but the one that hangs."""
    ways = [way for way in (*READABLE, *UNREADABLE) if way.stage != "time"]
    return [("good", good), *((way.name, damaged(good, way)) for way in ways)]


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_each_video_is_what_the_reader_says(films: list[tuple[str, Path]], workers: int) -> None:
    found = list(probe_all(films, workers=workers, time_budget=None))
    assert sorted(video_id for video_id, _ in found) == sorted(video_id for video_id, _ in films)
    for video_id, info in found:
        path = dict(films)[video_id]
        if isinstance(info, VideoInfo):
            assert info == VideoReader().probe(path)
        else:
            with pytest.raises(UnreadableVideoError) as raised:
                VideoReader().probe(path)
            assert str(info) == str(raised.value)


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_frames_are_hashed_as_the_reader_does(films: list[tuple[str, Path]], workers: int) -> None:
    hashes = dict(hash_all(films, workers=workers, time_budget=None))
    assert hashes.keys() == dict(films).keys()
    for video_id, path in films:
        found = hashes[video_id]
        if isinstance(found, str):
            assert found == VideoReader().hash_frames(path)
        else:
            with pytest.raises(UnreadableVideoError) as raised:
                VideoReader().hash_frames(path)
            assert str(found) == str(raised.value)
    assert {type(hashes[way.name]) for way in READABLE} == {str}


def test_what_is_damaged_is_as_readable_as_it_is_said_to_be(films: list[tuple[str, Path]]) -> None:
    found = dict(probe_all(films, workers=1, time_budget=None))
    for way in (*READABLE, *UNREADABLE):
        if way.stage != "time":
            info = found[way.name]
            assert (info.stage if isinstance(info, UnreadableVideoError) else None) == way.stage
    odd, turned, shaky = (found[name] for name in ("odd-sized", "rotated", "variable-rate"))
    assert isinstance(odd, VideoInfo)
    assert (odd.width % 2, odd.height % 2, odd.duration) == (1, 1, SECONDS)
    assert isinstance(turned, VideoInfo)
    assert turned.rotation == 90
    assert isinstance(shaky, VideoInfo)
    assert shaky.fps != 8.0


def test_a_scan_tells_how_much_is_lost(films: list[tuple[str, Path]]) -> None:
    infos = dict(probe_all(films, workers=1, time_budget=None))
    jobs = [
        (video_id, path, info.duration)
        for video_id, path in films
        if isinstance(info := infos[video_id], VideoInfo)
    ]
    lost = dict(scan_all(jobs, workers=1, time_budget=None))
    whole = {"good"} | {way.name for way in READABLE if way.whole}
    assert {video_id for video_id, seconds in lost.items() if seconds == 0} == whole
    assert lost["truncated-fast-start"] == SECONDS / 2
    scanned = scan_all([("empty", dict(films)["empty"], 1.0)], workers=1, time_budget=None)
    assert [type(result) for _, result in scanned] == [UnreadableVideoError]


def test_what_has_a_picture(good: Path, tmp_path: Path) -> None:
    assert has_picture(good) is True
    path = write_audio(tmp_path / "a.mp4")
    assert has_picture(path) is False
    shutil.copy(good, path)  # the answer is not kept for another file
    assert has_picture(path) is True
    path.write_bytes(b"nothing")
    assert has_picture(path) is None
    assert has_picture(tmp_path / "absent.mp4") is has_picture(tmp_path) is None
    os.mkfifo(tmp_path / "pipe.mp4")
    assert has_picture(tmp_path / "pipe.mp4") is None


def test_what_hangs_is_given_up(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spare_what_does_not_hang(monkeypatch)
    pipe = damaged(good, next(way for way in UNREADABLE if way.stage == "time"))
    films = [("a", good), ("pipe", pipe), ("b", good)]
    found = dict(probe_all(films, workers=1, time_budget=0.5))
    error = found["pipe"]
    assert isinstance(error, UnreadableVideoError)
    assert error.stage == "time"
    assert found["a"] == found["b"] == VideoReader().probe(good)
    with pytest.raises(ArgumentError):
        list(probe_all(films, workers=1, time_budget=-1.0))


def test_videos_are_read_as_they_are_needed(good: Path) -> None:
    read: list[int] = []

    def films() -> Iterator[tuple[str, Path]]:
        for number in range(1000):
            read.append(number)
            yield str(number), good

    next(probe_all(films(), workers=1, time_budget=None))
    assert len(read) < 50
