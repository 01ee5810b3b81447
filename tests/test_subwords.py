import copy
import io
import pickle
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sentencepiece
import torch

from vtlearn.encoders.text.tiny import TinyText
from vtlearn.errors import (
    ArgumentError,
    CheckpointError,
    TooManyUnreadableError,
    TranscriptError,
)
from vtlearn.subwords import Subwords, subwords_from_state, subwords_to_state

TEXTS = [f"{one} the {two}" for one in ("chop", "stir", "fry") for two in ("carrot", "onion")]


def learned(lines: list[str] | None = None, vocab_size: int = 100, **options: Any) -> Subwords:
    return Subwords.learn(TEXTS * 20 if lines is None else lines, vocab_size, **options)


def test_texts_come_back() -> None:
    for subwords in (learned(), learned(begin=True, end=True, mask=True)):
        assert subwords.decode(subwords.encode([*TEXTS, "", " "])) == [*TEXTS, "", ""]


def test_ids_of_texts_follow_the_control_pieces() -> None:
    plain, full = learned(), learned(begin=True, end=True, mask=True)
    assert (plain.begin, plain.end, plain.mask, plain.first_of_texts) == (None, None, None, 2)
    assert (full.begin, full.end, full.mask, full.first_of_texts) == (2, 3, 4, 5)
    assert len(full) == len(plain) + 3
    for subwords in (plain, full):
        ids = {index for row in subwords.encode(TEXTS) for index in row}
        assert min(ids) >= subwords.first_of_texts
        assert max(ids) < len(subwords)


@pytest.mark.parametrize(
    ("options", "expected"),
    [({"begin": True}, (2, None, None)), ({"end": True}, (None, 2, None))],
)
def test_each_control_piece_can_be_had_alone(
    options: dict[str, Any], expected: tuple[int | None, ...]
) -> None:
    subwords = learned(**options)
    assert (subwords.begin, subwords.end, subwords.mask) == expected
    assert subwords.first_of_texts == 3


def test_padding_and_unknown_may_change_places() -> None:
    usual, other = learned(begin=True), learned(begin=True, padding=1)
    assert (usual.padding, usual.unknown, usual.begin, usual.end) == (0, 1, 2, None)
    assert (other.padding, other.unknown, other.begin, other.end) == (1, 0, 2, None)
    (row,) = other.encode(["chop the 日"])
    assert row[-1] == 0
    assert other.encode(TEXTS) == usual.encode(TEXTS)
    assert other.decode([[2, *other.encode(["chop"])[0], 1, 1]]) == ["chop"]
    kept = subwords_from_state(subwords_to_state(other))
    assert kept is not None
    assert kept.padding == 1
    with pytest.raises(ArgumentError, match="padding must be 0 or 1, but is 2"):
        learned(padding=2)


FULL_WIDTH = "\N{FULLWIDTH LESS-THAN SIGN}mask\N{FULLWIDTH GREATER-THAN SIGN}"


@pytest.mark.parametrize("written", ["<mask>", "<s>", "</s>", "<pad>", "<MASK>", FULL_WIDTH])
def test_no_text_gives_a_control_piece(written: str) -> None:
    lines = [f"{written} chop{written} {written}{written} the onion"] * 30 + TEXTS
    subwords = learned(lines, begin=True, end=True, mask=True)
    (row,) = subwords.encode([f"{written} chop{written} the {written}"])
    assert not {0, subwords.begin, subwords.end, subwords.mask} & set(row)
    assert "chop" in subwords.decode([row])[0]


def test_control_pieces_and_padding_are_written_as_nothing() -> None:
    subwords = learned(begin=True, end=True, mask=True)
    (row,) = subwords.encode(["chop the onion"])
    assert subwords.decode([[2, *row, 4, 3, 0, 0]]) == ["chop the onion"]
    assert subwords.decode([]) == []


def test_the_same_captions_give_the_same_subwords() -> None:
    assert learned().model == learned(list(TEXTS * 20)).model
    assert learned().model != learned(mask=True).model


def test_copies_read_alike() -> None:
    subwords = learned(mask=True)
    for twin in (copy.deepcopy(subwords), pickle.loads(pickle.dumps(subwords))):  # noqa: S301
        assert twin.encode(TEXTS) == subwords.encode(TEXTS)
        assert (twin.mask, twin.model) == (2, subwords.model)


def test_a_state_brings_the_subwords() -> None:
    subwords = learned()
    read = subwords_from_state(subwords_to_state(subwords))
    assert read is not None
    assert read.encode(TEXTS) == subwords.encode(TEXTS)
    assert subwords_from_state(subwords_to_state(None)) is None


def test_a_checkpoint_from_before_opens() -> None:
    """The bytes that TinyText kept when it trained SentencePiece itself."""
    dice = random.Random(0)
    lines = dice.choices(TEXTS, k=50)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type="bpe",
        vocab_size=100,
        hard_vocab_limit=False,
        normalization_rule_name="nmt_nfkc_cf",
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    old = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    encoder = TinyText(dim=4, width=6, hidden=8)
    state = encoder.state_dict()
    state["embedding.weight"] = torch.randn(old.get_piece_size(), 6)
    state["_extra_state"] = torch.tensor(list(model.getvalue()), dtype=torch.uint8)
    encoder.load_state_dict(state)
    tokens = encoder.tokenize(TEXTS)
    found = [ids[:n].tolist() for ids, n in zip(tokens.ids, tokens.length.tolist(), strict=True)]
    assert found == old.encode(TEXTS)
    assert learned(lines).model == model.getvalue()  # and a new one learns the same


@pytest.mark.parametrize(
    "error",
    [TranscriptError("caption 3 of video a"), TooManyUnreadableError(3, 9, 0.1), OSError(5)],
)
def test_errors_of_the_captions_are_those_of_the_captions(error: Exception) -> None:
    """Not the trainer's, which would be about ``vocab_size``."""

    def captions() -> Iterator[str]:
        yield "so we chop"
        raise error

    with pytest.raises(type(error)) as caught:
        Subwords.learn(captions(), 100)
    assert caught.value is error


def test_half_an_emoji_is_learned_from() -> None:
    cut = ["so we chop \ud83d", "the carrot"]
    assert (
        Subwords.learn(cut, 100).model
        == Subwords.learn([cut[0][:-1] + "\ufffd", cut[1]], 100).model
    )


@pytest.mark.parametrize(
    ("act", "kind", "complaint"),
    [
        (lambda: learned(vocab_size=3), ArgumentError, "larger vocab_size"),
        (lambda: learned([" ", ""]), ArgumentError, "Give captions that say something"),
        (lambda: Subwords(b"abc"), CheckpointError, "cannot be read"),
        (lambda: subwords_from_state(["chop"]), CheckpointError, "to be bytes, got list"),
    ],
)
def test_mistakes_are_named(
    act: Callable[[], object], kind: type[Exception], complaint: str
) -> None:
    with pytest.raises(kind, match=complaint):
        act()
