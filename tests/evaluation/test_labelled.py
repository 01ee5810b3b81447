from typing import Any

import numpy as np
import pytest
import torch

from tests.evaluation.videos import labelled
from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.labelled import LabelledProtocol, LabelledSplits, features_of

LABELS = {"a": "x", "b": "y", "c": "x"}


class Splits(LabelledProtocol):
    primary = "top1"

    def update(self, item: EncodedItem) -> float:
        return float(item.windows.sum())

    def compute(self, kept: Any) -> Any:
        hits = [{one: kept[one] for one in kept if one in test} for test in self.videos.test]
        return self.summarize_splits(hits, list(kept))


def protocol(videos: LabelledSplits, expected: list[str] | None = None) -> Splits:
    return Splits("splits", 1, videos, windows="one", expected=expected or list(videos.labels))


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ([], [], "0 splits have videos to train on and 0 have some to test"),
        (["ab"], ["c", "c"], "1 splits have videos to train on and 2 have"),
        (["ab", ""], ["c", "a"], "split 2 trains on 0 videos and tests 1"),
        (["ab"], ["bc"], "split 1 trains on 'b' and tests it"),
        (["ab"], ["d"], "split 1 has the video 'd', which has no class"),
    ],
)
def test_splits_that_make_no_sense(train: list[str], test: list[str], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        LabelledSplits(LABELS, list(map(frozenset, train)), list(map(frozenset, test)))


def test_the_mean_is_that_of_the_splits_however_many_each_tests() -> None:
    test = [frozenset({"a", "c"}), frozenset({"b", "c"}), frozenset({"a"})]
    videos = LabelledSplits(LABELS, [frozenset(LABELS) - own for own in test], test)
    one = protocol(videos)
    one.begin()
    for video, hit in {"a": 1.0, "b": 0.0, "c": 0.5}.items():
        one.add(EncodedItem(video, windows=torch.tensor([[hit]])))
    metrics = one.result().metrics
    shares = [75.0, 25.0, 100.0]
    assert [metrics[f"top1_split{n}"] for n in (1, 2, 3)] == shares
    assert metrics["top1"] == pytest.approx(np.mean(shares))
    assert next(iter(metrics)) == "top1"


def test_each_figure_has_an_interval_and_a_chance() -> None:
    videos = labelled(classes=4)
    one = protocol(videos)
    one.begin()
    for number, video in enumerate(videos.labels):
        one.add(EncodedItem(video, windows=torch.tensor([[float(number % 2)]])))
    result = one.result()
    assert result.chance.keys() == result.intervals.keys() == result.metrics.keys()
    for metric, (low, high) in result.intervals.items():
        assert low < result.metrics[metric] < high
        assert result.chance[metric].value == pytest.approx(25.0)


def test_videos_of_other_protocols_are_skipped_and_strangers_refused() -> None:
    videos = labelled()
    one = protocol(videos, videos.tested[:9])
    one.begin()
    one.add(EncodedItem(videos.tested[9], windows=torch.ones(1, 1)))
    assert one.state() == {}
    with pytest.raises(EvaluationError, match="'stranger' is not one of the 9"):
        one.add(EncodedItem("stranger", windows=torch.ones(1, 1)))
    one.add(EncodedItem("0/0", windows=torch.ones(1, 1)))
    with pytest.raises(EvaluationError, match="none of the test videos of split 2 came"):
        one.result()


def test_features_are_copies_in_float32_and_finite() -> None:
    rows = torch.ones(2, 3, dtype=torch.bfloat16)
    features = features_of(EncodedItem("v", features=rows))
    assert features.dtype == torch.float32
    kept = features_of(EncodedItem("v", features=features))
    features.zero_()
    assert kept.sum() == 6
    with pytest.raises(EvaluationError, match="features of video 'v' hold NaN"):
        features_of(EncodedItem("v", features=rows * torch.nan))
    with pytest.raises(EvaluationError, match="'v' has no window"):
        features_of(EncodedItem("v", features=rows[:0]))
