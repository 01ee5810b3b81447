"""What the corpora that Kitchen renders ask of their arguments."""

from collections.abc import Mapping

from vtlearn.errors import ArgumentError
from vtlearn.kitchen.recipes import INGREDIENTS

__all__ = ["check_arguments"]

LEAST = {"seed": 0, "size": 16, "fps": 1, "ingredients": 1, "workers": 1}


def check_arguments(
    values: Mapping[str, int | float | str | None], least: Mapping[str, int] | None = None
) -> None:
    """Refuse numbers that nothing can be rendered with.

    Args:
        values: Arguments by name; one that is None is not given.
        least: The smallest value of each argument that only this corpus has, or of which it needs
            more than others do.

    Raises:
        ArgumentError: If a number is too small, the size is odd, or there are fewer ingredients.

    Example:
        >>> check_arguments({"seed": 0, "train": 0}, {"train": 1})
        Traceback (most recent call last):
        vtlearn.errors.ArgumentError: train is 0; it must be 1 or more
    """
    for name, lowest in {**LEAST, **(least or {})}.items():
        value = values.get(name)
        if isinstance(value, (int, float)) and value < lowest:
            message = f"{name} is {value}; it must be {lowest} or more"
            raise ArgumentError(message)
    size, ingredients = values.get("size"), values.get("ingredients")
    if isinstance(size, int) and size % 2:
        message = f"size is {size}; H.264 wants an even number, such as {size + 1}"
        raise ArgumentError(message)
    if isinstance(ingredients, int) and ingredients > len(INGREDIENTS):
        message = f"ingredients is {ingredients}; there are 1 to {len(INGREDIENTS)}"
        raise ArgumentError(message)
