import hashlib
import shutil
from pathlib import Path

import pytest
import torch

from tests.media.video.writing import write_video
from vtlearn.batch import Unreadable
from vtlearn.datasets.windows import VideoList
from vtlearn.errors import ArgumentError
from vtlearn.media.video.reader import VideoReader
from vtlearn.pseudolabel.frames import ShardFrames, Video, VideoSpans, find_references
from vtlearn.pseudolabel.windows import FixedWindows, Span

READER = VideoReader()


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[Video]:
    """Videos of 6, 2 and 4 s, one frame per second, each of another grey level."""
    folder = tmp_path_factory.mktemp("films")
    found = []
    for number, seconds in enumerate((6, 2, 4)):
        path = folder / f"{number}.mp4"
        write_video(path, [60 * number + 10 * k for k in range(seconds)], rate=1)
        found.append(Video(str(number), str(path), float(seconds)))
    return found


def laid(films: list[Video]) -> list[tuple[Video, list[Span]]]:
    windows = FixedWindows(2.0)
    return [(one, windows.spans(*one, READER)) for one in films]


def batches(films: list[tuple[Video, list[Span]]], size: int) -> ShardFrames:
    return ShardFrames(films, READER, frames=2, size=8, windows_per_batch=size)


def test_batches_go_on_over_videos(films: list[Video]) -> None:
    found = batches(laid(films), 4)
    pieces = [[(piece.video, len(piece.spans)) for piece in found[k]] for k in range(len(found))]
    assert pieces == [[(0, 3), (1, 1)], [(2, 2)]]
    assert found[0][0].spans == [Span(0, 2), Span(2, 4), Span(4, 6)]


def test_frames_are_those_of_their_windows(films: list[Video]) -> None:
    (piece,) = batches(laid(films)[:1], 8)[0]
    assert piece.pixels.shape == (6, 3, 8, 8)
    seen = piece.pixels.float().mean((1, 2, 3))
    # at 0.5, 1.5, 2.5 s and so on, each of a second of its own
    assert (seen - torch.tensor([10.0 * k for k in range(6)])).abs().max() < 5
    assert piece.valid.all()
    assert piece.valid.shape == (3, 2)


def test_what_a_batch_reads_does_not_depend_on_its_size(films: list[Video]) -> None:
    whole = torch.cat([piece.pixels for piece in batches(laid(films), 100)[0]])
    singly = batches(laid(films), 1)
    assert len(singly) == 6
    assert torch.equal(torch.cat([singly[k][0].pixels for k in range(6)]), whole)


def test_an_unreadable_video_is_a_record(films: list[Video], tmp_path: Path) -> None:
    broken = Video("x", str(tmp_path / "x.mp4"), 4.0)
    Path(broken.path).write_text("no video")
    spans = VideoSpans([films[0], broken], FixedWindows(2.0), READER)
    assert spans[1] == [Span(0, 2), Span(2, 4)]  # which does not look at it
    first, second = batches([(broken, [Span(0, 2)]), laid(films)[1]], 4)[0]
    assert isinstance(first.unreadable, Unreadable)
    assert (first.unreadable.id, first.unreadable.path) == ("x", broken.path)
    assert len(first.pixels) == 0
    assert second.unreadable is None


def test_a_batch_has_to_have_windows(films: list[Video]) -> None:
    with pytest.raises(ArgumentError, match="windows_per_batch must be positive"):
        batches(laid(films), 0)


def test_references_are_the_readable_videos_of_the_smallest_hashes(tmp_path: Path) -> None:
    ids = [f"v{number}" for number in range(20)]
    order = sorted(ids, key=lambda one: hashlib.sha256(one.encode()).hexdigest())
    write_video(tmp_path / "film.mp4", [10, 200, 10], rate=1)
    paths = [str(tmp_path / f"{one}.mp4") for one in ids]
    for path in paths:
        shutil.copy(tmp_path / "film.mp4", path)
    (tmp_path / f"{order[3]}.mp4").write_text("no video")
    found = find_references(VideoList(ids, paths, 1.0), READER, size=8)
    assert found.ids == [*order[:3], *order[4:18]]
    assert len(found.ids) == 17
    assert (found.frames.float().mean((1, 2, 3)) - 200).abs().max() < 5  # from the middle
    backwards = VideoList(ids[::-1], paths[::-1], 1.0)
    assert find_references(backwards, READER, size=8).ids == found.ids


def test_a_small_corpus_has_fewer_references(films: list[Video]) -> None:
    videos = VideoList([one.id for one in films], [one.path for one in films], 1.0)
    assert sorted(find_references(videos, READER, size=8).ids) == ["0", "1", "2"]
