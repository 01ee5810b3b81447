"""A small video encoder for a laptop: a (2+1)D residual network over coarse pixels."""

from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from vtlearn.batch import Encoded
from vtlearn.encoders.base import VideoEncoder
from vtlearn.encoders.batch_norm import SafeBatchNorm1d
from vtlearn.encoders.video.frames import check_frames, clip_lengths, mean_over_frames
from vtlearn.errors import ArgumentError
from vtlearn.padding import valid

__all__ = ["TinyVideo"]


class TinyVideo(VideoEncoder):
    """Encode small clips on a CPU: convolutions over space, then over time, in residual blocks.

    The first layer steps by 4 pixels, which leaves a quarter of the work of a step of 2. Time is
    never shortened, and is averaged last, so that the direction of a motion counts. The vectors are
    batch-normalised: those of an untrained network are nearly all alike, and a loss that compares
    whole samples would take long to tell them apart.

    Args:
        dim: Width of the pooled vectors.
        num_frames: How many frames of a clip it is trained for; it takes any number.
        size: Height and width of a frame in pixels it is trained for; it takes any.
        width: Channels of the first layer; each of the three blocks has twice as many as what it
            is given, for half the height and width.
        patches: Whether a frame has a token for each place of the last layer, 2 x 2 of them at 64
            pixels, which a captioner can tell apart; else one, their mean.

    Raises:
        ArgumentError: If a number is not positive.

    Source: the blocks follow Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action
        Recognition", 2018, but keep the number of channels between the two convolutions plain.

    Example:
        >>> encoder = TinyVideo(dim=16, width=4)
        >>> encoded = encoder(torch.zeros(2, 8, 3, 64, 64, dtype=torch.uint8))
        >>> encoded.pooled.shape, encoded.tokens.shape
        (torch.Size([2, 16]), torch.Size([2, 8, 1, 32]))
    """

    reads_stored = False
    mean, std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
    pooled_modules = ("fc", "spread")
    unseen_arguments = ("num_frames", "size", "patches")

    def __init__(
        self,
        dim: int = 128,
        num_frames: int = 8,
        size: int = 64,
        width: int = 32,
        patches: bool = False,
    ) -> None:
        super().__init__()
        if min(dim, num_frames, size, width) < 1:
            message = "dim, num_frames, size and width must be positive"
            raise ArgumentError(message)
        self.dim, self.num_frames, self.size = dim, num_frames, size
        self.token_width, self.patches = 8 * width, patches
        self.stem = nn.Conv2d(3, width, 7, stride=4, padding=3, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.blocks = nn.ModuleList(
            _Block(channels, 2 * channels) for channels in (width, 2 * width, 4 * width)
        )
        self.fc = nn.Linear(8 * width, dim)
        self.spread = SafeBatchNorm1d(dim)

    def accepts(self, num_frames: int, size: int) -> bool:
        """Tell whether clips of a shape are those it was made for, or shorter.

        Args:
            num_frames: Frames of a clip; a picture has 1.
            size: Height and width in pixels.

        Returns:
            Whether they are.
        """
        return 1 <= num_frames <= self.num_frames and size == self.size

    def forward(self, frames: Tensor, frame_length: Tensor | None = None) -> Encoded:
        """Encode clips.

        Frames that do not count are never computed, nor part of the batch's statistics: a clip is
        encoded as if the tensor ended with it.

        Args:
            frames: (clips, frames, 3, height, width), uint8.
            frame_length: How many frames of each clip count, (clips,), int64; None: all.

        Returns:
            ``pooled`` (clips, dim); ``tokens`` (clips, frames, places, 8 * width), zero where a
            frame does not count: one place, each frame averaged over the picture, or with
            ``patches`` those of the last layer, row by row; ``token_length`` (clips,).

        Raises:
            ArgumentError: If frames are not uint8 clips, or a length is not from 1 to all frames.
        """
        check_frames(frames)
        length, whole = clip_lengths(frames, frame_length)
        layout = _Layout.of(frames, None if whole else length)
        pictures = layout.pack(frames.flatten(0, 1))
        pictures = pictures.to(self.fc.weight.dtype, memory_format=torch.channels_last)
        x = pictures / 63.75 - 2  # (x / 255 - 0.5) / 0.25
        x = functional.relu(self.norm(self.stem(x)), inplace=True)
        for block in self.blocks:
            x = block(x, layout)
        means = layout.unpack(x.mean((2, 3)))
        pooled = mean_over_frames(means, None if whole else length)
        tokens = means[:, :, None]
        if self.patches:
            tokens = layout.unpack(x.flatten(2).transpose(1, 2))
        return Encoded(self.spread(self.fc(pooled)), tokens, length)


class _Layout(NamedTuple):
    """Which frames the pictures of a batch are; they lie one after another, without padding.

    Attributes:
        clips: How many clips there are.
        frames: How many frames the longest may have.
        positions: Where each picture stands among clips * frames, (pictures,); None: all are there.
    """

    clips: int
    frames: int
    positions: Tensor | None

    @classmethod
    def of(cls, frames: Tensor, length: Tensor | None) -> Self:
        """Lay out (clips, frames, ...), of which ``length`` frames count; None: all."""
        clips, most = frames.shape[:2]
        if length is None:
            return cls(clips, most, None)
        return cls(clips, most, valid(length, most).flatten().nonzero().flatten())

    def pack(self, x: Tensor) -> Tensor:
        """Take the pictures that count out of (clips * frames, ...)."""
        return x if self.positions is None else x.index_select(0, self.positions)

    def unpack(self, x: Tensor) -> Tensor:
        """Lay (pictures, ...) out as (clips, frames, ...), zero where a frame does not count."""
        shape = (self.clips, self.frames, *x.shape[1:])
        if self.positions is None:
            return x.reshape(shape)
        zeros = x.new_zeros(self.clips * self.frames, *x.shape[1:])
        return zeros.index_copy(0, self.positions, x).reshape(shape)


class _Block(nn.Module):
    """Convolve pictures over space, then clips over time, add what came in, halve the pictures."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.space = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.time = nn.Conv2d(outputs, outputs, (3, 1), padding=(1, 0), bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = _Projection(inputs, outputs)

    def forward(self, x: Tensor, layout: _Layout) -> Tensor:
        """Transform (pictures, inputs, height, width) into (pictures, outputs, ...)."""
        y = functional.relu(self.norm1(self.space(x)), inplace=True)
        y = self.norm2(self._over_time(y, layout))
        return functional.relu(y + self.shortcut(x), inplace=True)

    def _over_time(self, x: Tensor, layout: _Layout) -> Tensor:
        # The pictures of a clip become the rows of one picture (frames, pixels), with zeros below a
        # shorter clip as there are below every clip. Channels are innermost, so where all frames
        # count no value moves.
        _, _, height, width = x.shape
        rows = layout.unpack(x.permute(0, 2, 3, 1)).flatten(2, 3)
        y: Tensor = self.time(rows.permute(0, 3, 1, 2))
        pictures = y.permute(0, 2, 3, 1).flatten(0, 1).unflatten(1, (height, width))
        return layout.pack(pictures).permute(0, 3, 1, 2)


class _Projection(nn.Module):
    """Take every second pixel of each axis, and give it other channels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        # The pixels are taken first: a 1x1 convolution with a stride, of fewer than 16 channels
        # lying innermost, writes past its buffer in oneDNN and crashes the process some time later
        # (https://github.com/uxlfoundation/oneDNN/issues/6035).
        coarse = x[:, :, ::2, ::2]
        projected: Tensor = self.norm(
            self.mix(coarse.contiguous(memory_format=torch.channels_last))
        )
        return projected
