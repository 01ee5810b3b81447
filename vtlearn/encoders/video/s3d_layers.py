"""The layers of S3D, under the names of its published weights."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from vtlearn.errors import ArgumentError

__all__: list[str] = []

#: Frames, height and width.
Triple = tuple[int, int, int]


class Unit(nn.Module):
    """A convolution over space and time, with batch normalisation and ReLU.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        kernel: Frames, height and width of the kernel.
        stride: The step along all three axes.
        padding: Zeros before and behind each axis.

    Example:
        >>> Unit(4, 8)(torch.zeros(2, 4, 3, 5, 5)).shape
        torch.Size([2, 8, 3, 5, 5])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: Triple = (1, 1, 1),
        stride: int = 1,
        padding: Triple = (0, 0, 0),
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn1 = nn.BatchNorm3d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Transform (clips, inputs, frames, height, width) into (clips, outputs, ...)."""
        return functional.relu(self.bn1(self.conv1(x)), inplace=True)


class SeparableUnit(Unit):
    """A 3x3 convolution over space, then one of 3 over time, each with normalisation and ReLU.

    Args:
        inputs: Channels in.
        outputs: Channels between the two and out.

    Example:
        >>> SeparableUnit(4, 8)(torch.zeros(2, 4, 3, 5, 5)).shape
        torch.Size([2, 8, 3, 5, 5])
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, (1, 3, 3), padding=(0, 1, 1))
        self.conv2 = nn.Conv3d(outputs, outputs, (3, 1, 1), padding=(1, 0, 0), bias=False)
        self.bn2 = nn.BatchNorm3d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Transform (clips, inputs, frames, height, width) into (clips, outputs, ...)."""
        return functional.relu(self.bn2(self.conv2(super().forward(x))), inplace=True)


class SelfGating(nn.Module):
    """Scale each channel by what the whole clip says about it: x * sigmoid(W mean(x) + b).

    Args:
        channels: Channels in and out.

    Source: Xie et al., "Rethinking Spatiotemporal Feature Learning: Speed-Accuracy Trade-offs in
        Video Classification", 2018, section 4.3.

    Example:
        >>> gating = SelfGating(2)
        >>> _ = nn.init.zeros_(gating.fc.weight), nn.init.zeros_(gating.fc.bias)
        >>> gating(torch.ones(1, 2, 1, 1, 1)).flatten()
        tensor([0.5000, 0.5000], grad_fn=<ViewBackward0>)
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Scale (clips, channels, frames, height, width)."""
        gate = torch.sigmoid(self.fc(x.mean((2, 3, 4))))
        return x * gate[:, :, None, None, None]


class Inception(nn.Module):
    """Four branches side by side, each with its own gating.

    Args:
        inputs: Channels in.
        branches: Channels of the branches: output of the 1x1x1 one, reduction and output of the two
            separable ones, output of the pooled one.

    Attributes:
        outputs: Channels out, those of all branches.

    Example:
        >>> Inception(4, [4, 4, 8, 4, 4, 8])(torch.zeros(2, 4, 3, 5, 5)).shape
        torch.Size([2, 24, 3, 5, 5])
    """

    def __init__(self, inputs: int, branches: Sequence[int]) -> None:
        super().__init__()
        direct, reduced1, wide1, reduced2, wide2, pooled = branches
        self.conv_b0 = Unit(inputs, direct)
        self.conv_b1_a = Unit(inputs, reduced1)
        self.conv_b1_b = SeparableUnit(reduced1, wide1)
        self.conv_b2_a = Unit(inputs, reduced2)
        self.conv_b2_b = SeparableUnit(reduced2, wide2)
        self.conv_b3_b = Unit(inputs, pooled)
        self.gating_b0 = SelfGating(direct)
        self.gating_b1 = SelfGating(wide1)
        self.gating_b2 = SelfGating(wide2)
        self.gating_b3 = SelfGating(pooled)
        self.outputs = direct + wide1 + wide2 + pooled

    def forward(self, x: Tensor) -> Tensor:
        """Transform (clips, inputs, frames, height, width) into (clips, outputs, ...)."""
        around = functional.max_pool3d(x, 3, stride=1, padding=1)
        return torch.cat(
            (
                self.gating_b0(self.conv_b0(x)),
                self.gating_b1(self.conv_b1_b(self.conv_b1_a(x))),
                self.gating_b2(self.conv_b2_b(self.conv_b2_a(x))),
                self.gating_b3(self.conv_b3_b(around)),
            ),
            dim=1,
        )


def max_pool_same(x: Tensor, kernel: Triple, stride: Triple) -> Tensor:
    """Take maxima with TensorFlow's ``SAME`` padding, as S3D was first trained.

    Each axis gets ``kernel - stride`` zeros, the smaller half in front; a last window may hang over
    the end. Zeros stand for "nothing there", so ``x`` must not be negative.

    Args:
        x: (clips, channels, frames, height, width), not negative.
        kernel: Frames, height and width of a window.
        stride: The step along each of them.

    Returns:
        (clips, channels, ...), smaller by the strides.

    Example:
        >>> row = torch.tensor([1.0, 5.0, 2.0, 3.0, 4.0]).view(1, 1, 1, 1, 5)
        >>> max_pool_same(row, (1, 1, 3), (1, 1, 2)).flatten()
        tensor([5., 4., 4.])
    """
    padding: list[int] = []
    for window, step in zip(reversed(kernel), reversed(stride), strict=True):
        total = max(window - step, 0)
        padding += [total // 2, total - total // 2]
    return functional.max_pool3d(functional.pad(x, padding), kernel, stride, ceil_mode=True)


def space_to_depth(x: Tensor) -> Tensor:
    """Fold 2x2x2 neighbours in time and space into the channels.

    Args:
        x: (clips, 3, frames, height, width), all three even.

    Returns:
        (clips, 24, frames / 2, height / 2, width / 2); the channel is ((t * 2 + h) * 2 + w) * 3 + c
        for offsets t, h, w and colour c.

    Raises:
        ArgumentError: If one of them is odd.

    Example:
        >>> space_to_depth(torch.zeros(1, 3, 32, 224, 224)).shape
        torch.Size([1, 24, 16, 112, 112])
    """
    clips, colours, frames, height, width = x.shape
    if frames % 2 or height % 2 or width % 2:
        message = (
            f"clips of {frames} frames of {height} x {width} pixels cannot be folded by 2: choose "
            "even numbers, or stem='plain'"
        )
        raise ArgumentError(message)
    halves = x.reshape(clips, colours, frames // 2, 2, height // 2, 2, width // 2, 2)
    return halves.permute(0, 3, 5, 7, 1, 2, 4, 6).flatten(1, 4)
