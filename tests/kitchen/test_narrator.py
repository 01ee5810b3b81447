from collections import Counter

import numpy as np
import pytest

from vtlearn.errors import ArgumentError
from vtlearn.kitchen import Line, Narrator, Step
from vtlearn.kitchen.narrator import CHATTER

CLEAN = Narrator(shift=0, omitted=0, chatter=0, swapped=0, word_errors=0)
# Far from either end and from each other, so that nothing is clipped and nothing changes places.
STEPS = [
    Step(
        100.0 * i + 100, 100.0 * i + 103.5, ("chop", "fry")[i % 2], ("corn", "crab", "fish")[i % 3]
    )
    for i in range(2000)
]
DURATION = 200_200.0


def tell(narrator: Narrator, steps: list[Step] = STEPS, duration: float = DURATION) -> list[Line]:
    return narrator.narrate(np.random.default_rng(0), steps, duration)


def about(line: Line) -> bool:
    """Whether the text is about the step that the line names, as far as one can read."""
    words = line.text.split()
    step = STEPS[line.step or 0]
    return step.action in words and step.ingredient in words


def test_a_clean_narrator_says_each_step_when_it_happens() -> None:
    lines = tell(CLEAN)
    assert [(line.start, line.end) for line in lines] == [(step[0], step[1]) for step in STEPS]
    assert [line.step for line in lines] == list(range(2000))
    assert all(about(line) for line in lines)
    assert len({line.text for line in lines}) > 20


def test_shift_is_the_standard_deviation_in_seconds() -> None:
    lines = tell(Narrator(shift=3.0, omitted=0, chatter=0, swapped=0, word_errors=0))
    late = np.array([line.start - STEPS[line.step or 0].start for line in lines])
    assert late.mean() == pytest.approx(0, abs=0.25)
    assert late.std() == pytest.approx(3.0, rel=0.06)
    assert all(line.end - line.start == pytest.approx(3.5, abs=2e-3) for line in lines)


def test_omitted_is_the_share_of_steps_not_told_of() -> None:
    lines = tell(Narrator(shift=0, omitted=0.2, chatter=0, swapped=0, word_errors=0))
    assert len(lines) / 2000 == pytest.approx(0.8, abs=0.03)
    assert all(about(line) for line in lines)


def test_chatter_is_said_for_a_share_of_the_steps() -> None:
    lines = tell(Narrator(shift=0, omitted=0, chatter=0.4, swapped=0, word_errors=0))
    chatter = [line for line in lines if line.step is None]
    assert len(chatter) / 2000 == pytest.approx(0.4, abs=0.04)
    assert {line.text for line in chatter} == set(CHATTER)
    assert [line.start for line in lines] == sorted(line.start for line in lines)


def test_swapped_neighbours_exchange_texts_but_not_times() -> None:
    lines = tell(Narrator(shift=0, omitted=0, chatter=0, swapped=0.1, word_errors=0))
    moved = [(line.step or 0) - place for place, line in enumerate(lines)]
    count = Counter(moved)
    assert set(count) == {-1, 0, 1}
    assert count[1] == count[-1]
    assert count[1] / 2000 == pytest.approx(0.1 / 1.1, abs=0.02)
    assert all(about(line) for line in lines)  # the truth goes with the text
    assert [line.start for line in lines] == [step.start for step in STEPS]


def test_word_errors_lose_and_replace_words() -> None:
    noisy = tell(Narrator(shift=0, omitted=0, chatter=0, swapped=0, word_errors=0.1))
    kept = np.mean([about(line) for line in noisy])
    assert kept == pytest.approx(0.9**2, abs=0.03)  # both words were heard
    assert [line.step for line in noisy] == list(range(2000))
    lengths = np.mean([len(line.text.split()) for line in noisy])
    clean = np.mean([len(line.text.split()) for line in tell(CLEAN)])
    assert lengths / clean == pytest.approx(0.95, abs=0.02)


def test_no_caption_is_empty_even_where_every_word_is_lost() -> None:
    lines = tell(Narrator(shift=0, omitted=0, chatter=0, swapped=0, word_errors=1.0))
    assert all(line.text for line in lines)


def test_captions_stay_inside_a_short_video() -> None:
    steps = [Step(1.0, 4.25, "chop", "corn"), Step(4.25, 8.0, "fry", "crab")]
    for seed in range(200):
        rng = np.random.default_rng(seed)
        lines = Narrator(shift=20.0, chatter=1.0).narrate(rng, steps, 9.125)
        assert all(0 <= line.start < line.end <= 9.125 for line in lines)
        assert lines == sorted(lines, key=lambda line: line.start)


def test_a_kitchen_shorter_than_chatter_still_has_it() -> None:
    lines = Narrator(chatter=1.0).narrate(
        np.random.default_rng(0), [Step(0.25, 0.75, "chop", "corn")], 1.0
    )
    assert all(0 <= line.start < line.end <= 1.0 for line in lines)


@pytest.mark.parametrize("name", ["omitted", "chatter", "swapped", "word_errors"])
@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_shares_lie_between_0_and_1(name: str, value: float) -> None:
    with pytest.raises(ArgumentError, match=f"{name} is {value}: a share, from 0 to 1"):
        Narrator(**{name: value})


@pytest.mark.parametrize("shift", [-1.0, float("nan"), float("inf")])
def test_shift_is_a_standard_deviation(shift: float) -> None:
    with pytest.raises(ArgumentError, match=r"shift is .* 0 or more"):
        Narrator(shift=shift)
