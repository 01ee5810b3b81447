from importlib import import_module
from itertools import combinations

import numpy as np
import pytest
import torch

from vtlearn.evaluation.metrics.step_limits import TimedSteps, step_limits, step_table
from vtlearn.evaluation.metrics.step_recall import count_steps


def some_videos(count: int) -> list[TimedSteps]:
    rng = np.random.default_rng(1)
    videos = []
    for _ in range(count):
        steps = int(rng.integers(1, 5))
        seconds = int(rng.integers(steps, 9))
        starts = rng.uniform(0, 9, int(rng.integers(0, 5)))
        spans = [(int(rng.integers(steps)), x, x + rng.uniform(0.2, 3)) for x in starts.tolist()]
        videos.append(TimedSteps(spans, seconds, steps))
    return videos


def test_most_hits_are_those_of_the_best_of_all_assignments() -> None:
    videos = some_videos(60)
    for video, most in zip(videos, step_limits(videos, draws=1).most, strict=True):
        assignments = combinations(range(video.seconds), video.steps)
        hits = [count_steps(chosen, video.spans).hits for chosen in assignments]
        assert most == max(hits)


def test_random_hits_are_those_of_normal_scores() -> None:
    video = TimedSteps([(0, 1.0, 3.0), (2, 4.0, 5.5), (1, 0.0, 1.0)], seconds=6, steps=3)
    found = step_limits([video], draws=30, seed=3).random
    scores = np.random.default_rng(3).standard_normal((1, 30, 6, 3), dtype=np.float32)
    logs = torch.from_numpy(scores[0]).log_softmax(2).tolist()
    for hits, log in zip(found[:, 0], logs, strict=True):
        totals = {
            chosen: sum(log[second][step] for step, second in enumerate(chosen))
            for chosen in combinations(range(6), 3)
        }
        best = max(totals, key=totals.__getitem__)
        assert hits == count_steps(best, video.spans).hits
    assert len(set(found[:, 0])) > 1


def test_batches_of_any_size_have_every_video_once(monkeypatch: pytest.MonkeyPatch) -> None:
    videos = some_videos(60)
    whole = step_limits(videos)
    module = import_module("vtlearn.evaluation.metrics.step_limits")
    monkeypatch.setattr(module, "_BUDGET", 500)
    parts = step_limits(videos)
    assert np.array_equal(parts.most, whole.most)
    assert parts.random.mean() == pytest.approx(whole.random.mean(), rel=0.1)
    for limits in (whole, parts):
        assert (limits.random <= limits.most).all()


def test_a_video_of_fewer_seconds_than_steps_has_none() -> None:
    limits = step_limits([TimedSteps([(0, 0.0, 1.0)], 1, 2), TimedSteps([(0, 0.0, 2.0)], 2, 2)])
    assert limits.most.tolist() == [0, 1]
    assert limits.random.sum(0).tolist() == [0, 20]


def test_a_table_marks_seconds_that_are_touched() -> None:
    table = step_table([(1, 0.5, 1.2), (0, 2.0, 9.0)], 4, 2)
    assert torch.equal(table, torch.tensor([[0, 1], [0, 1], [1, 0], [1, 0]]).bool())
