"""S3D with self-gating: the convolutional encoder of MIL-NCE and VT-TWINS.

Its parameters carry the names of the published weights, so that these load as they are.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from vtlearn.batch import Encoded
from vtlearn.encoders.base import VideoEncoder
from vtlearn.encoders.video.frames import check_frames
from vtlearn.errors import ArgumentError, CheckpointError

__all__ = [
    "S3D",
    "SelfGating",
    "SeparableUnit",
    "Stem",
    "max_pool_same",
    "space_to_depth",
    "stem_of",
]

Stem = Literal["plain", "space_to_depth"]
Triple = tuple[int, int, int]

# Kernel and stride of the pooling before a group of Inception blocks, and the blocks: output of the
# 1x1x1 branch, reduction and output of the two separable branches, output of the pooled branch.
_GROUPS: tuple[tuple[Triple, Triple, dict[str, tuple[int, int, int, int, int, int]]], ...] = (
    (
        (1, 3, 3),
        (1, 2, 2),
        {
            "mixed_3b": (64, 96, 128, 16, 32, 32),
            "mixed_3c": (128, 128, 192, 32, 96, 64),
        },
    ),
    (
        (3, 3, 3),
        (2, 2, 2),
        {
            "mixed_4b": (192, 96, 208, 16, 48, 64),
            "mixed_4c": (160, 112, 224, 24, 64, 64),
            "mixed_4d": (128, 128, 256, 24, 64, 64),
            "mixed_4e": (112, 144, 288, 32, 64, 64),
            "mixed_4f": (256, 160, 320, 32, 128, 128),
        },
    ),
    (
        (2, 2, 2),
        (2, 2, 2),
        {
            "mixed_5b": (256, 160, 320, 32, 128, 128),
            "mixed_5c": (384, 192, 384, 48, 128, 128),
        },
    ),
)


class S3D(VideoEncoder):
    """Encode clips with S3D-G, the separable 3D Inception network with self-gating.

    Frames are scaled to [0, 1] and not normalised further, as the published weights expect.

    Args:
        dim: Width of the pooled vectors; published weights have 512.
        num_frames: How many frames of a clip it is trained for; it takes any number.
        size: Height and width of a frame in pixels it is trained for; it takes any.
        stem: The first layer: ``plain`` (7x7 pixels, what VT-TWINS and MIL-NCE released) or
            ``space_to_depth`` (what S3D_HowTo100M released; frames, height and width must be even).
        width: Scales the channels of every layer, for small machines; 1 is the published network.

    Attributes:
        feature_dim: Width of :meth:`features` and of the tokens, 1024 at width 1.

    Raises:
        ArgumentError: If an argument is out of range.

    Source: Xie et al., "Rethinking Spatiotemporal Feature Learning: Speed-Accuracy Trade-offs in
        Video Classification", 2018; with the space-to-depth stem and the text-sized projection of
        Miech et al., "End-to-End Learning of Visual Representations from Uncurated Instructional
        Videos", 2020. As in the latter's code, a gating also follows ``conv_2c``.

    Example:
        >>> encoder = S3D(dim=16, width=0.05).eval()
        >>> encoded = encoder(torch.zeros(2, 8, 3, 64, 64, dtype=torch.uint8))
        >>> encoded.pooled.shape, encoded.tokens.shape == (2, 1, encoder.feature_dim)
        (torch.Size([2, 16]), True)
    """

    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

    def __init__(
        self,
        dim: int = 512,
        num_frames: int = 32,
        size: int = 224,
        stem: Stem = "plain",
        width: float = 1.0,
    ) -> None:
        super().__init__()
        if stem not in ("plain", "space_to_depth"):
            message = f"stem={stem!r} is unknown: choose plain or space_to_depth"
            raise ArgumentError(message)
        if dim < 1 or width <= 0:
            message = f"dim={dim} and width={width} must be positive"
            raise ArgumentError(message)
        self.dim, self.num_frames, self.size, self.stem = dim, num_frames, size, stem
        first, second = _channels(64, width), _channels(192, width)
        self.conv1 = _first_unit(first, stem)
        self.conv_2b = Unit(first, first)
        self.conv_2c = SeparableUnit(first, second)
        self.gating = SelfGating(second)
        self.feature_dim = self._add_blocks(second, width)
        self.fc = nn.Linear(self.feature_dim, dim)

    def forward(self, frames: Tensor) -> Encoded:
        """Encode clips.

        Args:
            frames: (clips, frames, 3, height, width), uint8.

        Returns:
            ``pooled`` (clips, dim); ``tokens`` (clips, frames / 8, feature_dim), the last layer
            averaged over the picture.

        Raises:
            ArgumentError: If frames are no uint8 clips, or the stem is ``space_to_depth`` and the
                number of frames, the height or the width is odd.
        """
        tokens = self._tokens(frames)
        return Encoded(self.fc(tokens.mean(1)), tokens)

    def features(self, frames: Tensor) -> Tensor:
        """Encode clips as linear probes want them: before the projection, ``mixed_5c`` averaged.

        Args:
            frames: (clips, frames, 3, height, width), uint8.

        Returns:
            (clips, feature_dim), not negative.

        Raises:
            ArgumentError: As in :meth:`forward`.

        Example:
            >>> encoder = S3D(width=0.05).eval()
            >>> probe = encoder.features(torch.zeros(1, 8, 3, 32, 32, dtype=torch.uint8))
            >>> probe.shape == (1, encoder.feature_dim)
            True
        """
        return self._tokens(frames).mean(1)

    def _add_blocks(self, inputs: int, width: float) -> int:
        for _, _, blocks in _GROUPS:
            for name, branches in blocks.items():
                block = _Inception(inputs, [_channels(branch, width) for branch in branches])
                self.add_module(name, block)
                inputs = block.outputs
        return inputs

    def _tokens(self, frames: Tensor) -> Tensor:
        check_frames(frames)
        x = frames.transpose(1, 2).to(self.fc.weight.dtype).contiguous() / 255
        x = max_pool_same(self._first(x), (1, 3, 3), (1, 2, 2))
        x = self.gating(self.conv_2c(self.conv_2b(x)))
        for kernel, stride, blocks in _GROUPS:
            x = max_pool_same(x, kernel, stride)
            for name in blocks:
                x = self.get_submodule(name)(x)
        return x.mean((3, 4)).transpose(1, 2)

    def _first(self, x: Tensor) -> Tensor:
        if self.stem == "plain":
            plain: Tensor = self.conv1(x)
            return plain
        # an even kernel with padding gives one output too many: the first is dropped
        folded: Tensor = self.conv1(space_to_depth(x))
        return folded[:, :, 1:, 1:, 1:]


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


class _Inception(nn.Module):
    """Four branches side by side, each with its own gating."""

    def __init__(self, inputs: int, branches: list[int]) -> None:
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


def stem_of(state_dict: Mapping[str, Any]) -> Stem:
    """Tell which stem published weights were trained with.

    Args:
        state_dict: Weights by the names that :class:`S3D` has, without any prefix.

    Returns:
        What to give ``S3D(stem=...)``.

    Raises:
        CheckpointError: If there is no first layer in it, or one of another shape.

    Example:
        >>> stem_of(S3D(width=0.05, stem="space_to_depth").state_dict())
        'space_to_depth'
    """
    shape = tuple(getattr(state_dict.get("conv1.conv1.weight"), "shape", ()))
    if shape[1:] == (3, 3, 7, 7):
        return "plain"
    if shape[1:] == (24, 2, 4, 4):
        return "space_to_depth"
    message = (
        f"conv1.conv1.weight is {shape or 'missing'}, which is no first layer of S3D: (64, 3, 3, "
        "7, 7) or (64, 24, 2, 4, 4) was expected. Strip prefixes such as 'module.' first"
    )
    raise CheckpointError(message)


def _first_unit(channels: int, stem: Stem) -> Unit:
    if stem == "plain":
        return Unit(3, channels, (3, 7, 7), stride=2, padding=(1, 3, 3))
    return Unit(24, channels, (2, 4, 4), padding=(1, 2, 2))


def _channels(published: int, width: float) -> int:
    """Scale a number of channels; multiples of 4 keep vector units busy."""
    return max(4, 4 * round(published * width / 4))
