"""The text encoder of VideoCLIP and TempCLR: BERT over pieces of words."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from vtlearn.batch import Encoded
from vtlearn.checks import require_positive
from vtlearn.encoders.base import TextEncoder, Tokens
from vtlearn.encoders.bert_model import bert_model, encode_sequences
from vtlearn.encoders.text.table import padded, resized
from vtlearn.encoders.text.wordpiece import learn_pieces, read_pieces, tokenizer_of
from vtlearn.errors import ArgumentError, CheckpointError
from vtlearn.padding import pad

__all__ = ["Bert"]

_CLS, _SEP = 101, 102  # of bert-base-uncased, which published weights go with
_TABLE = "bert.embeddings.word_embeddings.weight"
_WHERE = (
    "Published weights need bert-base-uncased's, which is the file vocab.txt of "
    "https://huggingface.co/google-bert/bert-base-uncased"
)


class Bert(TextEncoder):
    """Encode texts with BERT: the mean over the pieces of a text and [SEP], without [CLS].

    The vector is as wide as BERT and not normalised. The sizes are those of the published weights,
    whose names the parameters have. A file that is given is read at once where it exists. Where it
    does not, the first use says so: a checkpoint may bring the vocabulary instead.

    Args:
        vocabulary: A ``vocab.txt`` of BERT. No published weights carry one, and theirs is
            bert-base-uncased's. Without it, WordPiece is learned from the training captions.
        vocab_size: How many pieces are learned at most; the rows of the word table until there is a
            vocabulary, whose size it has then.
        width: Width of BERT's hidden states, and of the pooled vectors.
        layers: How many of BERT's layers there are.
        heads: Attention heads of a layer.
        feedforward: Width of a layer's feed-forward network.
        dropout: Probability that a value is dropped in training, from 0 to 1.
        max_words: How many pieces of a text are read, unless more or fewer are asked for; [CLS] and
            [SEP] come on top.
        max_positions: Rows of the position table.

    Raises:
        ArgumentError: If a number is outside its range, the heads do not divide the width, or the
            file is not a vocabulary of BERT.

    Source: Xu et al., "VideoCLIP: Contrastive Pre-training for Zero-shot Video-Text Understanding",
        2021, and its published code (``MMFusionSeparate``).

    Example:
        >>> sizes = {"width": 8, "layers": 1, "heads": 2, "feedforward": 16, "max_words": 6}
        >>> encoder = Bert(**sizes)
        >>> encoder.build(["chop the carrot", "fry the egg"])
        >>> tokens = encoder.tokenize(["Chop the egg", ""])
        >>> tokens.length
        tensor([3, 0])
        >>> encoder(tokens).pooled.shape
        torch.Size([2, 8])
    """

    unseen_arguments = ("heads",)
    uncompared_arguments = ("vocabulary", "vocab_size", "dropout", "max_words")

    def __init__(
        self,
        vocabulary: str | None = None,
        vocab_size: int = 4000,
        width: int = 768,
        layers: int = 12,
        heads: int = 12,
        feedforward: int = 3072,
        dropout: float = 0.1,
        max_words: int = 61,
        max_positions: int = 512,
    ) -> None:
        super().__init__()
        require_positive(vocab_size=vocab_size, max_words=max_words)
        self.dim = self.token_width = width
        self.vocabulary, self.vocab_size = vocabulary, vocab_size
        self.max_words, self.max_positions = max_words, max_positions
        self._check_positions(max_words)
        self._pieces: list[str] = []
        self._tokenizer: Any = None
        self._ends = (_CLS, _SEP)
        self._weights_without_pieces = False
        there = vocabulary is not None and Path(vocabulary).is_file()
        pieces = read_pieces(Path(vocabulary)) if vocabulary is not None and there else []
        self.bert = bert_model(
            vocab_size=len(pieces) or vocab_size,
            width=width,
            layers=layers,
            heads=heads,
            feedforward=feedforward,
            dropout=dropout,
            max_positions=max_positions,
        )
        if pieces:
            self._take(pieces)

    @property
    def needs_vocabulary(self) -> bool:
        """Whether there are no pieces yet, from a file, the captions or a checkpoint."""
        return not self._pieces

    @property
    def missing_files(self) -> list[str]:
        """The vocabulary's file, if one was given and is not there."""
        given = self.vocabulary
        return [] if given is None or Path(given).is_file() else [given]

    def build(self, captions: Iterable[str]) -> None:
        """Learn pieces from the training captions, or read the vocabulary's file if one was given.

        Args:
            captions: All captions of the training corpus; not looked at if there is a file.

        Raises:
            ArgumentError: If the file is not there, weights were loaded that belong to another
                vocabulary, or ``vocab_size`` is less than the captions' letters need.
        """
        if self.vocabulary is not None:
            if self._absence():
                message = f"Bert has nothing to read{self._absence()}: correct the path. {_WHERE}"
                raise ArgumentError(message)
            self._take(read_pieces(Path(self.vocabulary)))
        elif self._weights_without_pieces:
            message = (
                "this Bert has weights without the vocabulary they were trained with, and one "
                f"learned from the captions would not fit them: give vocabulary=FILE. {_WHERE}"
            )
            raise ArgumentError(message)
        else:
            self._take(learn_pieces(captions, self.vocab_size))

    def tokenize(self, texts: Sequence[str], max_words: int | None = None) -> Tokens:
        """Cut texts into pieces of words, in lower case.

        Args:
            texts: One string per text.
            max_words: How many pieces of a text are read; None for what it was made with.

        Returns:
            ``ids`` (texts, max_words), without [CLS] and [SEP], 0 at the end; and how many of them
            are real.

        Raises:
            ArgumentError: If there are no pieces yet, or ``max_words`` is not positive or more than
                there are positions.
        """
        if self.needs_vocabulary:
            message = (
                f"this Bert has no vocabulary{self._absence()}: give vocabulary=FILE, load a "
                f"checkpoint that has one, or call build(captions). {_WHERE}"
            )
            raise ArgumentError(message)
        size = self.max_words if max_words is None else max_words
        self._check_positions(size)
        return padded([self._tokenizer.encode(text).ids for text in texts], size)

    def forward(self, tokens: Tokens) -> Encoded:
        """Encode texts.

        Args:
            tokens: What :meth:`tokenize` made, on the encoder's device.

        Returns:
            ``pooled`` (texts, width); ``tokens`` (texts, max_words, width), the hidden states of
            the pieces, zero where there is none; ``token_length`` (texts,). An empty text is [CLS]
            and [SEP], and has no tokens.
        """
        size = tokens.ids.shape[1]
        # worth waiting for: captions are far shorter than what they are padded to
        longest = int(tokens.length.max()) if len(tokens.length) else size
        ids, words = tokens.ids[:, :longest], self.bert.embeddings.word_embeddings.weight
        cls_id, sep_id = self._ends
        output = encode_sequences(
            self.bert,
            functional.embedding(ids, words),
            tokens.length,
            cls_id=cls_id,
            sep_id=sep_id,
            sep_position=tokens.length + 1,
        )
        return Encoded(output.pooled, pad(output.hidden, [size]), tokens.length)

    def get_extra_state(self) -> list[str]:
        """Return the pieces, for a checkpoint; none where there is no vocabulary."""
        return list(self._pieces)

    def set_extra_state(self, state: Any) -> None:
        """Take the pieces of a checkpoint, and make room for their vectors, which are loaded next.

        Args:
            state: What :meth:`get_extra_state` returned; an empty list leaves the pieces that are
                there.

        Raises:
            CheckpointError: If it is not a list of pieces with BERT's special ones.
        """
        if not isinstance(state, list) or not all(isinstance(piece, str) for piece in state):
            message = (
                "expected the checkpoint's vocabulary to be a list of pieces, got "
                f"{type(state).__name__}: it was not made by Bert"
            )
            raise CheckpointError(message)
        if state and not {"[UNK]", "[CLS]", "[SEP]"} <= set(state):
            message = "the checkpoint's vocabulary lacks [UNK], [CLS] or [SEP]: it is not Bert's"
            raise CheckpointError(message)
        if state:
            self._take(state)

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *arguments: Any
    ) -> None:
        """Let published weights, which hold no pieces, go with the pieces that are there."""
        key = f"{prefix}_extra_state"
        own = {key: self.get_extra_state()} if self._pieces else {}
        super()._load_from_state_dict({**own, **state_dict}, prefix, *arguments)
        self._weights_without_pieces = self.needs_vocabulary and f"{prefix}{_TABLE}" in state_dict

    def _take(self, pieces: list[str]) -> None:
        self._pieces, self._tokenizer = list(pieces), tokenizer_of(pieces)
        self._ends = (pieces.index("[CLS]"), pieces.index("[SEP]"))
        table = self.bert.embeddings.word_embeddings
        larger = resized(table, len(pieces))
        if larger is not table:
            with torch.no_grad():
                larger.weight.mul_(self.bert.config.initializer_range)
            self.bert.set_input_embeddings(larger)
            self.bert.config.vocab_size = len(pieces)

    def _check_positions(self, max_words: int) -> None:
        if max_words + 2 > self.max_positions:
            message = (
                f"max_words={max_words}, [CLS] and [SEP] need {max_words + 2} positions, but "
                f"max_positions is {self.max_positions}"
            )
            raise ArgumentError(message)

    def _absence(self) -> str:
        missing = ", ".join(self.missing_files)
        return f", because {missing} is not there" if missing else ""
