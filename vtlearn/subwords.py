"""Subwords by SentencePiece: learned from captions, kept in checkpoints as the bytes of its model.

Text encoders read with them, decoders read and write with them. Pieces that begin, end or mask a
text are *control pieces*: they have ids, and no text is ever encoded to them.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Self

import torch
from torch import Tensor

from vtlearn.errors import ArgumentError, CheckpointError
from vtlearn.unicode import replace_surrogates

__all__ = ["Subwords", "subwords_from_state", "subwords_to_state"]

_MOST_CAPTIONS = 1_000_000  # what subwords are learned from: more takes long and changes little
_MASK = "<mask>"


class Subwords:
    """Cut texts into subwords, and put subwords together to texts.

    Ids 0 and 1 are the padding and a letter never seen, in this order unless they were learned with
    another; control pieces come next, then the subwords of texts.

    Args:
        model: SentencePiece's model, as :attr:`model` has it.

    Attributes:
        model: SentencePiece's model: what a checkpoint keeps.

    Raises:
        CheckpointError: If SentencePiece cannot read it.

    Example:
        >>> subwords = Subwords.learn(["chop the carrot", "fry the egg"] * 5, 60, mask=True)
        >>> rows = subwords.encode(["fry the carrot", ""])
        >>> subwords.decode(rows)
        ['fry the carrot', '']
        >>> subwords.begin, subwords.mask, subwords.first_of_texts
        (None, 2, 3)
    """

    def __init__(self, model: bytes) -> None:
        import sentencepiece

        self.model = model
        try:
            self._processor: Any = sentencepiece.SentencePieceProcessor(model_proto=model)
        except RuntimeError as error:
            message = f"the checkpoint's subwords cannot be read; SentencePiece says: {error}"
            raise CheckpointError(message) from error

    @classmethod
    def learn(
        cls,
        captions: Iterable[str],
        vocab_size: int,
        *,
        lowercase: bool = True,
        begin: bool = False,
        end: bool = False,
        mask: bool = False,
        padding: int = 0,
    ) -> Self:
        """Learn subwords by byte-pair encoding: the same captions give the same subwords.

        Frequent words become one subword even where captions are few.

        Args:
            captions: Captions; the first million that are not blank count.
            vocab_size: How many pieces there may be, the padding and control pieces among them;
                fewer, where the captions have no more.
            lowercase: Fold upper and lower case together.
            begin: Whether there is a control piece for the beginning of a text.
            end: Whether there is one for its end.
            mask: Whether there is one that stands for a hidden subword.
            padding: Id of the padding, 0 or 1; a letter never seen has the other.

        Raises:
            ArgumentError: If there are no captions, ``vocab_size`` is less than their letters need,
                or ``padding`` is neither 0 nor 1.

        Source: Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units",
            2016.
        """
        import sentencepiece

        if padding not in (0, 1):
            message = f"padding must be 0 or 1, but is {padding}"
            raise ArgumentError(message)
        model = io.BytesIO()
        lines = _Lines(captions)
        options: dict[str, Any] = {"control_symbols": [_MASK]} if mask else {}
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=islice(lines, _MOST_CAPTIONS),
                model_writer=model,
                model_type="bpe",
                vocab_size=vocab_size,
                hard_vocab_limit=False,
                normalization_rule_name="nmt_nfkc_cf" if lowercase else "nmt_nfkc",
                pad_id=padding,
                unk_id=1 - padding,
                bos_id=2 if begin else -1,
                eos_id=2 + begin if end else -1,
                num_threads=1,
                minloglevel=2,
                **options,
            )
        except RuntimeError as error:
            if lines.error is not None:  # the trainer tells it as a mistake of its own
                raise lines.error from None
            message = (
                f"no subwords could be learned from the captions with vocab_size={vocab_size}; "
                f"SentencePiece says: {error}. Give captions that say something, or a larger "
                "vocab_size"
            )
            raise ArgumentError(message) from error
        return cls(model.getvalue())

    def __reduce__(self) -> tuple[type[Self], tuple[bytes]]:
        return type(self), (self.model,)

    def __len__(self) -> int:
        """Return how many pieces there are, the padding and control pieces among them."""
        return int(self._processor.get_piece_size())

    @property
    def padding(self) -> int:
        """Id of the padding."""
        return int(self._processor.pad_id())

    @property
    def unknown(self) -> int:
        """Id of a letter never seen."""
        return int(self._processor.unk_id())

    @property
    def begin(self) -> int | None:
        """Id of the piece that begins a text; None if there is none."""
        return _if_there(self._processor.bos_id())

    @property
    def end(self) -> int | None:
        """Id of the piece that ends a text; None if there is none."""
        return _if_there(self._processor.eos_id())

    @property
    def mask(self) -> int | None:
        """Id of the piece that stands for a hidden subword; None if there is none."""
        index = self._processor.piece_to_id(_MASK)
        return index if self._processor.is_control(index) else None

    @property
    def first_of_texts(self) -> int:
        """The first id of a subword of texts; all from there to the last are such."""
        return 2 + sum(index is not None for index in (self.begin, self.end, self.mask))

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Cut texts into subwords.

        Args:
            texts: Strings; a blank one has no subwords.

        Returns:
            The ids of each text: :attr:`unknown`, or from :attr:`first_of_texts` on.
        """
        rows: list[list[int]] = self._processor.encode(list(texts))
        return rows

    def decode(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """Put subwords together to texts.

        Args:
            rows: Ids of each text. Control pieces and padding give nothing.

        Returns:
            One string per row.
        """
        texts: list[str] = [self._processor.decode(list(row)) for row in rows]
        return texts


def subwords_to_state(subwords: Subwords | None) -> Tensor:
    """Turn subwords into what a module's ``get_extra_state`` returns.

    Args:
        subwords: None where there are none yet.

    Returns:
        SentencePiece's model as bytes, (bytes,), uint8; empty for None.

    Example:
        >>> subwords_to_state(None)
        tensor([], dtype=torch.uint8)
    """
    model = b"" if subwords is None else subwords.model
    return torch.tensor(list(model), dtype=torch.uint8)


def subwords_from_state(state: Any) -> Subwords | None:
    """Read what :func:`subwords_to_state` returned, from a checkpoint.

    Args:
        state: What a module's ``set_extra_state`` is given.

    Returns:
        The subwords; None where there were none.

    Raises:
        CheckpointError: If it is not a model of SentencePiece.
    """
    if not isinstance(state, Tensor) or state.dtype != torch.uint8:
        message = (
            "expected the checkpoint's subwords to be bytes, got "
            f"{type(state).__name__}: they were not made by vtlearn's subwords"
        )
        raise CheckpointError(message)
    model = state.cpu().numpy().tobytes()
    return Subwords(model) if model else None


class _Lines(Iterator[str]):
    """Captions on one line each, without blank ones; keeps the error that reading them ends in."""

    def __init__(self, captions: Iterable[str]) -> None:
        joined = (" ".join(replace_surrogates(one).split()) for one in captions)
        self._lines = (line for line in joined if line)
        self.error: Exception | None = None

    def __next__(self) -> str:
        try:
            return next(self._lines)
        except StopIteration:
            raise
        except Exception as error:
            self.error = error
            raise


def _if_there(index: int) -> int | None:
    return None if index < 0 else index
