import json
import pickle
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.protocol import EncodedItem
from vtlearn.evaluation.results import write_results
from vtlearn.evaluation.retrieval import Retrieval

N = 13
VIDEOS = [f"video{i}" for i in range(N)]
TEXTS = [f"text{i}" for i in range(N)]


def protocol(**changes: object) -> Retrieval:
    arguments: dict[str, object] = {
        "name": "pairs",
        "version": 1,
        "expected": VIDEOS,
        "relevance": {text: [video] for text, video in zip(TEXTS, VIDEOS, strict=True)},
        "windows": "whole",
    }
    return Retrieval(**(arguments | changes))  # type: ignore[arg-type]


def vectors(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    videos = torch.randn(N, 6, generator=generator)
    return videos, videos + torch.randn(N, 6, generator=generator)


def item(index: int, videos: Tensor, texts: Tensor) -> EncodedItem:
    return EncodedItem(
        id=VIDEOS[index],
        clip=videos[index],
        windows=videos[index : index + 1],
        times=torch.zeros(1),
        text_ids=[TEXTS[index]],
        texts=texts[index : index + 1],
    )


def test_figures_are_those_of_a_sorted_cosine_matrix() -> None:
    videos, texts = vectors()
    pairs = protocol()
    pairs.update_video(VIDEOS, videos)
    pairs.update_text(TEXTS, texts)
    result = pairs.compute()
    cosine = torch.cosine_similarity(texts.double()[:, None], videos.double()[None], dim=2)
    for direction, scores in (("t2v", cosine), ("v2t", cosine.T)):
        order = scores.argsort(1, descending=True)
        position = (order == torch.arange(N)[:, None]).int().argmax(1).double()
        for k in (1, 5, 10):
            share = 100 * (position < k).double().mean().item()
            assert result.metrics[f"{direction}_R@{k}"] == pytest.approx(share)
        assert result.metrics[f"{direction}_median_rank"] == 1 + position.quantile(0.5).item()
        assert result.metrics[f"{direction}_mean_rank"] == pytest.approx(1 + position.mean().item())
    assert result.primary in result.metrics
    assert result.coverage == (N, N, [])


def test_dot_and_cosine_differ_where_lengths_do() -> None:
    videos, texts = vectors()
    found = []
    for similarity in ("cosine", "dot"):
        pairs = protocol(similarity=similarity)
        pairs.update_video(VIDEOS, videos * torch.linspace(0.1, 9, N)[:, None])
        pairs.update_text(TEXTS, texts)
        result = pairs.compute()
        assert result.similarity == similarity
        found.append(result.metrics)
    assert found[0] != found[1]


def test_items_and_columns_of_vectors_are_the_same_thing_in_any_order() -> None:
    videos, texts = vectors()
    one, other = protocol(), protocol()
    one.update_text(TEXTS, texts)
    one.update_video(VIDEOS, videos)
    for index in torch.randperm(N, generator=torch.Generator().manual_seed(1)).tolist():
        other.update(item(index, videos, texts))
    assert one.compute() == other.compute()


@pytest.mark.parametrize("world", [1, 2, 3])
def test_any_number_of_processes_writes_the_same_bytes(world: int, tmp_path: Path) -> None:
    videos, texts = vectors()
    shards = [protocol() for _ in range(world)]
    for index in range(N):
        shards[index % world].update(item(index, videos, texts))
    states = [pickle.loads(pickle.dumps(shard.state())) for shard in reversed(shards)]  # noqa: S301
    written = []
    for name, merged in (("one", whole(videos, texts)), ("many", protocol().merge(states))):
        path = tmp_path / f"{name}.json"
        write_results(path, [merged.compute()], checkpoint=None, dtype="float32", world_size=1)
        written.append(path.read_bytes())
    assert written[0] == written[1]
    assert json.loads(written[0])[0]["coverage"]["evaluated"] == N


def whole(videos: Tensor, texts: Tensor) -> Retrieval:
    pairs = protocol()
    for index in range(N):
        pairs.update(item(index, videos, texts))
    return pairs


def test_merging_takes_an_id_of_two_processes_once_and_leaves_its_parts_alone() -> None:
    videos, texts = vectors()
    full = whole(videos, texts)
    extra = protocol()
    extra.update(item(3, videos, texts))
    empty = protocol()
    merged = empty.merge([extra.state(), empty.state(), full.state()])
    assert merged.compute() == full.compute()
    with pytest.raises(EvaluationError, match="nothing to score: 0 videos and 0 texts"):
        empty.compute()


def test_collapsed_vectors_score_as_guessing_does() -> None:
    pairs = protocol()
    pairs.update_video(VIDEOS, torch.ones(N, 4))
    pairs.update_text(TEXTS, torch.ones(N, 4))
    metrics = pairs.compute().metrics
    assert metrics["t2v_R@1"] == pytest.approx(100 / N)
    assert metrics["v2t_R@5"] == pytest.approx(500 / N)
    assert metrics["t2v_median_rank"] == (N + 1) / 2


def test_intervals_contain_their_figures_and_do_not_change() -> None:
    result = whole(*vectors()).compute()
    assert list(result.intervals) == list(result.metrics)
    for metric, (low, high) in result.intervals.items():
        assert low <= result.metrics[metric] <= high
    assert whole(*vectors()).compute() == result


def test_what_is_missing_lowers_coverage_and_stays_no_secret() -> None:
    videos, texts = vectors()
    pairs = protocol()
    pairs.update_video(VIDEOS[1:], videos[1:])
    pairs.update_text(TEXTS[:-1], texts[:-1])
    result = pairs.compute()
    assert result.coverage == (N - 2, N, ["video0", "video12"])
    assert result.ids_sha256 != whole(videos, texts).compute().ids_sha256


def multi_caption() -> tuple[Retrieval, Tensor, Tensor]:
    relevance: dict[str, Sequence[str]] = {"a": ["x"], "b": ["x"], "c": ["y"], "xy": ["x", "y"]}
    videos = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    texts = torch.tensor([[0.2, 1.0], [1.0, 0.1], [0.4, 1.0], [-1.0, -0.9]])  # a, b, c, xy
    return Retrieval("few", 1, ["x", "y"], relevance, windows="whole"), videos, texts


def test_a_video_is_known_by_the_best_of_its_texts() -> None:
    pairs, videos, texts = multi_caption()
    pairs.update_video(["x", "y"], videos)
    pairs.update_text(["a", "b", "c", "xy"], texts)
    metrics = pairs.compute().metrics
    assert metrics["t2v_R@1"] == 75  # a is nearer to y; xy has nobody to lose to
    assert metrics["v2t_R@1"] == 50  # x finds b; y finds a before c


def test_a_text_of_several_videos_may_come_with_each() -> None:
    pairs, videos, texts = multi_caption()
    held = {"x": ["a", "b", "xy"], "y": ["c", "xy"]}
    row = dict(zip(["a", "b", "c", "xy"], texts, strict=True))
    for video, vector in zip(["x", "y"], videos, strict=True):
        rows = torch.stack([row[text] for text in held[video]])
        pairs.update(EncodedItem(video, vector, vector[None], torch.zeros(1), held[video], rows))
    assert pairs.compute().coverage.complete


def test_an_item_may_be_video_alone() -> None:
    videos, texts = vectors()
    pairs = protocol()
    for index in range(N):
        pairs.update(item(index, videos, texts)._replace(text_ids=[], texts=torch.zeros(0, 6)))
    pairs.update_text(TEXTS, texts)
    assert pairs.compute() == whole(videos, texts).compute()


def test_a_text_that_belongs_to_another_video_is_refused() -> None:
    videos, texts = vectors()
    with pytest.raises(
        EvaluationError, match=r"'text4' came with video 'video3'.*belongs to video4"
    ):
        protocol().update(item(3, videos, texts)._replace(text_ids=["text4"]))


def test_nan_duplicates_and_strangers_are_refused_by_name() -> None:
    videos, texts = vectors()
    pairs = protocol()
    pairs.update(item(0, videos, texts))
    with pytest.raises(EvaluationError, match="'video0' came twice"):
        pairs.update(item(0, videos, texts))
    with pytest.raises(EvaluationError, match="video id 'other' is not one of the 13"):
        pairs.update_video(["other"], torch.ones(1, 6))
    with pytest.raises(EvaluationError, match="text 'text5' holds NaN"):
        pairs.update_text(["text5"], torch.full((1, 6), torch.nan))


def test_widths_that_differ_are_refused() -> None:
    pairs = protocol()
    pairs.update_video(["video0"], torch.ones(1, 6))
    pairs.update_text(["text0"], torch.ones(1, 4))
    with pytest.raises(EvaluationError, match="videos of width 6 with texts of width 4"):
        pairs.compute()


def test_reset_forgets() -> None:
    pairs = whole(*vectors())
    pairs.reset()
    with pytest.raises(EvaluationError, match="nothing to score"):
        pairs.compute()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"primary": "t2v_median_rank"}, "is none of t2v_R@1"),
        ({"similarity": "euclidean"}, "neither 'cosine' nor 'dot'"),
        ({"expected": [*VIDEOS, "video0"]}, "an id stands twice"),
        ({"relevance": {"t": []}}, "'t' must belong to one or more"),
        ({"relevance": {"t": "video0"}}, "as a list; it is said"),
        ({"relevance": {"t": ["elsewhere"]}}, "said to belong to"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        protocol(**changes)
