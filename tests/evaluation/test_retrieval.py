import json
import pickle
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.metrics.similarity import product
from vtlearn.evaluation.reference import published_retrieval
from vtlearn.evaluation.result import Result
from vtlearn.evaluation.results import write_results
from vtlearn.evaluation.retrieval import Retrieval
from vtlearn.evaluation.vectors import VectorTable

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
    retrieval = Retrieval(**(arguments | changes))  # type: ignore[arg-type]
    retrieval.begin()
    return retrieval


def vectors(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    videos = torch.randn(N, 6, generator=generator)
    return videos, videos + torch.randn(N, 6, generator=generator)


def item(index: int, videos: Tensor, texts: Tensor) -> EncodedItem:
    return EncodedItem(
        VIDEOS[index],
        windows=videos[index : index + 1],
        texts=texts[index : index + 1],
        text_ids=[TEXTS[index]],
    )


def test_figures_are_those_of_a_sorted_cosine_matrix() -> None:
    videos, texts = vectors()
    result = protocol().score(VectorTable(VIDEOS, videos), VectorTable(TEXTS, texts))
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
        longer = videos * torch.linspace(0.1, 9, N)[:, None]
        pairs = protocol(similarity=similarity)
        result = pairs.score(VectorTable(VIDEOS, longer), VectorTable(TEXTS, texts))
        assert result.similarity == similarity
        found.append(result.metrics)
    assert found[0] != found[1]


def test_items_and_tables_of_vectors_are_the_same_thing_in_any_order() -> None:
    videos, texts = vectors()
    pairs = protocol()
    order = torch.randperm(N, generator=torch.Generator().manual_seed(1)).tolist()
    for index in order:
        pairs.add(item(index, videos, texts))
    shuffled = VectorTable([VIDEOS[index] for index in order], videos[order])
    assert pairs.result() == protocol().score(shuffled, VectorTable(TEXTS, texts))


def test_a_head_embeds_windows_their_mean_and_texts() -> None:
    videos, texts = vectors()
    pairs = protocol()
    pairs.begin("dot")
    for index in range(N):
        windows = torch.stack([videos[index], texts[index - 1]])
        one = EncodedItem(
            VIDEOS[index],
            windows=windows,
            texts=texts[index : index + 1],
            text_ids=[TEXTS[index]],
            embed=torch.tanh,
        )
        pairs.add(one)
        videos[index] = windows.tanh().mean(0).tanh()
    embedded = protocol(similarity="dot")
    assert pairs.result() == embedded.score(
        VectorTable(VIDEOS, videos), VectorTable(TEXTS, texts.tanh())
    )


@pytest.mark.parametrize("world", [1, 2, 3])
def test_any_number_of_processes_writes_the_same_bytes(world: int, tmp_path: Path) -> None:
    videos, texts = vectors()
    shards = [protocol() for _ in range(world)]
    for index in range(N):
        shards[index % world].add(item(index, videos, texts))
    states = [pickle.loads(pickle.dumps(shard.state())) for shard in reversed(shards)]  # noqa: S301
    written = []
    for name, merged in (("one", whole(videos, texts)), ("many", protocol().merge(states))):
        path = tmp_path / f"{name}.json"
        write_results(path, [merged.result()], checkpoint=None, dtype="float32", world_size=1)
        written.append(path.read_bytes())
    assert written[0] == written[1]
    assert json.loads(written[0])[0]["coverage"]["evaluated"] == N


def whole(videos: Tensor, texts: Tensor) -> Retrieval:
    pairs = protocol()
    for index in range(N):
        pairs.add(item(index, videos, texts))
    return pairs


def test_merging_takes_an_id_of_two_processes_once_and_leaves_its_parts_alone() -> None:
    videos, texts = vectors()
    full = whole(videos, texts)
    extra = protocol()
    extra.add(item(3, videos, texts))
    empty = protocol()
    merged = empty.merge([extra.state(), empty.state(), full.state()])
    assert merged.result() == full.result()
    with pytest.raises(EvaluationError, match="nothing to score: 0 of 13 videos"):
        empty.result()


def test_collapsed_vectors_score_as_guessing_does() -> None:
    ones = torch.ones(N, 4)
    metrics = protocol().score(VectorTable(VIDEOS, ones), VectorTable(TEXTS, ones)).metrics
    assert metrics["t2v_R@1"] == pytest.approx(100 / N)
    assert metrics["v2t_R@5"] == pytest.approx(500 / N)
    assert metrics["t2v_median_rank"] == (N + 1) / 2


def test_intervals_contain_their_figures_and_do_not_change() -> None:
    result = whole(*vectors()).result()
    assert list(result.intervals) == list(result.metrics)
    for metric, (low, high) in result.intervals.items():
        assert low <= result.metrics[metric] <= high
    assert whole(*vectors()).result() == result


def test_what_is_missing_lowers_coverage_and_stays_no_secret() -> None:
    videos, texts = vectors()
    result = protocol().score(
        VectorTable(VIDEOS[1:], videos[1:]), VectorTable(TEXTS[:-1], texts[:-1])
    )
    assert result.coverage == (N - 2, N, ["video0", "video12"])
    assert result.ids_sha256 != whole(videos, texts).result().ids_sha256


def multi_caption() -> tuple[Retrieval, Tensor, Tensor]:
    relevance: dict[str, Sequence[str]] = {"a": ["x"], "b": ["x"], "c": ["y"], "xy": ["x", "y"]}
    videos = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    texts = torch.tensor([[0.2, 1.0], [1.0, 0.1], [0.4, 1.0], [-1.0, -0.9]])  # a, b, c, xy
    pairs = Retrieval("few", 1, ["x", "y"], relevance, windows="whole")
    pairs.begin()
    return pairs, videos, texts


def test_a_video_is_known_by_the_best_of_its_texts() -> None:
    pairs, videos, texts = multi_caption()
    table = VectorTable(["a", "b", "c", "xy"], texts)
    metrics = pairs.score(VectorTable(["x", "y"], videos), table).metrics
    assert metrics["t2v_R@1"] == 75  # a is nearer to y; xy belongs to both
    assert metrics["v2t_R@1"] == 50  # x finds b; y finds a before c


def test_a_text_of_several_videos_may_come_with_each() -> None:
    pairs, videos, texts = multi_caption()
    held = {"x": ["a", "b", "xy"], "y": ["c", "xy"]}
    row = dict(zip(["a", "b", "c", "xy"], texts, strict=True))
    for video, vector in zip(["x", "y"], videos, strict=True):
        rows = torch.stack([row[text] for text in held[video]])
        pairs.add(EncodedItem(video, windows=vector[None], texts=rows, text_ids=held[video]))
    assert pairs.result().coverage.complete


def test_a_video_without_texts_stays_in_the_gallery() -> None:
    videos, texts = vectors()
    pairs = protocol()
    pairs.add(EncodedItem(VIDEOS[0], windows=videos[:1]))
    for index in range(1, N):
        pairs.add(item(index, videos, texts))
    result = pairs.result()
    assert result.coverage == (N - 1, N, ["video0"])
    assert result == protocol().score(
        VectorTable(VIDEOS, videos), VectorTable(TEXTS[1:], texts[1:])
    )


def test_a_text_that_belongs_to_another_video_is_refused() -> None:
    one = torch.ones(1, 6)
    other = EncodedItem("video3", windows=one, texts=one, text_ids=["text4"])
    message = r"'text4' came with video 'video3'.*belongs to video4"
    with pytest.raises(EvaluationError, match=message):
        protocol().add(other)


@pytest.mark.parametrize(
    ("texts", "text_ids", "message"),
    [
        (torch.ones(1, 6), ["other"], "text id 'other' is not one of the 13"),
        (torch.ones(2, 6), ["text0", "text0"], "text id 'text0' came twice"),
        (torch.full((1, 6), torch.nan), ["text0"], "text 'text0' holds NaN"),
        (torch.ones(2, 6), ["text0"], r"1 text ids came with vectors of shape \(2, 6\)"),
    ],
)
def test_texts_that_cannot_be_scored_are_refused_at_once(
    texts: Tensor, text_ids: list[str], message: str
) -> None:
    pairs = protocol()
    with pytest.raises(EvaluationError, match=message):
        pairs.add(EncodedItem("video0", windows=torch.ones(1, 6), texts=texts, text_ids=text_ids))
    assert pairs.state() == {}


def test_nan_duplicates_and_strangers_are_refused_by_name() -> None:
    videos, texts = vectors()
    pairs = protocol()
    pairs.add(item(0, videos, texts))
    with pytest.raises(EvaluationError, match="'video0' came twice"):
        pairs.add(item(0, videos, texts))
    with pytest.raises(EvaluationError, match="video 'video1' holds NaN or infinity"):
        pairs.add(EncodedItem("video1", windows=torch.full((1, 6), torch.inf)))
    table = VectorTable(TEXTS, texts)
    with pytest.raises(EvaluationError, match="video id 'other' is not one of the 13"):
        pairs.score(VectorTable(["other"], torch.ones(1, 6)), table)
    with pytest.raises(EvaluationError, match="video id 'video0' came twice"):
        pairs.score(VectorTable(["video0"] * 2, torch.ones(2, 6)), table)
    nan = VectorTable(["text5"], torch.full((1, 6), torch.nan))
    with pytest.raises(EvaluationError, match="text 'text5' holds NaN"):
        pairs.score(VectorTable(VIDEOS, videos), nan)


def test_tables_without_a_pair_are_refused() -> None:
    one, empty = torch.ones(1, 6), VectorTable([], torch.zeros(0, 0))
    with pytest.raises(EvaluationError, match="nothing to score: 0 videos and 0 texts came"):
        protocol().score(empty, empty)
    with pytest.raises(EvaluationError, match="1 videos and 1 texts came, and no text belongs"):
        protocol().score(VectorTable(["video0"], one), VectorTable(["text1"], one))


def test_scoring_tables_leaves_items_alone() -> None:
    videos, texts = vectors()
    pairs = whole(videos, texts)
    before = pairs.result()
    pairs.score(VectorTable(VIDEOS, texts), VectorTable(TEXTS, texts))
    assert pairs.result() == before


def test_widths_that_differ_are_refused() -> None:
    pairs = protocol()
    pairs.add(
        EncodedItem("video0", windows=torch.ones(1, 6), texts=torch.ones(1, 4), text_ids=["text0"])
    )
    with pytest.raises(EvaluationError, match="videos of width 6 with texts of width 4"):
        pairs.result()
    pairs = protocol()
    for video, width in (("video0", 6), ("video1", 4)):
        pairs.add(EncodedItem(video, windows=torch.ones(1, width)))
    with pytest.raises(EvaluationError, match="vector of width 6 is needed"):
        pairs.result()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"primary": "t2v_median_rank"}, "is none of t2v_R@1"),
        ({"similarity": "euclidean"}, "neither 'cosine' nor 'dot'"),
        ({"pooling": "mean"}, "none of 'head', 'raw', 'unit'"),
        ({"mode": "fast"}, "neither 'exact' nor 'reference'"),
        ({"expected": [*VIDEOS, "video0"]}, "an id is listed twice"),
        ({"relevance": {"t": []}}, "'t' must belong to one or more"),
        ({"relevance": {"t": "video0"}}, "as a list; it is said"),
        ({"relevance": {"t": ["elsewhere"]}}, "said to belong to"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        protocol(**changes)


def scored_by(texts: Tensor, videos: Tensor, **changes: object) -> Result:
    return protocol(**changes).score(VectorTable(VIDEOS, videos), VectorTable(TEXTS, texts))


def test_a_model_with_one_vector_for_all_is_at_chance() -> None:
    ones = torch.ones(N, 4)
    result = scored_by(ones, ones)
    for k in (1, 5, 10):
        for direction in ("t2v", "v2t"):
            metric = f"{direction}_R@{k}"
            assert result.metrics[metric] == pytest.approx(100 * k / N)
            assert result.chance[metric].value == pytest.approx(100 * k / N)
    assert result.at_chance
    assert not scored_by(torch.eye(N), torch.eye(N)).at_chance


def test_random_models_lie_in_the_interval_of_chance() -> None:
    inside = 0
    for seed in range(40):
        rng = torch.Generator().manual_seed(seed)
        result = scored_by(*(torch.randn(N, 64, generator=rng) for _ in range(2)))
        chance = result.chance["t2v_R@5"]
        inside += chance.low <= result.metrics["t2v_R@5"] <= chance.high
    assert inside >= 36  # 95 % of 40 is 38


def test_equal_sentences_limit_a_perfect_model() -> None:
    said = {text: text for text in TEXTS} | {"text1": "same", "text2": "same", "text3": "same"}
    vectors = torch.eye(N)
    vectors[2] = vectors[3] = vectors[1]
    perfect = scored_by(vectors, vectors, captions=said)
    assert perfect.ceiling["t2v_R@1"] == pytest.approx(100 * (N - 2) / N)
    assert perfect.ceiling["t2v_R@5"] == 100
    for metric, ceiling in perfect.ceiling.items():
        assert perfect.metrics[metric] == pytest.approx(ceiling)
    assert scored_by(vectors, vectors).ceiling == {}


def test_a_text_of_its_own_lifts_the_ceiling_of_a_video() -> None:
    owners = {"a": ["v1"], "b": ["v1"], "c": ["v2"]}
    said = {"a": "same", "b": "another", "c": "same"}
    pairs = Retrieval("pairs", 1, ["v1", "v2"], owners, windows="whole", captions=said)
    result = pairs.score(
        VectorTable(["v1", "v2"], torch.tensor([[1.0, 1.0], [1.0, 0.0]])),
        VectorTable(["a", "b", "c"], torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])),
    )
    assert result.ceiling["t2v_R@1"] == pytest.approx(100 * (0.5 + 1 + 0.5) / 3)
    assert result.ceiling["v2t_R@1"] == pytest.approx(75)


@pytest.mark.parametrize("pooling", ["raw", "unit"])
def test_vectors_that_no_head_has_embedded_are_compared_as_they_are(pooling: str) -> None:
    pairs = protocol(pooling=pooling)
    pairs.begin("cosine", embed=lambda vectors: 0 * vectors)
    videos, texts = vectors()
    for index in range(N):
        pairs.add(item(index, videos, texts))
    if pooling == "unit":
        videos, texts = (torch.nn.functional.normalize(x, dim=1) for x in (videos, texts))
    expected = protocol(similarity="dot").score(
        VectorTable(VIDEOS, videos), VectorTable(TEXTS, texts)
    )
    result = pairs.result()
    assert result.metrics == expected.metrics
    assert (result.similarity, result.settings) == ("dot", {"pooling": pooling})


def published(videos: Tensor, texts: Tensor) -> dict[str, float]:
    """The released computation, in both directions, of items in the order of the texts."""
    order = sorted(range(N), key=TEXTS.__getitem__)
    scores = product(texts[order], videos[order]).numpy()
    return {
        f"{direction}_{metric}": value
        for direction, table in (("t2v", scores), ("v2t", scores.T))
        for metric, value in published_retrieval(table).items()
    }


@pytest.mark.parametrize("levels", [2, 1000])
def test_reference_is_the_published_computation(levels: int) -> None:
    rng = torch.Generator().manual_seed(levels)
    videos, texts = (torch.randint(levels, (N, 4), generator=rng).float() for _ in range(2))
    result = scored_by(texts, videos, mode="reference")
    assert result.metrics == pytest.approx(published(videos, texts))
    assert (result.mode, result.similarity) == ("reference", "dot")
    assert list(result.intervals) == list(result.metrics)
    for metric, (low, high) in result.intervals.items():
        assert low <= result.metrics[metric] <= high
    exact = scored_by(texts, videos, similarity="dot").metrics
    ties = levels == 2
    assert (result.metrics["t2v_R@5"] != pytest.approx(exact["t2v_R@5"])) == ties
    assert "t2v_mean_rank" not in result.metrics


def test_reference_gives_a_constant_model_what_was_published_of_it() -> None:
    ones = torch.ones(N, 4)
    result = scored_by(ones, ones, mode="reference", captions={text: text for text in TEXTS})
    for direction in ("t2v", "v2t"):
        for k in (1, 5, 10):
            assert result.metrics[f"{direction}_R@{k}"] == pytest.approx(100 * k / N)
        assert result.metrics[f"{direction}_median_rank"] == (N + 1) / 2
    assert result.at_chance
    assert result.ceiling == {}  # queries that tie can pass that of the exact figures


def test_reference_ranks_pairs_that_came_whole() -> None:
    videos, texts = vectors()
    result = protocol(mode="reference").score(
        VectorTable(VIDEOS[:10], videos[:10]), VectorTable(TEXTS[2:], texts[2:])
    )
    few = Retrieval(
        "few", 1, VIDEOS[2:10], dict(zip(TEXTS[2:10], ([v] for v in VIDEOS[2:10]), strict=True)),
        windows="whole", mode="reference",
    )  # fmt: skip
    alone = few.score(
        VectorTable(VIDEOS[2:10], videos[2:10]), VectorTable(TEXTS[2:10], texts[2:10])
    )
    assert result.metrics == alone.metrics
    assert result.coverage.missing == sorted([*VIDEOS[:2], *VIDEOS[10:]])


def test_reference_refuses_scores_that_overflow() -> None:
    huge = 1e30 * torch.eye(N)
    with pytest.raises(EvaluationError, match="not finite"):
        scored_by(huge, huge, mode="reference")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"similarity": "cosine"}, "mode='reference' compares by dot product"),
        ({"expected": [*VIDEOS, "more"]}, "the video 'more' has not exactly one of the texts"),
        (
            {"relevance": {"a": ["video0"], "b": ["video0"]}},
            "the video 'video0' has not exactly one",
        ),
        ({"relevance": {"a": ["video0", "video1"]}}, "the text 'a' has not exactly one of the"),
    ],
)
def test_reference_takes_pairs_alone(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        protocol(mode="reference", **changes)
