import math
from typing import Any

import numpy as np
import pytest
import torch

numba = pytest.importorskip("numba")
from vtlearn.alignment.cpu.exact import softmin, solve_exactly  # noqa: E402
from vtlearn.alignment.options import SoftDTWOptions  # noqa: E402
from vtlearn.alignment.pairs import as_pairs  # noqa: E402
from vtlearn.alignment.soft_dtw_torch import solve  # noqa: E402


@numba.njit
def solve_some(
    cost: Any, shape: Any, n: Any, m: Any, bounds: Any, gamma: float, value: Any, gradient: Any
) -> None:
    solve_exactly(cost, shape, (n, m), bounds, gamma, (1, 6), value, gradient)


@numba.njit
def minimum(a: float, b: float, c: float, gamma: float) -> Any:
    return softmin(a, b, c, gamma)


@pytest.mark.parametrize("gamma", [0.0, 1e-3, 0.5])
@pytest.mark.parametrize("width", [None, 2])
def test_pairs_are_solved_as_the_reference_does(gamma: float, width: int | None) -> None:
    generator = torch.Generator().manual_seed(0)
    cost = torch.rand(6, 7, 5, generator=generator).double() - 0.2
    n, m = torch.tensor([7, 3, 5, 6, 4, 7]), torch.tensor([5, 2, 4, 5, 3, 1])
    pairs = as_pairs(cost, n, m, width)
    expected = torch.empty_like(pairs.cost)
    values = solve(pairs, SoftDTWOptions(gamma), expected)
    value, gradient = np.zeros(6), np.zeros((6, 7, 5))
    nothing = np.empty(0, np.int64)
    columns = pairs.columns or (torch.empty(0), torch.empty(0))
    bounds = tuple(bound.flatten().numpy() if width else nothing for bound in columns)
    cells = gradient.reshape(-1)
    lengths = n.numpy(), m.numpy()
    solve_some(cost.flatten().numpy(), (7, 5, 6), *lengths, bounds, gamma, value, cells)
    torch.testing.assert_close(torch.from_numpy(value)[1:], values[1:])
    torch.testing.assert_close(torch.from_numpy(gradient)[1:], expected.movedim(2, 0)[1:])
    assert value[0] == gradient[0].sum() == 0  # the first was not asked for


@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_softmin_of_what_is_not_finite(gamma: float) -> None:
    inf = math.inf
    assert minimum(inf, inf, inf, gamma) == (inf, 0, 0, 0)
    assert minimum(inf, 3.0, inf, gamma) == (3, 0, 1, 0)
    assert minimum(inf, 3.0, -inf, gamma) == (-inf, 0, 0, 1)
    for numbers in ((math.nan, 1.0, 2.0), (1.0, math.nan, 2.0), (inf, inf, math.nan)):
        least, *weights = minimum(*numbers, gamma)
        assert math.isnan(least)
        assert weights == [0, 0, 0]
