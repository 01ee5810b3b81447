"""The layers of S3D, against one window, fold or channel at a time."""

import pytest
import torch
from torch import nn

from tests.encoders.video.s3d_by_hand import folded, slow_pool
from vtlearn.encoders.video.s3d_layers import (
    Inception,
    SelfGating,
    max_pool_same,
    space_to_depth,
)
from vtlearn.errors import ArgumentError


@pytest.mark.parametrize(
    "kernel_stride",
    [
        ((1, 3, 3), (1, 2, 2)),
        ((3, 3, 3), (2, 2, 2)),
        ((2, 2, 2), (2, 2, 2)),
        ((4, 5, 3), (1, 2, 2)),
    ],
)
@pytest.mark.parametrize("size", [(4, 6, 8), (5, 7, 9), (7, 8, 25)])
def test_pooling_against_one_window_at_a_time(
    kernel_stride: tuple[tuple[int, int, int], tuple[int, int, int]], size: tuple[int, int, int]
) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, 3, *size, generator=generator)
    assert torch.equal(max_pool_same(x, *kernel_stride), slow_pool(x, *kernel_stride))


def test_space_to_depth_order() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, 3, 4, 6, 8, generator=generator)
    assert torch.equal(space_to_depth(x), folded(x))


def test_gating_by_hand() -> None:
    gating = SelfGating(2)
    gating.fc.weight.data = torch.tensor([[1.0, 0.0], [1.0, -1.0]])
    gating.fc.bias.data = torch.tensor([0.0, 3.0])
    x = torch.tensor([[0.0, 4.0], [1.0, 3.0]]).view(1, 2, 2, 1, 1)  # means 2 and 2
    expected = torch.stack(
        [x[0, 0] * torch.tensor(2.0).sigmoid(), x[0, 1] * torch.tensor(3.0).sigmoid()]
    )
    torch.testing.assert_close(gating(x)[0], expected)


def test_odd_numbers_do_not_fold() -> None:
    with pytest.raises(ArgumentError, match="3 frames of 4 x 4 pixels cannot be folded by 2"):
        space_to_depth(torch.zeros(1, 3, 3, 4, 4))


def test_branches_stand_side_by_side() -> None:
    torch.manual_seed(0)
    block = Inception(4, [4, 4, 8, 4, 12, 16]).eval()
    x = torch.rand(2, 4, 3, 5, 5)
    y = block(x)
    assert y.shape[1] == block.outputs == 4 + 8 + 12 + 16
    torch.testing.assert_close(y[:, :4], block.gating_b0(block.conv_b0(x)))
    pooled = nn.functional.max_pool3d(x, 3, stride=1, padding=1)
    torch.testing.assert_close(y[:, -16:], block.gating_b3(block.conv_b3_b(pooled)))
