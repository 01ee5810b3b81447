"""A small text encoder for a laptop, with subwords of its own."""

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor, nn

from vtlearn.batch import Encoded
from vtlearn.encoders.base import TextEncoder, Tokens
from vtlearn.encoders.batch_norm import SafeBatchNorm1d
from vtlearn.encoders.text.table import max_over_words, padded, resized
from vtlearn.errors import ArgumentError
from vtlearn.subwords import Subwords, subwords_from_state, subwords_to_state

__all__ = ["TinyText"]


class TinyText(TextEncoder):
    """Encode texts as bags of subwords: embedding, two layers, maximum over subwords, linear.

    The subwords are learned from the training captions by SentencePiece, with byte-pair encoding,
    and stay in the checkpoint. Frequent words become one subword even where captions are few. The
    vectors are batch-normalised, for the same reason as TinyVideo's.

    Args:
        dim: Width of the pooled vectors.
        width: Width of the subwords' vectors.
        hidden: Width of the layer that is pooled.
        vocab_size: How many subwords there may be; fewer, where the captions have no more.
        max_words: How many subwords of a text are read, unless more or fewer are asked for.
        lowercase: Fold upper and lower case together.

    Raises:
        ArgumentError: If a number is not positive.

    Source: the subwords follow Sennrich et al., "Neural Machine Translation of Rare Words with
        Subword Units", 2016.

    Example:
        >>> encoder = TinyText(dim=4, max_words=6)
        >>> encoder.build(["chop the carrot", "fry the egg"] * 5)
        >>> tokens = encoder.tokenize(["the carrot", ""])
        >>> tokens.length
        tensor([2, 0])
        >>> encoder(tokens).pooled.shape
        torch.Size([2, 4])
    """

    pooled_modules = ("fc", "spread")
    unseen_arguments = ("lowercase",)
    uncompared_arguments = ("vocab_size", "max_words")

    def __init__(
        self,
        dim: int = 128,
        width: int = 128,
        hidden: int = 256,
        vocab_size: int = 1000,
        max_words: int = 32,
        lowercase: bool = True,
    ) -> None:
        super().__init__()
        if min(dim, width, hidden, vocab_size, max_words) < 1:
            message = "dim, width, hidden, vocab_size and max_words must be positive"
            raise ArgumentError(message)
        self.dim, self.vocab_size, self.max_words = dim, vocab_size, max_words
        self.lowercase, self.token_width = lowercase, hidden
        self._subwords: Subwords | None = None
        self.embedding = nn.Embedding(1, width)
        self.layers = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.fc = nn.Linear(hidden, dim)
        self.spread = SafeBatchNorm1d(dim)

    @property
    def needs_vocabulary(self) -> bool:
        """Whether there are no subwords yet, from the captions or a checkpoint."""
        return self._subwords is None

    def build(self, captions: Iterable[str]) -> None:
        """Learn subwords from the training captions: the same captions give the same subwords.

        Args:
            captions: All captions of the training corpus; the first million with a word count.

        Raises:
            ArgumentError: If there are none, or ``vocab_size`` is less than their letters need.
        """
        self._take(Subwords.learn(captions, self.vocab_size, lowercase=self.lowercase))

    def tokenize(self, texts: Sequence[str], max_words: int | None = None) -> Tokens:
        """Cut texts into subwords.

        Args:
            texts: One string per text.
            max_words: How many subwords of a text are read; None for what it was made with.

        Returns:
            ``ids`` (texts, max_words): 0 is the padding, 1 a letter never seen; and how many of
            them are real.

        Raises:
            ArgumentError: If there are no subwords yet, or ``max_words`` is not positive.
        """
        if self._subwords is None:
            message = (
                "this TinyText has no subwords: load a checkpoint that has them, or call "
                "build(captions)"
            )
            raise ArgumentError(message)
        size = self.max_words if max_words is None else max_words
        return padded(self._subwords.encode(texts), size)

    def forward(self, tokens: Tokens) -> Encoded:
        """Encode texts.

        Args:
            tokens: What :meth:`tokenize` made, on the encoder's device.

        Returns:
            ``pooled`` (texts, dim); ``tokens`` (texts, max_words, hidden), the subwords before the
            maximum; ``token_length`` (texts,). An empty text is encoded as padding.
        """
        words = self.layers(self.embedding(tokens.ids))
        pooled = self.spread(self.fc(max_over_words(words, tokens.length)))
        return Encoded(pooled, words, tokens.length)

    def get_extra_state(self) -> Tensor:
        """Return SentencePiece's model as bytes, (bytes,), uint8, for a checkpoint."""
        return subwords_to_state(self._subwords)

    def set_extra_state(self, state: Any) -> None:
        """Take the subwords of a checkpoint, and make room for their vectors, loaded next.

        Args:
            state: What :meth:`get_extra_state` returned.

        Raises:
            CheckpointError: If it is not a model of SentencePiece.
        """
        self._take(subwords_from_state(state))

    def _take(self, subwords: Subwords | None) -> None:
        self._subwords = subwords
        self.embedding = resized(self.embedding, 1 if subwords is None else len(subwords))
