"""What people who see a step would write of it: references that generated captions are scored by.

Ten sentence forms, none of which the narrator speaks in: he says what to do, and they say what is
being done. A step's references are a function of its action and ingredient alone, so that a corpus
that was rendered before there were any has the same ones.
"""

from collections.abc import Mapping
from typing import NamedTuple

from vtlearn.kitchen.script import Pair
from vtlearn.kitchen.truth import Step

__all__ = ["references_of"]


class _Verb(NamedTuple):
    """An action as sentences need it: she *chops*, she is *chopping*, it is *chopped*."""

    does: str
    doing: str
    done: str


_VERBS: Mapping[str, _Verb] = {
    "chop": _Verb("chops", "chopping", "chopped"),
    "stir": _Verb("stirs", "stirring", "stirred"),
    "fry": _Verb("fries", "frying", "fried"),
    "pour": _Verb("pours", "pouring", "poured"),
    "season": _Verb("seasons", "seasoning", "seasoned"),
    "wash": _Verb("washes", "washing", "washed"),
    "weigh": _Verb("weighs", "weighing", "weighed"),
    "bake": _Verb("bakes", "baking", "baked"),
}
_PLURAL = frozenset(["grapes", "blueberries"])
_UNCOUNTED = frozenset(["corn", "broccoli", "cheese", "bacon", "garlic"])
_FORMS = (
    "a person {does} {one}",
    "someone is {doing} the {food} at home",
    "a cook {does} some {food}",
    "{one} {be} being {done}",
    "a woman is {doing} {one} in a kitchen",
    "{doing} {one}",
    "in a kitchen a man {does} the {food}",
    "some {food} {be} {done} by a cook",
    "a person is {doing} {one} for dinner",
    "the {food} {be} {done} by hand",
)


def references_of(step: Step | Pair) -> list[str]:
    """Describe a step as ten people would who see it.

    Args:
        step: What is done, and to what.

    Returns:
        Ten different sentences, of lower-case words alone, each of which names the action,
        inflected, and the ingredient; the same for all steps of an action and an ingredient.

    Example:
        >>> for sentence in references_of(Step(0.0, 4.5, "chop", "carrot"))[:4]:
        ...     print(sentence)
        a person chops a carrot
        someone is chopping the carrot at home
        a cook chops some carrot
        a carrot is being chopped
        >>> references_of(Pair("wash", "grapes"))[3]
        'grapes are being washed'
    """
    food = step.ingredient
    words = {
        **_VERBS[step.action]._asdict(),
        "food": food,
        "one": _one(food),
        "be": "are" if food in _PLURAL else "is",
    }
    return [form.format(**words) for form in _FORMS]


def _one(food: str) -> str:
    """Put the article before an ingredient that it takes where it is first told of."""
    if food in _PLURAL:
        return food
    if food in _UNCOUNTED:
        return f"some {food}"
    return f"{'an' if food[0] in 'aeiou' else 'a'} {food}"
