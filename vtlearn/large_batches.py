"""Training on more samples at once than there is memory for, by encoding them in chunks.

A contrast needs the vectors of the whole batch, but an encoder's activations for one chunk at a
time: each chunk is encoded, all but its vectors is forgotten, and in the backward it is encoded
again for its gradient. That is exact for encoders that treat each clip and each text by itself.
"""

import logging
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from vtlearn.errors import ArgumentError
from vtlearn.heads.base import Head
from vtlearn.heads.contrastive import Contrastive

__all__ = ["check_batches", "encode_again_in_backward"]

AnswerT = TypeVar("AnswerT")

_LOG = logging.getLogger(__name__)


def encode_again_in_backward(encode: Callable[[], AnswerT], device: torch.device) -> AnswerT:
    """Encode without keeping what the gradient needs: the backward encodes again for it.

    What is drawn at random, such as dropout, is drawn alike both times.

    Args:
        encode: Moves one chunk to the device, and encodes it.
        device: Where to.

    Returns:
        What ``encode`` returns.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> encoded = encode_again_in_backward(lambda: layer(torch.ones(3, 2)), torch.device("cpu"))
        >>> encoded.sum().backward()
        >>> layer.bias.grad
        tensor([3.])
    """

    def run(_: torch.Tensor) -> AnswerT:
        return encode()

    # the state of the generator and autocast are kept of the device that an argument lies on
    there = torch.empty(0, device=device)
    answer: AnswerT = checkpoint(run, there, use_reentrant=False)
    return answer


def check_batches(
    encoders: nn.Module, head: Head, encode_chunk: int | None, accumulate_grad_batches: int
) -> None:
    """Refuse chunks that would change what is learned, and warn of what enlarges no contrast.

    Args:
        encoders: Has the encoders as ``video_encoder`` and ``text_encoder``, in the modes that they
            will be trained in.
        head: What is computed of their vectors.
        encode_chunk: How many clips or texts are encoded at a time; None: all.
        accumulate_grad_batches: Batches whose gradients make one step.

    Raises:
        ArgumentError: If an encoder's BatchNorm takes its statistics from the chunk.
    """
    if encode_chunk is not None:
        _require_no_batch_statistics(encoders, encode_chunk)
    if accumulate_grad_batches > 1 and any(isinstance(x, Contrastive) for x in head.modules()):
        _LOG.warning(
            "trainer.accumulate_grad_batches=%d: each batch is still contrasted with itself "
            "alone, so that accumulation adds no pairs to compare with. For a larger contrast, set "
            "a larger batch_size of the data, and model.encode_chunk to how many clips fit in "
            "memory at a time",
            accumulate_grad_batches,
        )


def _require_no_batch_statistics(encoders: nn.Module, encode_chunk: int) -> None:
    names = [
        f"{part}.{name}".rstrip(".")
        for part in ("video_encoder", "text_encoder")
        for name, module in (getattr(encoders, part) or nn.Identity()).named_modules()
        if isinstance(module, _BatchNorm) and (module.training or module.running_mean is None)
    ]
    if names:
        others = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
        message = (
            f"model.encode_chunk={encode_chunk}: {names[0]}{others} is a BatchNorm in training "
            "mode, whose statistics would be those of a chunk and not of the batch. Freeze it, by "
            f"model.frozen=[{names[0]}{', ...' if others else ''}], or leave model.encode_chunk out"
        )
        raise ArgumentError(message)
