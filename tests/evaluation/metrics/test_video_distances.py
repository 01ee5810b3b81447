from typing import Literal

import pytest
import torch

from vtlearn.alignment import otam, soft_dtw
from vtlearn.evaluation.metrics.video_distances import pooled_distances, video_distances


def windows(videos: int, length: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(videos, length, 4, generator=generator)


@pytest.mark.parametrize("metric", ["dtw", "otam"])
def test_every_pair_in_blocks_of_any_size(metric: Literal["dtw", "otam"]) -> None:
    x = windows(7)
    wanted = torch.empty(7, 7)
    for i in range(7):
        for j in range(7):
            cost = 1 - torch.nn.functional.cosine_similarity(x[i, :, None], x[j, None], dim=-1)
            both = otam(cost.double(), 0.1) + otam(cost.double().T, 0.1)
            wanted[i, j] = soft_dtw(cost.double(), 0.1) if metric == "dtw" else both
    whole = video_distances(x, metric)
    torch.testing.assert_close(whole, wanted, rtol=0, atol=1e-5)
    for budget in (1, 100):
        assert torch.equal(video_distances(x, metric, budget=budget), whole)


def test_equal_videos_are_equally_far() -> None:
    x = windows(5)[[0, 0, 0, 0, 0, 0, 0]]
    for metric in ("dtw", "otam"):
        blocks = video_distances(x, "dtw" if metric == "dtw" else "otam", budget=4 * 9)
        assert len(blocks.unique()) == 1
    assert len(pooled_distances(x).unique()) == 1


def test_the_mean_knows_no_order() -> None:
    x = windows(2)
    shuffled = torch.cat([x, x[:, [2, 0, 1]]])
    distance = pooled_distances(shuffled)
    torch.testing.assert_close(distance[:2], distance[2:], rtol=0, atol=1e-6)
    assert distance[0, 1] > 0.01
