"""Contrast over the whole batch: which video and which text belong together?

The base of every head whose loss compares a pair with the other pairs of the batch. It packs what
is valid into items, and computes the logits that this process's own items need. A subclass says
what an item is, and how two items are compared.
"""

from abc import abstractmethod
from math import log, prod
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from vtlearn.batch import EncodedBatch, Features, Rows
from vtlearn.checks import require_choice, require_positive
from vtlearn.errors import ArgumentError
from vtlearn.heads.base import Aligner, HeadOutput, LossTerm
from vtlearn.heads.losses import batch_accuracy, cross_entropy
from vtlearn.heads.tiles import compare_in_tiles
from vtlearn.padding import valid

__all__ = ["Contrastive"]

Direction = Literal["both", "text_to_video", "video_to_text"]

#: A learned temperature is never sharper than this, as in CLIP.
_LARGEST_SCALE = 100.0
#: 2 GiB: 1448 videos of 8 clips, each with all texts, are aligned at once on a CPU.
GRID_MEMORY = 2 * 2**30
#: What is held of a cell at once, measured: its value, its gradient and what lies between.
_FLOATS_PER_CELL = 4


class Embeddings(NamedTuple):
    """Items of one modality, embedded.

    Attributes:
        vectors: (items, ..., dim).
        length: How many of an item's entries are valid, (items,), at least 1.
    """

    vectors: Tensor
    length: Tensor

    def pick(self, index: Tensor) -> "Embeddings":
        """Take some of the items.

        Args:
            index: (picked,), int64.

        Returns:
            (picked, ..., dim) and their lengths.
        """
        return Embeddings(self.vectors[index], self.length[index])


class PairedItems(NamedTuple):
    """The valid items of the whole batch: video item i belongs to text item i.

    Attributes:
        video: Embedded clips, or sequences of clips.
        text: Embedded texts, or sequences of texts.
        sample: Which sample of the batch an item comes from, (items,), int64.
        position: Where in its sample an item stands, (items,), int64.
    """

    video: Embeddings
    text: Embeddings
    sample: Tensor
    position: Tensor

    def own(self, rows: Rows) -> Tensor:
        """Return where the items of a process stand among all, (own,), int64.

        Args:
            rows: The samples that the process owns.
        """
        mine = (self.sample >= rows.start) & (self.sample < rows.start + rows.size)
        return mine.nonzero().squeeze(1)


class Contrastive(Aligner):
    """Ask every item to recognise its partner among all items of the batch.

    Args:
        direction: Whether a video looks for its text, a text for its video, or both (their mean).
        temperature: What scores are divided by.
        learn_temperature: Train the temperature, from that value; it never falls below 0.01.
        normalize: Compare vectors by cosine (True) or by raw dot product (False).
        grid_memory: Bytes that comparing pairs may take beside their vectors and values. A batch
            that needs more is compared in tiles, twice: once for the values and, where they train,
            again for their gradients, which stay the same.

    Raises:
        ArgumentError: If the temperature or ``grid_memory`` is not positive, or there is no such
            direction.
    """

    def __init__(
        self,
        *,
        direction: Direction = "both",
        temperature: float = 1.0,
        learn_temperature: bool = False,
        normalize: bool = True,
        grid_memory: int = GRID_MEMORY,
    ) -> None:
        super().__init__(normalize=normalize)
        require_positive(grid_memory=grid_memory)
        if temperature <= 0:
            message = f"temperature={temperature} of {type(self).__name__}: it has to be positive"
            raise ArgumentError(message)
        require_choice(get_args(Direction), direction=direction)
        if learn_temperature and temperature < 1 / _LARGEST_SCALE:
            message = f"a learned temperature stays above 0.01; it cannot start at {temperature}"
            raise ArgumentError(message)
        self.direction = direction
        self.temperature = temperature
        self.grid_memory = grid_memory
        self.log_scale = (
            nn.Parameter(torch.tensor(-log(temperature))) if learn_temperature else None
        )

    @abstractmethod
    def paired_items(self, batch: EncodedBatch, rows: Rows) -> PairedItems:
        """Embed the batch and take its valid items out of it.

        Args:
            batch: Features of the whole batch, zeros where padded.
            rows: What anything drawn at random has to be drawn from.

        Returns:
            The valid items, in the order of the batch.
        """

    @abstractmethod
    def logits(self, video: Embeddings, text: Embeddings) -> Tensor:
        """Compute similarity logits of each video item and each text item.

        Nothing is drawn at random here: it may be computed a second time for the gradient.

        Args:
            video: Some of the video items.
            text: Some of the text items.

        Returns:
            (video items, text items, ...), before the temperature; higher is better.
        """

    def floats_per_pair(self, video: Embeddings, text: Embeddings) -> int:
        """Say how much memory :meth:`logits` and its gradient take, beside the vectors.

        Args:
            video: Video items.
            text: Text items.

        Returns:
            How many numbers for each pair of items, of the vectors' dtype: by default a few for
            each entry of the one with each of the other.
        """
        return _FLOATS_PER_CELL * _entries(video) * _entries(text)

    def forward(self, batch: EncodedBatch, rows: Rows | None = None) -> HeadOutput:
        """Contrast this process's own items with those of the whole batch.

        Args:
            batch: Features of the whole batch; ``video.pooled`` is (batch, clips, dim),
                ``text.pooled`` (batch, texts, candidates, dim).
            rows: The samples of the batch that belong to this process; None: all.

        Returns:
            The term ``contrastive``, one loss per own item; logged are the temperature and the
            share of own items that find their partner.
        """
        batch = batch._replace(video=without_padding(batch.video), text=without_padding(batch.text))
        with torch.autocast(batch.video.pooled.device.type, enabled=False):  # float32 or wider
            return self._contrast(batch, batch.all_rows() if rows is None else rows)

    def losses(
        self,
        row_logits: Tensor | None,
        column_logits: Tensor | None,
        own: Tensor,
        items: PairedItems,
    ) -> Tensor:
        """Turn logits into one loss for each own item: cross-entropy, unless a subclass differs.

        Args:
            row_logits: Own videos with all texts, (own, items, ...), or None where the direction
                has no use for them.
            column_logits: All videos with own texts, (items, own, ...), or None.
            own: Where the own items stand among all items, (own,).
            items: All items.

        Returns:
            (own,).
        """
        del items
        return cross_entropy(row_logits, column_logits, own)

    def _contrast(self, batch: EncodedBatch, rows: Rows) -> HeadOutput:
        items = self.paired_items(batch, rows)
        own = items.own(rows)
        if len(items.sample):
            row_logits, column_logits = self._own_logits(items, own)
            values = self.losses(row_logits, column_logits, own, items)
        else:  # no sample of the whole batch has both: there is nothing to compare
            row_logits = column_logits = None
            values = items.video.vectors.reshape(-1)[:0]
        logs = {
            "temperature": 1 / self._scale(),
            "batch_accuracy": batch_accuracy(row_logits, column_logits, own),
        }
        return HeadOutput(
            {"contrastive": LossTerm(values)},
            {name: value.detach() for name, value in logs.items()},
        )

    def _own_logits(self, items: PairedItems, own: Tensor) -> tuple[Tensor | None, Tensor | None]:
        if len(own) == len(items.sample):  # all is our own: rows and columns are one square
            square = self._compare_all(items.video, items.text) * self._scale()
            return (
                None if self.direction == "text_to_video" else square,
                None if self.direction == "video_to_text" else square,
            )
        rows = columns = None
        grids = 2 if self.direction == "both" else 1  # at the same time
        if self.direction != "text_to_video":
            rows = self._compare_all(items.video.pick(own), items.text, grids) * self._scale()
        if self.direction != "video_to_text":
            columns = self._compare_all(items.video, items.text.pick(own), grids) * self._scale()
        return rows, columns

    def _compare_all(self, video: Embeddings, text: Embeddings, grids: int = 1) -> Tensor:
        """Compute the logits of a grid within ``grid_memory``, which so many grids share."""

        def tile(clips: Tensor, texts: Tensor, rows: slice, columns: slice) -> Tensor:
            return self.logits(
                Embeddings(clips, video.length[rows]), Embeddings(texts, text.length[columns])
            )

        pair = self.floats_per_pair(video, text) * video.vectors.element_size() * grids
        pairs = self.grid_memory // max(1, pair)
        return compare_in_tiles(tile, video.vectors, text.vectors, pairs, [*self.parameters()])

    def _scale(self) -> Tensor:
        if self.log_scale is None:  # a float64 without axes leaves the logits' dtype as it is
            return torch.tensor(1 / self.temperature, dtype=torch.float64)
        return self.log_scale.exp().clamp(max=_LARGEST_SCALE)


def _entries(items: Embeddings) -> int:
    """Count the entries of an item, valid or not: clips, texts or candidates."""
    return prod(items.vectors.shape[1:-1])


def single_entries(vectors: Tensor, length: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Take the valid clips or texts of all samples as items of their own.

    Args:
        vectors: (batch, entries, ..., dim).
        length: (batch,).

    Returns:
        The valid entries (items, ..., dim), the sample (items,) and the position (items,) of each.
    """
    sample, position = valid(length, vectors.shape[1]).nonzero(as_tuple=True)
    return vectors[sample, position], sample, position


def pairwise_similarity(video: Tensor, text: Tensor) -> Tensor:
    """Multiply every clip of every video with every text of every sample, in one product.

    Args:
        video: (videos, clips, dim).
        text: (samples, texts, dim).

    Returns:
        (videos, samples, clips, texts), with the pairs innermost in memory: dynamic programming
        goes cell by cell, for all pairs at once.
    """
    clips, texts = (x.transpose(0, 1).flatten(0, 1) for x in (video, text))
    shape = (video.shape[1], len(video), text.shape[1], len(text))
    similarity = (clips @ texts.T).view(shape).transpose(1, 2).contiguous()
    return similarity.permute(2, 3, 0, 1)


def without_padding(features: Features) -> Features:
    """Put zeros where there is padding: not even NaN in it may reach a loss or a gradient."""
    outside = ~valid(features.length, features.pooled.shape[1])
    outside = outside.reshape(outside.shape + (1,) * (features.pooled.ndim - 2))
    return features._replace(pooled=features.pooled.masked_fill(outside, 0))
