"""What is cooked: the ingredients, the actions, and the recipes that put actions in order.

Recipes come in families of three, which share their actions and differ in the order alone: a model
that ignores the order of steps cannot tell the members of a family apart.
"""

__all__ = ["ACTIONS", "FAMILIES", "INGREDIENTS", "RECIPES"]

# Each ingredient's emoji; chosen to differ in colour or shape when 30 pixels wide.
INGREDIENTS: dict[str, str] = {
    "carrot": "🥕",
    "tomato": "🍅",
    "mushroom": "🍄",
    "corn": "🌽",
    "broccoli": "🥦",
    "avocado": "🥑",
    "eggplant": "🍆",
    "lemon": "🍋",
    "banana": "🍌",
    "strawberry": "🍓",
    "pear": "🍐",
    "grapes": "🍇",
    "pineapple": "🍍",
    "kiwi": "🥝",
    "peach": "🍑",
    "onion": "🧅",
    "potato": "🥔",
    "chili": "🌶",
    "cheese": "🧀",
    "bacon": "🥓",
    "fish": "🐟",
    "blueberries": "🫐",
    "crab": "🦀",
    "garlic": "🧄",
}

ACTIONS = ("chop", "stir", "fry", "pour", "season", "wash", "weigh", "bake")


def _steps(words: str) -> tuple[str, ...]:
    return tuple(words.split())


RECIPES: dict[str, tuple[str, ...]] = {
    "casserole": _steps("wash chop fry season pour stir bake"),
    "gratin": _steps("chop wash season bake pour fry stir"),
    "lasagne": _steps("fry stir pour chop wash bake season"),
    "soup": _steps("weigh wash chop stir season pour fry stir"),
    "stew": _steps("fry chop stir pour wash stir weigh season"),
    "chowder": _steps("stir pour weigh fry season wash stir chop"),
    "bread": _steps("weigh pour stir season weigh bake stir"),
    "cake": _steps("pour weigh stir bake weigh stir season"),
    "scones": _steps("stir season pour weigh stir weigh bake"),
    "salad": _steps("wash chop season wash pour stir chop"),
    "salsa": _steps("chop pour wash stir chop season wash"),
    "slaw": _steps("season wash chop stir wash chop pour"),
    "curry": _steps("weigh fry season chop fry pour stir wash"),
    "paella": _steps("chop weigh fry pour wash stir fry season"),
    "risotto": _steps("wash pour chop fry stir season weigh fry"),
    "pie": _steps("weigh stir bake chop season fry wash bake"),
    "quiche": _steps("chop bake wash weigh fry stir bake season"),
    "tart": _steps("bake wash stir season bake weigh chop fry"),
}

# The names of each family's members.
FAMILIES: tuple[tuple[str, ...], ...] = tuple(zip(*[iter(RECIPES)] * 3, strict=True))
