"""A small video encoder for a laptop: a (2+1)D residual network over coarse pixels."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vtlearn.batch import Encoded
from vtlearn.encoders.base import VideoEncoder
from vtlearn.encoders.spread import Spread
from vtlearn.encoders.video.frames import check_frames
from vtlearn.errors import ArgumentError

__all__ = ["TinyVideo"]


class TinyVideo(VideoEncoder):
    """Encode small clips on a CPU: convolutions over space, then over time, in residual blocks.

    The first layer steps by 4 pixels, which leaves a quarter of the work of a step of 2. Time is
    never shortened, and is averaged last, so that the direction of a motion counts. The vectors are
    batch-normalised: those of an untrained network are nearly all alike, and a loss that compares
    whole narrations would take long to tell them apart.

    Args:
        dim: Width of the pooled vectors.
        num_frames: How many frames of a clip it is trained for; it takes any number.
        size: Height and width of a frame in pixels it is trained for; it takes any.
        width: Channels of the first layer; each of the three blocks has twice as many as what it
            is given, for half the height and width.

    Raises:
        ArgumentError: If a number is not positive.

    Source: the blocks follow Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action
        Recognition", 2018, but keep the number of channels between the two convolutions plain.

    Example:
        >>> encoder = TinyVideo(dim=16, width=4)
        >>> encoded = encoder(torch.zeros(2, 8, 3, 64, 64, dtype=torch.uint8))
        >>> encoded.pooled.shape, encoded.tokens.shape
        (torch.Size([2, 16]), torch.Size([2, 8, 32]))
    """

    mean, std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)

    def __init__(
        self, dim: int = 128, num_frames: int = 8, size: int = 64, width: int = 32
    ) -> None:
        super().__init__()
        if min(dim, num_frames, size, width) < 1:
            message = "dim, num_frames, size and width must be positive"
            raise ArgumentError(message)
        self.dim, self.num_frames, self.size = dim, num_frames, size
        self.stem = nn.Conv2d(3, width, 7, stride=4, padding=3, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.blocks = nn.ModuleList(
            _Block(channels, 2 * channels) for channels in (width, 2 * width, 4 * width)
        )
        self.fc = nn.Linear(8 * width, dim)
        self.spread = Spread(dim)

    def forward(self, frames: Tensor) -> Encoded:
        """Encode clips.

        Args:
            frames: (clips, frames, 3, height, width), uint8.

        Returns:
            ``pooled`` (clips, dim); ``tokens`` (clips, frames, 8 * width), each frame averaged over
            the picture.

        Raises:
            ArgumentError: If frames are no uint8 clips.
        """
        check_frames(frames)
        clips, length = frames.shape[:2]
        pictures = frames.flatten(0, 1).to(self.fc.weight.dtype, memory_format=torch.channels_last)
        x = pictures / 63.75 - 2  # (x / 255 - 0.5) / 0.25
        x = functional.relu(self.norm(self.stem(x)), inplace=True)
        for block in self.blocks:
            x = block(x, length)
        tokens = x.mean((2, 3)).reshape(clips, length, x.shape[1])
        return Encoded(self.spread(self.fc(tokens.mean(1))), tokens)


class _Block(nn.Module):
    """Convolve pictures over space, then clips over time, add what came in, halve the pictures."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.space = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.time = nn.Conv2d(outputs, outputs, (3, 1), padding=(1, 0), bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = _Projection(inputs, outputs)

    def forward(self, x: Tensor, length: int) -> Tensor:
        """Transform (clips * length, inputs, height, width) into (clips * length, outputs, ...)."""
        y = functional.relu(self.norm1(self.space(x)), inplace=True)
        y = self.norm2(self._over_time(y, length))
        return functional.relu(y + self.shortcut(x), inplace=True)

    def _over_time(self, x: Tensor, length: int) -> Tensor:
        # pictures become the rows of one (length, pixels) picture a clip; channels are innermost,
        # so no value moves
        pictures, channels, height, width = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(pictures // length, length, height * width, channels)
        y: Tensor = self.time(rows.permute(0, 3, 1, 2))
        return y.permute(0, 2, 3, 1).reshape(pictures, height, width, channels).permute(0, 3, 1, 2)


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
