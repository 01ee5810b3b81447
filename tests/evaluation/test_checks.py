from typing import Any

import pytest
import torch

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.checks import check_choices, require_finite


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"similarity": "l2"}, "few: similarity='l2' is neither 'cosine' nor 'dot'"),
        ({"similarity": "none"}, "similarity='none' is neither"),
        ({"pooling": "mean"}, "few: pooling='mean' is none of 'head', 'raw', 'unit'"),
        ({"mode": "fast"}, "few: mode='fast' is neither 'exact' nor 'reference'"),
    ],
)
def test_choices_that_there_are_not_are_refused(choices: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        check_choices("few", **({"similarity": None} | choices))


@pytest.mark.parametrize("similarity", ["cosine", "dot", None])
def test_choices_that_there_are_pass(similarity: str | None) -> None:
    for pooling in ("head", "raw", "unit"):
        for mode in ("exact", "reference"):
            check_choices("few", similarity, pooling=pooling, mode=mode)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_numbers_that_cannot_be_compared_are_refused(broken: float) -> None:
    require_finite(torch.ones(2, 3), "The vectors of item 'v'")
    with pytest.raises(EvaluationError, match="The vectors of item 'v' hold NaN or infinity"):
        require_finite(torch.tensor([[1.0, broken]]), "The vectors of item 'v'")
