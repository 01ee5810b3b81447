"""S3D with self-gating: the convolutional encoder of MIL-NCE and VT-TWINS.

Its parameters carry the names of the published weights, so that these load as they are.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from vtlearn.batch import Encoded
from vtlearn.encoders.base import VideoEncoder
from vtlearn.encoders.video.frames import check_frames, clip_lengths
from vtlearn.encoders.video.s3d_layers import (
    Inception,
    SelfGating,
    SeparableUnit,
    Triple,
    Unit,
    max_pool_same,
    space_to_depth,
)
from vtlearn.errors import ArgumentError, CheckpointError
from vtlearn.padding import pad

__all__ = ["S3D", "stem_of"]

Stem = Literal["plain", "space_to_depth"]

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
        >>> encoded.pooled.shape, encoded.tokens.shape == (2, 1, 1, encoder.feature_dim)
        (torch.Size([2, 16]), True)
    """

    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    reads_stored = False
    pooled_modules = ("fc",)
    unseen_arguments = ("num_frames", "size")

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
        self.feature_dim = self.token_width = self._add_blocks(second, width)
        self.fc = nn.Linear(self.feature_dim, dim)

    def accepts(self, num_frames: int, size: int) -> bool:
        """Tell whether clips of a shape are those it was made for, or pictures of that size.

        Args:
            num_frames: Frames of a clip; a picture has 1, which ``space_to_depth`` cannot fold.
            size: Height and width in pixels.

        Returns:
            Whether they are.
        """
        picture = num_frames == 1 and self.stem == "plain"
        return (picture or num_frames == self.num_frames) and size == self.size

    def forward(self, frames: Tensor, frame_length: Tensor | None = None) -> Encoded:
        """Encode clips; those of one length are encoded together, as if the tensor ended there.

        Args:
            frames: (clips, frames, 3, height, width), uint8.
            frame_length: How many frames of each clip count, (clips,), int64; None: all.

        Returns:
            ``pooled`` (clips, dim); ``tokens`` (clips, frames / 8, 1, feature_dim), rounded up, the
            last layer averaged over the picture, zero behind a shorter clip; ``token_length``
            (clips,), an eighth of its frames, rounded up.

        Raises:
            ArgumentError: If frames are not uint8 clips; if the stem is ``space_to_depth`` and a
                number of frames, the height or the width is odd; if a length is not from 1 to all
                frames; or if lengths differ in training, where a batch has one mean and variance.
        """
        features, tokens, length = self._encode(frames, frame_length)
        return Encoded(self.fc(features), tokens[:, :, None], length)

    def features(self, frames: Tensor, frame_length: Tensor | None = None) -> Tensor:
        """Encode clips as linear probes want them: before the projection, ``mixed_5c`` averaged.

        Args:
            frames: (clips, frames, 3, height, width), uint8.
            frame_length: How many frames of each clip count, (clips,), int64; None: all.

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
        return self._encode(frames, frame_length)[0]

    def _add_blocks(self, inputs: int, width: float) -> int:
        for _, _, blocks in _GROUPS:
            for name, branches in blocks.items():
                block = Inception(inputs, [_channels(branch, width) for branch in branches])
                self.add_module(name, block)
                inputs = block.outputs
        return inputs

    def _encode(self, frames: Tensor, frame_length: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return features, tokens (clips, frames / 8, feature_dim) and how many of them count."""
        check_frames(frames)
        length, whole = clip_lengths(frames, frame_length)
        if whole:
            tokens = self._tokens(frames)
            return tokens.mean(1), tokens, _eighth(length)
        sizes = sorted(set(length.tolist()))
        if self.training and len(sizes) > 1:
            message = (
                f"clips are {sizes} frames long; S3D trains on clips of one length, because its "
                "batch normalisation takes their statistics together: read clips of a fixed number "
                "of frames, or choose TinyVideo"
            )
            raise ArgumentError(message)
        groups = [(length == size).nonzero().flatten() for size in sizes]
        runs = [
            self._tokens(frames[group, :size]) for group, size in zip(groups, sizes, strict=True)
        ]
        order = torch.cat(groups).argsort()
        most = -(-frames.shape[1] // 8)
        features = torch.cat([run.mean(1) for run in runs])[order]
        tokens = torch.cat([pad(run, [most]) for run in runs])[order]
        return features, tokens, _eighth(length)

    def _tokens(self, frames: Tensor) -> Tensor:
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
        f"conv1.conv1.weight is {shape or 'missing'}, but the first layer of S3D is (64, 3, 3, 7, "
        "7) or (64, 24, 2, 4, 4). Strip prefixes such as 'module.' first"
    )
    raise CheckpointError(message)


def _first_unit(channels: int, stem: Stem) -> Unit:
    if stem == "plain":
        return Unit(3, channels, (3, 7, 7), stride=2, padding=(1, 3, 3))
    return Unit(24, channels, (2, 4, 4), padding=(1, 2, 2))


def _eighth(length: Tensor) -> Tensor:
    """Tell how many steps of time are left of frames: each of three layers halves, rounding up."""
    return (length + 7) // 8


def _channels(published: int, width: float) -> int:
    """Scale a number of channels; multiples of 4 keep vector units busy."""
    return max(4, 4 * round(published * width / 4))
