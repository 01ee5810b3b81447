import math

import pytest
import torch

pytest.importorskip("numba")
from vtlearn.alignment.cpu import soft_dtw as soft_dtw_cpu  # needs numba
from vtlearn.alignment.cpu.lanes import LANES  # needs numba
from vtlearn.alignment.cpu.strips import run_strips
from vtlearn.alignment.options import SoftDTWOptions
from vtlearn.alignment.pairs import as_pairs
from vtlearn.alignment.soft_dtw_torch import solve


@pytest.mark.parametrize("clips", [1, LANES - 1, LANES, LANES + 1, 3 * LANES])
@pytest.mark.parametrize("captions", [1, LANES - 1, LANES, 2 * LANES, 50])
@pytest.mark.parametrize("block", [1, 2, 3])
def test_strips_and_blocks_of_strips_meet_without_a_seam(
    clips: int, captions: int, block: int
) -> None:
    cost = torch.rand(2, clips, captions, generator=torch.Generator().manual_seed(0))
    pairs = as_pairs(cost)
    wide = pairs._replace(cost=pairs.cost.double())
    expected = torch.empty_like(wide.cost)
    values = solve(wide, SoftDTWOptions(0.1), expected)
    gradient = torch.full_like(pairs.cost, math.nan)
    options = {"parts": 2, "block": block, "gamma": 0.1}
    value, fallback = soft_dtw_cpu._run(run_strips(), pairs, gradient, options)
    assert not fallback.any()
    torch.testing.assert_close(value.double(), values, rtol=5e-6, atol=0)
    torch.testing.assert_close(gradient.double(), expected, rtol=0, atol=1e-5)
