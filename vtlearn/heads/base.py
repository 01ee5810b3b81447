"""What every head promises: the features of a batch in, losses of its own items out.

A head never knows about processes. It is given the features of the whole batch and the rows that
are its process's own, and returns the losses of its own items; what share each has of the whole
batch is arithmetic that the learner does, in :func:`total_loss`. An *aligner* also compares clips
with texts, a *captioner* also writes.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from vtlearn.alignment.costs import dot
from vtlearn.alignment.dtw import HardPath, dtw
from vtlearn.alignment.soft_dtw import soft_alignment
from vtlearn.batch import EncodedBatch, Rows
from vtlearn.encoders.base import TextEncoder, VideoEncoder
from vtlearn.errors import ArgumentError
from vtlearn.hyperparameters import Configurable

__all__ = [
    "Aligner",
    "Alignment",
    "Captioner",
    "Head",
    "HeadOutput",
    "LossTerm",
    "total_loss",
    "unit_length",
]

#: What a head may need of a batch.
NEEDS = frozenset({"video_pooled", "text_pooled", "video_tokens", "text_tokens", "texts"})


class LossTerm(NamedTuple):
    """The losses of a process's own items.

    Attributes:
        values: One loss per own item, (items,); items are what the head says: clips, samples.
        weight: What their mean over the whole batch is multiplied by; with 0 it is only logged.
    """

    values: Tensor
    weight: float = 1.0


class HeadOutput(NamedTuple):
    """What a head makes of a batch.

    Attributes:
        terms: Losses by name; the same names on every process.
        logs: Named scalars worth plotting, detached; the same names on every process.
    """

    terms: dict[str, LossTerm]
    logs: dict[str, Tensor]

    @property
    def loss(self) -> Tensor:
        """The loss of a batch that one process owns as a whole, a scalar."""
        return total_loss(self.terms, [len(term.values) for term in self.terms.values()])


def total_loss(terms: Mapping[str, LossTerm], counts: Sequence[int], world_size: int = 1) -> Tensor:
    """Add up the shares that a process's own items have in the loss of the whole batch.

    Args:
        terms: The losses of own items.
        counts: How many items all processes have together, one number per term.
        world_size: How many processes there are: DDP will average their gradients.

    Returns:
        The sum over the terms of weight x world_size x (sum of own losses) / (all items), a scalar:
        averaged over the processes it is the loss of the whole batch.

    Example:
        >>> terms = {"clip": LossTerm(torch.tensor([1.0, 2.0]), weight=0.5)}
        >>> total_loss(terms, [4], world_size=2)
        tensor(0.7500)
    """
    shares = [
        term.weight * world_size * term.values.sum() / max(count, 1)
        for term, count in zip(terms.values(), counts, strict=True)
    ]
    return torch.stack(shares).sum() if len(shares) > 1 else shares[0]


class Alignment(NamedTuple):
    """How the N clips and M texts of one video go together.

    Attributes:
        cost: (clips, texts); lower is better.
        expected: (clips, texts), between 0 and 1: the probability that the path visits a pair.
        path: The best hard path through ``cost``.
    """

    cost: Tensor
    expected: Tensor
    path: HardPath


class Head(Configurable, ABC):
    """Turn the features of a batch into losses.

    A head whose layers depend on the encoders' widths makes them in :meth:`make_layers`, which
    :meth:`connect` calls once.

    Attributes:
        needs: What the head reads of a batch: ``video_pooled``, ``text_pooled``, ``video_tokens``,
            ``text_tokens``, ``texts``. What it does not name is neither computed nor exchanged, and
            the encoders' layers that only serve it are not trained.
    """

    needs: frozenset[str] = frozenset({"video_pooled", "text_pooled"})

    def __init__(self) -> None:
        super().__init__()
        self._widths: tuple[int | None, ...] | None = None
        self.register_forward_pre_hook(_require_connection)

    @abstractmethod
    def forward(self, batch: EncodedBatch, rows: Rows | None = None) -> HeadOutput:
        """Compute the losses of this process's own items.

        Args:
            batch: Features of the whole batch; ``video.pooled`` is (batch, clips, dim),
                ``text.pooled`` (batch, texts, candidates, dim).
            rows: The samples of the batch that belong to this process; None: all.

        Returns:
            Losses of own items, and what to log.
        """

    def connect(self, video_encoder: VideoEncoder, text_encoder: TextEncoder | None) -> None:
        """Fit the head to its encoders: called by the learner before anything is trained or loaded.

        A head that holds other heads connects them as well.

        Args:
            video_encoder: Whose clips it will be given.
            text_encoder: Whose texts it will be given; None for a model without one.

        Raises:
            ArgumentError: If the encoders cannot give what the head needs, or it was connected to
                encoders of other widths.
        """
        widths = (
            video_encoder.dim,
            video_encoder.token_width,
            None if text_encoder is None else text_encoder.dim,
            None if text_encoder is None else text_encoder.token_width,
        )
        if self._widths is not None:
            if widths != self._widths:
                message = (
                    f"{type(self).__name__} was connected to encoders of widths {self._widths}, "
                    f"and cannot be to ones of {widths}: build a new head"
                )
                raise ArgumentError(message)
            return
        parts = [part for part in self.modules() if isinstance(part, Head)]
        for part in reversed(parts):  # of heads in heads, the one that needs it is named
            _require_given(part, video_encoder, text_encoder)
        for part in parts[1:]:
            part.connect(video_encoder, text_encoder)
        self.make_layers(video_encoder, text_encoder)
        self._widths = widths

    def make_layers(self, video_encoder: VideoEncoder, text_encoder: TextEncoder | None) -> None:
        """Make the layers whose sizes depend on the encoders; none, unless a head has such.

        Args:
            video_encoder: Has ``dim`` and ``token_width``.
            text_encoder: Has them too; None for a model without one.
        """

    @property
    def aligner(self) -> "Aligner | None":
        """What compares clips with texts: this head, if it is an aligner."""
        return self if isinstance(self, Aligner) else None

    @property
    def captioner(self) -> "Captioner | None":
        """What writes texts: this head, if it is a captioner."""
        return self if isinstance(self, Captioner) else None

    def explain_empty(self, term: str) -> str:
        """Say why no item of a whole epoch had a loss, and what to change: an error's message.

        Args:
            term: The name of a term that is weighted, and stayed without items.
        """
        return (
            f"no item of the epoch had a loss in the term {term} of {type(self).__name__}: its "
            "samples have no clips, or no texts, that it could compare"
        )

    def begin(self, steps: float) -> None:
        """Get ready for a training: the learner calls this before its first batch.

        Args:
            steps: How many optimiser steps the whole training has; infinite where unknown.
        """

    @property
    def needs_vocabulary(self) -> bool:
        """Whether :meth:`build` has to be called before the first batch."""
        return False

    def build(self, captions: Iterable[str]) -> None:
        """Make a vocabulary of one's own from the training captions.

        The learner calls this in ``setup("fit")`` while ``needs_vocabulary`` is true; the
        vocabulary then travels in the checkpoint, by ``get_extra_state`` and ``set_extra_state``.

        Args:
            captions: All captions of the training corpus, in the same order on every process.
        """


class Aligner(Head):
    """A head that also compares clips with texts.

    Args:
        normalize: Compare vectors by cosine (True) or by raw dot product (False).
    """

    def __init__(self, *, normalize: bool = True) -> None:
        super().__init__()
        self.normalize = normalize

    @property
    def similarity(self) -> Literal["cosine", "dot"]:
        """How embedded vectors are compared."""
        return "cosine" if self.normalize else "dot"

    def embed(self, pooled: Tensor) -> Tensor:
        """Turn pooled vectors into what this head compares by dot product.

        Args:
            pooled: (..., dim), any floating dtype.

        Returns:
            (..., dim), float32 or wider: unit length, or as it was with ``normalize=False``. A zero
            vector stays zero, with zero gradient.
        """
        return unit_length(pooled) if self.normalize else _wide(pooled)

    def match(self, clip: Tensor, texts: Tensor) -> Tensor:
        """Compute similarity logits of one clip and several texts.

        Args:
            clip: One clip, pooled, (dim,).
            texts: Texts, pooled, (texts, dim).

        Returns:
            (texts,), float32 or wider, unbounded; higher is better: dot products, unless a head
            knows better.
        """
        return -dot(self.embed(texts), self.embed(clip)[None])[:, 0]  # a cost is lower where better

    def align(self, video: Tensor, text: Tensor) -> Alignment:
        """Align one video's clips with its texts, for pictures and pages.

        Args:
            video: Clips, pooled, (clips, dim).
            text: Texts, pooled, (texts, dim).

        Returns:
            Cost 1 - cosine, its soft alignment (gamma 0.1), and the path of hard DTW.
        """
        cost = 1 + dot(unit_length(video), unit_length(text))
        return Alignment(cost, soft_alignment(cost), dtw(cost))


class Captioner(Head):
    """A head that also writes.

    Attributes:
        search: How texts are searched for, in plain values, for results to keep.
    """

    @property
    def search(self) -> dict[str, float]:
        """How texts are searched for: nothing, where that is not a choice."""
        return {}

    @abstractmethod
    def generate(self, batch: EncodedBatch) -> list[str]:
        """Write a text for each own clip.

        Args:
            batch: As :meth:`Head.forward` has it, of samples that are all own.

        Returns:
            One text per valid clip, sample by sample.
        """

    @abstractmethod
    def log_likelihood(self, batch: EncodedBatch, texts: Sequence[str]) -> Tensor:
        """Compute how likely texts are to be written for own clips.

        Args:
            batch: As :meth:`Head.forward` has it, of samples that are all own.
            texts: Strings.

        Returns:
            (clips, texts), mean log-probability per piece of a text.
        """


def unit_length(x: Tensor) -> Tensor:
    """Scale vectors to unit length, in float32 or wider.

    Args:
        x: (..., dim), any floating dtype.

    Returns:
        (..., dim); a zero vector stays zero and gets zero gradient, never NaN.

    Example:
        >>> unit_length(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]])
    """
    wide = _wide(x)
    norm = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    scaled: Tensor = wide / norm.masked_fill(norm == 0, torch.inf)
    return scaled


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _require_connection(head: nn.Module, _arguments: Any) -> None:
    if not isinstance(head, Head) or head._widths is not None:  # noqa: SLF001 - our own
        return
    if type(head).make_layers is not Head.make_layers:
        message = (
            f"{type(head).__name__} has layers that depend on its encoders: call "
            "connect(video_encoder, text_encoder) first, as the learner does"
        )
        raise ArgumentError(message)


def _require_given(
    head: Head, video_encoder: VideoEncoder, text_encoder: TextEncoder | None
) -> None:
    """Refuse encoders that cannot give what a head needs."""
    name, needs = type(head).__name__, head.needs
    if not needs <= NEEDS:
        message = f"{name}.needs has {sorted(needs - NEEDS)}; it may have {sorted(NEEDS)}"
        raise ArgumentError(message)
    if text_encoder is None and needs & {"text_pooled", "text_tokens"}:
        message = (
            f"{name} needs a text encoder, and model.text_encoder is null: give one, or choose a "
            "head that needs none"
        )
        raise ArgumentError(message)
    for kind, encoder in (("video", video_encoder), ("text", text_encoder)):
        if f"{kind}_tokens" in needs and encoder is not None and encoder.token_width is None:
            message = (
                f"{name} needs {kind} tokens, and {type(encoder).__name__} gives none: choose "
                f"another model.{kind}_encoder, or a head that reads pooled vectors alone"
            )
            raise ArgumentError(message)
