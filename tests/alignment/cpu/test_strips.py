import math

import numpy as np
import pytest
import torch

pytest.importorskip("numba")
from vtlearn.alignment.cpu.lanes import LANES  # needs numba
from vtlearn.alignment.cpu.strips import solve_strips
from vtlearn.alignment.pairs import as_pairs
from vtlearn.alignment.soft_dtw_torch import solve
from vtlearn.alignment.warping import Warping


@pytest.mark.parametrize("clips", [1, LANES - 1, LANES, LANES + 1, 3 * LANES])
@pytest.mark.parametrize("captions", [1, LANES - 1, LANES, 2 * LANES, 50])
@pytest.mark.parametrize("block", [1, 2, 3])
def test_strips_and_blocks_of_strips_meet_without_a_seam(
    clips: int, captions: int, block: int
) -> None:
    cost = torch.rand(2, clips, captions, generator=torch.Generator().manual_seed(0))
    pairs = as_pairs(cost.double())
    expected = torch.empty_like(pairs.cost)
    values = solve(pairs, Warping(0.1), expected)
    memory, table = cost.flatten().numpy(), np.full(cost.numel(), math.nan, np.float32)
    value, left_over = np.empty(2, np.float32), np.zeros(2, np.bool_)
    strides, nothing = (captions, 1, clips * captions), np.empty(0, np.int64)
    lengths = pairs.n.numpy(), pairs.m.numpy()
    solve_strips(
        memory,
        strides,
        (clips, captions, 2),
        lengths,
        (nothing, nothing),
        0.1,
        (0, 2),
        block,
        value,
        left_over,
        table,
        strides,
    )
    assert not left_over.any()
    np.testing.assert_allclose(value, values.numpy(), rtol=5e-6)
    gradient = table.reshape(2, clips, captions)
    np.testing.assert_allclose(gradient, expected.movedim(2, 0).numpy(), rtol=0, atol=1e-5)
