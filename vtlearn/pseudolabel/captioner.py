"""What writes captions of single frames: a base class for captioners of one's own."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor

__all__ = ["FrameCaptioner"]


class FrameCaptioner(ABC):
    """Write a sentence for each of some pictures.

    A captioner of one's own is a subclass that is built without arguments; ``vtlearn pseudolabel
    --captioner package.module.Class`` finds it.

    Attributes:
        size: Height and width of the pictures in pixels; they are the squares in the middle of a
            video's frames.
        name: What captions are said to be by; it should change with the weights.

    Example:
        >>> import torch
        >>> class Brightness(FrameCaptioner):
        ...     size, name = 8, "brightness"
        ...
        ...     def captions(self, frames):
        ...         means = frames.float().mean((1, 2, 3)).tolist()
        ...         return [f"a {'bright' if mean > 127 else 'dark'} room" for mean in means]
        >>> Brightness().captions(torch.zeros(2, 3, 8, 8, dtype=torch.uint8))
        ['a dark room', 'a dark room']
    """

    size: int
    name: str

    def encode(self, frames: Tensor) -> Any:
        """Look at pictures, once for all that is asked of them.

        Args:
            frames: (pictures, 3, size, size), uint8, on the CPU.

        Returns:
            What :meth:`captions` and :meth:`log_likelihood` are given in their place: the pictures
            themselves, unless a captioner knows better. A slice of it is of those pictures.
        """
        return frames

    @abstractmethod
    def captions(self, frames: Any) -> list[str]:
        """Write sentences.

        Args:
            frames: What :meth:`encode` returned.

        Returns:
            One per picture; empty where there is nothing to say.
        """

    def log_likelihood(self, frames: Any, texts: Sequence[str]) -> Tensor | None:
        """Compute how likely texts are to be written for pictures.

        Args:
            frames: What :meth:`encode` returned.
            texts: Strings; there may be none, to ask whether the captioner can tell.

        Returns:
            (pictures, texts), mean log-probability per piece of a text, on the CPU; None where the
            captioner cannot tell.
        """
        del frames, texts
        return None
