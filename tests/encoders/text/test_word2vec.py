import copy
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from vtlearn.encoders.base import Tokens
from vtlearn.encoders.text.word2vec import Word2Vec
from vtlearn.errors import ArgumentError, CheckpointError

CAPTIONS = ["chop the carrot", "fry the egg", "don't chop the egg", "The end"]


def small(**arguments: object) -> Word2Vec:
    torch.manual_seed(0)
    defaults: dict[str, object] = {"dim": 4, "hidden": 8, "embedding_dim": 3, "max_words": 6}
    return Word2Vec(**(defaults | arguments))  # type: ignore[arg-type]


def built(**arguments: object) -> Word2Vec:
    encoder = small(**arguments)
    encoder.build(CAPTIONS)
    return encoder


def write_words(path: Path, words: list[str]) -> str:
    np.save(path, np.array(words)) if path.suffix == ".npy" else path.write_text("\n".join(words))
    return str(path)


def by_hand(encoder: Word2Vec, ids: Tensor) -> Tensor:
    weights = encoder.state_dict()
    rows = []
    for row in ids.tolist():
        words = [weights["fc1.weight"] @ weights["word_embd.weight"][one] for one in row]
        hidden = torch.stack([(word + weights["fc1.bias"]).clamp(min=0) for word in words])
        rows.append(weights["fc2.weight"] @ hidden.max(0).values + weights["fc2.bias"])
    return torch.stack(rows)


def test_words_are_sorted_by_count_then_alphabet() -> None:
    assert built().get_extra_state() == [
        *["the", "chop", "egg"],
        *["The", "carrot", "don't", "end", "fry"],
    ]


def test_rare_words_are_left_out() -> None:
    assert built(min_count=2).get_extra_state() == ["the", "chop", "egg"]


def test_case_is_kept_unless_asked() -> None:
    assert built().tokenize(["The the"]).ids[0, :3].tolist() == [4, 1, 0]
    assert built(lowercase=True).tokenize(["The the"]).ids[0, :3].tolist() == [1, 1, 0]


def test_unknown_words_are_dropped() -> None:
    tokens = built().tokenize(["please, chop the... banana!", "banana", ""])
    assert tokens.ids.tolist() == [[2, 1, 0, 0, 0, 0], [0] * 6, [0] * 6]
    assert tokens.length.tolist() == [2, 0, 0]


@pytest.mark.parametrize("max_words", [16, 20, 30])
def test_long_texts_are_cut_after_dropping(max_words: int) -> None:
    text = "banana " + "the egg " * 40
    tokens = built(max_words=max_words).tokenize([text])
    assert tokens.ids.tolist() == [[1, 3] * (max_words // 2)]
    assert tokens.length.tolist() == [max_words]
    asked = built().tokenize([text], max_words)
    assert torch.equal(asked.ids, tokens.ids)
    assert torch.equal(asked.length, tokens.length)


def test_pads_take_part_in_the_maximum() -> None:
    encoder = built().double()
    tokens = encoder.tokenize(["chop the egg", "", "the the the the the the"])
    torch.testing.assert_close(encoder(tokens).pooled, by_hand(encoder, tokens.ids))


def test_pads_can_be_left_out() -> None:
    encoder = built(mask_pad=True, max_words=3).double()
    tokens = encoder.tokenize(["chop", "chop the egg", ""])
    cut = torch.cat([by_hand(encoder, tokens.ids[:1, :1]), by_hand(encoder, tokens.ids[1:2])])
    pooled = encoder(tokens).pooled
    torch.testing.assert_close(pooled[:2], cut)
    torch.testing.assert_close(pooled[2:], by_hand(encoder, tokens.ids[2:]))


def test_pads_matter_only_where_they_are_counted() -> None:
    ids = torch.tensor([[2, 0, 0, 0, 0, 0]])
    for mask_pad in (False, True):
        encoder = built(mask_pad=mask_pad)
        before = encoder(Tokens(ids, torch.tensor([1]))).pooled
        encoder.word_embd.weight.data[0] = 100 * torch.randn(3)
        same = torch.equal(before, encoder(Tokens(ids, torch.tensor([1]))).pooled)
        assert same == mask_pad


def test_tokens_are_the_words_before_the_maximum() -> None:
    encoder = built()
    encoded = encoder(encoder.tokenize(CAPTIONS))
    assert encoded.tokens.shape == (4, 6, 8)
    expected = functional.linear(encoded.tokens.amax(1), encoder.fc2.weight, encoder.fc2.bias)
    torch.testing.assert_close(encoded.pooled, expected)


@pytest.mark.parametrize("name", ["dict.npy", "dict.txt"])
def test_words_come_from_a_file(tmp_path: Path, name: str) -> None:
    encoder = small(vocabulary=write_words(tmp_path / name, ["egg", "fry"]))
    assert not encoder.needs_vocabulary
    assert encoder.tokenize(["fry the egg"]).ids.tolist() == [[2, 1, 0, 0, 0, 0]]
    assert encoder.word_embd.weight.shape == (3, 3)


def test_vectors_come_from_a_file(tmp_path: Path) -> None:
    words = write_words(tmp_path / "dict.npy", ["egg", "fry"])
    torch.save(torch.arange(9.0).view(3, 3), tmp_path / "word2vec.pth")
    encoder = small(vocabulary=words, embeddings=str(tmp_path / "word2vec.pth"))
    assert encoder.word_embd.weight[1].tolist() == [3, 4, 5]


@pytest.mark.parametrize(("asked", "trained"), [(None, False), (True, True), (False, False)])
def test_vectors_of_a_file_are_frozen(tmp_path: Path, asked: bool | None, trained: bool) -> None:
    words = write_words(tmp_path / "dict.txt", ["egg", "fry"])
    torch.save(torch.zeros(3, 3), tmp_path / "word2vec.pth")
    encoder = small(
        vocabulary=words,
        embeddings=str(tmp_path / "word2vec.pth"),
        trainable_embeddings=asked,
    )
    assert encoder.word_embd.weight.requires_grad == trained


@pytest.mark.parametrize(("asked", "trained"), [(None, True), (True, True), (False, False)])
def test_random_vectors_are_trained(asked: bool | None, trained: bool) -> None:
    assert built(trainable_embeddings=asked).word_embd.weight.requires_grad == trained


def test_gradient_reaches_every_parameter() -> None:
    encoder = built(max_words=8)
    encoder(encoder.tokenize([*CAPTIONS, " ".join(CAPTIONS)])).pooled.square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_names_are_the_published_ones() -> None:
    weights = {name for name, value in built().state_dict().items() if isinstance(value, Tensor)}
    assert weights == {"word_embd.weight", "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"}


def test_a_checkpoint_brings_the_words(tmp_path: Path) -> None:
    encoder = built()
    torch.save(encoder.state_dict(), tmp_path / "x.ckpt")
    other = Word2Vec(**encoder.arguments)
    assert other.needs_vocabulary
    other.load_state_dict(torch.load(tmp_path / "x.ckpt", weights_only=True))
    one, two = (each(each.tokenize(CAPTIONS)).pooled for each in (encoder, other))
    assert torch.equal(one, two)


def test_a_checkpoint_stands_in_for_files_that_are_gone(tmp_path: Path) -> None:
    words = Path(write_words(tmp_path / "dict.txt", ["egg", "fry"]))
    encoder = small(vocabulary=str(words))
    words.unlink()
    other = Word2Vec(**encoder.arguments)
    with pytest.raises(ArgumentError, match=r"dict\.txt is not there"):
        other.build(CAPTIONS)
    other.load_state_dict(encoder.state_dict())
    assert other.tokenize(["fry"]).ids[0, 0] == 2


def test_published_weights_load_where_the_words_are_known(tmp_path: Path) -> None:
    words = write_words(tmp_path / "dict.npy", ["egg", "fry"])
    encoder = small(vocabulary=words)
    published = {k: v for k, v in encoder.state_dict().items() if isinstance(v, Tensor)}
    torch.nn.ModuleDict({"text_module": small(vocabulary=words)}).load_state_dict(
        {f"text_module.{name}": value for name, value in published.items()}
    )
    with pytest.raises(RuntimeError, match="_extra_state"):
        small().load_state_dict(published)


def published(words: int) -> dict[str, Tensor]:
    """Weights of so many words, without the words."""
    encoder = small()
    encoder.build([f"word{number}" for number in range(words)])
    return {k: v for k, v in encoder.state_dict().items() if k != "_extra_state"}


def test_published_vectors_wait_for_their_words(tmp_path: Path) -> None:
    encoder = small(vocabulary=str(tmp_path / "dict.npy"))
    weights = published(8)
    encoder.load_state_dict(weights, strict=False)
    assert encoder.needs_vocabulary
    with pytest.raises(ArgumentError, match=r"vectors of 8 words and not the words, because .*npy"):
        encoder.tokenize(["chop"])
    write_words(tmp_path / "dict.npy", list("abc"))
    with pytest.raises(CheckpointError, match=r"holds 3 words, but .* belong to 8"):
        encoder.build(CAPTIONS)
    write_words(tmp_path / "dict.npy", list("abcdefgh"))
    encoder.build(CAPTIONS)
    assert torch.equal(encoder.word_embd.weight, weights["word_embd.weight"])
    assert encoder.tokenize(["h"]).ids[0, 0] == 8


def test_published_vectors_are_not_given_the_words_of_captions() -> None:
    encoder = small()
    encoder.load_state_dict(published(8), strict=False)
    with pytest.raises(ArgumentError, match="vectors of 8 words and not the words: give"):
        encoder.build(CAPTIONS)


def test_loading_keeps_the_parameter_that_an_optimiser_holds() -> None:
    encoder = built()
    weight = encoder.word_embd.weight
    encoder.load_state_dict(built().state_dict())
    assert encoder.word_embd.weight is weight


def test_copies_read_alike() -> None:
    encoder = built()
    for twin in (copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))):  # noqa: S301
        assert torch.equal(twin.tokenize(CAPTIONS).ids, encoder.tokenize(CAPTIONS).ids)


def test_use_without_words_says_the_way_out() -> None:
    with pytest.raises(ArgumentError, match=re.escape("call build(captions)")):
        small().tokenize(["chop"])
    with pytest.raises(ArgumentError, match=r"because nowhere\.npy is not there"):
        small(vocabulary="nowhere.npy").tokenize(["chop"])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"embeddings": "word2vec.pth"}, "needs vocabulary=FILE"),
        ({"dim": 0}, "must be positive"),
        ({"max_words": 0}, "must be positive"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, object], complaint: str) -> None:
    with pytest.raises(ArgumentError, match=complaint):
        small(**arguments)


def test_captions_without_words_are_refused() -> None:
    with pytest.raises(ArgumentError, match="no word occurs 2 times"):
        small(min_count=2).build(["chop", "fry", "?!"])


def test_files_are_checked(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array(["a", None], dtype=object), allow_pickle=True)
    with pytest.raises(ArgumentError, match="not an array of strings"):
        small(vocabulary=str(tmp_path / "objects.npy"))
    with pytest.raises(ArgumentError, match="holds no words"):
        small(vocabulary=write_words(tmp_path / "empty.txt", []))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (torch.zeros(2, 3), r"need \(3, 3\)"),
        ({"weight": torch.zeros(3, 3)}, "not one tensor"),
        (Path("x"), "cannot be read"),
    ],
)
def test_vectors_must_fit_the_words(tmp_path: Path, content: object, complaint: str) -> None:
    words = write_words(tmp_path / "dict.txt", ["egg", "fry"])
    torch.save(content, tmp_path / "word2vec.pth")
    with pytest.raises(CheckpointError, match=complaint):
        small(vocabulary=words, embeddings=str(tmp_path / "word2vec.pth"))


def test_another_encoders_state_is_refused() -> None:
    with pytest.raises(CheckpointError, match="to be a list of words, got Tensor"):
        small().set_extra_state(torch.zeros(3))


def test_words_may_be_counted_again() -> None:
    encoder = small()
    encoder.build(["chop the carrot"])
    encoder.build(["fry", "fry the egg"])
    assert encoder.get_extra_state() == ["fry", "egg", "the"]
