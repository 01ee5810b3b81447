from collections import Counter

import numpy as np

from vtlearn.heads.masking import mask_words

OTHERS = range(10, 20)


def drawn(number: int, size: int = 8) -> tuple[list[int], list[bool]]:
    return mask_words([7] * size, np.random.default_rng(number), mask=4, others=OTHERS)


def test_a_word_at_least_is_hidden() -> None:
    counts = [sum(drawn(number, size=2)[1]) for number in range(200)]
    assert min(counts) == 1
    assert set(counts) == {1, 2}
    assert drawn(0, size=1)[1] == [True]


def test_where_none_is_drawn_each_word_is_as_likely() -> None:
    firsts = [drawn(number, size=2)[1] for number in range(600)]
    alone = Counter(row.index(True) for row in firsts if sum(row) == 1)
    assert abs(alone[0] - alone[1]) < 100


def test_shares_are_as_published() -> None:
    ids, hidden = drawn(0, size=40_000)
    seen = Counter(
        "mask" if one == 4 else "same" if one == 7 else "other"
        for one, is_hidden in zip(ids, hidden, strict=True)
        if is_hidden
    )
    total = sum(hidden)
    assert abs(total / 40_000 - 0.15) < 0.01
    for kind, share in (("mask", 0.8), ("other", 0.1), ("same", 0.1)):
        assert abs(seen[kind] / total - share) < 0.02, kind


def test_what_is_not_hidden_stays_and_others_are_words() -> None:
    ids, hidden = drawn(1, size=2_000)
    pairs = list(zip(ids, hidden, strict=True))
    assert {one for one, is_hidden in pairs if not is_hidden} == {7}
    assert {one for one, is_hidden in pairs if is_hidden} == {4, 7, *OTHERS}


def test_the_generator_decides_alone() -> None:
    assert drawn(3) == drawn(3)
    assert any(drawn(3) != drawn(number) for number in range(4, 9))
