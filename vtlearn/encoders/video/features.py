"""A transformer over stored features, which are to it what frames are to other encoders."""

import torch
from torch import Tensor, nn

from vtlearn.batch import Encoded
from vtlearn.checks import (
    require_divides,
    require_not_negative,
    require_positive,
    require_share,
)
from vtlearn.encoders.video.frames import check_vectors, clip_lengths, mean_over_frames, zeroed
from vtlearn.encoders.video.vectors import VectorEncoder
from vtlearn.padding import valid

__all__ = ["CachedFeatures"]


class CachedFeatures(VectorEncoder):
    """Encode clips of stored vectors: a linear layer, transformer layers, the mean over time.

    With the data's ``features`` set, a clip is ``num_frames`` vectors of width ``input_dim``, where
    it is ``num_frames`` pictures of ``size`` pixels otherwise. Without layers the vectors do not
    see each other, nor their order: that is the usual projection of features by one matrix.

    Args:
        dim: Width of the pooled vectors.
        input_dim: Width of the stored vectors: 512 of S3D's output, 1024 of the layer before it.
        num_frames: How many vectors a clip has at most.
        width: Width of the transformer; ``dim`` by default.
        layers: How many layers it has, 0 or more.
        heads: Attention heads of a layer.
        dropout: Probability that a value is dropped in training, from 0 to 1.

    Raises:
        ArgumentError: If a number is outside its range, or the heads do not divide the width.

    Source: Xu et al., "VideoCLIP: Contrastive Pre-training for Zero-shot Video-Text Understanding",
        2021, section 3.1. There the transformer is BERT's with its weights, and shared with the
        text; this one is smaller, begins at random, and normalises before each layer.

    Example:
        >>> encoder = CachedFeatures(dim=16, input_dim=8, num_frames=4, layers=1, heads=2)
        >>> encoded = encoder(torch.zeros(3, 4, 8))
        >>> encoded.pooled.shape, encoded.tokens.shape
        (torch.Size([3, 16]), torch.Size([3, 4, 1, 16]))
    """

    pooled_modules = ("fc",)
    unseen_arguments = ("heads",)
    uncompared_arguments = ("dropout",)

    def __init__(
        self,
        dim: int = 512,
        input_dim: int = 512,
        num_frames: int = 32,
        width: int | None = None,
        layers: int = 2,
        heads: int = 8,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        width = dim if width is None else width
        require_positive(
            dim=dim, input_dim=input_dim, num_frames=num_frames, width=width, heads=heads
        )
        require_not_negative(layers=layers)
        require_share(dropout=dropout)
        require_divides(heads=heads, width=width)
        self.dim, self.num_frames, self.size = dim, num_frames, input_dim
        self.token_width = width
        self.project = nn.Linear(input_dim, width)
        self.layers = nn.ModuleList(_layer(width, heads, dropout) for _ in range(layers))
        self.positions = nn.Parameter(0.02 * torch.randn(num_frames, width)) if layers else None
        self.norm = nn.LayerNorm(width) if layers else nn.Identity()
        self.fc = nn.Linear(width, dim)

    def forward(self, frames: Tensor, frame_length: Tensor | None = None) -> Encoded:
        """Encode clips of vectors.

        Args:
            frames: (clips, frames, input_dim), float; as many frames as ``num_frames`` or fewer.
            frame_length: How many vectors of each clip count, (clips,), int64; None: all. The
                others may be anything.

        Returns:
            ``pooled`` (clips, dim); ``tokens`` (clips, frames, 1, width), zero where a vector does
            not count; ``token_length`` (clips,).

        Raises:
            ArgumentError: If these are pictures, or vectors of another width; or if a length is not
                from 1 to all frames.
        """
        check_vectors(frames, self.num_frames, self.size, encoder="CachedFeatures")
        length, whole = clip_lengths(frames, frame_length)
        padding = None if whole else ~valid(length, frames.shape[1])
        x = self.project(zeroed(frames, padding).to(self.project.weight.dtype))
        if self.positions is not None:
            x = x + self.positions[: x.shape[1]]
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=padding)
        tokens = zeroed(self.norm(x), padding)
        pooled = mean_over_frames(tokens, None if whole else length)
        return Encoded(self.fc(pooled), tokens[:, :, None], length)


def _layer(width: int, heads: int, dropout: float) -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(
        width, heads, 4 * width, dropout, "gelu", batch_first=True, norm_first=True
    )
