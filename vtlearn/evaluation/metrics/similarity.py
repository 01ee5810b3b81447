"""Similarity of vectors, computed so that equal vectors get equal scores.

A float32 matrix product adds up in an order that depends on the shape of the matrix and the number
of threads, so the same pair of vectors may score one unit in the last place higher in another
column: ties, which the metrics count, would come and go. The product is therefore computed in
float64, whose error is a billionth of that unit, and rounded to float32 once.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Similarity", "comparable", "product"]

Similarity = Literal["cosine", "dot"]


def comparable(vectors: Tensor, similarity: Similarity) -> Tensor:
    """Turn vectors into what :func:`product` compares.

    Args:
        vectors: (..., dim), any floating dtype.
        similarity: ``cosine`` scales them to unit length, ``dot`` leaves them.

    Returns:
        (..., dim), float64; a zero vector stays zero.

    Example:
        >>> comparable(torch.tensor([3.0, 4.0]), "cosine")
        tensor([0.6000, 0.8000], dtype=torch.float64)
    """
    wide = vectors.double()
    return functional.normalize(wide, dim=-1) if similarity == "cosine" else wide


def product(
    rows: Tensor, columns: Tensor, *, work: Tensor | None = None, out: Tensor | None = None
) -> Tensor:
    """Score every row against every column.

    Args:
        rows: (rows, dim), any floating dtype.
        columns: (columns, dim), any floating dtype.
        work: Where to multiply, (rows, columns), float64; a new tensor by default.
        out: Where to put the answer, (rows, columns), float32; a new tensor by default.

    Returns:
        Dot products, (rows, columns), rounded from float64 to float32.

    Example:
        >>> product(torch.eye(2), torch.tensor([[1.0, 2.0]]))
        tensor([[1.],
                [2.]])
    """
    wide = torch.mm(rows.double(), columns.double().T, out=work)
    return wide.to(torch.float32) if out is None else out.copy_(wide)
