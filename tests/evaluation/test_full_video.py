import pickle
from itertools import pairwise, permutations
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.evaluator import EvaluationTask, Evaluator
from vtlearn.evaluation.full_video import FullVideo
from vtlearn.evaluation.metrics.sequence_scores import sequence_scores
from vtlearn.evaluation.metrics.similarity import comparable, product
from vtlearn.evaluation.reference import last_k_hits, published_full_video
from vtlearn.evaluation.result import Result

KINDS = ("cap_avg", "dtw", "otam")
Vectors = dict[str, Tensor]


class Corpus:
    """Videos whose segments show what their sentences say, one unit vector per sentence."""

    def __init__(self, paragraphs: dict[str, list[str]]) -> None:
        self.paragraphs = {
            video: {f"{video}.{i}": text for i, text in enumerate(texts)}
            for video, texts in paragraphs.items()
        }
        self.sequences = {
            video: [f"{video}:{i}" for i in range(len(texts))]
            for video, texts in paragraphs.items()
        }
        self.said = sorted({text for texts in paragraphs.values() for text in texts})

    def perfect(self) -> tuple[Vectors, Vectors]:
        known = dict(zip(self.said, torch.eye(len(self.said)), strict=True))
        texts, items = {}, {}
        for video, sentences in self.paragraphs.items():
            for item, (text, said) in zip(self.sequences[video], sentences.items(), strict=True):
                texts[text] = items[item] = known[said]
        return texts, items

    def constant(self) -> tuple[Vectors, Vectors]:
        one = torch.randn(7, generator=torch.Generator().manual_seed(0))
        texts, items = self.perfect()
        return dict.fromkeys(texts, one), dict.fromkeys(items, one)

    def random(self, seed: int, noise: float = 1e9, dim: int = 8) -> tuple[Vectors, Vectors]:
        """Vectors of texts as far from those of their segments as the noise says."""
        generator = torch.Generator().manual_seed(seed)
        texts, items = self.perfect()
        several = [torch.randn(dim, generator=generator) for _ in items]
        near = [x + noise * torch.randn(dim, generator=generator) for x in several]
        return dict(zip(texts, near, strict=True)), dict(zip(items, several, strict=True))

    def protocol(self, **changes: Any) -> FullVideo:
        arguments = {"windows": "one per segment", "similarity": "cosine", **changes}
        return FullVideo("full", 1, self.sequences, self.paragraphs, **arguments)

    def score(self, vectors: tuple[Vectors, Vectors], **changes: Any) -> Result:
        texts, items = vectors
        protocol = self.protocol(**changes)
        protocol.begin(text_vectors=texts)
        for item, vector in items.items():
            protocol.add(EncodedItem(item, windows=vector[None]))
        return protocol.result()


def plain(count: int, seed: int = 0, most: int = 7) -> Corpus:
    """Videos of which some say the same, and of which some ids are inside others."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, most, count).tolist()
    return Corpus(
        {f"{i}": [f"step {k}" for k in rng.integers(0, 9, n)] for i, n in enumerate(lengths)}
    )


def orders(families: int) -> tuple[Corpus, dict[str, str]]:
    """Three orders of the same three steps, a group per family."""
    paragraphs, groups = {}, {}
    for family in range(families):
        steps = [f"{family} {step}" for step in "abc"]
        for index, order in enumerate(list(permutations(steps))[:3]):
            paragraphs[f"{family}{index}"] = list(order)
            groups[f"{family}{index}"] = f"{family}"
    return Corpus(paragraphs), groups


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("select", [False, True])
def test_figures_are_those_of_the_scores_of_all_pairs(similarity: Any, select: bool) -> None:
    corpus = plain(12)
    texts, items = corpus.random(0, noise=1.0)
    result = corpus.score((texts, items), similarity=similarity, select=select)
    videos = sorted(corpus.sequences)
    counts = [len(corpus.sequences[video]) for video in videos]
    rows = torch.stack([texts[one] for video in videos for one in corpus.paragraphs[video]])
    columns = torch.stack([items[one] for video in videos for one in corpus.sequences[video]])
    found = sequence_scores(
        comparable(rows, similarity), comparable(columns, similarity), counts, counts, select=select
    )
    for kind, scores in zip(KINDS, found, strict=True):
        rank = (scores > scores.diagonal()[:, None]).sum(1)
        for k in (1, 5, 10):
            share = 100 * (rank < k).double().mean().item()
            assert result.metrics[f"{kind}_R@{k}"] == pytest.approx(share)
        assert result.metrics[f"{kind}_median_rank"] == 1 + np.median(rank.numpy())
    assert result.primary == "dtw_R@1"
    assert result.similarity == similarity
    assert result.settings["select"] is select
    assert result.coverage.complete


def test_a_perfect_model_reaches_the_ceiling_and_none_passes_it() -> None:
    corpus = Corpus({"v": ["a", "b"], "vv": ["b", "a"], "w": ["a", "b"], "x": ["c", "a", "d"]})
    result = corpus.score(corpus.perfect())
    assert result.ceiling["cap_avg_R@1"] == pytest.approx(100 * (1 + 1 / 3 * 3) / 4)
    assert result.ceiling["dtw_R@1"] == pytest.approx(100 * (1 + 1 + 2 / 2) / 4)
    assert result.ceiling["otam_R@5"] == 100
    for metric, most in result.ceiling.items():
        assert result.metrics[metric] == pytest.approx(most)


def test_cap_avg_cannot_tell_orders_and_the_others_can() -> None:
    corpus, groups = orders(4)
    result = corpus.score(corpus.perfect(), groups=groups)
    assert result.metrics["cap_avg_order"] == pytest.approx(100 / 3)
    assert result.metrics["dtw_order"] == result.metrics["otam_order"] == 100
    assert result.ceiling["cap_avg_order"] == pytest.approx(100 / 3)
    assert result.ceiling["dtw_order"] == 100
    assert result.chance["dtw_order"].value == pytest.approx(100 / 3)


def test_cap_avg_scores_a_third_whatever_the_model_makes_of_the_steps() -> None:
    corpus, groups = orders(5)
    texts, items = corpus.perfect()
    turn = torch.randn(15, 4, generator=torch.Generator().manual_seed(1))
    made = ({key: x @ turn for key, x in side.items()} for side in (texts, items))
    result = corpus.score(tuple(made), groups=groups, similarity="dot")  # type: ignore[arg-type]
    assert result.metrics["cap_avg_order"] == pytest.approx(100 / 3)


def test_a_constant_model_scores_as_guessing_does() -> None:
    corpus, groups = orders(5)
    result = corpus.score(corpus.constant(), groups=groups)
    for kind in KINDS:
        for k in (1, 5, 10):
            assert result.metrics[f"{kind}_R@{k}"] == pytest.approx(100 * k / 15)
            assert result.chance[f"{kind}_R@{k}"].value == pytest.approx(100 * k / 15)
        assert result.metrics[f"{kind}_order"] == pytest.approx(100 / 3)
        assert result.metrics[f"{kind}_median_rank"] == 8
    assert result.at_chance


def test_a_random_model_stays_within_the_interval_of_chance() -> None:
    corpus, groups = orders(60)
    result = corpus.score(corpus.random(0), groups=groups)
    for metric, chance in result.chance.items():
        assert chance.low <= result.metrics[metric] <= chance.high, metric


def test_ties_count_by_their_expectation() -> None:
    corpus = Corpus({"v": ["a"], "w": ["b"]})
    one, other = torch.eye(2)
    texts = {"v.0": one, "w.0": one}
    items = {"v:0": one, "w:0": one}
    assert corpus.score((texts, items)).metrics["dtw_R@1"] == 50
    assert corpus.score((texts, items | {"w:0": other})).metrics["dtw_R@1"] == 50
    assert corpus.score((texts | {"w.0": other}, items | {"w:0": other})).metrics["dtw_R@1"] == 100


def test_ids_within_ids_are_other_videos() -> None:
    corpus = Corpus({"1": ["a"], "11": ["b", "c"], "111": ["c", "b"]})
    assert corpus.score(corpus.perfect()).metrics["dtw_R@1"] == 100


@pytest.mark.parametrize("mode", ["exact", "reference"])
def test_a_video_that_lacks_a_segment_is_neither_looked_for_nor_found(mode: Any) -> None:
    full = plain(9)
    texts, items = full.random(2, noise=0.5)
    gone = full.sequences["4"][0]
    choice = {"mode": mode, "similarity": "dot"}
    result = full.score((texts, {item: x for item, x in items.items() if item != gone}), **choice)
    fewer = Corpus({v: list(t.values()) for v, t in full.paragraphs.items() if v != "4"})
    assert (
        result.metrics
        == fewer.score((texts, {i: items[i] for i in items if i[0] != "4"}), **choice).metrics
    )
    assert result.coverage.missing == sorted(full.sequences["4"])


def test_reference_reproduces_the_published_computation() -> None:
    corpus = plain(11, most=5)
    texts, items = corpus.random(3, noise=0.7)
    result = corpus.score((texts, items), mode="reference", similarity=None)
    videos = sorted(corpus.sequences)
    rows = torch.stack([texts[one] for video in videos for one in corpus.paragraphs[video]])
    columns = torch.stack([items[one] for video in videos for one in corpus.sequences[video]])
    starts = np.cumsum([0, *(len(corpus.sequences[video]) for video in videos)])
    runs = [list(range(a, b)) for a, b in pairwise(starts.tolist())]
    found = published_full_video(product(rows, columns), runs, runs)
    assert set(result.metrics) == {f"{kind}_R@{k}" for kind in KINDS for k in (1, 5, 10)}
    for kind, scores in zip(KINDS, found, strict=True):
        for k in (1, 5, 10):
            share = 100 * last_k_hits(scores, k).double().mean().item()
            assert result.metrics[f"{kind}_R@{k}"] == pytest.approx(share)
    assert (result.mode, result.similarity) == ("reference", "dot")
    assert result.metrics != corpus.score((texts, items), similarity="dot").metrics


def test_windows_of_a_segment_are_pooled_and_those_of_a_whole_video_kept() -> None:
    windows = torch.tensor([[3.0, 0, 0], [0, 1, 0], [0, 0, 2]])
    corpus = Corpus({"v": ["a"], "w": ["b"]})
    item = EncodedItem("v:0", windows=windows.requires_grad_())
    kept = corpus.protocol().update(item)
    assert torch.equal(kept, torch.tensor([[1.0, 1 / 3, 2 / 3]]))
    kept = corpus.protocol(whole=True).update(item)
    assert torch.equal(kept, windows)
    assert not kept.requires_grad
    assert kept.data_ptr() != windows.data_ptr()
    kept = corpus.protocol(whole=True, pooling="unit").update(item)
    assert torch.equal(kept, torch.eye(3))


def test_a_whole_video_is_found_among_its_background() -> None:
    paragraphs = {"v": {"v.0": "a", "v.1": "b"}, "w": {"w.0": "b", "w.1": "a"}}
    protocol = FullVideo(
        "whole", 1, {"v": ["v"], "w": ["w"]}, paragraphs,
        windows="every 2 s", whole=True, select=True, similarity="cosine",
    )  # fmt: skip
    a, b, noise = torch.eye(3)
    protocol.begin(text_vectors={"v.0": a, "v.1": b, "w.0": b, "w.1": a})
    protocol.add(EncodedItem("v", windows=torch.stack([noise, a, noise, noise, b, noise])))
    protocol.add(EncodedItem("w", windows=torch.stack([b, noise, a])))
    result = protocol.result()
    assert [result.metrics[f"{kind}_R@1"] for kind in KINDS] == [50, 100, 100]
    assert result.settings["whole"] is True


def test_any_number_of_processes_gives_the_same_result() -> None:
    corpus = plain(13)
    texts, items = corpus.random(4, noise=1.0)
    whole = corpus.score((texts, items))
    for world in (2, 3):
        shards = [corpus.protocol() for _ in range(world)]
        for shard in shards:
            shard.begin(text_vectors=texts)
        for index, (item, vector) in enumerate(items.items()):
            shards[-index % world].add(EncodedItem(item, windows=vector[None]))
        states = [pickle.loads(pickle.dumps(shard.state())) for shard in shards]  # noqa: S301
        assert shards[0].merge(states).result() == whole


def test_the_evaluator_encodes_the_sentences() -> None:
    corpus = Corpus({"v": ["a", "b"], "w": ["b", "a"]})
    known = {"a": torch.eye(2)[0], "b": torch.eye(2)[1]}
    evaluator = Evaluator(
        [EvaluationTask([corpus.protocol(similarity=None)], [], batch_size=1)],
        embed=lambda vectors: 2 * vectors,
        encode_texts=lambda texts, _: torch.stack([known[text] for text in texts]),
    )
    evaluator.begin()
    _, items = corpus.perfect()
    evaluator.update(0, [EncodedItem(item, windows=x[None]) for item, x in items.items()])
    [result] = evaluator.compute()
    assert result.similarity == "dot"
    assert result.metrics["dtw_R@1"] == 100


@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_vectors_that_are_not_finite_are_refused(broken: float) -> None:
    corpus = Corpus({"v": ["a"], "w": ["b"]})
    texts, items = corpus.perfect()
    nowhere = torch.full((2,), broken)
    with pytest.raises(EvaluationError, match="item 'w:0' hold NaN"):
        corpus.score((texts, items | {"w:0": nowhere}))
    with pytest.raises(EvaluationError, match="sentences of video 'v' hold NaN"):
        corpus.score((texts | {"v.0": nowhere}, items))


@pytest.mark.parametrize("mode", ["exact", "reference"])
def test_similarities_that_overflow_are_refused(mode: Any) -> None:
    corpus = Corpus({"v": ["a"], "w": ["b"]})
    huge = [{key: 1e30 * x for key, x in side.items()} for side in corpus.perfect()]
    with pytest.raises(EvaluationError, match="not finite"):
        corpus.score((huge[0], huge[1]), mode=mode, similarity="dot")


def test_what_cannot_be_scored_is_refused() -> None:
    corpus = Corpus({"v": ["a"], "w": ["b"]})
    texts, items = corpus.perfect()
    with pytest.raises(EvaluationError, match=r"widths \[2, 3\]"):
        corpus.score((texts, items | {"w:0": torch.ones(3)}))
    with pytest.raises(EvaluationError, match="'v:0' has no window"):
        corpus.protocol(whole=True).update(EncodedItem("v:0", windows=torch.zeros(0, 2)))
    with pytest.raises(ArgumentError, match=r"'w\.0' has none"):
        corpus.protocol().begin(text_vectors={"v.0": texts["v.0"]})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "fast"}, "neither 'exact' nor 'reference'"),
        ({"mode": "reference"}, "compares by dot product"),  # the corpus says cosine
        ({"mode": "reference", "similarity": "dot", "groups": {}}, "knows no groups"),
        ({"groups": {"v": "one"}}, "'w' has no group"),
    ],
)
def test_choices_that_contradict_each_other_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        Corpus({"v": ["a"], "w": ["b"]}).protocol(**changes)


@pytest.mark.parametrize(
    ("paragraphs", "message"),
    [
        ({"v": {"a": "cut"}}, "'w' has items or a paragraph"),
        ({"v": {"a": "cut"}, "w": {}}, "paragraph of video 'w' has no sentence"),
        (
            {"v": {"a": "cut"}, "w": {"a": "fry"}},
            "text id 'a' is listed for the videos 'v' and 'w'",
        ),
    ],
)
def test_paragraphs_that_contradict_themselves_are_refused(
    paragraphs: dict[str, dict[str, str]], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        FullVideo("full", 1, {"v": ["v0"], "w": ["w0"]}, paragraphs, windows="one")
