import json
import multiprocessing
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.damage import lose_index
from tests.datasets.extraction.walking import (
    WINDOWS,
    ColourWriter,
    colour_walk,
    files,
    list_videos,
    mean_colours,
    walk,
)
from tests.processes import Pool
from vtlearn.batch import Sample, collate
from vtlearn.datasets.extraction import Extraction, Part
from vtlearn.distributed import gather_objects, process
from vtlearn.errors import ArgumentError, FeatureError, TooManyUnreadableError
from vtlearn.media.clips import Clips
from vtlearn.media.features.spec import num_vectors
from vtlearn.media.video.reader import VideoReader

#: Shards 0 to 3 have three videos, shard 4 has one.
SHARDS = {f"colours-{shard}.json" for shard in range(5)}


@pytest.fixture(scope="session")
def whole(kitchen_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an uninterrupted walk writes; tests only read it."""
    folder = tmp_path_factory.mktemp("colours") / "whole"
    line = colour_walk(folder, list_videos(kitchen_root))
    assert line == "colours: colours of 13"
    return folder


@pytest.fixture
def root(kitchen_root: Path, tmp_path: Path) -> Path:
    """A Kitchen of which two videos, of one shard, cannot be read."""
    root = Path(shutil.copytree(kitchen_root, tmp_path / "kitchen"))
    (root / "videos" / "kitchen_train_0001.mp4").write_text("no video")
    lose_index(root / "videos" / "kitchen_train_0002.mp4")
    return root


def test_the_walk_knows_nothing_of_what_is_kept(kitchen_root: Path, whole: Path) -> None:
    assert files(whole).keys() == SHARDS
    videos = list_videos(kitchen_root)
    for position in (0, 1, 12):
        path = Path(videos.paths[position])
        count = num_vectors(VideoReader().probe(path).duration, fps=1)
        windows = VideoReader().clips(path, range(count), num_frames=2, fps=4.0, size=16)
        wanted = windows.frames.double().mean((0, 1, 3, 4))
        shard = json.loads((whole / f"colours-{position // 3}.json").read_text())
        kept = torch.tensor(shard["colours"][path.stem], dtype=torch.float64)
        torch.testing.assert_close(kept, wanted, rtol=0, atol=1e-4)


def test_windows_have_the_frames_that_the_list_asks_for(kitchen_root: Path, tmp_path: Path) -> None:
    videos = list_videos(kitchen_root)._replace(fps=1.5, frame_at="nearest")
    extraction = Extraction(ColourWriter(tmp_path, videos), videos, **WINDOWS)
    read = extraction.chunks[0]
    assert isinstance(read, Sample)
    asked: dict[str, Any] = {"num_frames": 2, "fps": 1.5, "size": 16}
    nearest, screen = (
        VideoReader().clips(videos.paths[0], range(len(read.clips)), frame_at=one, **asked).frames
        for one in ("nearest", "screen")
    )
    assert torch.equal(read.clips, nearest)
    assert not torch.equal(read.clips, screen)


def _walk_and_die(folder: Path, root: Path, killed: tuple[int, str]) -> None:
    torch.set_num_threads(1)
    colour_walk(folder, list_videos(root), killed)


@pytest.mark.parametrize(
    "place", ["amid", *(pytest.param(x, marks=pytest.mark.slow) for x in ("before", "after"))]
)
def test_killed_at_a_shard_it_resumes_there(
    kitchen_root: Path, whole: Path, tmp_path: Path, place: str
) -> None:
    store = tmp_path / "store"
    process = multiprocessing.get_context("spawn").Process(
        target=_walk_and_die, args=(store, kitchen_root, (2, place))
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    done = {path: path.stat().st_mtime_ns for path in store.glob("colours-*")}
    assert len(done) == (3 if place == "after" else 2)
    assert len(list(store.glob(".*"))) == (place == "amid")
    videos = list_videos(kitchen_root)
    writer = ColourWriter(store, videos)
    resumed = Extraction(writer, videos, **WINDOWS)
    first = "kitchen_train_0006" if place == "after" else "kitchen_train_0003"
    assert resumed.chunks.windows(0) == (first, range(4))
    assert walk(resumed, mean_colours) == "colours: colours of 13"
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert files(store) == files(whole)


def test_three_parts_of_unequal_shards_write_what_one_process_does(
    kitchen_root: Path, whole: Path, tmp_path: Path
) -> None:
    videos, store = list_videos(kitchen_root), tmp_path / "store"
    lines = {k: colour_walk(store, videos, part=Part(k, 3)) for k in (3, 1, 2)}
    assert str(lines[3]).startswith(
        f"colours: part 3/3 is whole; 4 of 5 shards are not in {store} yet (parts 1/3, 2/3). "
    )
    assert "2 of 5 shards are not" in str(lines[1])
    assert "(part 2/3). Unless other machines are at work" in str(lines[1])
    assert lines[2] == "colours: colours of 13"
    assert files(store) == files(whole)


def test_parts_in_folders_of_their_own_are_copied_together(
    root: Path, whole: Path, tmp_path: Path
) -> None:
    videos = list_videos(root, max_unreadable_fraction=0.2)
    for k in (1, 2, 3):
        colour_walk(tmp_path / f"part{k}", videos, part=Part(k, 3))
    shards = [{path.name for path in tmp_path.glob(f"part{k}/*")} for k in (1, 2, 3)]
    assert [len(names & SHARDS) for names in shards] == [2, 2, 1]
    assert shards[1] - SHARDS == {"unreadable-2-of-3.jsonl"}  # the damaged ones are in shard 1
    for k in (1, 2, 3):
        shutil.copytree(tmp_path / f"part{k}", tmp_path / "store", dirs_exist_ok=True)
    line = colour_walk(tmp_path / "store", videos, part=Part(1, 3))
    assert "2 cannot be read: kitchen_train_0001, kitchen_train_0002" in str(line)
    assert f"(why: {tmp_path / 'store' / 'unreadable-*-of-3.jsonl'})" in str(line)
    colour_walk(tmp_path / "one", videos)
    assert files(tmp_path / "store") == files(tmp_path / "one")
    assert files(tmp_path / "one") != files(whole)


def test_a_part_touches_only_its_own(root: Path, tmp_path: Path) -> None:
    videos, store = list_videos(root, max_unreadable_fraction=0.2), tmp_path / "store"
    colour_walk(store, videos)
    before = {path: path.stat().st_mtime_ns for path in store.iterdir()}
    (store / "colours-2.json").unlink()
    (store / "colours-4.json").unlink()
    line = colour_walk(store, videos, part=Part(1, 4))  # shards 0 and 4
    assert "1 of 5 shards are not in" in str(line)
    now = {path: path.stat().st_mtime_ns for path in store.iterdir()}
    assert {path.name for path in before if now.get(path) != before[path]} == {
        "colours-2.json",
        "colours-4.json",
    }
    assert {json.loads(one)["id"] for one in (store / "unreadable.jsonl").open()} == {
        "kitchen_train_0001",
        "kitchen_train_0002",
    }


def test_a_part_without_shards_has_nothing_to_do(kitchen_root: Path, tmp_path: Path) -> None:
    line = colour_walk(tmp_path / "store", list_videos(kitchen_root), part=Part(6, 6))
    assert "part 6/6 is whole; 5 of 5 shards are not in" in str(line)
    assert files(tmp_path / "store") == {}


def _walk_in_process(folder: Path, root: Path, part: Part) -> str | None:
    return colour_walk(folder, list_videos(root), part=part)


@pytest.mark.ddp
def test_the_processes_of_a_part_share_it(
    kitchen_root: Path, whole: Path, tmp_path: Path, two_processes: Pool
) -> None:
    store = tmp_path / "store"
    two_processes.run(_walk_in_process, store, kitchen_root, Part(1, 2))  # three shards for two
    assert files(store).keys() == {f"colours-{shard}.json" for shard in (0, 2, 4)}
    two_processes.run(_walk_in_process, store, kitchen_root, Part(2, 2))
    assert files(store) == files(whole)


def _walk_in_turn(folder: Path, root: Path, first: int) -> str | None:
    """Plan together, then let one process do all its work before the other begins."""
    videos = list_videos(root)
    extraction = Extraction(ColourWriter(folder, videos), videos, **WINDOWS)
    line = walk(extraction, mean_colours) if process().rank == first else None
    gather_objects(None)
    return line if process().rank == first else walk(extraction, mean_colours)


@pytest.mark.ddp
def test_the_last_process_says_what_is_there(
    kitchen_root: Path, tmp_path: Path, two_processes: Pool
) -> None:
    missing, there = two_processes.run(_walk_in_turn, tmp_path / "a", kitchen_root, 0)
    assert missing.startswith("colours: 2 of 5 shards are not in")
    assert there == "colours: colours of 13"
    lines = two_processes.run(_walk_in_turn, tmp_path / "b", kitchen_root, 1)
    assert lines == ["colours: colours of 13", None]
    idle = two_processes.run(_walk_in_turn, tmp_path / "b", kitchen_root, 0)
    assert idle == ["colours: colours of 13", None]


class Lost(VideoReader):
    """Finds no video of test 0 whole, and loses a window of the others."""

    def clips(self, source: Any, starts: Any, **options: Any) -> Clips:
        clips = super().clips(source, starts, **options)
        lost = [start == 2.0 or "test_0000" in str(source) for start in starts]
        clips.valid[lost, 1] = False
        return clips


def test_a_video_without_a_window_is_unreadable_by_its_path(
    kitchen_root: Path, tmp_path: Path
) -> None:
    videos = list_videos(kitchen_root, max_unreadable_fraction=0.1)
    extraction = Extraction(ColourWriter(tmp_path, videos), videos, **WINDOWS)
    extraction.chunks.reader = Lost()
    line = walk(extraction, mean_colours)
    assert "colours of 12; 1 cannot be read: kitchen_test_0000 (why: " in str(line)
    assert "remove colours-0.json there" in str(line)
    [record] = (tmp_path / "unreadable.jsonl").read_text().splitlines()
    assert json.loads(record) == {
        "id": "kitchen_test_0000",
        "path": videos.paths[0],
        "stage": "decode",
        "reason": "none of its windows has all of its frames",
    }


def test_what_the_writer_finds_stale_is_written_again_or_refused(
    root: Path, kitchen_root: Path, whole: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    colour_walk(store, list_videos(root, max_unreadable_fraction=0.2))
    for number in (1, 2):
        name = f"videos/kitchen_train_{number:04d}.mp4"
        shutil.copy(kitchen_root / name, root / name)
    colour_walk(store, list_videos(root))
    assert files(store) == files(whole)
    assert not (store / "unreadable.jsonl").exists()
    shutil.copy(root / "videos/kitchen_train_0005.mp4", root / "videos/kitchen_train_0000.mp4")
    with pytest.raises(FeatureError, match="kitchen_train_0000"):
        colour_walk(store, list_videos(root))
    line = colour_walk(store, list_videos(root), part=Part(1, 5))  # it is in shard 1
    assert line == "colours: colours of 13"


def test_each_part_counts_against_the_whole_corpus(root: Path, tmp_path: Path) -> None:
    few = list_videos(root, max_unreadable_fraction=0.1)
    for k in (1, 3):  # which have none
        colour_walk(tmp_path, few, part=Part(k, 3))
    with pytest.raises(TooManyUnreadableError, match=r"2 of 13 .*unreadable-2-of-3\.jsonl"):
        colour_walk(tmp_path, few, part=Part(2, 3))
    colour_walk(tmp_path, list_videos(root, max_unreadable_fraction=0.2), part=Part(2, 3))
    with pytest.raises(TooManyUnreadableError, match="2 of 13"):
        colour_walk(tmp_path, few)  # in whole shards


def test_what_is_left_undone_is_said(kitchen_root: Path, tmp_path: Path) -> None:
    videos = list_videos(kitchen_root)
    writer = ColourWriter(tmp_path, videos)
    missing = f"5 of 5 shards are not in {tmp_path} yet"
    again = "Unless other processes are at work on them, run the same command again"
    whole: Extraction[Any, Any] = Extraction(writer, videos, **WINDOWS)
    assert str(whole.closing_line()).startswith(f"colours: {missing}. {again}")
    part: Extraction[Any, Any] = Extraction(writer, videos, part=Part(2, 4), **WINDOWS)
    assert str(part.closing_line()).startswith(
        f"colours: {missing}, 1 of them of part 2/4. {again}"
    )


def test_a_process_without_videos_takes_an_empty_batch(kitchen_root: Path, tmp_path: Path) -> None:
    videos = list_videos(kitchen_root)
    part: Extraction[Any, Any]
    part = Extraction(ColourWriter(tmp_path, videos), videos, part=Part(9, 9), **WINDOWS)
    assert len(part.chunks) == 1
    part.add(0, collate([]), torch.empty(0, 3))
    assert files(tmp_path) == {}


def test_refusals(kitchen_root: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="stride"):
        colour_walk(tmp_path, list_videos(kitchen_root), stride=0.0)
    with pytest.raises(ArgumentError, match="windows_per_chunk"):
        colour_walk(tmp_path, list_videos(kitchen_root), windows_per_chunk=0)
    with pytest.raises(ArgumentError, match=r"max_unreadable_fraction=1\.5"):
        colour_walk(tmp_path, list_videos(kitchen_root, max_unreadable_fraction=1.5))
