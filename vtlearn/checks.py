"""Refuse numbers that make no sense, before anything is done with them."""

from vtlearn.errors import ArgumentError

__all__ = ["require_positive"]


def require_positive(**numbers: float) -> None:
    """Refuse zero, what is negative, and what is no number.

    Args:
        numbers: What to look at, by the names a user knows it under.

    Raises:
        ArgumentError: If one is not positive; it is named.

    Example:
        >>> require_positive(fps=0)
        Traceback (most recent call last):
            ...
        vtlearn.errors.ArgumentError: fps must be positive, but is 0
    """
    for name, number in numbers.items():
        if not number > 0:
            message = f"{name} must be positive, but is {number}"
            raise ArgumentError(message)
