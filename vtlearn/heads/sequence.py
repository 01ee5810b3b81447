"""Contrast over the whole batch: which pair of video and text belongs together?

The base of every head whose loss compares a pair with the other pairs of the batch. It packs what
is valid, gives each process its own rows (and columns) of the grid, and counts shares so that any
number of processes computes the loss of one. A subclass says what a unit is, and how well two units
go together.
"""

from abc import abstractmethod
from math import log
from typing import Literal, NamedTuple, TypeVar, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from vtlearn.batch import TextFeatures, VideoFeatures, valid
from vtlearn.errors import ArgumentError
from vtlearn.heads.base import AlignmentHead, Grid, HeadOutput

__all__ = ["Direction", "Pairs", "SequenceContrast", "Side", "grid_similarity", "single_entries"]

Direction = Literal["both", "text_to_video", "video_to_text"]

FeaturesT = TypeVar("FeaturesT", VideoFeatures, TextFeatures)

#: A learned temperature is never sharper than this, as in CLIP.
_LARGEST_SCALE = 100.0


class Side(NamedTuple):
    """Units of one modality, embedded.

    Attributes:
        vectors: (units, ..., dim).
        length: How many of a unit's entries are valid, (units,), at least 1.
    """

    vectors: Tensor
    length: Tensor

    def pick(self, index: Tensor) -> "Side":
        """Take some of the units.

        Args:
            index: (picked,), int64.

        Returns:
            (picked, ..., dim) and their lengths.
        """
        return Side(self.vectors[index], self.length[index])


class Pairs(NamedTuple):
    """The valid units of the whole batch: video unit i belongs to text unit i.

    Attributes:
        video: The video side.
        text: The text side.
        row: Which narration of the batch a unit comes from, (units,).
        position: Where in its narration a unit stands, (units,).
    """

    video: Side
    text: Side
    row: Tensor
    position: Tensor


class SequenceContrast(AlignmentHead):
    """Ask every unit to recognise its partner among all units of the batch.

    Args:
        direction: Whether a video looks for its text, a text for its video, or both (their mean).
        temperature: What scores are divided by.
        learn_temperature: Train the temperature, from that value; it never falls below 0.01.
        normalize: Compare vectors by cosine (True) or by raw dot product (False).

    Raises:
        ArgumentError: If the temperature is not positive, or there is no such direction.
    """

    def __init__(
        self,
        *,
        direction: Direction = "both",
        temperature: float = 1.0,
        learn_temperature: bool = False,
        normalize: bool = True,
    ) -> None:
        super().__init__(normalize=normalize)
        if temperature <= 0:
            message = f"temperature={temperature} of {type(self).__name__}: it has to be positive"
            raise ArgumentError(message)
        if direction not in get_args(Direction):
            message = (
                f"direction={direction!r}: it has to be one of {', '.join(get_args(Direction))}"
            )
            raise ArgumentError(message)
        if learn_temperature and temperature < 1 / _LARGEST_SCALE:
            message = f"a learned temperature stays above 0.01; it cannot start at {temperature}"
            raise ArgumentError(message)
        self.direction = direction
        self.temperature = temperature
        self.log_scale = (
            nn.Parameter(torch.tensor(-log(temperature))) if learn_temperature else None
        )

    @abstractmethod
    def pairs(self, video: VideoFeatures, text: TextFeatures, grid: Grid) -> Pairs:
        """Embed the batch and take its valid units out of it.

        Args:
            video: (batch, clips, dim).
            text: (batch, captions, candidates, dim).
            grid: What anything drawn at random has to be drawn from.

        Returns:
            The valid units, in the order of the batch.
        """

    @abstractmethod
    def score(self, video: Side, text: Side) -> Tensor:
        """Say how well each video unit goes with each text unit.

        Args:
            video: Some of the video units.
            text: Some of the text units.

        Returns:
            (video units, text units, ...), before the temperature; higher is better.
        """

    def forward(self, video: VideoFeatures, text: TextFeatures, grid: Grid) -> HeadOutput:
        """Contrast this process's own units with those of the whole batch.

        Args:
            video: Features of the whole batch, (batch, clips, dim).
            text: Features of the whole batch, (batch, captions, candidates, dim).
            grid: Which rows of the batch are this process's own.

        Returns:
            The loss; logged are the temperature and the share of own units that score their partner
            highest.
        """
        with torch.autocast(video.pooled.device.type, enabled=False):  # float32 or wider, always
            return self._contrast(_without_padding(video), _without_padding(text), grid)

    def _contrast(self, video: VideoFeatures, text: TextFeatures, grid: Grid) -> HeadOutput:
        pairs = self.pairs(video, text, grid)
        mine = (pairs.row >= grid.start) & (pairs.row < grid.start + grid.own)
        own = mine.nonzero().squeeze(1)
        rows, columns = self._strips(pairs, own)
        losses = self.loss(rows, columns, own, pairs)
        # the share of the whole batch, so that processes with fewer valid units weigh less
        loss = grid.world * losses.sum() / max(len(pairs.row), 1)
        logs = {"temperature": 1 / self._scale(), "batch_accuracy": _accuracy(rows, columns, own)}
        return HeadOutput(loss, {name: value.detach() for name, value in logs.items()})

    def loss(
        self, rows: Tensor | None, columns: Tensor | None, own: Tensor, pairs: Pairs
    ) -> Tensor:
        """Turn scores into one loss for each own unit; cross-entropy unless a subclass differs.

        Args:
            rows: Scores of own videos with all texts, (own, units, ...), or None where the
                direction has no use for them.
            columns: Scores of all videos with own texts, (units, own, ...), or None.
            own: Where the own units stand among all units, (own,).
            pairs: All units.

        Returns:
            (own,).
        """
        del pairs
        strips = _own_first(rows, columns)
        losses = [functional.cross_entropy(strip, own, reduction="none") for strip in strips]
        return torch.stack(losses).mean(0)

    def _strips(self, pairs: Pairs, own: Tensor) -> tuple[Tensor | None, Tensor | None]:
        if len(own) == len(pairs.row):  # all is our own: the two strips are one grid
            scores = self.score(pairs.video, pairs.text) * self._scale()
            return (
                None if self.direction == "text_to_video" else scores,
                None if self.direction == "video_to_text" else scores,
            )
        rows = columns = None
        if self.direction != "text_to_video":
            rows = self.score(pairs.video.pick(own), pairs.text) * self._scale()
        if self.direction != "video_to_text":
            columns = self.score(pairs.video, pairs.text.pick(own)) * self._scale()
        return rows, columns

    def _scale(self) -> Tensor:
        if self.log_scale is None:
            return torch.tensor(
                1 / self.temperature, dtype=torch.float64
            )  # keeps the scores' dtype
        return self.log_scale.exp().clamp(max=_LARGEST_SCALE)


def single_entries(vectors: Tensor, length: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Take the valid clips or captions of all narrations as units of their own.

    Args:
        vectors: (batch, entries, ..., dim).
        length: (batch,).

    Returns:
        The valid entries (units, ..., dim), the narration (units,) and the position (units,) of
        each.
    """
    row, position = valid(length, vectors.shape[1]).nonzero(as_tuple=True)
    return vectors[row, position], row, position


def grid_similarity(video: Tensor, text: Tensor) -> Tensor:
    """Multiply every clip of every video with every caption of every text, in one product.

    Args:
        video: (videos, clips, dim).
        text: (texts, captions, dim).

    Returns:
        (videos, texts, clips, captions), with the pairs innermost in memory: dynamic programming
        goes cell by cell, for all pairs at once.
    """
    clips, captions = (side.transpose(0, 1).flatten(0, 1) for side in (video, text))
    shape = (video.shape[1], len(video), text.shape[1], len(text))
    similarity = (clips @ captions.T).view(shape).transpose(1, 2).contiguous()
    return similarity.permute(2, 3, 0, 1)


def _without_padding(features: FeaturesT) -> FeaturesT:
    """Put zeros where there is padding: not even NaN in it may reach a loss or a gradient."""
    outside = ~valid(features.length, features.pooled.shape[1])
    outside = outside.reshape(outside.shape + (1,) * (features.pooled.ndim - 2))
    return features._replace(pooled=features.pooled.masked_fill(outside, 0))


def _own_first(rows: Tensor | None, columns: Tensor | None) -> list[Tensor]:
    """Turn what there is of the two strips into (own, units, ...) each."""
    turned = None if columns is None else columns.transpose(0, 1)
    return [strip for strip in (rows, turned) if strip is not None]


def _accuracy(rows: Tensor | None, columns: Tensor | None, own: Tensor) -> Tensor:
    if len(own) == 0:
        return torch.zeros((), device=own.device)
    best = [
        strip.flatten(2).amax(2) if strip.ndim > 2 else strip for strip in _own_first(rows, columns)
    ]
    return torch.stack([(strip.argmax(1) == own).float() for strip in best]).mean()
