import itertools
import math

import pytest
import torch
from torch import Tensor

from vtlearn.alignment.drop_dtw import drop_dtw
from vtlearn.errors import ArgumentError

Run = tuple[int, int] | None
"""The captions of a clip, from the first to the last, or None where it is dropped."""
RULES = list(itertools.product([True, False], [True, False]))


def costs(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=generator, dtype=torch.float64)


def is_allowed(runs: tuple[Run, ...], captions: int, contiguous: bool) -> bool:
    """Whether the runs go through all captions in order."""
    last, previous = -1, None
    for run in runs:
        if run is not None:
            goes_on = run[0] == last >= 0 and (previous is not None or not contiguous)
            if run[0] != last + 1 and not goes_on:
                return False
            last = run[1]
        previous = run
    return last == captions - 1


def price(cost: Tensor, drop: Tensor, runs: tuple[Run, ...]) -> float:
    return sum(
        float(drop[clip] if run is None else cost[clip, run[0] : run[1] + 1].sum())
        for clip, run in enumerate(runs)
    )


def matchings(
    clips: int, captions: int, contiguous: bool, exclusive: bool
) -> list[tuple[Run, ...]]:
    ends = itertools.combinations_with_replacement(range(captions), 2)
    choices: list[Run] = [None, *((a, b) for a, b in ends if a == b or not exclusive)]
    return [
        runs
        for runs in itertools.product(choices, repeat=clips)
        if is_allowed(runs, captions, contiguous)
    ]


def label(run: Run) -> int:
    return -1 if run is None else run[1]


def preferences(runs: tuple[Run, ...]) -> list[int]:
    """The rank of each choice on the way back from the last clip, as the docstring orders them."""
    ranks = [int(runs[-1] is None)]
    for clip, run in reversed(list(enumerate(runs))):
        after_drop = clip > 0 and runs[clip - 1] is None
        if run is None:
            ranks.append(int(after_drop))
        else:
            reached = max((other[1] for other in runs[:clip] if other is not None), default=-1)
            in_the_same_clip = [4] * (run[1] - run[0])
            ranks += [*in_the_same_clip, 2 * (reached == run[0]) + after_drop]
    return ranks


@pytest.mark.parametrize(("contiguous", "exclusive"), RULES)
@pytest.mark.parametrize("shape", [(1, 1), (4, 1), (2, 2), (4, 2), (5, 3), (3, 3), (2, 3)])
def test_it_is_the_cheapest_of_all_matchings(
    shape: tuple[int, int], contiguous: bool, exclusive: bool
) -> None:
    cost, drop = costs(6, *shape), costs(6, shape[0], seed=1)
    cost[3:] -= 0.5  # negative costs as well
    path = drop_dtw(cost, drop, contiguous=contiguous, exclusive=exclusive)
    every = matchings(*shape, contiguous, exclusive)
    for p in range(6):
        best = min(every, key=lambda runs: price(cost[p], drop[p], runs), default=None)
        if best is None:
            assert path.distance[p] == math.inf
            assert bool((path.caption_of_clip[p] == -1).all())
        else:
            expected = price(cost[p], drop[p], best)
            assert float(path.distance[p]) == pytest.approx(expected, abs=1e-12)
            assert path.caption_of_clip[p].tolist() == [label(run) for run in best]


def test_each_rule_matters() -> None:
    cost = torch.tensor([[0.0, 9], [9, 9], [0, 9], [9, 9]])
    drop = torch.tensor([1.0, 1, 1, 20])
    found = {
        rules: float(drop_dtw(cost, drop, contiguous=rules[0], exclusive=rules[1]).distance)
        for rules in RULES
    }
    # the first caption on clip 0, or 2, or both; the second on the clip that is dear to drop
    assert found == {(True, True): 11, (True, False): 11, (False, True): 10, (False, False): 10}
    path = drop_dtw(
        torch.tensor([[0.0, 0.0], [9.0, 9.0]]), torch.tensor([1.0, 1.0]), exclusive=False
    )
    assert (float(path.distance), path.caption_of_clip.tolist()) == (1, [1, -1])


@pytest.mark.parametrize(("contiguous", "exclusive"), RULES)
@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_pairs_of_several_lengths_are_solved_each_by_itself(
    contiguous: bool, exclusive: bool, poison: float
) -> None:
    cost, drop = (3 * costs(3, 5, 6, 4, seed=2)).round(), costs(5, 6, seed=3)
    generator = torch.Generator().manual_seed(2)
    n = torch.randint(1, 7, (3, 5), generator=generator)
    m = torch.randint(1, 5, (5,), generator=generator)
    drop = drop.expand(3, 5, 6).clone()
    for b, p in itertools.product(range(3), range(5)):
        cost[b, p, n[b, p] :] = poison
        cost[b, p, :, m[p] :] = poison
        drop[b, p, n[b, p] :] = poison
    path = drop_dtw(cost, drop, contiguous=contiguous, exclusive=exclusive, n=n, m=m)
    for b, p in itertools.product(range(3), range(5)):
        rows, columns = int(n[b, p]), int(m[p])
        alone = drop_dtw(
            cost[b, p, :rows, :columns],
            drop[b, p, :rows],
            contiguous=contiguous,
            exclusive=exclusive,
        )
        assert torch.equal(path.distance[b, p], alone.distance)
        assert torch.equal(path.caption_of_clip[b, p, :rows], alone.caption_of_clip)
        assert bool((path.caption_of_clip[b, p, rows:] == -1).all())
    order = torch.tensor([2, 0, 1])
    shuffled = drop_dtw(
        cost[order], drop[order], contiguous=contiguous, exclusive=exclusive, n=n[order], m=m
    )
    assert torch.equal(shuffled.distance, path.distance[order])
    assert torch.equal(shuffled.caption_of_clip, path.caption_of_clip[order])


@pytest.mark.parametrize(("contiguous", "exclusive"), RULES)
@pytest.mark.parametrize("shape", [(4, 1), (4, 2), (5, 3)])
def test_of_equal_matchings_the_one_of_the_docstring_is_taken(
    shape: tuple[int, int], contiguous: bool, exclusive: bool
) -> None:
    cost, drop = (2 * costs(20, *shape, seed=5)).round(), (2 * costs(20, shape[0], seed=6)).round()
    path = drop_dtw(cost, drop, contiguous=contiguous, exclusive=exclusive)
    every = [(runs, preferences(runs)) for runs in matchings(*shape, contiguous, exclusive)]
    for p in range(20):
        prices = [price(cost[p], drop[p], runs) for runs, _ in every]
        equals = [one for one, sum_ in zip(every, prices, strict=True) if sum_ == min(prices)]
        best, _ = min(equals, key=lambda one: one[1])
        assert path.caption_of_clip[p].tolist() == [label(run) for run in best]


def test_what_cannot_be_matched_has_an_infinite_distance() -> None:
    cost = torch.zeros(3, 2, 2)
    cost[1, :, 0] = math.inf
    path = drop_dtw(cost, torch.ones(2), n=torch.tensor([1, 2, 2]))
    assert path.distance.tolist() == [math.inf, math.inf, 0]
    assert path.caption_of_clip.tolist() == [[-1, -1], [-1, -1], [0, 1]]


def test_a_clip_that_may_not_be_dropped_is_matched() -> None:
    cost = torch.tensor([[1.0, 9], [5, 5], [9, 1]])
    drop = torch.tensor([0.5, math.inf, 0.5])
    assert drop_dtw(cost, torch.full((3,), 0.5)).caption_of_clip.tolist() == [0, -1, 1]
    assert drop_dtw(cost, drop).caption_of_clip[1] != -1


def test_nan_shows_in_the_distance() -> None:
    cost, drop = torch.zeros(3, 3, 2), torch.ones(3, 3)
    cost[0, 1, 1] = math.nan
    drop[1, 0] = math.nan
    path = drop_dtw(cost, drop)
    assert path.distance.isnan().tolist() == [True, True, False]
    assert bool((path.caption_of_clip[:2] == -1).all())


def test_half_precision_is_solved_in_float32_and_nothing_has_a_gradient() -> None:
    # in bfloat16 256 and 1 are 256
    cost = torch.tensor([[256, 9], [9, 0], [9, 1]], dtype=torch.bfloat16, requires_grad=True)
    drop = torch.tensor([9e9, 9, 0], requires_grad=True)
    path = drop_dtw(cost, drop)
    assert path.caption_of_clip.tolist() == [0, 1, -1]
    assert path.distance.dtype == torch.bfloat16
    assert path.caption_of_clip.dtype == torch.int64
    assert not path.distance.requires_grad


def test_one_price_for_all_clips_and_no_pair_at_all() -> None:
    cost = costs(2, 4, 2, seed=4)
    assert torch.equal(
        drop_dtw(cost, torch.tensor(0.3)).distance, drop_dtw(cost, torch.full((4,), 0.3)).distance
    )
    empty = drop_dtw(torch.zeros(0, 4, 2), torch.zeros(4))
    assert (empty.distance.shape, empty.caption_of_clip.shape) == ((0,), (0, 4))


@pytest.mark.parametrize(
    ("drop", "message"),
    [
        (torch.zeros(3), r"drop_clip has shape \(3,\).*\(2, 4\) of the cost"),
        (torch.zeros(4, dtype=torch.int64), r"drop_clip has dtype torch.int64.*pass \.float\(\)"),
    ],
)
def test_prices_that_do_not_fit_are_refused(drop: Tensor, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        drop_dtw(torch.zeros(2, 4, 3), drop)


def test_a_length_beyond_the_cost_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"n of pair \(1,\) is 3"):
        drop_dtw(torch.zeros(2, 2, 2), torch.zeros(2), n=torch.tensor([2, 3]))
