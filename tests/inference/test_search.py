from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.inference.hash_model import HashModel, write_videos
from vtlearn.errors import ArgumentError, VTLearnError
from vtlearn.inference import search as module
from vtlearn.inference.index import SearchIndex
from vtlearn.inference.search import Hit, search


class TextModel(NamedTuple):
    """Its texts are the numbers of vectors."""

    vectors: Tensor
    sha256: str = "a" * 64

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        return self.vectors[[int(text) for text in texts]]


def index_of(videos: Sequence[Sequence[tuple[float, float]]], vectors: Tensor) -> SearchIndex:
    """Windows by their spans, video by video."""
    ids = [f"v{number}" for number in range(len(videos))]
    counts = torch.tensor([len(spans) for spans in videos])
    return SearchIndex(
        folder=Path("videos"),
        home=Path("home"),
        model_sha256="a" * 64,
        ids=ids,
        paths=[Path("videos", f"{name}.mp4") for name in ids],
        vectors=vectors.half(),
        spans=torch.tensor([span for spans in videos for span in spans]).double(),
        owners=torch.arange(len(videos)).repeat_interleave(counts),
        unreadable=[],
    )


def windows(count: int, stride: float = 1.0, seconds: float = 2.0) -> list[tuple[float, float]]:
    return [(number * stride, number * stride + seconds) for number in range(count)]


def brute_force(index: SearchIndex, text: Tensor, top: int, apart: float | None) -> list[Hit]:
    """The definition: from the best window down, skip what is too close to a hit."""
    scored = []
    for row in range(len(index.vectors)):
        score = float(index.vectors[row].float() @ text)
        scored.append((score, row))
    hits: list[Hit] = []
    for score, row in sorted(scored, key=lambda pair: (-pair[0], pair[1])):
        start, end = index.spans[row].tolist()
        video = int(index.owners[row])
        least = end - start if apart is None else apart
        mine = [hit for hit in hits if hit.id == index.ids[video]]
        if all(max(start, hit.start) - min(end, hit.end) >= least for hit in mine):
            hits.append(Hit(index.paths[video], index.ids[video], start, end, score))
    return hits[:top]


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=4),
    st.sampled_from([0.5, 1.0, 2.0]),
    st.integers(1, 12),
    st.sampled_from([None, 0.0, 1.0, 5.0]),
    st.integers(0, 2**31),
)
def test_it_finds_what_trying_all_windows_finds(
    lengths: list[int], stride: float, top: int, apart: float | None, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    # small whole numbers: products are exact, and many of them are equal
    vectors = torch.randint(-2, 3, (sum(lengths), 3), generator=generator).float()
    texts = torch.randint(-2, 3, (2, 3), generator=generator).float()
    index = index_of([windows(count, stride) for count in lengths], vectors)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_ROWS", 7)
        patch.setattr(module, "_SCORES", 1)
        patch.setattr(module, "_CANDIDATES", 1)
        found = search(TextModel(texts), ["0", "1"], index, top=top, apart=apart)
    assert found == [brute_force(index, text, top, apart) for text in texts]


def test_neighbours_of_a_moment_are_no_hits_of_their_own() -> None:
    scores = torch.tensor([[0.1], [0.8], [0.9], [0.85], [0.2], [0.3], [0.7], [0.1]])
    index = index_of([windows(8)], scores)
    hits = search(TextModel(torch.ones(1, 1)), "0", index)
    assert [(hit.start, hit.end) for hit in hits] == [(2.0, 4.0), (6.0, 8.0)]
    assert [round(hit.score, 2) for hit in hits] == [0.9, 0.7]


def test_other_videos_have_the_same_moment() -> None:
    index = index_of([windows(3), windows(3)], torch.ones(6, 1))
    hits = search(TextModel(torch.ones(1, 1)), "0", index)
    assert [(hit.id, hit.start) for hit in hits] == [("v0", 0.0), ("v1", 0.0)]
    assert [hit.path for hit in hits] == [Path("videos/v0.mp4"), Path("videos/v1.mp4")]


def test_how_far_apart_hits_are_can_be_said() -> None:
    index = index_of([windows(9)], torch.arange(9.0)[:, None])
    model = TextModel(torch.ones(1, 1))
    starts = {
        apart: [hit.start for hit in search(model, "0", index, apart=apart)]
        for apart in (0.0, 1.0, 100.0)
    }
    assert starts == {0.0: [8, 6, 4, 2, 0], 1.0: [8, 5, 2], 100.0: [8]}


def test_the_fewer_of_top_and_moments_are_found() -> None:
    index = index_of([windows(9)], torch.arange(9.0)[:, None])
    model = TextModel(torch.ones(1, 1))
    assert len(search(model, "0", index, top=2)) == 2
    assert len(search(model, "0", index, top=1000)) == 3


def test_one_query_has_hits_and_several_have_lists(tmp_path: Path) -> None:
    videos = write_videos(tmp_path / "videos", a="one", b="three")
    model = HashModel()
    index = SearchIndex.open(model, videos, home=tmp_path / "home")
    one, other = search(model, ["chop the carrot", "stir the soup"], index)
    assert search(model, "stir the soup", index) == other
    assert one != other
    assert search(model, ("stir the soup",), index) == [other]


def test_a_window_finds_itself_first(tmp_path: Path) -> None:
    videos = write_videos(tmp_path / "videos", a="one", b="three", c="eleven")
    model = HashModel()
    index = SearchIndex.open(model, videos, home=tmp_path / "home")
    vectors = model.encode_video(videos / "c.mp4").vectors
    hits = search(TextModel(vectors), "4", index, top=1)
    assert [(hit.id, hit.start) for hit in hits] == [("c", 4.0)]
    assert hits[0].score == pytest.approx(1.0, abs=1e-3)


def test_another_models_index_is_refused() -> None:
    index = index_of([windows(3)], torch.ones(3, 1))
    with pytest.raises(ArgumentError, match="the index in home was made by another model"):
        search(TextModel(torch.ones(1, 1), "b" * 64), "0", index)


@pytest.mark.parametrize("option", [{"top": 0}, {"apart": -1.0}])
def test_numbers_have_to_make_sense(option: dict[str, int]) -> None:
    index = index_of([windows(3)], torch.ones(3, 1))
    with pytest.raises(ArgumentError, match=next(iter(option))):
        search(TextModel(torch.ones(1, 1)), "0", index, **option)


def test_what_is_no_number_is_not_ranked() -> None:
    index = index_of([windows(3)], torch.tensor([[1.0], [torch.nan], [1.0]]))
    with pytest.raises(VTLearnError, match="the index in home is damaged"):
        search(TextModel(torch.ones(1, 1)), "0", index)
