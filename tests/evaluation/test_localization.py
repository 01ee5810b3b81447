import pickle

import pytest
import torch
from torch import Tensor

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.localization import CaptionHit, NarrationAlignment
from vtlearn.evaluation.protocol import EncodedItem

TRUTH = {
    "v": {"v/0": (0.0, 2.0), "v/1": (2.0, 3.0), "v/2": (3.0, 4.0)},
    "w": {"w/0": (0.5, 1.5)},
}
TIMES = torch.tensor([0.5, 1.5, 2.0, 3.0], dtype=torch.float64)


def protocol() -> NarrationAlignment:
    return NarrationAlignment("steps", 1, TRUTH, "every second")


def by_hand() -> Tensor:
    """Columns: v/0 hits, v/1 ties (one of its two best is inside), chatter, v/2 misses."""
    return torch.tensor([[9.0, 0, 9, 5], [0, 1, 0, 9], [0, 7, 0, 0], [0, 7, 0, 3]])


def test_hits_ties_and_chance_of_a_hand_case() -> None:
    alignment = protocol()
    alignment.update_similarity("v", by_hand(), TIMES, ["v/0", "v/1", "chatter", "v/2"])
    alignment.update_similarity("w", torch.ones(2, 1), TIMES[:2], ["w/0"])
    assert alignment.state() == {
        "v": {"v/0": (1.0, 0.5), "v/1": (0.5, 0.25), "v/2": (0.0, 0.25)},
        "w": {"w/0": (0.5, 0.5)},
    }
    result = alignment.compute()
    assert result.metrics == {"hit": 50.0, "chance": 37.5}
    assert result.coverage == (2, 2, [])
    assert result.primary == "hit"
    low, high = result.intervals["hit"]
    assert low <= 50 <= high


def test_a_step_holds_its_start_and_not_its_end() -> None:
    truth = {"v": {"a": (1.0, 2.0)}}
    for second, hit in ((1.0, 1.0), (2.0, 0.0)):
        alignment = NarrationAlignment("steps", 1, truth, "one")
        alignment.update_similarity("v", torch.ones(1, 1), torch.tensor([second]), ["a"])
        assert alignment.state() == {"v": {"a": CaptionHit(hit, hit)}}


def test_an_item_is_compared_by_cosine_or_by_dot() -> None:
    windows = torch.tensor([[3.0, 3.0], [1.0, 0.0]])
    item = EncodedItem("w", windows[0], windows, TIMES[1:3], ["w/0"], torch.tensor([[1.0, 0.0]]))
    for similarity, hit in (("cosine", 0.0), ("dot", 1.0)):  # dot takes the long window, at 1 s
        alignment = NarrationAlignment("steps", 1, TRUTH, "two", similarity=similarity)  # type: ignore[arg-type]
        alignment.update(item._replace(times=torch.tensor([1.0, 2.0])))
        assert alignment.state()["w"]["w/0"].hit == hit


def test_random_similarity_scores_near_chance() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = {"v": {f"{i}": (float(i % 7), float(i % 7 + 3)) for i in range(2000)}}
    alignment = NarrationAlignment("steps", 1, truth, "random")
    times = torch.arange(10) + 0.5
    alignment.update_similarity(
        "v", torch.randn(10, 2000, generator=generator), times, list(truth["v"])
    )
    result = alignment.compute()
    assert result.metrics["chance"] == pytest.approx(30)
    low, high = result.intervals["hit"]
    assert low <= 30 <= high


def test_any_number_of_processes_gives_the_same_result() -> None:
    generator = torch.Generator().manual_seed(1)
    truth = {f"v{i}": {f"v{i}/{j}": (j, j + 1.5) for j in range(5)} for i in range(13)}
    whole = NarrationAlignment("steps", 1, truth, "four")
    scores = {video: torch.rand(4, 5, generator=generator) for video in truth}
    for video, captions in truth.items():
        whole.update_similarity(video, scores[video], TIMES, list(captions))
    for world in (2, 3):
        shards = [NarrationAlignment("steps", 1, truth, "four") for _ in range(world)]
        for index, (video, captions) in enumerate(truth.items()):
            shards[-index % world].update_similarity(video, scores[video], TIMES, list(captions))
        states = [pickle.loads(pickle.dumps(shard.state())) for shard in shards]  # noqa: S301
        states.append(states[0])
        assert shards[0].merge(states).compute() == whole.compute()
        assert list(shards[0].merge(states).state()) == sorted(truth)


def test_permuting_windows_and_captions_changes_nothing() -> None:
    one, other = protocol(), protocol()
    ids = ["v/0", "v/1", "chatter", "v/2"]
    windows, columns = [2, 0, 3, 1], [3, 1, 0, 2]
    one.update_similarity("v", by_hand(), TIMES, ids)
    other.update_similarity(
        "v", by_hand()[windows][:, columns], TIMES[windows], [ids[column] for column in columns]
    )
    assert one.compute() == other.compute()


def test_a_video_without_all_its_captions_is_not_covered() -> None:
    alignment = protocol()
    alignment.update_similarity("v", by_hand()[:, :2], TIMES, ["v/0", "v/1"])
    result = alignment.compute()
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
    alignment.update_similarity("w", torch.ones(4, 1), TIMES, ["w/0"])
    with pytest.raises(EvaluationError, match=message):
        alignment.update_similarity(video, similarity, TIMES, ids)


def test_a_video_without_windows_is_refused() -> None:
    with pytest.raises(EvaluationError, match="at least one window"):
        protocol().update_similarity("w", torch.ones(0, 1), torch.zeros(0), ["w/0"])


def test_nothing_to_score_is_said() -> None:
    alignment = protocol()
    alignment.update_similarity("w", torch.ones(4, 1), TIMES, ["chatter"])
    with pytest.raises(EvaluationError, match="nothing to score: 1 videos came"):
        alignment.compute()


def test_truth_that_cannot_be_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"caption 'a' in video 'v' lasts from 2\.0 to 2\.0 s"):
        NarrationAlignment("steps", 1, {"v": {"a": (2.0, 2.0)}}, "one")
    with pytest.raises(ArgumentError, match="neither 'cosine' nor 'dot'"):
        NarrationAlignment("steps", 1, TRUTH, "one", similarity="l2")  # type: ignore[arg-type]
