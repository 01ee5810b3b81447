import warnings
from fractions import Fraction

import pytest
import torch

from vtlearn.alignment.bands import columns_within, feasible
from vtlearn.errors import ArgumentError


def captions_of(clip: int, n: int, m: int, width: int) -> list[int]:
    if n == 1:
        return list(range(m))
    return [j for j in range(m) if abs(Fraction(clip * (m - 1), n - 1) - j) <= width]


def joins_the_corners(n: int, m: int, width: int) -> bool:
    reached: set[tuple[int, int]] = set()
    for i in range(n):
        for j in captions_of(i, n, m, width):
            if (i, j) == (0, 0) or reached & {(i - 1, j - 1), (i - 1, j), (i, j - 1)}:
                reached.add((i, j))
    return (n - 1, m - 1) in reached


@pytest.mark.parametrize("n", range(1, 13))
def test_bands_are_as_narrow_as_asked_for_or_just_joined(n: int) -> None:
    for m in range(1, 13):
        for width in range(5):
            lengths = torch.tensor([n]), torch.tensor([m])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                wide = feasible(torch.tensor([width]), *lengths, 14)
            least = next(w for w in range(13) if joins_the_corners(n, m, w))
            assert int(wide) == max(min(width, m), least)
            first, end = columns_within(wide, *lengths, 14)
            for clip in range(n):
                found = list(range(int(first[clip]), int(end[clip])))
                assert found == captions_of(clip, n, m, int(wide))
            assert end[n:].tolist() == [[0]] * (14 - n)


def test_a_band_is_the_same_for_both_sequences_reversed() -> None:
    n, m, width = torch.tensor([7]), torch.tensor([12]), torch.tensor([2])
    first, end = columns_within(width, n, m, 7)
    assert (12 - end.flip(0)).tolist() == first.tolist()


def test_widening_says_so_once() -> None:
    n, m = torch.tensor([5, 2, 2]), torch.tensor([5, 10, 8])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        wide = [feasible(torch.full((3,), width), n, m, 5).tolist() for width in (0, 1)]
    assert [str(warning.message)[:31] for warning in caught] == ["a bandwidth leaves no path from"]
    assert wide == [[0, 4, 3], [1, 4, 3]]


def test_no_width_is_too_large() -> None:
    n, m = torch.tensor([6]), torch.tensor([5])
    wide = feasible(torch.tensor([2**63 - 1]), n, m, 6)
    first, end = columns_within(wide, n, m, 6)
    assert bool((first == 0).all())
    assert bool((end == 5).all())


def test_a_negative_width_is_refused() -> None:
    one = torch.tensor([1, 1])
    with pytest.raises(ArgumentError, match="bandwidth of pair 1 is -3"):
        feasible(torch.tensor([0, -3]), one, one, 1)
