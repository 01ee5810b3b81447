"""Drop-DTW: which caption each clip shows, where a clip may also show none of them.

A state is a clip's: the last caption reached so far, and whether the clip is matched with it or
dropped. The states of one clip depend on those of the clip before, so all captions of all pairs are
solved at once, and each state remembers the one it came from.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vtlearn.alignment.pairs import Pairs, as_pairs
from vtlearn.errors import ArgumentError

__all__ = ["DropPath", "drop_dtw"]


class DropPath(NamedTuple):
    """The best matching of each pair's clips with its captions.

    Attributes:
        distance: The summed cost of the matched cells and of the dropped clips, (...), in the
            cost's dtype, detached.
        caption_of_clip: The caption each clip is matched with, from 0, (..., clips), int64; -1
            where it is dropped, beyond the length, and where no matching has a finite cost.
    """

    distance: Tensor
    caption_of_clip: Tensor


def drop_dtw(
    cost: Tensor,
    drop_clip: Tensor,
    *,
    contiguous: bool = True,
    exclusive: bool = True,
    n: Tensor | int | None = None,
    m: Tensor | int | None = None,
) -> DropPath:
    """Find the cheapest matching of all captions, in order, that may drop clips.

    Args:
        cost: (..., clips, captions), float16, bfloat16, float32 or float64, any strides.
        drop_clip: What it costs to drop each clip, floats that broadcast to (..., clips).
        contiguous: Whether the clips of one caption have to follow each other; otherwise clips
            between them may be dropped.
        exclusive: Whether a clip has at most one caption; otherwise it may have several that follow
            each other, all of which are paid, and the last of them is reported.
        n: Valid clips of each pair, integers that broadcast to the leading shape; None: all.
        m: Valid captions of each pair, likewise. What lies beyond the lengths changes nothing.

    Returns:
        Distance and caption of each clip, without gradient. The distance is infinite where no
        matching has a finite cost, as with more captions than clips if they are exclusive; it is
        NaN only where a cost within the lengths is NaN or -inf. Of equal matchings, seen from the
        last clip to the first: a clip is rather matched than dropped; and the clip before a matched
        one rather has the caption before, then is dropped after the caption before, then has the
        same caption, then is dropped amid the same caption; last, the same clip has the caption
        before as well.

    Raises:
        ArgumentError: If the cost is no stack of float matrices, a length is 0 or larger than it,
            or ``drop_clip`` does not fit it.

    Source: Dvornik et al., "Drop-DTW: Aligning Common Signal Between Sequences While Dropping
        Outliers", 2021, with only clips dropped.

    Example:
        >>> cost = torch.tensor([[0.0, 9.0], [9.0, 9.0], [9.0, 1.0], [9.0, 0.0]])
        >>> path = drop_dtw(cost, torch.full((4,), 2.0))
        >>> path.distance, path.caption_of_clip.tolist()
        (tensor(3.), [0, -1, 1, 1])
    """
    pairs = as_pairs(cost.detach(), n, m)
    drop = _drop_costs(drop_clip.detach(), cost).to(pairs.cost.dtype)
    trellis = _solve(pairs, drop.reshape(-1, cost.shape[-2]).T, _Rules(contiguous, exclusive))
    caption_of_clip = torch.where(trellis.distance.isfinite(), _follow(trellis, pairs), -1)
    return DropPath(
        trellis.distance.to(cost.dtype).reshape(cost.shape[:-2]),
        caption_of_clip.T.reshape(cost.shape[:-1]),
    )


def _drop_costs(drop_clip: Tensor, cost: Tensor) -> Tensor:
    if not drop_clip.is_floating_point():
        message = f"drop_clip has dtype {drop_clip.dtype}, and has to be a float: pass .float()"
        raise ArgumentError(message)
    try:
        return drop_clip.expand(cost.shape[:-1])
    except RuntimeError as error:
        message = (
            f"drop_clip has shape {tuple(drop_clip.shape)}, which does not broadcast to the "
            f"(..., clips) {tuple(cost.shape[:-1])} of the cost: pass one number a clip"
        )
        raise ArgumentError(message) from error


class _Rules(NamedTuple):
    contiguous: bool
    exclusive: bool


class _Trellis(NamedTuple):
    """The cheapest way into each state of each clip.

    Of S = captions + 1 states, number k is a clip matched with the k-th caption, counted from 1;
    number S + k is a clip dropped behind that caption, or before all of them where k is 0.

    Attributes:
        distance: What the cheapest way costs, (pairs,).
        last: The state it leads to, (pairs,).
        came_from: The state of the clip before, (clips, 2 S, pairs).
    """

    distance: Tensor
    last: Tensor
    came_from: Tensor


class _Ways(NamedTuple):
    """What some ways cost, and the states that they come from; (..., pairs) both."""

    cost: Tensor
    state: Tensor

    def rows(self, which: slice) -> "_Ways":
        return _Ways(self.cost[which], self.state[which])


def _solve(pairs: Pairs, drop: Tensor, rules: _Rules) -> _Trellis:
    size, count = pairs.cost.shape[1] + 1, drop.shape[1]
    best = drop.new_full((2 * size, count), math.inf)
    best[0] = 0
    came_from = []
    for clip, (costs, price) in enumerate(zip(pairs.cost, drop, strict=True)):
        ways = _step(best, costs, price, rules)
        best = torch.where(clip < pairs.n, ways.cost, best)
        came_from.append(ways.state)
    ends = torch.stack([pairs.m, size + pairs.m])
    distance, last = _cheapest(*map(_Ways, best.gather(0, ends), ends))
    return _Trellis(distance, last, torch.stack(came_from))


def _step(best: Tensor, costs: Tensor, price: Tensor, rules: _Rules) -> _Ways:
    """Go from the states of one clip, (2 S, pairs), to those of the next."""
    state = torch.arange(len(best), device=best.device)[:, None].expand_as(best)
    matched, dropped = map(_Ways, best.chunk(2), state.chunk(2))
    skip = _cheapest(matched, dropped)
    after_another, after_the_same = slice(None, -1), slice(1, None)
    ways = [matched.rows(after_another), dropped.rows(after_another), matched.rows(after_the_same)]
    if not rules.contiguous:
        ways.append(dropped.rows(after_the_same))
    match = _cheapest(*ways)
    match = _Ways(match.cost + costs, match.state) if rules.exclusive else _share(match, costs)
    # no clip is matched with the caption before the first
    return _Ways(
        torch.cat([torch.full_like(price, math.inf)[None], match.cost, skip.cost + price]),
        torch.cat([state[:1], match.state, skip.state]),
    )


def _share(ways: _Ways, costs: Tensor) -> _Ways:
    """Match a clip with captions, (captions, pairs), each of which may follow the one before."""
    cells: list[_Ways] = []
    for way, cost in zip(map(_Ways, *ways), costs, strict=True):
        least = _cheapest(way, *cells[-1:])
        cells.append(_Ways(least.cost + cost, least.state))
    return _Ways(*(torch.stack(parts) for parts in zip(*cells, strict=True)))


def _cheapest(best: _Ways, *others: _Ways) -> _Ways:
    """Choose the first of the cheapest; NaN stays NaN."""
    for other in others:
        state = torch.where(other.cost < best.cost, other.state, best.state)
        best = _Ways(torch.minimum(best.cost, other.cost), state)
    return best


def _follow(trellis: _Trellis, pairs: Pairs) -> Tensor:
    """Walk back from the last clip to the first, (clips, pairs)."""
    state, captions = trellis.last, []
    size = trellis.came_from.shape[1] // 2
    for clip in reversed(range(len(trellis.came_from))):
        is_valid = clip < pairs.n
        captions.append(torch.where(is_valid & (state < size), state - 1, -1))
        before = trellis.came_from[clip].gather(0, state[None])[0]
        state = torch.where(is_valid, before, state)
    captions.reverse()
    return torch.stack(captions)
