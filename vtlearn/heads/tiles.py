"""A grid of pairs computed tile by tile, where all of it at once would take too much memory.

What a pair's value takes to compute, and to differentiate, may be hundreds of times the value: a
table of dynamic programming for each pair. A first pass keeps the values alone; in the backward,
each tile is computed again with what its gradient needs, which is given back before the next.
"""

from collections.abc import Callable, Iterator, Sequence
from math import isqrt
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__: list[str] = []

#: Computes the values of a tile, (rows, columns, ...): from its videos' and its texts' vectors, and
#: from where they stand among all.
Compare = Callable[[Tensor, Tensor, slice, slice], Tensor]


def compare_in_tiles(
    compare: Compare,
    video: Tensor,
    text: Tensor,
    pairs: int,
    parameters: Sequence[Tensor] = (),
) -> Tensor:
    """Compute a value for each video and each text, not more than so many pairs at once.

    The values and their gradients are those of one call on all; where all pairs may be computed at
    once, that is what is done. Otherwise each tile is computed once without gradients and, if they
    are wanted, a second time for them, so ``compare`` may draw nothing at random, and a second
    derivative is refused.

    Args:
        compare: Computes a tile.
        video: (videos, ...).
        text: (texts, ...).
        pairs: How many pairs a tile may have; of 0, one.
        parameters: What else that trains ``compare`` may use.

    Returns:
        (videos, texts, ...).

    Example:
        >>> def products(x: Tensor, y: Tensor, rows: slice, columns: slice) -> Tensor:
        ...     return x[:, None] * y
        >>> x, y = torch.tensor([1.0, 2.0, 3.0], requires_grad=True), torch.tensor([1.0, 10.0])
        >>> grid = compare_in_tiles(products, x, y, pairs=2)
        >>> grid.tolist()
        [[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]
        >>> grid.sum().backward()
        >>> x.grad
        tensor([11., 11., 11.])
    """
    shape = _tile_shape(len(video), len(text), pairs)
    if shape == (len(video), len(text)):
        return compare(video, text, slice(0, len(video)), slice(0, len(text)))
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    grid: Tensor = _Tiled.apply(compare, shape, video, text, *trained)  # type: ignore[no-untyped-call]
    return grid


def _tile_shape(rows: int, columns: int, pairs: int) -> tuple[int, int]:
    """Choose a tile that is nearly square: the fewer vectors it reads, the less is copied."""
    if rows * columns <= pairs:
        return rows, columns
    pairs = max(1, pairs)
    height = min(rows, isqrt(pairs))
    width = min(columns, pairs // height)
    return min(rows, pairs // width), width


def _tiles(rows: int, columns: int, shape: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    height, width = shape
    for top in range(0, rows, height):
        for left in range(0, columns, width):
            yield slice(top, min(top + height, rows)), slice(left, min(left + width, columns))


class _Tiled(torch.autograd.Function):
    """Its forward runs without gradients; its backward holds what one tile's gradient needs.

    ``torch.utils.checkpoint`` would not do: it computes first with gradients, and soft-DTW then has
    its gradient at once and keeps it.
    """

    @staticmethod
    def forward(
        ctx: Any,
        compare: Compare,
        shape: tuple[int, int],
        video: Tensor,
        text: Tensor,
        *parameters: Tensor,
    ) -> Tensor:
        ctx.compare, ctx.shape = compare, shape
        ctx.save_for_backward(video, text, *parameters)
        grid = video.new_empty(0)
        for rows, columns in _tiles(len(video), len(text), shape):
            values = compare(video[rows], text[columns], rows, columns)
            if not grid.numel():
                grid = values.new_empty(len(video), len(text), *values.shape[2:])
            grid[rows, columns] = values
        return grid

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, arriving: Tensor) -> tuple[Tensor | None, ...]:
        video, text, *parameters = ctx.saved_tensors
        inputs, needed = (video, text, *parameters), ctx.needs_input_grad[2:]
        wanted = [number for number, need in enumerate(needed) if need]
        sums: list[Tensor | None] = [None] * len(inputs)
        for rows, columns in _tiles(len(video), len(text), ctx.shape):
            parts = [video[rows].detach(), text[columns].detach()]
            for part, need in zip(parts, needed, strict=False):
                part.requires_grad_(need)
            # as in the forward, wherever the backward is called
            with torch.autocast(video.device.type, enabled=False):
                with torch.enable_grad():
                    values = ctx.compare(*parts, rows, columns)
                sources = [*parts, *parameters]
                gradients = torch.autograd.grad(
                    values,
                    [sources[number] for number in wanted],
                    arriving[rows, columns],
                    allow_unused=True,
                )
            places = [rows, columns, *[...] * len(parameters)]
            for number, gradient in zip(wanted, gradients, strict=True):
                if gradient is not None:
                    sums[number] = _added(sums[number], inputs[number], places[number], gradient)
        return None, None, *sums


def _added(total: Tensor | None, like: Tensor, place: Any, gradient: Tensor) -> Tensor:
    """Add a tile's gradient to that of all, which begins with zeros."""
    total = torch.zeros_like(like) if total is None else total
    total[place].add_(gradient)
    return total
