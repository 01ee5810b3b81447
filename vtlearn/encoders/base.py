"""What every encoder promises: raw vectors for a list of clips or captions, one row each.

Encoders know nothing of narrations, batches of them, or heads, and they never normalise what they
return: a head decides how vectors are compared.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from torch import Tensor

from vtlearn.batch import Encoded
from vtlearn.hyperparameters import Configurable

__all__ = ["TextEncoder", "Tokens", "VideoEncoder"]


class Tokens(NamedTuple):
    """Tokenised captions.

    Attributes:
        ids: (captions, words), int64, padded at the end with the encoder's padding id.
        length: How many of the ids of each caption are real, (captions,), int64.
    """

    ids: Tensor
    length: Tensor


class VideoEncoder(Configurable, ABC):
    """Turn clips into vectors.

    Attributes:
        dim: Width of the pooled vectors.
        num_frames: How many frames of a clip it was made for.
        size: Height and width of a frame in pixels it was made for.
        mean: What it subtracts from red, green and blue between 0 and 1, where it says so.
        std: What it divides them by afterwards, where it says so.
    """

    dim: int
    num_frames: int
    size: int
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None

    @abstractmethod
    def forward(self, frames: Tensor) -> Encoded:
        """Encode clips.

        Args:
            frames: (clips, frames, 3, height, width), uint8; the encoder scales and normalises
                them.

        Returns:
            ``pooled`` (clips, dim), float, and tokens where the encoder has them.
        """


class TextEncoder(Configurable, ABC):
    """Turn captions into vectors.

    Attributes:
        dim: Width of the pooled vectors.
    """

    dim: int

    @property
    def needs_vocabulary(self) -> bool:
        """Whether :meth:`build` has to be called before the first caption can be read."""
        return False

    def build(self, captions: Iterable[str]) -> None:
        """Make a vocabulary of one's own from the training captions.

        The learner calls this in ``setup("fit")``, before the optimiser is made, and only while
        ``needs_vocabulary`` is true; every process is given the same captions in the same order.
        The vocabulary then travels in the checkpoint, by ``get_extra_state`` and
        ``set_extra_state``.

        Args:
            captions: All captions of the training corpus.
        """

    @abstractmethod
    def tokenize(self, captions: Sequence[str]) -> Tokens:
        """Turn strings into ids, on the CPU.

        Args:
            captions: One string an item; an empty or unknown one is allowed.

        Returns:
            Ids and lengths, one row a caption.
        """

    @abstractmethod
    def forward(self, tokens: Tokens) -> Encoded:
        """Encode captions.

        Args:
            tokens: What :meth:`tokenize` made, on the encoder's device.

        Returns:
            ``pooled`` (captions, dim), float, and tokens where the encoder has them.
        """
