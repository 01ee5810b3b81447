"""What writes captions of single frames: a base class for captioners of one's own."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from vtlearn.errors import ArgumentError

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


def require_described(captioner: FrameCaptioner) -> None:
    """Refuse a captioner that does not say which pictures it takes, or what it is called.

    Args:
        captioner: The captioner.

    Raises:
        ArgumentError: If ``size`` or ``name`` is missing, or cannot be one; it names the class.
    """
    for field in ("size", "name"):
        if not hasattr(captioner, field):
            message = f"{_class_of(captioner)} has no {field}: set it in the class, or in __init__"
            raise ArgumentError(message)
    size: object = captioner.size
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        message = f"{_class_of(captioner)}.size: expected a positive int, pixels, got {size!r}"
        raise ArgumentError(message)
    name: object = captioner.name
    if not isinstance(name, str) or not name:
        message = f"{_class_of(captioner)}.name: expected a string, got {name!r}"
        raise ArgumentError(message)


def encode_frames(captioner: FrameCaptioner, frames: Tensor) -> Any:
    """Let a captioner look at pictures.

    Args:
        captioner: The captioner.
        frames: (pictures, 3, size, size), uint8.

    Returns:
        What its other methods are given.

    Raises:
        ArgumentError: If it returns nothing; it names the class.
    """
    seen = captioner.encode(frames)
    if seen is None:
        message = (
            f"{_class_of(captioner)}.encode() returned None: it has to return what captions() is "
            "given, the frames themselves if need be"
        )
        raise ArgumentError(message)
    return seen


def write_captions(captioner: FrameCaptioner, seen: Any, count: int) -> list[str]:
    """Let a captioner write.

    Args:
        captioner: The captioner.
        seen: What :func:`encode_frames` returned.
        count: Of how many pictures it is.

    Returns:
        A sentence per picture.

    Raises:
        ArgumentError: If it returns anything else; it names the class.
    """
    texts: object = captioner.captions(seen)
    if isinstance(texts, (list, tuple)):
        odd = [text for text in texts if not isinstance(text, str)]
        if len(texts) == count and not odd:
            return list(texts)
        got = f"a list with {odd[0]!r:.80}" if odd else f"{len(texts)} of {count}"
    else:
        got = f"{texts!r:.80}"
    message = (
        f"{_class_of(captioner)}.captions(): expected a list of one string per frame, got {got}"
    )
    raise ArgumentError(message)


def likelihoods(
    captioner: FrameCaptioner, seen: Any, texts: Sequence[str], count: int
) -> Tensor | None:
    """Ask a captioner how likely texts are.

    Args:
        captioner: The captioner.
        seen: What :func:`encode_frames` returned.
        texts: The texts.
        count: Of how many pictures it is.

    Returns:
        (pictures, texts), float64; None where the captioner cannot tell.

    Raises:
        ArgumentError: If it returns anything else; it names the class.
    """
    found: object = captioner.log_likelihood(seen, texts)
    if found is None:
        return None
    if isinstance(found, Tensor) and found.shape == (count, len(texts)):
        return found.detach().cpu().double()
    got = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else f"{found!r:.80}"
    message = (
        f"{_class_of(captioner)}.log_likelihood(): expected a tensor (pictures, texts), here "
        f"{(count, len(texts))}, got {got}"
    )
    raise ArgumentError(message)


def _class_of(captioner: FrameCaptioner) -> str:
    kind = type(captioner)
    return f"{kind.__module__}.{kind.__qualname__}"
