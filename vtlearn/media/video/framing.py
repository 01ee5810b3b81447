"""Which part of a picture is looked at, and which way up it is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from vtlearn.errors import ArgumentError

if TYPE_CHECKING:
    from torch import Tensor

__all__: list[str] = []

Box = tuple[int, int, int, int]
"""Top, left, height and width of a part of a picture, in pixels."""


class Orientation(NamedTuple):
    """How a decoded picture has to be laid to be upright: transposed first, then flipped.

    Attributes:
        transpose: Whether rows become columns.
        flip_rows: Whether the top row comes last.
        flip_columns: Whether the leftmost column comes last.

    Example:
        >>> quarter_turn = Orientation.read(np.array([0, -1, 0, 1, 0], np.int32).tobytes())
        >>> quarter_turn.lay(np.array([[1, 2, 3], [4, 5, 6]], np.uint8))
        array([[3, 6],
               [2, 5],
               [1, 4]], dtype=uint8)
    """

    transpose: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    @classmethod
    def read(cls, matrix: bytes | None) -> Self:
        """Read a display matrix, to the nearest multiple of 90 degrees.

        Args:
            matrix: Native 32-bit integers a, b, u, c, d and more, in the order of an MP4 file's
                track header: the pixel (x, y) is shown at (a x + c y, b x + d y), x to the right
                and y downwards. None where a file has no matrix.

        Returns:
            The orientation.
        """
        if matrix is None:
            return cls()
        a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
        if abs(a) < abs(b):
            return cls(True, b < 0, c < 0)
        return cls(False, d < 0, a < 0)

    def upright_size(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width that a picture of a decoded size has when upright."""
        return (width, height) if self.transpose else (height, width)

    def lay(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Lay a picture upright.

        Args:
            picture: (height, width, ...) as decoded.

        Returns:
            A view of it, (upright height, upright width, ...).
        """
        laid = picture.swapaxes(0, 1) if self.transpose else picture
        laid = laid[::-1] if self.flip_rows else laid
        return laid[:, ::-1] if self.flip_columns else laid

    def decoded_box(self, box: Box, height: int, width: int) -> Box:
        """Find in the decoded picture what is a box of the upright one.

        Args:
            box: The box in the upright picture.
            height: Height of the decoded picture.
            width: Width of the decoded picture.

        Returns:
            The box in the decoded picture.

        Example:
            >>> Orientation(transpose=True, flip_rows=True).decoded_box((0, 1, 2, 3), 4, 9)
            (1, 7, 3, 2)
        """
        top, left, rows, columns = box
        upright_height, upright_width = self.upright_size(height, width)
        if self.flip_rows:
            top = upright_height - top - rows
        if self.flip_columns:
            left = upright_width - left - columns
        return (left, top, columns, rows) if self.transpose else (top, left, rows, columns)


def centre_square(height: int, width: int) -> Box:
    """Return the largest square in the middle of a picture.

    Args:
        height: Height of the picture.
        width: Width of the picture.

    Returns:
        The square.

    Example:
        >>> centre_square(4, 10)
        (0, 3, 4, 4)
    """
    side = min(height, width)
    return (height - side) // 2, (width - side) // 2, side, side


def crop_boxes(crop: "str | Sequence[Sequence[int]] | Tensor", clips: int) -> list[Box | None]:
    """Read what a user asks for: the centre of every clip, or one box a clip.

    Args:
        crop: ``"center"``, or boxes (clips, 4).
        clips: How many clips there are.

    Returns:
        One entry a clip: its box, or None for the largest square in the middle.

    Raises:
        ArgumentError: If it is another word, or there are more or fewer boxes than clips.

    Example:
        >>> crop_boxes([(0, 2, 8, 8)], 1)
        [(0, 2, 8, 8)]
    """
    if isinstance(crop, str) and crop == "center":
        return [None] * clips
    boxes = np.asarray(crop)
    if boxes.shape != (clips, 4) or not np.issubdtype(boxes.dtype, np.integer):
        message = (
            'crop must be "center", or four integers (top, left, height, width) for each of '
            f"{clips} clips, but is {crop!r}"
        )
        raise ArgumentError(message)
    return [(top, left, rows, columns) for top, left, rows, columns in boxes.tolist()]


def require_inside(box: Box, height: int, width: int) -> None:
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
