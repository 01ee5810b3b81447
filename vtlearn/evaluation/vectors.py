"""Vectors by id, refused on arrival where they could not be scored."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from vtlearn.errors import EvaluationError

__all__ = ["IdVectors", "VectorTable"]


class VectorTable(NamedTuple):
    """Vectors and their ids, as one thing that pickles.

    Attributes:
        ids: The ids, sorted.
        vectors: (ids, dim), float32, on the CPU.
    """

    ids: list[str]
    vectors: Tensor


class IdVectors:
    """Collect one vector per id, in float32 on the CPU.

    Args:
        kind: What the ids name, for messages: ``video`` or ``text``.
        allowed: The ids that may come.

    Example:
        >>> store = IdVectors("video", {"a", "b"})
        >>> store.add(["b"], torch.ones(1, 2))
        >>> store.table()
        VectorTable(ids=['b'], vectors=tensor([[1., 1.]]))
    """

    def __init__(self, kind: str, allowed: Collection[str]) -> None:
        self.kind = kind
        self.allowed = allowed
        self._rows: dict[str, Tensor] = {}

    def __contains__(self, one: object) -> bool:
        return one in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, ids: Sequence[str], vectors: Tensor, *, again: bool = False) -> None:
        """Take in vectors; all of them or, where one is refused, none.

        Args:
            ids: The ids, one per vector.
            vectors: (ids, dim), any floating dtype and device.
            again: Accept an id that has come before. Which of its vectors is kept depends on their
                values alone, so that the order of coming does not matter.

        Raises:
            EvaluationError: If an id is not allowed or comes twice, or a vector is not finite or of
                another width.
        """
        rows = self._checked(ids, vectors)
        new: dict[str, Tensor] = {}
        for one, row in zip(ids, rows, strict=True):
            self._check(one, row, seen=one in new or (one in self._rows and not again))
            new[one] = _either(self._rows[one], row) if one in self._rows else row
        self._rows |= new

    def table(self) -> VectorTable:
        """Lay out what came, sorted by id."""
        ids = sorted(self._rows)
        rows = [self._rows[one] for one in ids]
        return VectorTable(ids, torch.stack(rows) if rows else torch.zeros(0, 0))

    def _checked(self, ids: Sequence[str], vectors: Tensor) -> Tensor:
        width = next((len(row) for row in self._rows.values()), vectors.shape[-1])
        if tuple(vectors.shape) != (len(ids), width):
            message = (
                f"{len(ids)} {self.kind} ids came with vectors of shape {tuple(vectors.shape)}; "
                f"one vector of width {width} is needed for each."
            )
            raise EvaluationError(message)
        return vectors.detach().to("cpu", torch.float32, copy=True)

    def _check(self, one: str, row: Tensor, *, seen: bool) -> None:
        if one not in self.allowed:
            message = (
                f"The {self.kind} id {one!r} is not one of the {len(self.allowed)} that the "
                "protocol expects; score the split that it was made for."
            )
            raise EvaluationError(message)
        if seen:
            message = (
                f"The {self.kind} id {one!r} came twice, and would be counted twice; a sampler "
                "that pads its last batch does that: set use_distributed_sampler=False."
            )
            raise EvaluationError(message)
        if not row.isfinite().all():
            message = (
                f"The vector of {self.kind} {one!r} holds NaN or infinity; a model that computes "
                "such cannot be ranked. Look at that item, or evaluate in float32."
            )
            raise EvaluationError(message)


def _either(one: Tensor, other: Tensor) -> Tensor:
    return min(one, other, key=lambda row: row.numpy().tobytes())
