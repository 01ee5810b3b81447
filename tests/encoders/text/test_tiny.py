import copy
import pickle
import random
import re
from pathlib import Path

import pytest
import torch

from vtlearn.encoders.base import Tokens
from vtlearn.encoders.text.tiny import TinyText
from vtlearn.errors import ArgumentError, CheckpointError

ACTIONS = ["chop", "stir", "fry", "pour", "season", "wash", "weigh", "bake"]
INGREDIENTS = ["carrot", "onion", "tomato", "egg", "mushroom", "bread", "lemon", "fish"]


def captions(count: int = 200) -> list[str]:
    dice = random.Random(0)
    return [f"now {dice.choice(ACTIONS)} the {dice.choice(INGREDIENTS)}" for _ in range(count)]


def small(**arguments: object) -> TinyText:
    torch.manual_seed(0)
    defaults: dict[str, object] = {"dim": 4, "width": 6, "hidden": 8, "max_words": 9}
    return TinyText(**(defaults | arguments))  # type: ignore[arg-type]


def built(**arguments: object) -> TinyText:
    encoder = small(**arguments)
    encoder.build(captions())
    return encoder


def test_the_same_captions_give_the_same_subwords() -> None:
    assert torch.equal(built().get_extra_state(), built().get_extra_state())


def test_frequent_words_become_one_subword() -> None:
    encoder = built()
    lengths = encoder.tokenize([f"{one} {two}" for one in ACTIONS for two in INGREDIENTS]).length
    assert (lengths == 2).all()


def test_ids_are_padded_with_zero_and_never_zero_before() -> None:
    tokens = built().tokenize(["chop the carrot", "zzz 日本", "", "  "])
    for ids, length in zip(tokens.ids.tolist(), tokens.length.tolist(), strict=True):
        assert all(ids[:length])
        assert not any(ids[length:])
    assert tokens.length[2:].tolist() == [0, 0]


def test_long_texts_are_cut() -> None:
    tokens = built().tokenize(["chop " * 50])
    assert tokens.ids.shape == (1, 9)
    assert tokens.length.tolist() == [9]
    assert built().tokenize(["chop " * 50], max_words=12).length.tolist() == [12]


@pytest.mark.parametrize("lowercase", [True, False])
def test_case_is_folded_if_asked(lowercase: bool) -> None:
    ids = built(lowercase=lowercase).tokenize(["chop", "CHOP"]).ids
    assert torch.equal(ids[0], ids[1]) == lowercase


def test_the_table_has_a_row_a_subword() -> None:
    encoder = built(vocab_size=60)
    rows = encoder.embedding.num_embeddings
    assert rows <= 60
    assert encoder.tokenize(captions()).ids.max() < rows


def test_padding_does_not_change_the_answer() -> None:
    encoder = built().eval()
    tokens = encoder.tokenize(["fry the egg"])
    length = int(tokens.length)
    cut = encoder(Tokens(tokens.ids[:, :length], tokens.length)).pooled
    encoder.embedding.weight.data[0] = 100
    torch.testing.assert_close(encoder(tokens).pooled, cut)


def test_an_empty_text_has_a_finite_vector() -> None:
    encoder = built()
    encoded = encoder(encoder.tokenize(["", "chop the egg"]))
    assert encoded.pooled.isfinite().all()
    assert encoded.pooled.shape == (2, 4)
    assert encoded.tokens.shape == (2, 9, 8)


def test_pooled_is_the_maximum_over_subwords() -> None:
    encoder = built()
    encoder(encoder.tokenize(captions()))  # running statistics worth testing with
    encoder.eval()
    tokens = encoder.tokenize(["chop the egg"])
    words = [encoder.layers(encoder.embedding(one)) for one in tokens.ids[0, : tokens.length[0]]]
    pooled = encoder.fc(torch.stack(words).amax(0))
    mean, variance = (encoder.spread.state_dict()[f"running_{name}"] for name in ("mean", "var"))
    expected = (pooled - mean) / (variance + encoder.spread.eps).sqrt()
    torch.testing.assert_close(encoder(tokens).pooled[0], expected)


def test_gradient_reaches_every_parameter() -> None:
    encoder = built()
    encoder(encoder.tokenize(captions())).pooled.square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_a_checkpoint_brings_the_subwords(tmp_path: Path) -> None:
    encoder = built()
    torch.save(encoder.state_dict(), tmp_path / "x.ckpt")
    other = TinyText(**encoder.arguments)
    assert other.needs_vocabulary
    other.load_state_dict(torch.load(tmp_path / "x.ckpt", weights_only=True))
    one, two = (each(each.tokenize(captions(9))).pooled for each in (encoder, other))
    assert torch.equal(one, two)


def test_an_untaught_encoder_can_be_saved_and_loaded() -> None:
    encoder = small()
    encoder.load_state_dict(small().state_dict())
    assert encoder.needs_vocabulary


def test_loading_keeps_the_parameter_that_an_optimiser_holds() -> None:
    encoder = built()
    weight = encoder.embedding.weight
    encoder.load_state_dict(built().state_dict())
    assert encoder.embedding.weight is weight


def test_copies_read_alike() -> None:
    encoder = built()
    for twin in (copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))):  # noqa: S301
        assert torch.equal(twin.tokenize(captions(9)).ids, encoder.tokenize(captions(9)).ids)


def test_few_captions_are_enough() -> None:
    encoder = small()
    encoder.build(["egg"])
    assert encoder.tokenize(["egg"]).length.item() > 0


def test_lines_and_blanks_in_captions_do_no_harm() -> None:
    encoder = small()
    encoder.build(["", "  ", *captions(), "chop\nthe egg"])
    assert torch.equal(encoder.tokenize(["chop\nthe"]).ids, encoder.tokenize(["chop the"]).ids)


def test_use_without_subwords_says_the_way_out() -> None:
    with pytest.raises(ArgumentError, match=re.escape("call build(captions)")):
        small().tokenize(["chop"])


def test_too_few_subwords_are_refused() -> None:
    with pytest.raises(ArgumentError, match="larger vocab_size"):
        built(vocab_size=3)


def test_no_captions_are_refused() -> None:
    with pytest.raises(ArgumentError, match="Give captions that say something"):
        small().build([" ", ""])


def test_numbers_must_be_positive() -> None:
    with pytest.raises(ArgumentError, match="must be positive"):
        TinyText(width=0)


@pytest.mark.parametrize(
    ("state", "complaint"),
    [(["chop"], "to be bytes, got list"), (torch.ones(4, dtype=torch.uint8), "cannot be read")],
)
def test_another_encoders_state_is_refused(state: object, complaint: str) -> None:
    with pytest.raises(CheckpointError, match=complaint):
        small().set_extra_state(state)
