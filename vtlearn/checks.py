"""Refuse arguments that make no sense, before anything is done with them."""

import math
from collections.abc import Sequence

from vtlearn.errors import ArgumentError

__all__ = [
    "allowed_count",
    "require_choice",
    "require_divides",
    "require_not_negative",
    "require_positive",
    "require_share",
]

_ROUNDING = 1e-9  # by which a product with a share may miss a whole number


def require_positive(**numbers: float) -> None:
    """Refuse zero, negative numbers and NaN.

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


def require_not_negative(**numbers: float) -> None:
    """Refuse negative numbers and NaN.

    Args:
        numbers: What to look at, by the names a user knows it under.

    Raises:
        ArgumentError: If one is negative; it is named.

    Example:
        >>> require_not_negative(workers=-1)
        Traceback (most recent call last):
            ...
        vtlearn.errors.ArgumentError: workers must be 0 or more, but is -1
    """
    for name, number in numbers.items():
        if not number >= 0:
            message = f"{name} must be 0 or more, but is {number}"
            raise ArgumentError(message)


def require_share(**numbers: float) -> None:
    """Refuse what is not from 0 to 1.

    Args:
        numbers: What to look at, by the names a user knows it under.

    Raises:
        ArgumentError: If one is outside; it is named.

    Example:
        >>> require_share(dropout=1.5)
        Traceback (most recent call last):
            ...
        vtlearn.errors.ArgumentError: dropout=1.5 has to be from 0 to 1
    """
    for name, number in numbers.items():
        if not 0 <= number <= 1:
            message = f"{name}={number} has to be from 0 to 1"
            raise ArgumentError(message)


def allowed_count(share: float, total: int) -> int:
    """Return how many of a total a share allows: at least one, unless the share is 0.

    Args:
        share: How many may be missing or unreadable, from 0 to 1.
        total: How many there are.

    Example:
        >>> allowed_count(0.01, 300), allowed_count(0.01, 20), allowed_count(0.0, 300)
        (3, 1, 0)
    """
    return max(1, math.floor(share * total + _ROUNDING)) if share > 0 else 0


def require_divides(**numbers: int) -> None:
    """Refuse a number that does not divide another.

    Args:
        numbers: The divisor, and what it has to divide, both positive, by the names a user knows
            them under.

    Raises:
        ArgumentError: If something is left over; both are named.

    Example:
        >>> require_divides(heads=12, width=32)
        Traceback (most recent call last):
            ...
        vtlearn.errors.ArgumentError: heads=12 has to divide width=32
    """
    (divisor, part), (name, whole) = numbers.items()
    if whole % part:
        message = f"{divisor}={part} has to divide {name}={whole}"
        raise ArgumentError(message)


def require_choice(known: Sequence[str], **choices: str) -> None:
    """Refuse a word that is not one of those there are.

    Args:
        known: The words there are.
        choices: What to look at, by the names a user knows it under.

    Raises:
        ArgumentError: If one is another; it is named, and so are the known ones.

    Example:
        >>> require_choice(("dtw", "otam"), metric="euclid")
        Traceback (most recent call last):
            ...
        vtlearn.errors.ArgumentError: metric: expected one of dtw, otam, got 'euclid'
    """
    for name, choice in choices.items():
        if choice not in known:
            message = f"{name}: expected one of {', '.join(known)}, got {choice!r}"
            raise ArgumentError(message)
