"""What every encoder promises: raw vectors for a list of clips or texts, one row each.

Encoders know nothing of samples, batches of them, or heads, and they never normalise what they
return: a head decides how vectors are compared. A list may be empty; the answer then has no rows,
but every parameter still has a part in it.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from torch import Tensor

from vtlearn.batch import Encoded
from vtlearn.hyperparameters import Configurable

__all__ = ["TextEncoder", "Tokens", "VideoEncoder"]


class Tokens(NamedTuple):
    """Tokenised texts.

    Attributes:
        ids: (texts, words), int64, padded at the end with the encoder's padding id.
        length: How many of the ids of each text are real, (texts,), int64.
    """

    ids: Tensor
    length: Tensor


class VideoEncoder(Configurable, ABC):
    """Turn clips into vectors.

    Attributes:
        dim: Width of the pooled vectors.
        num_frames: How many frames of a clip it was made for.
        size: Height and width of a frame in pixels it was made for, or the width of stored vectors.
        reads_stored: Whether it reads stored vectors (True), or pictures (False); None where it
            does not say.
        token_width: Width of its tokens; None where it gives none.
        frame_vectors: Whether its tokens are one vector of width ``dim`` per frame, which may be
            pooled over any frames: (clips, frames, 1, dim), as long as ``frame_length`` says.
        pooled_modules: Names of its submodules that only the pooled vector goes through; a head
            that reads tokens alone leaves them untrained.
        unseen_arguments: Names of arguments that change its vectors, but no weight's name or shape.
        uncompared_arguments: Names of arguments that only training depends on. ``--weights`` says
            where any other differs from what the weights were trained with.
        origin: The file or hub name that its weights were read from; None where they were not.
        mean: What it subtracts from red, green and blue between 0 and 1, where it says so.
        std: What it divides them by afterwards, where it says so.
    """

    dim: int
    num_frames: int
    size: int
    reads_stored: bool | None = None
    token_width: int | None = None
    frame_vectors: bool = False
    pooled_modules: tuple[str, ...] = ()
    unseen_arguments: tuple[str, ...] = ()
    uncompared_arguments: tuple[str, ...] = ()
    origin: str | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None

    def accepts(self, num_frames: int, size: int) -> bool:
        """Tell whether clips of a shape can be encoded; a picture is a clip of one frame.

        Args:
            num_frames: Frames of a clip.
            size: Height and width in pixels, or the width of stored vectors.

        Returns:
            By default, whether it was made for just these.
        """
        return (num_frames, size) == (self.num_frames, self.size)

    @abstractmethod
    def forward(self, frames: Tensor, frame_length: Tensor | None = None) -> Encoded:
        """Encode clips.

        Args:
            frames: (clips, frames, 3, height, width), uint8, which the encoder scales and
                normalises; or stored vectors (clips, frames, dim), float.
            frame_length: How many frames of each clip count, (clips,), int64, on the CPU, so that
                reading it waits for no device; None: all.

        Returns:
            ``pooled`` (clips, dim), float, and where the encoder has them ``tokens`` (clips,
            frames, places, width), of which ``token_length`` (clips,) frames are valid.
        """


class TextEncoder(Configurable, ABC):
    """Turn texts into vectors.

    Attributes:
        dim: Width of the pooled vectors.
        token_width: Width of its tokens; None where it gives none.
        pooled_modules: Names of its submodules that only the pooled vector goes through.
        unseen_arguments: Names of arguments that change its vectors, but no weight's name or shape.
        uncompared_arguments: Names of arguments that only training depends on, or that say where
            and how much to read. ``--weights`` says where any other differs from what the weights
            were trained with.
        origin: The file or hub name that its weights were read from; None where they were not.
    """

    dim: int
    token_width: int | None = None
    pooled_modules: tuple[str, ...] = ()
    unseen_arguments: tuple[str, ...] = ()
    uncompared_arguments: tuple[str, ...] = ()
    origin: str | None = None

    @property
    def needs_vocabulary(self) -> bool:
        """Whether :meth:`build` has to be called before the first text can be read."""
        return False

    @property
    def missing_files(self) -> list[str]:
        """Files that it was to read and that are not there; a checkpoint may stand for them."""
        return []

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
    def tokenize(self, texts: Sequence[str], max_words: int | None = None) -> Tokens:
        """Turn strings into ids, on the CPU.

        Args:
            texts: One string per text; an empty or unknown one is allowed, and so are no texts.
            max_words: How many words of a text are read; None for what the encoder was made for.

        Returns:
            Ids and lengths, one row per text.
        """

    @abstractmethod
    def forward(self, tokens: Tokens) -> Encoded:
        """Encode texts.

        Args:
            tokens: What :meth:`tokenize` made, on the encoder's device.

        Returns:
            ``pooled`` (texts, dim), float, and where the encoder has them ``tokens`` (texts, words,
            width), of which ``token_length`` (texts,) words are valid.
        """
