"""The text encoder of MIL-NCE and VT-TWINS: word vectors, a layer, and the maximum over words."""

import pickle
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vtlearn.batch import Encoded
from vtlearn.encoders.base import TextEncoder, Tokens
from vtlearn.encoders.text.table import max_over_words, padded, resized
from vtlearn.errors import ArgumentError, CheckpointError

__all__ = ["Word2Vec"]

_WORD = re.compile(r"[\w']+")


class Word2Vec(TextEncoder):
    """Encode texts as bags of words: embedding, linear, ReLU, maximum over words, linear.

    Files that are given are read at once where they exist. Where they do not, the first use says
    so: a checkpoint may bring the words and their vectors instead.

    Args:
        vocabulary: The words, id 1 first: ``.npy`` with an array of strings, or a text file with
            one word per line. Without it the training captions are counted.
        embeddings: A file of ``torch.save`` with the words' vectors, (words + 1, embedding_dim);
            row 0 is the padding's. Without it they start at random.
        dim: Width of the pooled vectors; published weights have 512.
        hidden: Width of the layer that is pooled.
        embedding_dim: Width of the words' vectors.
        max_words: How many words of a text are read, unless more or fewer are asked for. Published
            code trains with 20 and tests with 30.
        lowercase: Read texts in lower case (S3D_HowTo100M does, MIL-NCE and VT-TWINS do not).
        mask_pad: Leave the padding out of the maximum. The published encoders take it in.
        trainable_embeddings: Train the words' vectors. By default those of a file are kept as they
            are, and random ones are trained.
        min_count: How often a word must occur in the training captions to be counted.

    Raises:
        ArgumentError: If embeddings are given without the words they belong to, a number is not
            positive, or the vocabulary is not a list of words.
        CheckpointError: If there is not one vector per word in ``embeddings``.

    Source: Miech et al., "End-to-End Learning of Visual Representations from Uncurated
        Instructional Videos", 2020, and its published code.

    Example:
        >>> encoder = Word2Vec(dim=4, hidden=8, embedding_dim=3, max_words=5)
        >>> encoder.build(["chop the carrot", "fry the egg"])
        >>> tokens = encoder.tokenize(["the red carrot", ""])
        >>> tokens.ids
        tensor([[1, 2, 0, 0, 0],
                [0, 0, 0, 0, 0]])
        >>> encoder(tokens).pooled.shape
        torch.Size([2, 4])
    """

    pooled_modules = ("fc2",)
    unseen_arguments = ("lowercase", "mask_pad")
    uncompared_arguments = (
        *("vocabulary", "embeddings", "max_words", "trainable_embeddings", "min_count"),
    )

    def __init__(
        self,
        vocabulary: str | None = None,
        embeddings: str | None = None,
        dim: int = 512,
        hidden: int = 2048,
        embedding_dim: int = 300,
        max_words: int = 20,
        lowercase: bool = False,
        mask_pad: bool = False,
        trainable_embeddings: bool | None = None,
        min_count: int = 1,
    ) -> None:
        super().__init__()
        if embeddings is not None and vocabulary is None:
            message = f"embeddings={embeddings} needs vocabulary=FILE, the words they belong to"
            raise ArgumentError(message)
        if min(dim, hidden, embedding_dim, max_words, min_count) < 1:
            message = "dim, hidden, embedding_dim, max_words and min_count must be positive"
            raise ArgumentError(message)
        self.dim, self.max_words, self.min_count = dim, max_words, min_count
        self.lowercase, self.mask_pad = lowercase, mask_pad
        self.token_width = hidden
        self.vocabulary, self.embeddings = vocabulary, embeddings
        self._words: list[str] = []
        self._id_of: dict[str, int] = {}
        self.word_embd = nn.Embedding(1, embedding_dim)
        trainable = embeddings is None if trainable_embeddings is None else trainable_embeddings
        self.word_embd.weight.requires_grad_(trainable)
        self.fc1 = nn.Linear(embedding_dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)
        if vocabulary is not None and not self.missing_files:
            self._read()

    @property
    def needs_vocabulary(self) -> bool:
        """Whether there are no words yet, from a file, the captions or a checkpoint."""
        return not self._words

    @property
    def missing_files(self) -> list[str]:
        """Those of the words and of their vectors that are not there."""
        given = (self.vocabulary, self.embeddings)
        return [path for path in given if path is not None and not Path(path).is_file()]

    def build(self, captions: Iterable[str]) -> None:
        """Count the words of the training captions, or read the vocabulary's file if one was given.

        Args:
            captions: All captions of the training corpus; not looked at if there is a file.

        Raises:
            ArgumentError: If a file is not there, no word occurs ``min_count`` times, or vectors
                were loaded that belong to words which were not.
        """
        if self.vocabulary is not None:
            self._read()
            return
        if self.needs_vocabulary and self.word_embd.num_embeddings > 1:
            raise ArgumentError(self._no_words())
        counts = Counter(word for caption in captions for word in self._split(caption))
        common = (word for word, count in counts.items() if count >= self.min_count)
        words = sorted(common, key=lambda word: (-counts[word], word))
        if not words:
            message = f"no word occurs {self.min_count} times in the captions: lower min_count"
            raise ArgumentError(message)
        self._take(words)

    def tokenize(self, texts: Sequence[str], max_words: int | None = None) -> Tokens:
        """Look up the words of texts; unknown words are dropped.

        Args:
            texts: One string per text.
            max_words: How many words of a text are read; None for what it was made with.

        Returns:
            ``ids`` (texts, max_words), 0 at the end, and how many known words there are.

        Raises:
            ArgumentError: If there are no words yet, or ``max_words`` is not positive.
        """
        if self.needs_vocabulary:
            raise ArgumentError(self._no_words())
        known = self._id_of
        return padded(
            [[known[word] for word in self._split(one) if word in known] for one in texts],
            self.max_words if max_words is None else max_words,
        )

    def forward(self, tokens: Tokens) -> Encoded:
        """Encode texts.

        Args:
            tokens: What :meth:`tokenize` made, on the encoder's device.

        Returns:
            ``pooled`` (texts, dim); ``tokens`` (texts, max_words, hidden), the words before the
            maximum; ``token_length`` (texts,). A text without a known word is encoded as padding.
        """
        words = functional.relu(self.fc1(self.word_embd(tokens.ids)))
        pooled = max_over_words(words, tokens.length) if self.mask_pad else words.amax(1)
        return Encoded(self.fc2(pooled), words, tokens.length)

    def get_extra_state(self) -> list[str]:
        """Return the words, for a checkpoint."""
        return list(self._words)

    def set_extra_state(self, state: Any) -> None:
        """Take the words of a checkpoint, and make room for their vectors, which are loaded next.

        Args:
            state: What :meth:`get_extra_state` returned.

        Raises:
            CheckpointError: If it is not a list of words.
        """
        if not isinstance(state, list) or not all(isinstance(word, str) for word in state):
            message = (
                "expected the checkpoint's vocabulary to be a list of words, got "
                f"{type(state).__name__}: it was not made by Word2Vec"
            )
            raise CheckpointError(message)
        self._take(state)

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *arguments: Any
    ) -> None:
        """Let published weights, which hold no words, go with the words that are there.

        Where there are no words either, the vectors are kept for those that are still to come.
        """
        own = {f"{prefix}_extra_state": self.get_extra_state()} if self._words else {}
        super()._load_from_state_dict({**own, **state_dict}, prefix, *arguments)
        vectors = state_dict.get(f"{prefix}word_embd.weight")
        if self.needs_vocabulary and isinstance(vectors, Tensor) and vectors.ndim:
            self.word_embd = resized(self.word_embd, len(vectors))

    def _split(self, text: str) -> list[str]:
        return _WORD.findall(text.lower() if self.lowercase else text)

    def _take(self, words: list[str]) -> None:
        self._words = list(words)
        self._id_of = {word: position for position, word in enumerate(words, start=1)}
        self.word_embd = resized(self.word_embd, len(words) + 1)

    def _read(self) -> None:
        if self.vocabulary is None or self.missing_files:
            message = f"Word2Vec has nothing to read{self._absence()}: correct the path"
            raise ArgumentError(message)
        words = _read_words(Path(self.vocabulary))
        vectors = self.embeddings and _read_vectors(Path(self.embeddings))
        shape = (len(words) + 1, self.word_embd.embedding_dim)
        if isinstance(vectors, Tensor) and vectors.shape != shape:
            message = (
                f"{self.embeddings} holds {tuple(vectors.shape)}, but the padding and the "
                f"{len(words)} words of {self.vocabulary} need {shape}: give the vectors of these "
                "words, and their embedding_dim"
            )
            raise CheckpointError(message)
        rows = self.word_embd.num_embeddings
        if vectors is None and self.needs_vocabulary and rows not in (1, len(words) + 1):
            message = (
                f"{self.vocabulary} holds {len(words)} words, but the vectors that were loaded "
                f"belong to {rows - 1}: give the words of these vectors"
            )
            raise CheckpointError(message)
        self._take(words)
        if isinstance(vectors, Tensor):
            self.word_embd.weight.data.copy_(vectors)

    def _no_words(self) -> str:
        vectors = self.word_embd.num_embeddings - 1
        if vectors:
            return (
                f"this Word2Vec has the vectors of {vectors} words and not the words"
                f"{self._absence()}: give the file that belongs to these vectors, vocabulary=FILE "
                "(published weights: `vtlearn convert` takes it by --vocabulary)"
            )
        return (
            f"this Word2Vec knows no words{self._absence()}: give vocabulary=FILE, load a "
            "checkpoint that has them, or call build(captions)"
        )

    def _absence(self) -> str:
        missing = ", ".join(self.missing_files)
        return f", because {missing} is not there" if missing else ""


def _read_words(path: Path) -> list[str]:
    if path.suffix != ".npy":
        words = path.read_text(encoding="utf-8").splitlines()
    else:
        words = _read_array(path)
    if not words:
        message = f"{path} holds no words"
        raise ArgumentError(message)
    return words


def _read_array(path: Path) -> list[str]:
    try:
        array = np.load(path, allow_pickle=False)  # a pickle could run anything
    except ValueError as error:
        message = f"{path} is not an array of strings: write it by numpy.save, or give a text file"
        raise ArgumentError(message) from error
    return [str(word) for word in array.ravel()]


def _read_vectors(path: Path) -> Tensor:
    try:
        vectors = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        message = f"{path} cannot be read: save one tensor with torch.save. {error}"
        raise CheckpointError(message) from error
    if not isinstance(vectors, Tensor):
        message = f"{path} holds {type(vectors).__name__}, not one tensor of (words + 1, width)"
        raise CheckpointError(message)
    return vectors
