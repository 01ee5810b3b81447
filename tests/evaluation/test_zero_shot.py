from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.evaluation.videos import labelled
from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.labelled import LabelledSplits
from vtlearn.evaluation.result import Result
from vtlearn.evaluation.zero_shot import ZeroShotRecognition

VIDEOS = labelled()
NAMES = {label: f"class {label}" for label in VIDEOS.classes}


def protocol(**changes: Any) -> ZeroShotRecognition:
    options = {"windows": "one", "similarity": "dot", **changes}
    return ZeroShotRecognition("few-zeroshot", 1, VIDEOS, NAMES, **options)


def score(windows: dict[str, Tensor], texts: Sequence[Tensor], **changes: Any) -> Result:
    one = protocol(**changes)
    one.begin("dot", dict(zip(one.texts, texts, strict=True)))
    for video, vectors in windows.items():
        one.add(EncodedItem(video, windows=vectors))
    return one.result()


def own_vectors() -> dict[str, Tensor]:
    eye = torch.eye(4)
    return {one: eye[VIDEOS.classes.index(label)][None] for one, label in VIDEOS.labels.items()}


def test_perfect_and_constant_vectors() -> None:
    perfect = score(own_vectors(), list(torch.eye(4)))
    assert set(perfect.metrics.values()) == {100.0}
    assert perfect.coverage.complete
    assert perfect.settings == {"pooling": "head", "prompts": ["{}"]}
    constant = score(dict.fromkeys(VIDEOS.labels, torch.ones(1, 4)), list(torch.eye(4)))
    assert set(constant.metrics.values()) == {25.0}
    same = score(own_vectors(), [torch.ones(4)] * 4)
    assert set(same.metrics.values()) == {25.0}


def test_random_vectors_are_at_chance() -> None:
    rng = torch.Generator().manual_seed(0)
    windows = {one: torch.randn(2, 8, generator=rng) for one in VIDEOS.labels}
    result = score(windows, [torch.randn(8, generator=rng) for _ in range(4)])
    chance = result.chance["top1"]
    assert chance.low <= result.metrics["top1"] <= chance.high


def test_a_class_is_the_mean_of_its_prompts() -> None:
    prompts = ["{}", "a person does {}"]
    one = protocol(prompts=prompts)
    assert list(one.texts.items())[:3] == [
        ("c0#0", "class c0"),
        ("c0#1", "a person does class c0"),
        ("c1#0", "class c1"),
    ]
    eye = torch.eye(4)
    texts = [row for k in range(4) for row in (9 * eye[k], -8 * eye[k])]  # on average, eye[k]
    assert score(own_vectors(), texts, prompts=prompts).metrics["top1"] == 100.0
    unit = score(own_vectors(), texts, prompts=prompts, pooling="unit")
    assert unit.metrics["top1"] == pytest.approx(25.0)  # 1 and -1: nothing is left
    texts = [row for k in range(4) for row in (eye[k], (9.0 if k == 3 else 1.0) * eye[k])]
    one.begin(
        "dot", dict(zip(one.texts, texts, strict=True)), lambda x: functional.normalize(x, dim=-1)
    )
    torch.testing.assert_close(one._classes, eye)


def test_only_test_videos_are_read() -> None:
    labels = {"a": "x", "b": "y", "c": "x"}
    videos = LabelledSplits(labels, [frozenset("ab")], [frozenset("c")])
    names = {"x": "x", "y": "y"}
    one = ZeroShotRecognition("few", 1, videos, names, windows="one")
    one.begin("dot", {"x#0": torch.ones(2), "y#0": torch.zeros(2)})
    for video in labels:
        one.add(EncodedItem(video, windows=torch.ones(1, 2)))
    assert one.state() == {"c": 1.0}
    assert one.expected == ["c"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompts": []}, "expected prompts in which {} stands for a class, got no prompt"),
        ({"prompts": ["{}", "a video"]}, "stands for a class, got 'a video'"),
        ({"pooling": "mean"}, "pooling='mean'"),
        ({"similarity": "l2"}, "similarity='l2'"),
    ],
)
def test_choices_that_make_no_sense(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        protocol(**changes)


def test_a_class_without_a_name_and_vectors_that_are_none() -> None:
    with pytest.raises(ArgumentError, match="the class 'c3' has no name in words"):
        ZeroShotRecognition("few", 1, VIDEOS, dict(list(NAMES.items())[:3]), windows="one")
    with pytest.raises(EvaluationError, match="similarities of video '0/0' hold NaN"):
        score({"0/0": torch.full((1, 4), torch.nan)}, list(torch.eye(4)))
