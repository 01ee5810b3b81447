"""The pieces that OPT reads and writes: those it was published with, or subwords of captions.

A text is begun and ended by the same piece.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor
from typing_extensions import override

from vtlearn.errors import CheckpointError
from vtlearn.subwords import Subwords, subwords_from_state, subwords_to_state

__all__: list[str] = []


class Pieces(ABC):
    """Cut texts into pieces, and put pieces together to texts.

    Attributes:
        end: Id of the piece that begins and ends a text.
        padding: Id of the padding.
        never: Ids that are never written.
    """

    end: int
    padding: int
    never: list[int]

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Cut texts into ids, without the piece that begins and ends them."""

    @abstractmethod
    def decode(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """Put ids together to texts."""

    @abstractmethod
    def state(self) -> Tensor | str:
        """Return what a checkpoint keeps."""


class LearnedPieces(Pieces):
    """Subwords learned from captions: unknown 0, padding 1, beginning and end 2.

    Args:
        subwords: With these ids.
        rows: How many ids the model has a vector for, some of which may be no pieces; 0: as many as
            there are pieces.

    Raises:
        CheckpointError: If they have other ids.
    """

    def __init__(self, subwords: Subwords, rows: int = 0) -> None:
        ids = subwords.unknown, subwords.padding, subwords.begin, subwords.end
        if ids != (0, 1, 2, None):
            message = (
                "the checkpoint's subwords have other ids than OPT's: they were not learned by an "
                "OPTDecoder"
            )
            raise CheckpointError(message)
        self.subwords = subwords
        self.end, self.padding = 2, subwords.padding
        self.never = [subwords.unknown, subwords.padding, *range(len(subwords), rows)]

    @override
    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return self.subwords.encode(texts)

    @override
    def decode(self, rows: Sequence[Sequence[int]]) -> list[str]:
        return self.subwords.decode(rows)

    @override
    def state(self) -> Tensor:
        return subwords_to_state(self.subwords)


class PublishedPieces(Pieces):
    """A tokenizer that came with published weights.

    Args:
        tokenizer: As JSON, of the package tokenizers.
        end: Id of the piece that begins and ends a text.
        padding: Id of the padding.
        rows: How many ids the model has a vector for, some of which may be no pieces.

    Raises:
        CheckpointError: If it cannot be read.
    """

    def __init__(self, tokenizer: str, *, end: int, padding: int, rows: int) -> None:
        from tokenizers import Tokenizer

        try:
            self._tokenizer: Any = Tokenizer.from_str(tokenizer)
        except Exception as error:  # tokenizers raises no kind of its own
            message = f"the checkpoint's tokenizer cannot be read: {error}"
            raise CheckpointError(message) from error
        self._json, self.end, self.padding = tokenizer, end, padding
        added = json.loads(tokenizer).get("added_tokens") or []
        self._special = {end, padding, *(one["id"] for one in added if one.get("special"))}
        unused = range(self._tokenizer.get_vocab_size(with_added_tokens=True), rows)
        never = {*self._special, *unused} - {end}
        self.never = sorted(index for index in never if index < rows)

    def __reduce__(self) -> tuple[Any, ...]:
        return _published, (self._json, self.end, self.padding, self.never)

    @override
    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        encoded = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        # a text may spell out what begins or pads texts
        return [[index for index in one.ids if index not in self._special] for one in encoded]

    @override
    def decode(self, rows: Sequence[Sequence[int]]) -> list[str]:
        texts = self._tokenizer.decode_batch([list(row) for row in rows], skip_special_tokens=True)
        return [text.strip() for text in texts]

    @override
    def state(self) -> str:
        return self._json


def pieces_from_state(state: Any, *, end: int, padding: int, rows: int) -> Pieces | None:
    """Read what :meth:`Pieces.state` returned, from a checkpoint.

    Args:
        state: Of a module's ``set_extra_state``.
        end: Id of the piece that begins and ends a text.
        padding: Id of the padding.
        rows: How many ids the model has a vector for; 0: as many as subwords.

    Returns:
        The pieces; None where there were none.

    Raises:
        CheckpointError: If it is something else.
    """
    if isinstance(state, str):
        return PublishedPieces(state, end=end, padding=padding, rows=rows)
    subwords = subwords_from_state(state)
    return None if subwords is None else LearnedPieces(subwords, rows)


def _published(tokenizer: str, end: int, padding: int, never: list[int]) -> PublishedPieces:
    pieces = PublishedPieces(tokenizer, end=end, padding=padding, rows=0)
    pieces.never = never
    return pieces
