import pickle
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.evaluator import EvaluationTask, Evaluator
from vtlearn.evaluation.metrics.step_recall import count_steps
from vtlearn.evaluation.reference import published_step_hits
from vtlearn.evaluation.result import Result
from vtlearn.evaluation.steps import StepLocalization, StepVideo

STEPS = {"cake": ["stir", "bake", "cut"], "tea": ["boil", "pour"], "egg": ["boil"]}
MOST = 3  # steps of a task

Scores = Mapping[str, Tensor]  # (seconds, steps of the task) of each video


def protocol(videos: Mapping[str, StepVideo], **changes: Any) -> StepLocalization:
    """A protocol that takes scores for windows: its step vectors are unit vectors."""
    arguments = {"windows": "every second", "similarity": "dot", **changes}
    steps = StepLocalization("recall", 1, videos, STEPS, **arguments)
    basis = torch.eye(MOST)
    steps.begin(text_vectors={one: basis[int(one.split("#")[1])] for one in steps.texts})
    return steps


def item(video: str, scores: Tensor) -> EncodedItem:
    starts = torch.arange(len(scores), dtype=torch.float64)
    windows = torch.nn.functional.pad(scores, (0, MOST - scores.shape[1]))
    return EncodedItem(
        video, windows=windows, window_spans=torch.stack([starts, starts + 3.2], dim=1)
    )


def score(videos: Mapping[str, StepVideo], scores: Scores, **changes: Any) -> Result:
    steps = protocol(videos, **changes)
    for video, table in scores.items():
        steps.add(item(video, table))
    return steps.result()


def corpus(count: int, seed: int = 0, longest: int = 9) -> tuple[dict[str, StepVideo], list[int]]:
    """Videos of three tasks, steps repeated, absent, swapped and beyond the end."""
    rng = np.random.default_rng(seed)
    videos, seconds = {}, []
    for index in range(count):
        task = list(STEPS)[index % 3]
        steps = len(STEPS[task])
        length = steps if index % 4 == 0 else int(rng.integers(steps, longest))
        starts = rng.uniform(0, length + 0.5, int(rng.integers(1, 5))).tolist()
        spans = [(int(rng.integers(steps)), x, x + float(rng.uniform(0.3, 3))) for x in starts]
        videos[f"v{index:03}"] = StepVideo(task, spans)
        seconds.append(length)
    return videos, seconds


def random_scores(
    videos: Mapping[str, StepVideo], seconds: list[int], seed: int = 0
) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return {
        video: torch.randn(length, len(STEPS[one.task]), generator=rng)
        for (video, one), length in zip(videos.items(), seconds, strict=True)
    }


def pooled(videos: Mapping[str, StepVideo], hits: Mapping[str, tuple[int, int]]) -> float:
    """Pool by hand: within tasks, then the mean over tasks."""
    shares = []
    for task in STEPS:
        ours = [hits[video] for video in hits if videos[video].task == task]
        if possible := sum(steps for _, steps in ours):
            shares.append(100 * sum(hit for hit, _ in ours) / possible)
    return sum(shares) / len(shares)


def test_figures_are_those_of_all_assignments() -> None:
    videos, seconds = corpus(60)
    scores = random_scores(videos, seconds)
    hits, most = {}, {}
    for video, table in scores.items():
        costs = (-table.double().log_softmax(1)).tolist()
        steps = len(costs[0])
        chosen = list(combinations(range(len(costs)), steps))
        best = min(chosen, key=lambda one: sum(costs[t][k] for k, t in enumerate(one)))
        hits[video] = count_steps(best, videos[video].spans)
        counted = [count_steps(one, videos[video].spans) for one in chosen]
        most[video] = max(counted, key=lambda counts: counts.hits)
    # a task of one step has no competing step, and every second is as likely
    for video in (video for video in videos if videos[video].task == "egg"):
        hits[video] = count_steps([len(scores[video]) - 1], videos[video].spans)
    result = score(videos, scores)
    assert result.metrics["recall"] == pytest.approx(pooled(videos, hits))
    assert result.ceiling["recall"] == pytest.approx(pooled(videos, most))
    assert 0 < result.metrics["recall"] < result.ceiling["recall"] < 100
    assert set(result.metrics) == {"recall", "uniform"}
    assert (result.primary, result.mode, result.similarity) == ("recall", "exact", "dot")
    assert result.notes == []
    assert result.coverage.complete


HAND = StepVideo("cake", [(0, 1.2, 2.0), (0, 6.0, 6.5), (2, 3.0, 4.0)])  # bake is never done


def test_a_repeated_and_an_absent_step_by_hand() -> None:
    scores = torch.zeros(8, 3)
    scores[6, 0] = scores[7, 1] = 9
    scores[3, 2] = 5
    # stir at 6, bake at 7 leaves no second for cut: the best is stir at 6, or cut at 3
    steps = protocol({"v": HAND})
    steps.add(item("v", scores))
    assert steps.state() == {"v": (1, 1, 2, 8)}  # uniform: seconds 1, 4, 6
    result = steps.result()
    assert result.metrics == {"recall": 50.0, "uniform": 50.0}
    assert result.ceiling == {"recall": 100.0}  # stir at 1, bake at 2, cut at 3


def test_a_step_beyond_the_end_counts_as_missed_and_the_published_code_drops_it() -> None:
    videos = {"v": StepVideo("tea", [(0, 0.0, 1.0), (1, 7.0, 9.0)])}
    scores = {"v": torch.tensor([[9.0, 0.0], [0.0, 0.0], [0.0, 9.0]])}
    assert score(videos, scores).metrics["recall"] == 50
    assert score(videos, scores).ceiling["recall"] == 50
    assert score(videos, scores, mode="reference").metrics["recall"] == 100


def test_steps_in_another_order_limit_the_ceiling() -> None:
    videos = {"v": StepVideo("tea", [(1, 0.0, 3.0), (0, 5.0, 8.0)])}
    result = score(videos, {"v": torch.zeros(9, 2)})
    assert result.ceiling["recall"] == 50


def test_a_constant_model_gets_what_the_tie_rule_gives() -> None:
    videos, seconds = corpus(40)
    scores = {
        video: torch.full((length, len(STEPS[one.task])), 0.3)
        for (video, one), length in zip(videos.items(), seconds, strict=True)
    }
    hits = {}
    for (video, one), length in zip(videos.items(), seconds, strict=True):
        # the last step takes the last second, the others the first ones
        chosen = [*range(len(STEPS[one.task]) - 1), length - 1]
        found = {step for step, a, b in one.spans if np.floor(a) <= chosen[step] < np.ceil(b)}
        hits[video] = len(found), len({step for step, _, _ in one.spans})
    assert score(videos, scores).metrics["recall"] == pytest.approx(pooled(videos, hits))


@pytest.mark.parametrize("scale", [0.5, 40.0])
def test_a_model_that_knows_the_best_assignment_reaches_the_ceiling(scale: float) -> None:
    videos, seconds = corpus(50, seed=3)
    scores = {}
    for (video, one), length in zip(videos.items(), seconds, strict=True):
        steps = len(STEPS[one.task])
        chosen = max(
            combinations(range(length), steps), key=lambda at: count_steps(at, one.spans).hits
        )
        table = torch.zeros(length, steps)
        table[list(chosen), torch.arange(steps)] = scale
        scores[video] = table
    kept = {v: table for v, table in scores.items() if videos[v].task != "egg"}  # those cannot win
    result = score({v: videos[v] for v in kept}, kept)
    assert result.metrics["recall"] == pytest.approx(result.ceiling["recall"])
    assert not result.at_chance


def test_random_models_lie_in_the_interval_of_chance() -> None:
    videos, seconds = corpus(90, seed=7, longest=30)
    inside = 0
    for seed in range(30):
        result = score(videos, random_scores(videos, seconds, seed))
        chance = result.chance["recall"]
        assert 0 < chance.low < chance.value < chance.high < result.ceiling["recall"]
        inside += chance.low <= result.metrics["recall"] <= chance.high
    assert inside >= 25


def test_the_uniform_assignment_takes_the_middles_of_equal_parts() -> None:
    steps = protocol({"v": StepVideo("tea", [(0, 2.0, 3.0), (1, 7.0, 8.0)])})
    steps.add(item("v", torch.zeros(10, 2)))
    assert steps.state()["v"].uniform == 2  # 2.5 and 7.5 s
    steps = protocol({"v": StepVideo("cake", [(0, 0.0, 1.0), (1, 1.0, 2.0), (2, 2.0, 3.0)])})
    steps.add(item("v", torch.zeros(3, 3)))
    assert steps.state()["v"].uniform == 3  # as many seconds as steps


def test_splits_are_scored_by_themselves() -> None:
    videos, seconds = corpus(60)
    scores = random_scores(videos, seconds, seed=2)
    rng = np.random.default_rng(0)
    splits = [set(rng.choice(sorted(videos), 25, replace=False).tolist()) for _ in range(7)]
    result = score(videos, scores, splits=splits)
    alone = [
        score({v: videos[v] for v in split}, {v: scores[v] for v in sorted(split)})
        for split in splits
    ]
    recalls = [one.metrics["recall"] for one in alone]
    assert result.metrics["recall"] == pytest.approx(np.mean(recalls))
    assert result.metrics["sd"] == pytest.approx(np.std(recalls, ddof=1))
    assert result.metrics["uniform"] == pytest.approx(
        np.mean([x.metrics["uniform"] for x in alone])
    )
    assert result.ceiling["recall"] == pytest.approx(np.mean([x.ceiling["recall"] for x in alone]))
    low, high = result.intervals["recall"]
    assert low < result.metrics["recall"] < high
    assert result.settings["splits"] == 7


def test_one_split_of_all_is_no_split() -> None:
    videos, seconds = corpus(20)
    scores = random_scores(videos, seconds)
    assert score(videos, scores, splits=[set(videos)]) == score(videos, scores)


def test_videos_of_no_split_and_splits_without_videos_do_not_count() -> None:
    videos, seconds = corpus(30)
    scores = random_scores(videos, seconds)
    ids = sorted(videos)
    splits = [ids[:10], ids[10:20], ids[20:25]]
    came = {video: scores[video] for video in [*ids[:20], *ids[25:]]}
    result = score(videos, came, splits=splits)
    assert result.metrics == score(videos, came, splits=splits[:2]).metrics
    assert result.coverage.missing == ids[20:25]


def test_videos_too_short_for_their_steps_are_missed_and_named() -> None:
    videos = {
        "a": StepVideo("cake", [(0, 0.0, 1.0), (1, 1.0, 2.0)]),
        "b": StepVideo("cake", [(2, 0.0, 1.0)]),
        "c": StepVideo("cake", [(0, 0.0, 3.0)]),
    }
    scores = {"a": torch.zeros(2, 3), "b": torch.zeros(1, 3), "c": torch.zeros(3, 3)}
    result = score(videos, scores)
    assert result.metrics == {"recall": 25.0, "uniform": 25.0}
    assert result.ceiling["recall"] == 25
    assert result.notes == [
        "2 videos have fewer seconds than steps; their steps count as missed: a, b"
    ]
    assert result.coverage.complete
    result = score(videos, scores, mode="reference")
    assert result.metrics["recall"] == result.ceiling["recall"] == 0
    assert result.notes == [
        "3 videos have no more seconds than steps; their steps count as missed: a, b, c"
    ]


def test_many_short_videos_are_counted_and_the_first_named() -> None:
    videos = {f"v{i:02}": StepVideo("tea", [(0, 0.0, 1.0)]) for i in range(13)}
    [note] = score(videos, dict.fromkeys(videos, torch.zeros(1, 2))).notes
    assert note.startswith("13 videos")
    assert note.endswith(": v00, v01, v02, v03, v04, v05, v06, v07, v08, v09 and 3 more")


def test_reference_is_the_published_computation_pooled() -> None:
    videos, seconds = corpus(60, seed=4)
    seconds[0] = 2  # fewer than steps; every fourth has as many
    scores = random_scores(videos, seconds)
    hits = {video: published_step_hits(x, videos[video].spans) for video, x in scores.items()}
    result = score(videos, scores, mode="reference")
    assert result.metrics["recall"] == pytest.approx(pooled(videos, hits))
    assert result.mode == "reference"
    assert result.metrics["recall"] != score(videos, scores).metrics["recall"]
    assert result.metrics["recall"] <= result.ceiling["recall"]


def test_any_number_of_processes_gives_the_same_result() -> None:
    videos, seconds = corpus(25)
    scores = random_scores(videos, seconds)
    splits = [sorted(videos)[:15], sorted(videos)[5:]]
    whole = score(videos, scores, splits=splits)
    for world in (2, 3):
        shards = [protocol(videos, splits=splits) for _ in range(world)]
        for index, (video, table) in enumerate(scores.items()):
            shards[-index % world].add(item(video, table))
        states = [pickle.loads(pickle.dumps(shard.state())) for shard in shards]  # noqa: S301
        states.append(states[0])
        assert shards[0].merge(states).result() == whole


@pytest.mark.parametrize(
    ("choices", "similarity", "hits"),
    [
        ({"similarity": None}, "cosine", 1),
        ({"similarity": "cosine"}, "cosine", 1),
        ({"similarity": None, "pooling": "raw"}, "dot", 0),
        ({"similarity": None, "pooling": "unit"}, "dot", 1),
    ],
)
def test_vectors_are_embedded_and_compared_as_chosen(
    choices: dict[str, Any], similarity: str, hits: int
) -> None:
    videos = {"v": StepVideo("tea", [(0, 0.0, 1.0)])}
    steps = protocol(videos, **choices)
    # the first window is the purer boil, the second the longer
    windows = torch.tensor([[1.0, 0.0, 0.0], [9.0, 6.0, 0.0], [0.0, 0.1, 0.0]])
    steps.add(item("v", windows))
    assert steps.state()["v"].hits == hits
    assert steps.result().similarity == similarity


def test_the_evaluator_encodes_the_steps() -> None:
    videos = {"v": StepVideo("tea", [(0, 0.0, 1.0), (1, 2.0, 3.0)])}
    known = dict(zip(("stir", "bake", "cut", "boil", "pour"), torch.eye(5), strict=True))
    steps = StepLocalization("recall", 1, videos, STEPS, windows="every second")
    assert steps.texts == {
        "cake#0": "stir", "cake#1": "bake", "cake#2": "cut",
        "tea#0": "boil", "tea#1": "pour", "egg#0": "boil",
    }  # fmt: skip
    evaluator = Evaluator(
        [EvaluationTask([steps], [], batch_size=1)],
        embed=lambda vectors: 2 * vectors,
        encode_texts=lambda texts, _: torch.stack([known[text] for text in texts]),
        item_texts=False,
    )
    evaluator.begin()
    windows = torch.stack([known["boil"], known["cut"], known["pour"]])
    starts = torch.arange(3.0)
    spans = torch.stack([starts, starts + 1], dim=1)
    evaluator.update(0, [EncodedItem("v", windows=windows, window_spans=spans)])
    [result] = evaluator.compute()
    assert result.metrics["recall"] == 100
    assert result.similarity == "dot"


def test_windows_that_are_not_one_per_second_are_refused() -> None:
    steps = protocol({"v": StepVideo("tea", [(0, 0.0, 1.0)])})
    spans = torch.tensor([[0.0, 2.0], [2.0, 4.0], [4.0, 6.0]])
    one = EncodedItem("v", windows=torch.zeros(3, MOST), window_spans=spans)
    with pytest.raises(EvaluationError, match="Window 1 of video 'v' starts at 2 s; one window"):
        steps.add(one)


@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_scores_that_are_not_finite_are_refused(broken: float) -> None:
    steps = protocol({"v": StepVideo("tea", [(0, 0.0, 1.0)])})
    with pytest.raises(EvaluationError, match="similarities of video 'v' hold NaN"):
        steps.add(item("v", torch.full((3, 2), broken)))


def test_videos_without_an_annotated_step_are_nothing_to_score() -> None:
    with pytest.raises(EvaluationError, match="nothing to score: 1 videos came"):
        score({"v": StepVideo("tea", [])}, {"v": torch.zeros(3, 2)})
    with pytest.raises(EvaluationError, match="nothing to score"):
        protocol({"v": StepVideo("tea", [])}).result()


@pytest.mark.parametrize(
    ("video", "changes", "message"),
    [
        (StepVideo("pie", []), {}, "task 'pie' of video 'v' has no steps"),
        (StepVideo("tea", [(2, 0.0, 1.0)]), {}, "shows step 2, and its task 'tea' has 2"),
        (StepVideo("tea", [(-1, 0.0, 1.0)]), {}, "shows step -1"),
        (StepVideo("tea", [(0, -0.5, 1.0)]), {}, "lasts from -0.5 to 1.0 s"),
        (StepVideo("tea", [(0, 2.0, 1.0)]), {}, "lasts from 2.0 to 1.0 s"),
        (StepVideo("tea", [(0, 2.0, float("nan"))]), {}, "lasts from 2.0 to nan s"),
        (StepVideo("tea", []), {"splits": [["v"], []]}, "split 1 must be one or more"),
        (StepVideo("tea", []), {"splits": [["v", "w"]]}, "split 0 .*; 'w' is none of them"),
        (StepVideo("tea", []), {"similarity": "l2"}, "neither 'cosine' nor 'dot'"),
        (StepVideo("tea", []), {"pooling": "mean"}, "none of 'head', 'raw', 'unit'"),
        (StepVideo("tea", []), {"mode": "fast"}, "neither 'exact' nor 'reference'"),
    ],
)
def test_contradictions_are_refused(
    video: StepVideo, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        protocol({"v": video}, **changes)


@pytest.mark.parametrize("texts", [[], "stir"])
def test_a_task_without_steps_is_refused(texts: Any) -> None:
    with pytest.raises(ArgumentError, match="'cake' must have one or more steps"):
        StepLocalization("recall", 1, {}, {"cake": texts}, windows="every second")


def frames_of(video: str, tables: list[tuple[int, Tensor]], **more: Any) -> EncodedItem:
    """An item of windows that start at a second and have a vector for each of theirs."""
    times = [torch.arange(len(table), dtype=torch.float64) + start for start, table in tables]
    vectors = torch.cat([table for _, table in tables])
    return EncodedItem(video, frames=vectors, frame_times=torch.cat(times) + 0.5, **more)


def overlapped(seconds: int, window: int, rng: torch.Generator) -> list[tuple[int, Tensor]]:
    stride = window // 2
    starts = range(0, max(1, seconds - window + stride), stride)
    return [(s, torch.randn(min(window, seconds - s), 6, generator=rng)) for s in starts]


@pytest.mark.parametrize("pooling", ["raw", "unit", "head"])
@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_frames_are_compared_as_averaged_logits(pooling: Any, similarity: Any) -> None:
    rng = torch.Generator().manual_seed(1)
    texts = torch.randn(MOST, 6, generator=rng)
    videos = {"v": StepVideo("cake", [(0, 2.0, 4.0), (2, 11.0, 20.0)])}
    steps = StepLocalization(
        *("recall", 1, videos, STEPS),
        windows="8 s",
        frames=True,
        pooling=pooling,
        similarity=similarity,
    )
    matrix = torch.randn(6, 6, generator=rng)

    def embed(vectors: Tensor) -> Tensor:
        return torch.tanh(vectors @ matrix)

    steps.begin("dot", {one: texts[int(one.split("#")[1])] for one in steps.texts}, embed)
    tables = overlapped(25, 8, rng)
    assert [len(table) for _, table in tables][-1] < 8
    scores = steps._scores(frames_of("v", tables, embed=embed), "cake")

    def compared(vector: Tensor) -> Tensor:
        vector = embed(vector) if pooling == "head" else vector
        scaled = pooling == "unit" or similarity == "cosine"
        return vector / vector.norm() if scaled else vector

    logits: list[list[Tensor]] = [[] for _ in range(25)]
    for start, table in tables:
        for second, vector in enumerate(table, start):
            logits[second].append(torch.stack([compared(vector) @ compared(t) for t in texts]))
    wanted = torch.stack([torch.stack(own).mean(0) for own in logits])
    torch.testing.assert_close(scores, wanted, atol=1e-6, rtol=1e-6)
    assert {len(own) for own in logits} == {1, 2}


def test_a_frame_per_second_is_as_good_as_a_window_per_second() -> None:
    videos, seconds = corpus(12)
    tables = random_scores(videos, seconds)
    by_windows = score(videos, tables)
    steps = protocol(videos, frames=True, windows="frames")
    assert steps.needs == {"frames"}
    for video, table in tables.items():
        steps.add(
            frames_of(video, [(0, torch.nn.functional.pad(table, (0, MOST - table.shape[1])))])
        )
    result = steps.result()
    assert result.metrics == by_windows.metrics
    assert result.settings == {**by_windows.settings, "frame_vectors": True}


def test_a_second_without_a_frame_is_an_error() -> None:
    steps = protocol({"v": StepVideo("tea", [])}, frames=True)
    gap = frames_of("v", [(0, torch.ones(3, MOST)), (4, torch.ones(2, MOST))])
    with pytest.raises(EvaluationError, match="'v' lies in its second 3"):
        steps.add(gap)
