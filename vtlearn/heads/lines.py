"""Lines: what a decoder reads of texts, and what it is asked for at each place."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from vtlearn.errors import ArgumentError

__all__: list[str] = []

#: A target of a place that is not asked for.
NOT_ASKED = -100

_CLIPS = 4  # whose texts' likelihoods are computed at once


class Line(NamedTuple):
    """A text to be predicted.

    Attributes:
        ids: Pieces, the first of which begins the text.
        targets: As many pieces, or ``NOT_ASKED``.
    """

    ids: list[int]
    targets: list[int]


def next_pieces(row: Sequence[int], begin: int, end: int, most: int) -> Line:
    """Ask for each piece after those before it, and for the end of what is not cut.

    Args:
        row: The pieces of a text.
        begin: Id that a text begins with.
        end: Id that ends it.
        most: How many pieces are asked for, but for the end.

    Example:
        >>> next_pieces([5, 6], begin=2, end=3, most=4)
        Line(ids=[2, 5, 6], targets=[5, 6, 3])
        >>> next_pieces([5, 6, 7], begin=2, end=3, most=2)
        Line(ids=[2, 5], targets=[5, 6])
    """
    targets = [*row, end] if len(row) <= most else row[:most]
    return Line([begin, *row][: len(targets)], [*targets])


def side_by_side(rows: Sequence[Sequence[int]], fill: int, device: torch.device) -> Tensor:
    """Lay ids side by side, (rows, longest), int64, padded at the end; (0, 1) of no rows."""
    if not rows:
        return torch.full((0, 1), fill, device=device)
    tensors = [torch.tensor(row) for row in rows]
    return pad_sequence(tensors, batch_first=True, padding_value=fill).to(device)


def mean_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Compute the mean over what is asked for of each line.

    Args:
        logits: (lines, places, pieces).
        targets: (lines, places), int64, ``NOT_ASKED`` in padding.

    Returns:
        (lines,).
    """
    losses = functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=NOT_ASKED, reduction="none"
    )
    return losses.reshape(targets.shape).sum(1) / (targets != NOT_ASKED).sum(1)


def wide(x: Tensor) -> Tensor:
    """Return logits in float32, or as they are if they are wider."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def require_words(texts: Sequence[str], rows: Sequence[Sequence[int]], clips: int) -> None:
    """Refuse texts that cannot be predicted from so many clips.

    Args:
        texts: Strings.
        rows: Their pieces.
        clips: How many clips they came with.

    Raises:
        ArgumentError: If it is another number, or a text has no pieces.
    """
    if clips != len(texts):
        message = f"{len(texts)} texts came with {clips} clips: give one clip for each text"
        raise ArgumentError(message)
    if not all(rows):
        silent = next(text for text, row in zip(texts, rows, strict=True) if not row)
        message = (
            f"the text {silent!r} has no words to predict: leave out those of which has_words "
            "says so"
        )
        raise ArgumentError(message)


def in_blocks(
    clips: int,
    texts: int,
    compute: Callable[[slice, slice], Tensor],
    *,
    most: int = 1024,
) -> Tensor:
    """Compute something of all clips and texts, some pairs at a time.

    Args:
        clips: How many clips.
        texts: How many texts.
        compute: Is given some of either, returns (some clips, some texts).
        most: How many pairs at a time, and one at least.

    Returns:
        (clips, texts).
    """
    height = min(_CLIPS, max(1, most))
    width = max(1, most // height)
    rows = []
    for i in range(0, max(1, clips), height):
        columns = range(0, max(1, texts), width)
        blocks = [compute(slice(i, i + height), slice(j, j + width)) for j in columns]
        rows.append(torch.cat(blocks, 1))
    return torch.cat(rows)
