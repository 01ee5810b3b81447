"""What every decoder promises: the words of texts, predicted from the tokens of clips.

A head that predicts or writes texts holds a decoder: it connects it to the video encoder, lets it
build its vocabulary, and gives it texts with the tokens of one clip each.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from vtlearn.checks import require_not_negative, require_positive
from vtlearn.encoders.base import VideoEncoder
from vtlearn.errors import ArgumentError
from vtlearn.hyperparameters import Configurable

__all__ = ["Decoder"]


class Decoder(Configurable, ABC):
    """Predict the words of texts from the tokens of clips.

    Everywhere ``tokens`` are (clips, frames, patches, width), as a video encoder gives them, and
    ``token_length`` (clips,), int64, says how many frames of each clip count; None: all. The other
    frames may hold anything.
    """

    def __init__(self) -> None:
        super().__init__()
        self._token_width: int | None = None

    def connect(self, video_encoder: VideoEncoder) -> None:
        """Fit the decoder to the encoder whose tokens it reads, once; its head calls this.

        Args:
            video_encoder: Whose tokens it will be given.

        Raises:
            ArgumentError: If the encoder gives no tokens, or ones of another width than that it was
                connected to.
        """
        name, width = type(self).__name__, video_encoder.token_width
        if width is None:
            message = (
                f"{name} reads video tokens, and {type(video_encoder).__name__} gives none: choose "
                "another model.video_encoder, or a head without a decoder"
            )
            raise ArgumentError(message)
        if self._token_width is None:
            self.make_layers(video_encoder)
        elif self._token_width != width:
            message = (
                f"{name} was connected to tokens of width {self._token_width}, and cannot be to "
                f"ones of {width}: build a new decoder"
            )
            raise ArgumentError(message)
        self._token_width = width

    def make_layers(self, video_encoder: VideoEncoder) -> None:
        """Make the layers whose sizes depend on the encoder; none, unless a decoder has such.

        Args:
            video_encoder: Has ``token_width``.
        """

    def require_tokens(self, tokens: Tensor) -> None:
        """Refuse tokens that are not those of the encoder it was connected to.

        Args:
            tokens: (clips, frames, patches, width).

        Raises:
            ArgumentError: If it was connected to none, or they have another shape.
        """
        name = type(self).__name__
        if self._token_width is None:
            message = f"{name} has layers that depend on the video encoder: connect it first"
            raise ArgumentError(message)
        if tokens.ndim != 4 or tokens.shape[3] != self._token_width:
            message = (
                f"tokens are {tuple(tokens.shape)}; this {name} reads (clips, frames, patches, "
                f"{self._token_width})"
            )
            raise ArgumentError(message)

    @property
    def needs_vocabulary(self) -> bool:
        """Whether :meth:`build` has to be called before the first text."""
        return False

    def build(self, captions: Iterable[str]) -> None:
        """Make a vocabulary of one's own from the training captions.

        Args:
            captions: All captions of the training corpus, in the same order on every process.
        """

    @abstractmethod
    def has_words(self, texts: Sequence[str]) -> Tensor:
        """Tell which texts have a word to predict; the others have no loss, and are left out.

        Args:
            texts: Strings.

        Returns:
            (texts,), bool, on the CPU.
        """

    @abstractmethod
    def losses(
        self,
        texts: Sequence[str],
        tokens: Tensor,
        token_length: Tensor | None = None,
        masked: bool = False,
        rng: Sequence[np.random.Generator] | None = None,
    ) -> Tensor:
        """Compute how badly the words of texts are predicted from their clips.

        Args:
            texts: Strings with words, as :meth:`has_words` says; there may be none.
            tokens: One clip for each text.
            token_length: Frames that count.
            masked: Guess hidden words from all others, instead of each from those before it.
            rng: For ``masked``: what is hidden, one generator per text, such as
                ``np.random.default_rng((rows.seed, stream, row, position))``. No text's draws
                depend on another's.

        Returns:
            (texts,), float32 or wider: the mean cross-entropy over the predicted words of each.

        Raises:
            ArgumentError: If a text has no words, or their numbers differ.
        """

    @abstractmethod
    def log_likelihood(
        self, tokens: Tensor, texts: Sequence[str], token_length: Tensor | None = None
    ) -> Tensor:
        """Compute how likely each text is to be written for each clip.

        Args:
            tokens: Of clips.
            texts: Strings; one without words is as likely as an end at once.
            token_length: Frames that count.

        Returns:
            (clips, texts), float32 or wider: the mean log-probability of a text's pieces, its end
            among them. Without gradients.
        """

    @abstractmethod
    def generate(
        self,
        tokens: Tensor,
        token_length: Tensor | None = None,
        *,
        beams: int = 5,
        length_penalty: float = 1.0,
        max_new: int = 30,
    ) -> list[str]:
        """Write a text for each clip; the same for the same clip, whatever the others.

        Args:
            tokens: Of clips.
            token_length: Frames that count.
            beams: How many texts are followed at once; 1 takes the likeliest piece each time.
            length_penalty: Power of the number of pieces that a text's log-probability is divided
                by: 0 compares sums, 1 means.
            max_new: How many pieces are written at most, the end among them.

        Returns:
            One string per clip, none less likely than that of ``beams=1``.
        """


def require_search(beams: int, length_penalty: float, max_new: int) -> None:
    """Refuse a search that cannot be done.

    Args:
        beams: How many texts are followed at once.
        length_penalty: Power of a text's length.
        max_new: How many pieces are written at most.

    Raises:
        ArgumentError: If one is outside its range.
    """
    require_positive(beams=beams, max_new=max_new)
    require_not_negative(length_penalty=length_penalty)


@contextmanager
def at_rest(module: nn.Module) -> Iterator[None]:
    """Drop nothing, and keep no gradients.

    Args:
        module: In training mode again afterwards, if it was before.
    """
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        module.train(was_training)
