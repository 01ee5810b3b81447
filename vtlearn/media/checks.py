"""Refuse numbers that make no sense, before a decoder meets them."""

from vtlearn.errors import ArgumentError

__all__ = ["require_inside", "require_positive"]


def require_inside(box: tuple[int, int, int, int], height: int, width: int) -> None:
    """Refuse a box that is empty or leaves the picture.

    Args:
        box: Top, left, height and width of it.
        height: Height of the picture.
        width: Width of the picture.

    Raises:
        ArgumentError: If it is or does.

    Example:
        >>> require_inside((0, 0, 8, 8), 8, 10)
    """
    top, left, rows, columns = box
    fits = 0 <= top <= height - rows and 0 <= left <= width - columns
    if not fits or rows < 1 or columns < 1:
        message = (
            f"the box (top, left, height, width) = {box} is empty or leaves the picture, which is "
            f"{height} pixels high and {width} wide"
        )
        raise ArgumentError(message)


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
