from functools import partial

import pytest
import torch

from vtlearn.alignment.sequence_distances import sequence_distances

GOLDEN = [[1, 2, 3], [4, 1, 2], [3, 2, 1]]


def test_golden_cross_entropy() -> None:
    cost = torch.tensor(GOLDEN, dtype=torch.float64)
    distances = torch.stack(
        [sequence_distances(cost[order], "dtw", 0.1) for order in ([0, 1, 2], [1, 0, 2], [2, 1, 0])]
    )
    torch.testing.assert_close(
        distances, torch.tensor([3.0, 6.9999863805, 7.0], dtype=torch.float64), rtol=0, atol=1e-8
    )
    loss = torch.nn.functional.cross_entropy(-distances, torch.tensor(0))
    assert loss.item() == pytest.approx(0.0359765404, abs=1e-8)


def test_golden_otam_both_ways() -> None:
    cost = torch.tensor(GOLDEN, dtype=torch.float64)
    wanted = 2.9999909200 + 2.9999818402
    assert sequence_distances(cost, "otam", 0.1).item() == pytest.approx(wanted, abs=1e-9)
    negative = -11.0000090796 - 9.0000181587
    assert sequence_distances(-cost, "otam", 0.1).item() == pytest.approx(negative, abs=1e-9)


def test_sequences_of_different_length_either_way() -> None:
    cost = torch.rand(2, 6, 3, generator=torch.Generator().manual_seed(0)).double()
    for metric in ("dtw", "otam"):
        distance = partial(sequence_distances, metric=metric, gamma=0.1)
        torch.testing.assert_close(distance(cost), distance(cost.mT))
