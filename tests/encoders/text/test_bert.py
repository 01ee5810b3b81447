import copy
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.encoders.bert_by_hand import bert_by_hand, scrambled
from vtlearn.encoders.base import Tokens
from vtlearn.encoders.text.bert import Bert
from vtlearn.errors import ArgumentError, CheckpointError
from vtlearn.hyperparameters import to_config

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "car", "##rot", "fry", "egg"]
CAPTIONS = ["chop the carrot", "fry the egg", "Don't chop the egg!"]
TEXTS = ["fry the carrot", "", "the the the the the the the", "never heard"]
TABLE = "bert.embeddings.word_embeddings.weight"
SMALL: dict[str, Any] = {
    "vocab_size": 60,
    "width": 8,
    "layers": 2,
    "heads": 2,
    "feedforward": 12,
    "max_words": 7,
    "max_positions": 20,
}


def small(**options: Any) -> Bert:
    torch.manual_seed(0)
    return Bert(**SMALL | options).eval()


def built(**options: Any) -> Bert:
    encoder = small(**options)
    encoder.build(CAPTIONS)
    return encoder


@pytest.fixture
def vocabulary(tmp_path: Path) -> str:
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    return str(path)


def published(encoder: Bert) -> dict[str, Any]:
    """What a published file holds of an encoder: no vocabulary."""
    return {k: v for k, v in encoder.state_dict().items() if isinstance(v, Tensor)}


def by_hand(encoder: Bert, ids: list[int]) -> tuple[Tensor, Tensor]:
    """The published sequence in full: [CLS] tok.. [SEP] [PAD].., of which the pads are masked."""
    weights = encoder.state_dict()
    sequence = [2, *ids, 3]
    keys = [True] * len(sequence) + [False] * (9 - len(sequence))
    x = weights[TABLE][sequence + [0] * (9 - len(sequence))]
    hidden = bert_by_hand(weights, x, list(range(9)), torch.tensor(keys), heads=2)
    return hidden[1 : len(sequence)].mean(0), hidden[1 : len(ids) + 1]


def test_it_is_the_published_transformer(vocabulary: str) -> None:
    encoder = small(vocabulary=vocabulary)
    scrambled(encoder)
    tokens = encoder.tokenize(TEXTS)
    pooled, hidden, length = encoder(tokens)
    assert length.tolist() == [4, 0, 7, 2]
    for row, count in enumerate(length.tolist()):
        wanted, words = by_hand(encoder, tokens.ids[row, :count].tolist())
        torch.testing.assert_close(pooled[row], wanted, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(hidden[row, :count], words, rtol=1e-5, atol=1e-5)
        assert (hidden[row, count:] == 0).all()


def test_words_are_cut_into_pieces(vocabulary: str) -> None:
    tokens = small(vocabulary=vocabulary).tokenize(TEXTS)
    assert tokens.ids.tolist() == [
        [8, 5, 6, 7, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0],
        [5, 5, 5, 5, 5, 5, 5],
        [1, 1, 0, 0, 0, 0, 0],
    ]


def test_long_texts_are_cut(vocabulary: str) -> None:
    encoder = small(vocabulary=vocabulary)
    assert encoder.tokenize(["carrot " * 9]).ids.tolist() == [[6, 7, 6, 7, 6, 7, 6]]
    assert encoder.tokenize(["carrot " * 9], 3).ids.tolist() == [[6, 7, 6]]
    assert encoder.tokenize(["carrot " * 9], 18).length.tolist() == [18]
    assert Bert(**{k: v for k, v in SMALL.items() if k[:4] != "max_"}).max_words == 61


def test_what_pads_hold_changes_nothing(vocabulary: str) -> None:
    encoder = small(vocabulary=vocabulary)
    tokens = encoder.tokenize(TEXTS)
    ids = tokens.ids.clone()
    ids[ids == 0] = 9
    one, other = encoder(tokens), encoder(Tokens(ids, tokens.length))
    assert torch.equal(one.pooled, other.pooled)
    assert torch.equal(one.tokens, other.tokens)


def test_pads_get_no_gradient(vocabulary: str) -> None:
    encoder = small(vocabulary=vocabulary).train()
    encoder(encoder.tokenize(TEXTS[:2])).pooled.square().sum().backward()
    gradient = encoder.get_parameter(TABLE).grad
    assert gradient is not None
    assert gradient.abs().sum(1).bool().tolist() == [
        piece in {2, 3, 5, 6, 7, 8} for piece in range(10)
    ]


@pytest.mark.parametrize("longest", [4, 7])
def test_the_others_of_a_batch_do_not_matter(vocabulary: str, longest: int) -> None:
    encoder = small(vocabulary=vocabulary)
    tokens = encoder.tokenize(["fry the carrot", "the " * longest])
    alone = encoder(Tokens(tokens.ids[:1], tokens.length[:1]))
    both = encoder(tokens)
    torch.testing.assert_close(both.pooled[:1], alone.pooled, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(both.tokens[:1], alone.tokens, rtol=1e-6, atol=1e-6)


def test_an_empty_text_is_cls_and_sep(vocabulary: str) -> None:
    encoder = small(vocabulary=vocabulary)
    pooled = encoder(encoder.tokenize(["", "  "])).pooled
    wanted, _ = by_hand(encoder, [])
    torch.testing.assert_close(pooled, wanted.expand(2, -1), rtol=1e-5, atol=1e-5)


def test_gradient_reaches_every_parameter_but_the_poolers() -> None:
    encoder = built().train()
    pooled = encoder(encoder.tokenize(CAPTIONS)).pooled
    (pooled * torch.arange(8)).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.requires_grad == (not name.startswith("bert.pooler")), name
        if name.endswith("key.bias"):
            continue  # moves all logits of a query alike
        assert (parameter.grad is not None) == parameter.requires_grad, name
        assert parameter.grad is None or parameter.grad.abs().sum() > 0, name


def test_captions_give_the_pieces_and_the_table_its_rows() -> None:
    encoder = small()
    assert encoder.needs_vocabulary
    assert encoder.bert.embeddings.word_embeddings.num_embeddings == 60
    encoder.build(CAPTIONS)
    pieces = encoder.get_extra_state()
    assert pieces[:5] == PIECES[:5]
    table = encoder.bert.embeddings.word_embeddings
    assert table.num_embeddings == encoder.bert.config.vocab_size == len(pieces)
    assert encoder.tokenize(CAPTIONS).ids.max() < len(pieces)
    assert built().get_extra_state() == pieces


def test_a_new_table_is_as_small_as_berts() -> None:
    encoder = small(vocab_size=2000)
    encoder.build([f"{a}{b}" for a in "abcdefghij" for b in "abcdefghij"])
    assert 0.015 < encoder.get_parameter(TABLE).std() < 0.025


def test_a_file_gives_the_pieces(vocabulary: str) -> None:
    encoder = small(vocabulary=vocabulary)
    assert not encoder.needs_vocabulary
    assert encoder.get_extra_state() == PIECES
    assert encoder.get_parameter(TABLE).shape == (10, 8)
    encoder.build(CAPTIONS)
    assert encoder.get_extra_state() == PIECES


def test_names_are_the_published_ones() -> None:
    names = set(published(built()))
    layers = {name.split(".")[3] for name in names if name.startswith("bert.encoder.layer")}
    assert layers == {"0", "1"}
    assert {name for name in names if "encoder.layer" not in name} == {
        *(f"bert.embeddings.{one}_embeddings.weight" for one in ("word", "position", "token_type")),
        *(f"bert.embeddings.LayerNorm.{one}" for one in ("weight", "bias")),
        *(f"bert.pooler.dense.{one}" for one in ("weight", "bias")),
    }


def test_a_checkpoint_brings_the_pieces(tmp_path: Path) -> None:
    encoder = built()
    torch.save(encoder.state_dict(), tmp_path / "x.ckpt")
    config = to_config(encoder)
    assert config == {"class_path": "vtlearn.encoders.Bert", "init_args": SMALL}
    other = Bert(**config["init_args"]).eval()
    other.load_state_dict(torch.load(tmp_path / "x.ckpt", weights_only=True))
    one, two = (each(each.tokenize(CAPTIONS)).pooled for each in (encoder, other))
    assert torch.equal(one, two)


def test_a_checkpoint_stands_in_for_a_file_that_is_gone(vocabulary: str) -> None:
    encoder = small(vocabulary=vocabulary)
    Path(vocabulary).unlink()
    other = small(vocabulary=vocabulary)
    with pytest.raises(ArgumentError, match=r"vocab\.txt is not there: correct the path.*https:"):
        other.build(CAPTIONS)
    with pytest.raises(ArgumentError, match=r"no vocabulary, because .*vocab\.txt is not there"):
        other.tokenize(["fry"])
    other.load_state_dict(encoder.state_dict())
    assert other.tokenize(["fry"]).ids[0, 0] == 8


def test_published_weights_go_with_the_pieces_that_are_there(vocabulary: str) -> None:
    weights = published(small(vocabulary=vocabulary))
    for brought in (weights, {**weights, "_extra_state": []}):
        encoder = small(vocabulary=vocabulary)
        nn.ModuleDict({"text_encoder": encoder}).load_state_dict(
            {f"text_encoder.{name}": value for name, value in brought.items()}
        )
        assert encoder.get_extra_state() == PIECES
        assert torch.equal(encoder.get_parameter(TABLE), weights[TABLE])


def test_published_weights_without_pieces_say_where_they_are_had() -> None:
    encoder = small()
    with pytest.raises(RuntimeError, match="_extra_state"):
        encoder.load_state_dict(published(small()))
    encoder.load_state_dict({**published(small()), "_extra_state": []})
    assert encoder.needs_vocabulary
    for use in (lambda: encoder.tokenize(["fry"]), lambda: encoder.build(CAPTIONS)):
        with pytest.raises(ArgumentError, match=r"vocab\.txt of https://.*/bert-base-uncased"):
            use()
    encoder.load_state_dict(built().state_dict())
    assert not encoder.needs_vocabulary


def test_loading_keeps_the_parameter_that_an_optimiser_holds() -> None:
    encoder = built()
    weight = encoder.get_parameter(TABLE)
    encoder.load_state_dict(built().state_dict())
    assert encoder.get_parameter(TABLE) is weight


def test_copies_read_alike() -> None:
    encoder = built()
    for twin in (copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))):  # noqa: S301
        assert torch.equal(twin.tokenize(CAPTIONS).ids, encoder.tokenize(CAPTIONS).ids)


def test_it_computes_in_the_dtype_of_its_weights() -> None:
    encoder = built().bfloat16()
    assert encoder(encoder.tokenize(CAPTIONS)).pooled.dtype == torch.bfloat16


def test_use_without_pieces_says_the_way_out() -> None:
    with pytest.raises(ArgumentError, match=re.escape("call build(captions)")):
        small().tokenize(["chop"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"vocab_size": 0}, "vocab_size must be positive"),
        ({"max_words": 0}, "max_words must be positive"),
        ({"max_words": 19}, "max_words=19, .* need 21 positions, but max_positions is 20"),
        ({"heads": 3}, "heads=3 has to divide width=8"),
    ],
)
def test_refusals(options: dict[str, int], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        small(**options)


def test_more_words_than_positions_are_refused() -> None:
    with pytest.raises(ArgumentError, match="max_words=19"):
        built().tokenize(["chop"], 19)


@pytest.mark.parametrize(
    ("state", "complaint"),
    [
        (torch.zeros(3), "to be a list of pieces, got Tensor"),
        (["chop", "carrot"], r"lacks \[UNK\], \[CLS\] or \[SEP\]"),
    ],
)
def test_another_encoders_state_is_refused(state: object, complaint: str) -> None:
    with pytest.raises(CheckpointError, match=complaint):
        small().set_extra_state(state)
