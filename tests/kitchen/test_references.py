from collections import Counter
from itertools import product

import pytest

from vtlearn.kitchen import ACTIONS, INGREDIENTS, Pair, Step, references_of
from vtlearn.kitchen.narrator import TEMPLATES
from vtlearn.kitchen.sentences import OPENINGS

PAIRS = [Pair(*one) for one in product(ACTIONS, INGREDIENTS)]


@pytest.mark.parametrize("pair", PAIRS, ids=" ".join)
def test_each_names_the_action_and_the_ingredient(pair: Pair) -> None:
    references = references_of(pair)
    assert len(set(references)) == 10
    stem = pair.action.removesuffix("y").removesuffix("e")
    for sentence in references:
        words = sentence.split()
        assert sum(word.startswith(stem) for word in words) == 1
        assert words.count(pair.ingredient) == 1
        assert sentence == " ".join(words)
        assert sentence.replace(" ", "").isalpha()
        assert sentence == sentence.lower()


def test_the_pairs_have_no_reference_in_common() -> None:
    times = Counter(sentence for pair in PAIRS for sentence in references_of(pair))
    assert set(times.values()) == {1}


def test_the_narrator_says_none_of_it() -> None:
    """He tells what to do, in the verb's plain form, and begins with other words."""
    spoken = {" ".join(form.split()[:2]) for form in (*OPENINGS, *TEMPLATES)}
    for pair in PAIRS:
        for sentence in references_of(pair):
            assert pair.action not in sentence.split()
            assert " ".join(sentence.split()[:2]) not in spoken


def test_they_do_not_depend_on_when_a_step_is_shown() -> None:
    pair = Pair("fry", "onion")
    assert references_of(Step(0.0, 3.5, *pair)) == references_of(Step(8.0, 11.5, *pair))
    assert references_of(pair)[0] == "a person fries an onion"


@pytest.mark.parametrize(
    ("ingredient", "beginning"),
    [("grapes", "grapes are"), ("garlic", "some garlic is"), ("avocado", "an avocado is")],
)
def test_articles_and_numbers_agree(ingredient: str, beginning: str) -> None:
    references = references_of(Pair("bake", ingredient))
    assert references[3] == f"{beginning} being baked"
    assert (f"the {ingredient} are" in references[9]) == (ingredient == "grapes")
