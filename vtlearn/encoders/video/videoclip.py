"""The video encoder of VideoCLIP and TempCLR: BERT's first layers over one vector per second."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vtlearn.batch import Encoded
from vtlearn.checks import require_positive
from vtlearn.encoders.bert_model import bert_model, encode_sequences
from vtlearn.encoders.video.frames import check_vectors, clip_lengths, zeroed
from vtlearn.encoders.video.vectors import VectorEncoder
from vtlearn.errors import ArgumentError
from vtlearn.padding import pad, valid

__all__ = ["VideoCLIP"]


class VideoCLIP(VectorEncoder):
    """Encode clips of stored vectors: a small network per vector, BERT, the mean over time.

    BERT reads [CLS], the vectors and [SEP], whose position id is ``num_frames`` + 1 however short
    a clip is. A clip's vector is the mean over the hidden states of its frames and of [SEP],
    without [CLS]; it is as wide as BERT and not normalised. The tokens are the hidden states of the
    frames, which texts are compared with as well. The sizes are those of the published weights,
    whose names the parameters have.

    Args:
        width: Width of BERT's hidden states, and of the pooled vectors.
        input_dim: Width of the stored vectors: 512 of S3D's output.
        num_frames: How many vectors a clip has at most.
        layers: How many of BERT's layers there are.
        heads: Attention heads of a layer.
        feedforward: Width of a layer's feed-forward network.
        dropout: Probability that a value is dropped in training, from 0 to 1.
        vocab_size: Rows of the word table, of which only [CLS] and [SEP] are read; published
            weights have the 30,522 of bert-base-uncased.
        cls_id: The row of [CLS].
        sep_id: The row of [SEP].
        max_positions: Rows of the position table.
        see_cls: Whether frames attend to [CLS]. The published retrieval does so; localisation,
            COIN and retrieval with background hide it, which gives other vectors.

    Raises:
        ArgumentError: If a number is outside its range, or the heads do not divide the width.

    Source: Xu et al., "VideoCLIP: Contrastive Pre-training for Zero-shot Video-Text Understanding",
        2021, and its published code (``MMFusionSeparate``).

    Example:
        >>> sizes = {"width": 8, "layers": 1, "heads": 2, "feedforward": 16}
        >>> encoder = VideoCLIP(input_dim=4, num_frames=5, vocab_size=200, **sizes)
        >>> encoded = encoder(torch.zeros(3, 5, 4), torch.tensor([5, 1, 3]))
        >>> encoded.pooled.shape, encoded.tokens.shape
        (torch.Size([3, 8]), torch.Size([3, 5, 1, 8]))
    """

    frame_vectors = True
    unseen_arguments = ("num_frames", "heads", "cls_id", "sep_id", "see_cls")
    uncompared_arguments = ("dropout",)

    def __init__(
        self,
        width: int = 768,
        input_dim: int = 512,
        num_frames: int = 32,
        layers: int = 6,
        heads: int = 12,
        feedforward: int = 3072,
        dropout: float = 0.1,
        vocab_size: int = 30522,
        cls_id: int = 101,
        sep_id: int = 102,
        max_positions: int = 512,
        see_cls: bool = True,
    ) -> None:
        super().__init__()
        require_positive(input_dim=input_dim, num_frames=num_frames)
        if num_frames + 2 > max_positions:
            message = (
                f"num_frames={num_frames}, [CLS] and [SEP] need {num_frames + 2} positions, but "
                f"max_positions is {max_positions}"
            )
            raise ArgumentError(message)
        if cls_id == sep_id or not all(0 <= row < vocab_size for row in (cls_id, sep_id)):
            message = (
                f"cls_id={cls_id} and sep_id={sep_id} have to be two rows of the word table, from "
                f"0 to {vocab_size - 1}: they are less than vocab_size"
            )
            raise ArgumentError(message)
        self.dim = self.token_width = width
        self.num_frames, self.size = num_frames, input_dim
        self.cls_id, self.sep_id, self.see_cls = cls_id, sep_id, see_cls
        self.bert = bert_model(
            vocab_size=vocab_size,
            width=width,
            layers=layers,
            heads=heads,
            feedforward=feedforward,
            dropout=dropout,
            max_positions=max_positions,
        )
        self.videomlp = _TokenMLP(input_dim, width)

    def forward(self, frames: Tensor, frame_length: Tensor | None = None) -> Encoded:
        """Encode clips of vectors.

        Args:
            frames: (clips, frames, input_dim), float; as many frames as ``num_frames`` or fewer.
            frame_length: How many vectors of each clip count, (clips,), int64; None: all. The
                others may be anything.

        Returns:
            ``pooled`` (clips, width); ``tokens`` (clips, frames, 1, width), zero where a vector
            does not count; ``token_length`` (clips,).

        Raises:
            ArgumentError: If these are pictures, or vectors of another width; or if a length is not
                from 1 to all frames.
        """
        check_vectors(frames, self.num_frames, self.size, encoder="VideoCLIP")
        length, whole = clip_lengths(frames, frame_length)
        size = frames.shape[1]
        if frame_length is not None and not whole:  # what lies behind the longest is not computed
            frames = frames[:, : int(frame_length.max())]
        padding = None if whole else ~valid(length, frames.shape[1])
        vectors = zeroed(frames, padding).to(self.videomlp.linear1.weight.dtype)
        output = encode_sequences(
            self.bert,
            self.videomlp(vectors),
            None if whole else length,
            cls_id=self.cls_id,
            sep_id=self.sep_id,
            sep_position=torch.tensor([self.num_frames + 1], device=frames.device),
            see_cls=self.see_cls,
        )
        return Encoded(output.pooled, pad(output.hidden, [size])[:, :, None], length)


class _TokenMLP(nn.Module):
    """Turn a stored vector into what BERT reads in place of a word's."""

    def __init__(self, input_dim: int, width: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(input_dim, width)
        self.LayerNorm = nn.LayerNorm(width, eps=1e-5)  # not BERT's 1e-12
        self.linear2 = nn.Linear(width, width)

    def forward(self, vectors: Tensor) -> Tensor:
        """Transform (..., input_dim) into (..., width)."""
        hidden: Tensor = self.LayerNorm(functional.gelu(self.linear1(vectors)))
        moved: Tensor = self.linear2(hidden)
        return moved
