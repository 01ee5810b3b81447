"""A small text encoder for a laptop, with subwords of its own."""

import io
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from vtlearn.batch import Encoded
from vtlearn.encoders.base import TextEncoder, Tokens
from vtlearn.encoders.batch_norm import SafeBatchNorm1d
from vtlearn.encoders.text.table import max_over_words, padded, resized
from vtlearn.errors import ArgumentError, CheckpointError

__all__ = ["TinyText"]

_MOST_CAPTIONS = 1_000_000  # what subwords are learned from: more takes long and changes little


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
        self._model = b""
        self._processor: Any = None
        self.embedding = nn.Embedding(1, width)
        self.layers = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.fc = nn.Linear(hidden, dim)
        self.spread = SafeBatchNorm1d(dim)

    @property
    def needs_vocabulary(self) -> bool:
        """Whether there are no subwords yet, from the captions or a checkpoint."""
        return not self._model

    def build(self, captions: Iterable[str]) -> None:
        """Learn subwords from the training captions: the same captions give the same subwords.

        Args:
            captions: All captions of the training corpus; the first million with a word count.

        Raises:
            ArgumentError: If there are none, or ``vocab_size`` is less than their letters need.
        """
        lines = (line for line in (" ".join(one.split()) for one in captions) if line)
        self._take(_learn(islice(lines, _MOST_CAPTIONS), self.vocab_size, self.lowercase))

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
        if self.needs_vocabulary:
            message = (
                "this TinyText has no subwords: load a checkpoint that has them, or call "
                "build(captions)"
            )
            raise ArgumentError(message)
        size = self.max_words if max_words is None else max_words
        return padded(self._processor.encode(list(texts)), size)

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
        return torch.tensor(list(self._model), dtype=torch.uint8)

    def set_extra_state(self, state: Any) -> None:
        """Take the subwords of a checkpoint, and make room for their vectors, loaded next.

        Args:
            state: What :meth:`get_extra_state` returned.

        Raises:
            CheckpointError: If it is not a model of SentencePiece.
        """
        if not isinstance(state, Tensor) or state.dtype != torch.uint8:
            message = (
                "expected the checkpoint's subwords to be bytes, got "
                f"{type(state).__name__}: they were not made by TinyText"
            )
            raise CheckpointError(message)
        self._take(state.cpu().numpy().tobytes())

    def _take(self, model: bytes) -> None:
        self._processor = _processor(model) if model else None
        self._model = model
        rows = self._processor.get_piece_size() if model else 1
        self.embedding = resized(self.embedding, rows)


def _learn(lines: Iterable[str], vocab_size: int, lowercase: bool) -> bytes:
    import sentencepiece

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=model,
            model_type="bpe",
            vocab_size=vocab_size,
            hard_vocab_limit=False,
            normalization_rule_name="nmt_nfkc_cf" if lowercase else "nmt_nfkc",
            pad_id=0,
            unk_id=1,
            bos_id=-1,
            eos_id=-1,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        message = (
            f"no subwords could be learned from the captions with vocab_size={vocab_size}; "
            f"SentencePiece says: {error}. Give captions that say something, or a larger vocab_size"
        )
        raise ArgumentError(message) from error
    return model.getvalue()


def _processor(model: bytes) -> Any:
    import sentencepiece

    try:
        return sentencepiece.SentencePieceProcessor(model_proto=model)
    except RuntimeError as error:
        message = f"the checkpoint's subwords cannot be read; SentencePiece says: {error}"
        raise CheckpointError(message) from error
