import pickle
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.localization import CaptionHit, NarrationAlignment
from vtlearn.evaluation.metrics.similarity import Similarity

Truth = dict[str, dict[str, tuple[float, float]]]

TRUTH: Truth = {
    "v": {"v/0": (0.0, 2.0), "v/1": (2.0, 3.0), "v/2": (3.0, 4.0)},
    "w": {"w/0": (0.5, 1.5)},
}
TIMES = torch.tensor([0.5, 1.5, 2.0, 3.0], dtype=torch.float64)


def protocol(truth: Truth = TRUTH) -> NarrationAlignment:
    alignment = NarrationAlignment("steps", 1, truth, "every second", similarity="dot")
    alignment.begin()
    return alignment


def item(video: str, similarity: Tensor, times: Tensor, text_ids: Sequence[str]) -> EncodedItem:
    """An item whose windows and texts have the given dot products."""
    half = torch.tensor([-1.0, 1.0], dtype=torch.float64)
    return EncodedItem(
        video,
        windows=similarity,
        window_spans=times[:, None] + half,
        texts=torch.eye(similarity.shape[1]),
        text_ids=text_ids,
    )


def by_hand() -> Tensor:
    """Columns: v/0 hits, v/1 ties (one of its two best is inside), chatter, v/2 misses."""
    return torch.tensor([[9.0, 0, 9, 5], [0, 1, 0, 9], [0, 7, 0, 0], [0, 7, 0, 3]])


def test_hits_ties_and_chance_of_a_hand_case() -> None:
    alignment = protocol()
    alignment.add(item("v", by_hand(), TIMES, ["v/0", "v/1", "chatter", "v/2"]))
    alignment.add(item("w", torch.ones(2, 1), TIMES[:2], ["w/0"]))
    assert alignment.state() == {
        "v": {"v/0": (1.0, 0.5), "v/1": (0.5, 0.25), "v/2": (0.0, 0.25)},
        "w": {"w/0": (0.5, 0.5)},
    }
    result = alignment.result()
    assert result.metrics == {"hit": 50.0, "chance": 37.5}
    assert result.chance["hit"].value == 37.5
    assert result.coverage == (2, 2, [])
    assert result.primary == "hit"
    low, high = result.intervals["hit"]
    assert low <= 50 <= high


def test_a_step_holds_its_start_and_not_its_end() -> None:
    truth = {"v": {"a": (1.0, 2.0)}}
    for second, hit in ((1.0, 1.0), (2.0, 0.0)):
        alignment = protocol(truth)
        alignment.add(item("v", torch.ones(1, 1), torch.tensor([second]), ["a"]))
        assert alignment.state() == {"v": {"a": CaptionHit(hit, hit)}}


@pytest.mark.parametrize(
    ("similarity", "head", "hit"),
    [("cosine", "dot", 0.0), ("dot", "cosine", 1.0), (None, "dot", 1.0), (None, "cosine", 0.0)],
)
def test_an_item_is_compared_by_cosine_or_by_dot(
    similarity: Similarity | None, head: Similarity, hit: float
) -> None:
    one = EncodedItem(
        "w",
        windows=torch.tensor([[3.0, 3.0], [1.0, 0.0]]),  # dot takes the long one, at 1 s
        window_spans=torch.tensor([[0.0, 2.0], [1.0, 3.0]], dtype=torch.float64),
        texts=torch.tensor([[1.0, 0.0]]),
        text_ids=["w/0"],
    )
    alignment = NarrationAlignment("steps", 1, TRUTH, "two", similarity=similarity)
    alignment.begin(head)
    alignment.add(one)
    assert alignment.state()["w"]["w/0"].hit == hit


def test_random_similarity_scores_near_chance() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = {"v": {f"{i}": (float(i % 7), float(i % 7 + 3)) for i in range(2000)}}
    alignment = protocol(truth)
    times = torch.arange(10) + 0.5
    scores = torch.randn(10, 2000, generator=generator)
    alignment.add(item("v", scores, times, list(truth["v"])))
    result = alignment.result()
    assert result.metrics["chance"] == pytest.approx(30)
    low, high = result.intervals["hit"]
    assert low <= 30 <= high


def test_any_number_of_processes_gives_the_same_result() -> None:
    generator = torch.Generator().manual_seed(1)
    truth = {f"v{i}": {f"v{i}/{j}": (float(j), j + 1.5) for j in range(5)} for i in range(13)}
    whole = protocol(truth)
    scores = {video: torch.rand(4, 5, generator=generator) for video in truth}
    for video, captions in truth.items():
        whole.add(item(video, scores[video], TIMES, list(captions)))
    for world in (2, 3):
        shards = [protocol(truth) for _ in range(world)]
        for index, (video, captions) in enumerate(truth.items()):
            shards[-index % world].add(item(video, scores[video], TIMES, list(captions)))
        states = [pickle.loads(pickle.dumps(shard.state())) for shard in shards]  # noqa: S301
        states.append(states[0])
        assert shards[0].merge(states).result() == whole.result()


def test_permuting_windows_and_captions_changes_nothing() -> None:
    one, other = protocol(), protocol()
    ids = ["v/0", "v/1", "chatter", "v/2"]
    windows, columns = [2, 0, 3, 1], [3, 1, 0, 2]
    one.add(item("v", by_hand(), TIMES, ids))
    permuted = [ids[column] for column in columns]
    other.add(item("v", by_hand()[windows][:, columns], TIMES[windows], permuted))
    assert one.result() == other.result()


def test_the_order_of_captions_does_not_move_the_intervals() -> None:
    generator = torch.Generator().manual_seed(2)
    truth = {"v": {f"{i:03}": (float(i % 3), float(i % 3 + 2)) for i in range(999)}}
    scores, ids = torch.randn(4, 999, generator=generator), list(truth["v"])
    one, other = protocol(truth), protocol(truth)
    one.add(item("v", scores, TIMES, ids))
    other.add(item("v", scores.flip(1), TIMES, ids[::-1]))
    assert one.result() == other.result()


def test_a_video_without_all_its_captions_is_not_covered() -> None:
    alignment = protocol()
    alignment.add(item("v", by_hand()[:, :2], TIMES, ["v/0", "v/1"]))
    result = alignment.result()
    assert result.metrics["hit"] == 75
    assert result.coverage == (0, 2, ["v", "w"])


@pytest.mark.parametrize(
    ("video", "similarity", "ids", "message"),
    [
        ("x", torch.ones(4, 1), ["a"], "video id 'x' is not one of the 2"),
        ("w", torch.ones(4, 1), ["w/0"], "video id 'w' came twice"),
        ("v", torch.ones(4, 2), ["v/0"], r"'v' came with 4 window times, 1 text ids.*\(4, 2\)"),
        ("v", torch.ones(4, 2), ["v/0", "v/0"], "'v' came with a text id twice"),
        ("v", torch.full((4, 1), torch.nan), ["v/0"], "video 'v' hold NaN"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    video: str, similarity: Tensor, ids: list[str], message: str
) -> None:
    alignment = protocol()
    alignment.add(item("w", torch.ones(4, 1), TIMES, ["w/0"]))
    with pytest.raises(EvaluationError, match=message):
        alignment.add(item(video, similarity, TIMES, ids))


def test_a_video_without_windows_is_refused() -> None:
    with pytest.raises(EvaluationError, match="at least one window"):
        protocol().add(item("w", torch.ones(0, 1), torch.zeros(0), ["w/0"]))


def test_nothing_to_score_is_said() -> None:
    alignment = protocol()
    alignment.add(item("w", torch.ones(4, 1), TIMES, ["chatter"]))
    with pytest.raises(EvaluationError, match="nothing to score: 1 videos came"):
        alignment.result()


def test_truth_that_cannot_be_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"caption 'a' in video 'v' lasts from 2\.0 to 2\.0 s"):
        NarrationAlignment("steps", 1, {"v": {"a": (2.0, 2.0)}}, "one")
    with pytest.raises(ArgumentError, match="neither 'cosine' nor 'dot'"):
        NarrationAlignment("steps", 1, TRUTH, "one", similarity="l2")  # type: ignore[arg-type]
