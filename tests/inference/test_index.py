import json
import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.inference.hash_model import HashModel, Windows, write_videos
from vtlearn.errors import ArgumentError, TooManyUnreadableError
from vtlearn.inference.index import SearchIndex


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    return write_videos(tmp_path / "videos", a="one", b="three", c="eleven")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "indexes"


def same(one: SearchIndex, other: SearchIndex) -> bool:
    tensors = zip(
        (one.vectors, one.spans, one.owners),
        (other.vectors, other.spans, other.owners),
        strict=True,
    )
    return one.ids == other.ids and all(left.equal(right) for left, right in tensors)


def anew(model: HashModel, videos: Path, tmp_path: Path) -> SearchIndex:
    """The index of a folder as it is, made by a model that was never used."""
    return SearchIndex.open(HashModel(model.sha256), videos, home=tmp_path / "anew")


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_it_holds_the_windows_of_all_videos(videos: Path, home: Path) -> None:
    model = HashModel()
    index = SearchIndex.open(model, videos, home=home)
    assert index.ids == ["a", "b", "c"]
    assert index.paths == [videos / f"{name}.mp4" for name in "abc"]
    assert index.owners.tolist() == [0] * 3 + [1] * 5 + [2] * 6
    expected = torch.cat([model.encode_video(path).vectors for path in index.paths])
    assert index.vectors.equal(expected.half())
    assert index.spans[3:5].tolist() == [[0.0, 2.0], [1.0, 3.0]]
    assert index.describe() == "14 windows of 3 videos"


def test_a_second_time_nothing_is_encoded_or_written(videos: Path, home: Path) -> None:
    first = SearchIndex.open(HashModel(), videos, home=home)
    before = {name: (home / name).stat().st_mtime_ns for name in files(home)}
    assert [Path(name).name for name in before] == ["index.json", "videos.safetensors"]
    model = HashModel()
    assert same(SearchIndex.open(model, videos, home=home), first)
    assert model.encoded == []
    assert {name: (home / name).stat().st_mtime_ns for name in files(home)} == before


def test_new_changed_and_vanished_files_are_kept_up_with(
    videos: Path, home: Path, tmp_path: Path
) -> None:
    model = HashModel()
    SearchIndex.open(model, videos, home=home)
    model.encoded.clear()
    write_videos(videos, b="other", d="new")
    (videos / "a.mp4").unlink()
    index = SearchIndex.open(model, videos, home=home)
    assert sorted(model.encoded) == ["b.mp4", "d.mp4"]
    assert same(index, anew(model, videos, tmp_path))
    assert "a" not in index.ids


def test_the_same_size_at_another_time_is_another_file(
    videos: Path, home: Path, tmp_path: Path
) -> None:
    model = HashModel()
    SearchIndex.open(model, videos, home=home)
    model.encoded.clear()
    (videos / "a.mp4").write_text("two")
    os.utime(videos / "a.mp4", ns=(1, 1))
    assert same(SearchIndex.open(model, videos, home=home), anew(model, videos, tmp_path))
    assert model.encoded == ["a.mp4"]


def test_a_video_that_moves_into_a_folder_is_found_there(
    videos: Path, home: Path, tmp_path: Path
) -> None:
    model = HashModel()
    SearchIndex.open(model, videos, home=home)
    (videos / "lesson").mkdir()
    (videos / "c.mp4").rename(videos / "lesson" / "a.mp4")
    index = SearchIndex.open(model, videos, home=home)
    assert index.ids == ["a", "b", "lesson/a"]
    assert same(index, anew(model, videos, tmp_path))


def test_another_model_clip_or_stride_has_another_index(videos: Path, home: Path) -> None:
    kinds = [
        (HashModel(), 1.0),
        (HashModel("b" * 64), 1.0),
        (HashModel(fps=2.0), 1.0),
        (HashModel(), 0.5),
    ]
    indexes = [SearchIndex.open(model, videos, home=home, stride=stride) for model, stride in kinds]
    assert len({index.home for index in indexes}) == 4
    assert [len(model.encoded) for model, _ in kinds] == [3, 3, 3, 3]
    settings = json.loads((indexes[1].home / "index.json").read_text())
    assert settings["model_sha256"] == "b" * 64
    assert settings["clips"]["fps"] == 4.0
    assert settings["folder"] == str(videos)


def test_it_is_in_the_users_cache_unless_told(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vtlearn.inference.index.user_cache", lambda: tmp_path / "cache")
    before = files(videos)
    index = SearchIndex.open(HashModel(), videos)
    assert index.home.parent == tmp_path / "cache" / "search"
    assert files(videos) == before


def test_a_folder_is_the_same_by_any_path(
    videos: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = SearchIndex.open(HashModel(), videos, home=home)
    (tmp_path / "link").symlink_to(videos)
    monkeypatch.chdir(videos)
    for path in (".", "../videos/", tmp_path / "link"):
        model = HashModel()
        index = SearchIndex.open(model, path, home=home)
        assert same(index, first)
        assert model.encoded == []
        assert all(video.exists() for video in index.paths)


@pytest.mark.parametrize("place", [".", "below/it"])
def test_it_is_never_among_the_videos(videos: Path, place: str) -> None:
    before = files(videos)
    with pytest.raises(ArgumentError, match=r"which is inside .*--index DIR"):
        SearchIndex.open(HashModel(), videos, home=videos / place)
    assert files(videos) == before
    assert not (videos / "below").exists()


def test_a_link_does_not_hide_that(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(videos)
    with pytest.raises(ArgumentError, match="which is inside"):
        SearchIndex.open(HashModel(), videos, home=tmp_path / "link")


def test_what_cannot_be_read_is_tried_again_when_it_changes(videos: Path, home: Path) -> None:
    write_videos(videos, bad="bad")
    model = HashModel()
    index = SearchIndex.open(model, videos, home=home)
    assert index.describe() == "14 windows of 3 videos; 1 cannot be read"
    (record,) = index.unreadable
    assert record.reason == "moov atom not found"
    report = [
        json.loads(line) for line in (index.home / "unreadable.jsonl").read_text().splitlines()
    ]
    assert [line["id"] for line in report] == ["bad"]
    model.encoded.clear()
    again = SearchIndex.open(model, videos, home=home)
    assert again.unreadable == [record]
    assert model.encoded == []
    write_videos(videos, bad="good")
    fixed = SearchIndex.open(model, videos, home=home)
    assert fixed.unreadable == []
    assert model.encoded == ["bad.mp4"]
    assert (fixed.home / "unreadable.jsonl").read_text() == ""


def test_more_than_may_be_unreadable_stop_it_every_time(videos: Path, home: Path) -> None:
    write_videos(videos, bad="bad", worse="bad too")
    model = HashModel()
    for _ in range(2):
        with pytest.raises(TooManyUnreadableError, match="2 of 5 videos cannot be read"):
            SearchIndex.open(model, videos, home=home)
    assert len(model.encoded) == 5
    index = SearchIndex.open(model, videos, home=home, max_unreadable_fraction=0.5)
    assert len(index.unreadable) == 2
    assert len(model.encoded) == 5


def test_where_nothing_can_be_read_there_is_nothing_to_search(tmp_path: Path, home: Path) -> None:
    videos = write_videos(tmp_path / "videos", bad="bad")
    with pytest.raises(TooManyUnreadableError, match="none of the 1 videos can be read"):
        SearchIndex.open(HashModel(), videos, home=home, max_unreadable_fraction=1.0)


def test_a_video_without_windows_is_unreadable(videos: Path, home: Path) -> None:
    write_videos(videos, empty="")
    (record,) = SearchIndex.open(HashModel(), videos, home=home).unreadable
    assert record.reason == "none of its windows has all of its frames"


def test_a_broken_link_is_unreadable(videos: Path, home: Path) -> None:
    (videos / "z.mp4").symlink_to("absent.mp4")
    model = HashModel()
    for _ in range(2):
        assert [one.id for one in SearchIndex.open(model, videos, home=home).unreadable] == ["z"]
    write_videos(videos, absent="there")
    assert SearchIndex.open(model, videos, home=home).unreadable == []


def test_a_damaged_index_is_made_again_with_a_message(
    videos: Path, home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = HashModel()
    pack = SearchIndex.open(model, videos, home=home).home / "videos.safetensors"
    pack.write_bytes(pack.read_bytes()[:-3])
    model.encoded.clear()
    with caplog.at_level(logging.WARNING):
        index = SearchIndex.open(model, videos, home=home)
    assert f"{pack} is damaged" in caplog.text
    assert len(model.encoded) == 3
    assert same(index, anew(model, videos, tmp_path))


def test_vectors_that_float16_cannot_hold_are_refused(videos: Path, home: Path) -> None:
    class Large(HashModel):
        def encode_video(self, video: Path, *, stride: float = 1.0) -> Windows:
            found = super().encode_video(video, stride=stride)
            return found._replace(vectors=found.vectors * 1e6)

    with pytest.raises(ArgumentError, match="too large for float16"):
        SearchIndex.open(Large(), videos, home=home)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: root / "absent", "is not a directory"),
        (lambda root: write_videos(root / "none"), "no video is in"),
    ],
)
def test_a_folder_without_videos_is_refused(
    tmp_path: Path, home: Path, make: Callable[[Path], Path], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        SearchIndex.open(HashModel(), make(tmp_path), home=home)
    assert not home.exists()


def test_a_stride_is_positive(videos: Path, home: Path) -> None:
    with pytest.raises(ArgumentError, match="stride must be positive"):
        SearchIndex.open(HashModel(), videos, home=home, stride=0.0)


class Stopped(HashModel):
    """Stops, as Ctrl-C does, at a video."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self.at = at

    def encode_video(self, video: Path, *, stride: float = 1.0) -> Windows:
        if video.stem == self.at:
            raise KeyboardInterrupt
        return super().encode_video(video, stride=stride)


def test_an_interruption_loses_the_video_in_work(videos: Path, home: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        SearchIndex.open(Stopped("c"), videos, home=home)
    model = HashModel()
    assert same(SearchIndex.open(model, videos, home=home), anew(model, videos, tmp_path))
    assert model.encoded == ["c.mp4"]


class Killed(HashModel):
    def encode_video(self, video: Path, *, stride: float = 1.0) -> Windows:
        if video.stem == "c":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode_video(video, stride=stride)


def in_processes(count: int, work: Callable[..., object], *arguments: object) -> list[int | None]:
    """Do the same in several processes at once; return their exit codes."""
    context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
    processes = [context.Process(target=work, args=arguments) for _ in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def open_killed(videos: Path, home: Path) -> None:
    SearchIndex.open(Killed(), videos, home=home)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_a_killed_process_loses_the_video_in_work(videos: Path, home: Path, tmp_path: Path) -> None:
    assert in_processes(1, open_killed, videos, home) == [-signal.SIGKILL]
    model = HashModel()
    assert same(SearchIndex.open(model, videos, home=home), anew(model, videos, tmp_path))
    assert model.encoded == ["c.mp4"]


class Meeting(HashModel):
    """While it encodes a video, another process does all the work."""

    def __init__(self, videos: Path, home: Path, at: str) -> None:
        super().__init__()
        self.videos, self.home, self.at = videos, home, at

    def encode_video(self, video: Path, *, stride: float = 1.0) -> Windows:
        found = super().encode_video(video, stride=stride)
        if video.stem == self.at:
            SearchIndex.open(HashModel(), self.videos, home=self.home)
        return found


@pytest.mark.parametrize("at", ["a", "b", "c"])
def test_two_processes_at_once_leave_a_whole_index(
    videos: Path, home: Path, tmp_path: Path, at: str
) -> None:
    model = Meeting(videos, home, at)
    index = SearchIndex.open(model, videos, home=home)
    assert same(index, anew(model, videos, tmp_path))
    again = HashModel()
    assert same(SearchIndex.open(again, videos, home=home), index)
    assert again.encoded == []


class Adding(HashModel):
    """Another process has encoded the later videos, and has not packed them yet."""

    def __init__(self, videos: Path, home: Path) -> None:
        super().__init__()
        self.videos, self.home = videos, home

    def encode_video(self, video: Path, *, stride: float = 1.0) -> Windows:
        if video.stem == "a":
            with pytest.raises(KeyboardInterrupt):
                SearchIndex.open(Stopped("c"), self.videos, home=self.home)
        return super().encode_video(video, stride=stride)


def test_what_another_process_has_encoded_is_taken(
    videos: Path, home: Path, tmp_path: Path
) -> None:
    model = Adding(videos, home)
    index = SearchIndex.open(model, videos, home=home)
    assert model.encoded == ["a.mp4", "c.mp4"]
    assert same(index, anew(model, videos, tmp_path))


def open_and_change(videos: Path, home: Path) -> None:
    """Open the index again and again, and change a file and remove another each time."""
    for number in range(8):
        name = f"{os.getpid()}-{number}"
        write_videos(videos, **{"shared": name, name: name})
        (videos / f"{os.getpid()}-{number - 1}.mp4").unlink(missing_ok=True)
        SearchIndex.open(HashModel(), videos, home=home, max_unreadable_fraction=1.0)


@pytest.mark.slow
def test_processes_at_once_corrupt_nothing(
    videos: Path, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """While they run, files change under them; in the end the index is as if made anew."""
    assert in_processes(4, open_and_change, videos, home) == [0, 0, 0, 0]
    assert "damaged" not in capfd.readouterr().err
    model = HashModel()
    assert same(SearchIndex.open(model, videos, home=home), anew(model, videos, tmp_path))
