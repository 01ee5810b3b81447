from collections import Counter

from vtlearn.kitchen import ACTIONS, INGREDIENTS, RECIPES
from vtlearn.kitchen.recipes import FAMILIES


def test_there_are_192_pairs_and_18_recipes() -> None:
    assert len(INGREDIENTS) * len(ACTIONS) == 192
    assert len(set(INGREDIENTS.values())) == 24
    assert len(RECIPES) >= 18
    assert all(set(actions) <= set(ACTIONS) for actions in RECIPES.values())


def test_only_order_tells_the_members_of_a_family_apart() -> None:
    orders = set(RECIPES.values())
    contents = Counter(tuple(sorted(actions)) for actions in RECIPES.values())
    assert len(orders) == len(RECIPES)
    assert min(contents.values()) == 3


def test_each_recipe_is_of_one_family() -> None:
    assert [name for family in FAMILIES for name in family] == list(RECIPES)
    for family in FAMILIES:
        assert len(family) == 3
        assert len({tuple(sorted(RECIPES[name])) for name in family}) == 1


def test_every_action_occurs_in_some_recipe() -> None:
    assert {action for actions in RECIPES.values() for action in actions} == set(ACTIONS)
