import numpy as np
import pytest
import torch
from torch import Tensor

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.correspondence import Correspondence
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.evaluator import EvaluationTask, Evaluator
from vtlearn.evaluation.metrics.chance import Chance
from vtlearn.evaluation.metrics.roc_auc import roc_auc

MATCHES = {"a": True, "b": False, "c": True, "d": False, "e": False}


def protocol(matches: dict[str, bool] | None = None) -> Correspondence:
    correspondence = Correspondence("pairs", 1, matches or MATCHES, windows="the middle")
    correspondence.begin()
    return correspondence


def match(clip: Tensor, texts: Tensor) -> Tensor:
    """No dot product: what a head's own function may be."""
    return -(clip - texts).abs().sum(-1)


def item(name: str, logit: float, texts: int = 1) -> EncodedItem:
    return EncodedItem(
        name,
        windows=torch.zeros(1, 2),
        texts=torch.tensor([[-logit, 0.0]] * texts),
        text_ids=[f"{name}#{k}" for k in range(texts)],
        match=match,
    )


def test_the_area_of_a_hand_case() -> None:
    """Of six pairs of pairs c wins two and loses one, and a wins two and ties with one."""
    correspondence = protocol()
    for name, logit in zip(MATCHES, (-1.0, -1.0, -2.0, -3.0, -4.0), strict=True):
        correspondence.add(item(name, logit))
    result = correspondence.result()
    assert result.metrics == {"auc": pytest.approx(100 * 4.5 / 6)}
    assert result.chance["auc"] == Chance(50.0, 0.0, 100.0)
    assert result.ceiling == {"auc": 100.0}
    assert (result.primary, result.similarity, result.windows) == ("auc", "none", "the middle")
    assert result.coverage == (5, 5, [])
    low, high = result.intervals["auc"]
    assert 0 <= low <= 75 <= high <= 100


def test_chance_is_how_far_blind_logits_get() -> None:
    rng = np.random.default_rng(0)
    matches = {f"{n:03}": n % 5 < 3 for n in range(200)}
    correspondence = protocol(matches)
    for name in matches:
        correspondence.add(item(name, rng.normal()))
    chance = correspondence.result().chance["auc"]
    kinds = np.tile(list(matches.values()), (1000, 1))
    areas = 100 * roc_auc(rng.normal(size=kinds.shape), kinds)
    assert chance.value == 50.0
    assert chance.low + chance.high == pytest.approx(100)
    assert np.mean((chance.low <= areas) & (areas <= chance.high)) == pytest.approx(0.95, abs=0.02)


def test_one_score_for_everything_is_chance() -> None:
    correspondence = protocol()
    for name in MATCHES:
        correspondence.add(item(name, -0.5))
    assert correspondence.result().metrics == {"auc": 50.0}


def test_what_came_is_scored_and_the_rest_counted() -> None:
    correspondence = protocol()
    for name, logit in (("a", -1.0), ("b", -2.0)):
        correspondence.add(item(name, logit))
    result = correspondence.result()
    assert result.metrics == {"auc": 100.0}
    assert result.coverage == (2, 5, ["c", "d", "e"])
    assert correspondence.state() == {"a": -1.0, "b": -2.0}


def test_the_evaluator_gives_it_the_heads_logits() -> None:
    correspondence = protocol()
    task = EvaluationTask([correspondence], [], batch_size=1)
    with pytest.raises(ArgumentError, match="TheHead gives no logits"):
        Evaluator([task], embed=lambda x: x, head="TheHead")
    with pytest.raises(ArgumentError, match="no text encoder"):
        Evaluator([task], embed=lambda x: x, match=match, item_texts=False)
    evaluator = Evaluator([task], embed=lambda x: x, match=match)
    assert evaluator.needs(0) == {"windows", "match"}
    evaluator.begin()
    evaluator.update(0, [item("a", -2.0), item("b", -1.0)])
    assert evaluator.compute()[0].metrics == {"auc": 0.0}


def test_what_cannot_be_scored() -> None:
    with pytest.raises(ArgumentError, match="of the 2 there are, 2 match"):
        protocol({"a": True, "b": True})
    with pytest.raises(EvaluationError, match="'a' has 1 and 2"):
        protocol().add(item("a", 0.0, texts=2))
    with pytest.raises(EvaluationError, match="The logits of 'a' hold NaN"):
        protocol().add(item("a", float("nan")))
    correspondence = protocol()
    correspondence.add(item("b", 0.0))
    with pytest.raises(EvaluationError, match="0 of the 1 items that came match"):
        correspondence.result()
