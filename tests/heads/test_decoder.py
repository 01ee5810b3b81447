import copy
import math
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from vtlearn.encoders.text import TinyText
from vtlearn.encoders.video import TinyVideo
from vtlearn.errors import ArgumentError, CheckpointError
from vtlearn.heads import TextDecoder
from vtlearn.heads.beam_search import Found
from vtlearn.hyperparameters import to_config

CAPTIONS = [
    f"{action} the {object_}"
    for action in ("chop", "stir", "fry", "pour")
    for object_ in ("carrot", "onion")
]
RAGGED = ["chop", "stir the carrot with a fork", "fry the onion", "now pour"]
CLIPS, FRAMES, PATCHES, WIDTH = 4, 3, 2, 32


def built(captions: list[str] | None = None, **arguments: Any) -> TextDecoder:
    torch.manual_seed(0)
    defaults = {"width": 16, "heads": 2, "dropout": 0.0, "max_words": 12, "vocab_size": 60}
    decoder = TextDecoder(**(defaults | arguments))
    decoder.connect(TinyVideo(width=4))  # whose tokens are 32 wide
    decoder.build((captions or [*CAPTIONS, *RAGGED]) * 5)
    for parameter in decoder.parameters():  # far from the beginning, where all words are alike
        parameter.data += 0.3 * torch.randn_like(parameter)
    return decoder.double()


def tokens(clips: int = CLIPS, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(clips, FRAMES, PATCHES, WIDTH, dtype=torch.float64, generator=generator)


def generators(rows: range) -> list[np.random.Generator]:
    return [np.random.default_rng((7, 1, row, 0)) for row in rows]


def ids_of(decoder: TextDecoder, text: str) -> list[int]:
    (row,) = decoder._known().subwords.encode([text])
    return row


def logits_of(decoder: TextDecoder, ids: list[int], clip: Tensor, *, causal: bool = True) -> Tensor:
    """Logits of one text, (words, pieces), word by word, all clips' frames counting."""
    subwords = decoder._known().subwords
    memory = decoder.project(clip.flatten(0, 1))
    x = decoder.embedding.weight[ids] + decoder.positions[: len(ids)]
    for layer in decoder.layers:
        query, keys, values = layer.words(layer.norm1(x)).chunk(3, -1)  # type: ignore[operator]
        hide = torch.ones(len(ids), len(ids), dtype=torch.bool).triu(1) & causal
        x = x + layer.words_out(attend(query, keys, values, hide))  # type: ignore[operator]
        keys, values = layer.memory(memory).chunk(2, -1)  # type: ignore[operator]
        query = layer.query(layer.norm2(x))  # type: ignore[operator]
        none = torch.zeros(len(ids), len(memory), dtype=torch.bool)
        x = x + layer.memory_out(attend(query, keys, values, none))  # type: ignore[operator]
        x = x + layer.down(functional.gelu(layer.up(layer.norm3(x))))  # type: ignore[operator]
    logits: Tensor = decoder.norm(x) @ decoder.embedding.weight.T
    logits[:, [0, subwords.begin or 0, subwords.mask or 0]] = -torch.inf
    return logits


def attend(query: Tensor, keys: Tensor, values: Tensor, hide: Tensor) -> Tensor:
    """Attention of two heads, one after the other."""
    outputs = []
    for q, k, v in zip(query.chunk(2, -1), keys.chunk(2, -1), values.chunk(2, -1), strict=True):
        scores = (q @ k.T / math.sqrt(q.shape[1])).masked_fill(hide, -torch.inf)
        outputs.append(scores.softmax(-1) @ v)
    return torch.cat(outputs, -1)


def loss_by_hand(decoder: TextDecoder, text: str, clip: Tensor) -> Tensor:
    subwords, total = decoder._known().subwords, torch.zeros((), dtype=torch.float64)
    asked = [*ids_of(decoder, text), subwords.end or 0]
    for place, word in enumerate(asked):
        seen = [subwords.begin or 0, *asked[:place]]
        total = total - logits_of(decoder, seen, clip)[-1].log_softmax(-1)[word]
    return total / len(asked)


# Losses


def test_the_loss_is_that_of_a_loop_over_words() -> None:
    decoder, clips = built(), tokens()
    wanted = [loss_by_hand(decoder, *pair) for pair in zip(RAGGED, clips, strict=True)]
    torch.testing.assert_close(decoder.losses(RAGGED, clips), torch.stack(wanted))


def test_the_masked_loss_is_that_of_a_loop_over_hidden_words() -> None:
    decoder, clips = built(), tokens()
    found = decoder.losses(RAGGED, clips, masked=True, rng=generators(range(4)))
    lines = [
        decoder._hide(ids_of(decoder, text), one)
        for text, one in zip(RAGGED, generators(range(4)), strict=True)
    ]
    for loss, line, clip in zip(found, lines, clips, strict=True):
        places = [place for place, word in enumerate(line.targets) if word >= 0]
        logits = logits_of(decoder, line.ids, clip, causal=False).log_softmax(-1)
        wanted = -sum(logits[place, line.targets[place]] for place in places) / len(places)
        torch.testing.assert_close(loss, wanted)


def test_what_is_hidden_are_words_in_their_places() -> None:
    decoder = built()
    subwords = decoder._known().subwords
    words = ids_of(decoder, RAGGED[1])
    for number in range(40):
        line = decoder._hide(words, np.random.default_rng(number))
        assert (line.ids[0], line.targets[0]) == (subwords.begin, -100)
        for one, word, target in zip(line.ids[1:], words, line.targets[1:], strict=True):
            assert target in (-100, word)
            assert target == word or one == word
            assert one == subwords.mask or one >= subwords.first_of_texts
        assert max(line.targets) > 0


@pytest.mark.parametrize("masked", [False, True])
def test_a_later_word_is_not_seen_unless_words_are_masked(masked: bool) -> None:
    decoder = built()
    ids = torch.tensor([[2, *ids_of(decoder, RAGGED[1])]])
    size, memory = ids.shape[1], decoder._remember(tokens(1), None)
    seen = torch.ones(1, 1, size, size, dtype=torch.bool)
    seen = seen if masked else seen.tril()
    changed = ids.clone()
    changed[0, 4] = 6 + (ids[0, 4] == 6).int()
    one, two = (decoder._decode(x, seen, memory)[0][0] for x in (ids, changed))
    assert (torch.equal(one[:4], two[:4])) != masked
    assert not torch.equal(one[4:], two[4:])


def test_earlier_words_do_not_learn_from_later_ones() -> None:
    """Two texts of one beginning: what follows changes no prediction of the beginning."""
    decoder, clip = built(), tokens(1)
    texts = ["stir the carrot", "stir the onion"]
    rows = [ids_of(decoder, text) for text in texts]
    shared = sum(one == two for one, two in zip(*rows, strict=False))
    assert shared >= 2
    memory = decoder._remember(clip, None)
    logits = []
    for row in rows:
        ids = torch.tensor([[2, *row]])
        causal = torch.ones(1, 1, len(row) + 1, len(row) + 1, dtype=torch.bool).tril()
        logits.append(decoder._decode(ids, causal, memory)[0][0, : shared + 1])
    torch.testing.assert_close(*logits)


@pytest.mark.parametrize("masked", [False, True])
def test_the_composition_of_a_batch_does_not_matter(masked: bool) -> None:
    decoder, clips = built(), tokens()
    whole = decoder.losses(RAGGED, clips, None, masked, generators(range(4)))
    for chunks in ([range(1), range(1, 4)], [range(2), range(2), range(2, 4)], [range(3, 4)]):
        for rows in chunks:
            some = slice(rows.start, rows.stop)
            part = decoder.losses(RAGGED[some], clips[some], None, masked, generators(rows))
            torch.testing.assert_close(part, whole[some], rtol=0, atol=1e-12)


def test_masks_are_drawn_by_the_text_alone() -> None:
    decoder, words = built(), [5, 6, 7, 8, 9]
    lines = [[decoder._hide(words, one) for one in generators(range(8))] for _ in range(2)]
    assert lines[0] == lines[1]
    assert [decoder._hide(words, one) for one in generators(range(4, 8))] == lines[0][4:]
    assert len({tuple(line.ids) for line in lines[0]}) > 1


@pytest.mark.parametrize("masked", [False, True])
def test_frames_that_do_not_count_change_nothing(masked: bool) -> None:
    decoder, clips, length = built(), tokens(), torch.tensor([1, 3, 2, 2])
    poisoned = clips.clone()
    for clip, frames in enumerate(length.tolist()):
        poisoned[clip, frames:] = torch.nan
    poisoned.requires_grad_()
    found = decoder.losses(RAGGED, poisoned, length, masked, generators(range(4)))
    for row, (text, frames) in enumerate(zip(RAGGED, length.tolist(), strict=True)):
        one = generators(range(row, row + 1))
        alone = decoder.losses([text], clips[row : row + 1, :frames], None, masked, one)
        torch.testing.assert_close(found[row], alone[0])
    found.sum().backward()
    assert poisoned.grad is not None
    for clip, frames in enumerate(length.tolist()):
        assert (poisoned.grad[clip, frames:] == 0).all()
        assert (poisoned.grad[clip, :frames] != 0).any()
    again = decoder.log_likelihood(poisoned.detach(), RAGGED, length)
    assert again.isfinite().all()
    if not masked:
        torch.testing.assert_close(again.diagonal(), -found.detach())
    cut = [decoder.generate(clips[i : i + 1, :n])[0] for i, n in enumerate(length.tolist())]
    assert decoder.generate(poisoned.detach(), length) == cut


def test_a_clip_without_frames_is_one_of_a_frame_of_zeros() -> None:
    decoder = built()
    found = decoder.losses(["chop"], tokens(1) * torch.nan, torch.tensor([0]))
    wanted = decoder.losses(["chop"], 0 * tokens(1), torch.tensor([1]))
    torch.testing.assert_close(found, wanted)


def test_gradcheck() -> None:
    decoder, texts = built(), RAGGED[:2]
    length = torch.tensor([3, 2])
    clips = tokens(2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: decoder.losses(texts, x, length), clips)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("rows", [0, 4])
def test_gradient_reaches_every_parameter(masked: bool, rows: int) -> None:
    decoder = built(dropout=0.1)
    losses = decoder.losses(
        RAGGED[:rows], tokens(rows), torch.tensor([2] * rows), masked, generators(range(rows))
    )
    assert losses.shape == (rows,)
    losses.sum().backward()
    for name, parameter in decoder.named_parameters():
        assert parameter.grad is not None, name
        assert (parameter.grad.abs().sum() > 0) == (rows > 0), name


def test_no_rows_have_no_frames_either() -> None:
    decoder = built()
    for masked in (False, True):
        decoder.losses([], tokens(0)[:, :0], masked=masked).sum().backward()
    assert all(parameter.grad is not None for parameter in decoder.parameters())
    assert decoder.log_likelihood(tokens(0), RAGGED).shape == (0, 4)
    assert decoder.log_likelihood(tokens(), []).shape == (4, 0)
    assert decoder.generate(tokens(0)) == []


def test_words_are_predicted_with_what_they_are_read_by() -> None:
    decoder = built()
    rows = len(decoder._known().subwords)
    tables = [name for name, x in decoder.named_parameters() if rows in x.shape]
    assert tables == ["embedding.weight"]
    word = ids_of(decoder, "stir")[0]  # not read, only written, where it is the last
    before = decoder.losses(["chop", "stir"], tokens(2))
    decoder.embedding.weight.data[word] *= 2
    after = decoder.losses(["chop", "stir"], tokens(2))
    assert (before != after).all()  # of "chop" as well: another word has become likelier


def test_padding_beginning_and_mask_are_never_predicted() -> None:
    decoder = built()
    logits, _ = decoder._decode(torch.tensor([[2]]), None, decoder._remember(tokens(1), None))
    subwords = decoder._known().subwords
    never = {0, subwords.begin, subwords.mask}
    assert {i for i, x in enumerate(logits[0, 0].tolist()) if x == -math.inf} == never


def test_a_long_text_is_cut_and_has_no_end() -> None:
    decoder = built(max_words=3)
    words, subwords = ids_of(decoder, RAGGED[1]), decoder._known().subwords
    assert decoder._shift(words) == ([subwords.begin, *words[:2]], words[:3])
    assert decoder._shift(words[:3])[1] == [*words[:3], subwords.end]
    assert len(decoder._hide(words, np.random.default_rng(0)).ids) == 4
    assert decoder.losses([RAGGED[1]], tokens(1)).isfinite().all()
    assert decoder.log_likelihood(tokens(1), [RAGGED[1]]).isfinite().all()


def test_letters_never_seen_are_read() -> None:
    decoder = built()
    assert decoder.has_words(["日本"]).tolist() == [True]
    assert decoder.losses(["日本"], tokens(1)).isfinite().all()


def test_texts_without_words_are_known() -> None:
    assert built().has_words(["chop", "", " ", "a"]).tolist() == [True, False, False, True]
    assert built().has_words([]).dtype == torch.bool


def test_control_pieces_are_not_read_from_texts() -> None:
    decoder = built([*CAPTIONS, "<mask> the </s> <s>"])
    subwords = decoder._known().subwords
    row = ids_of(decoder, "chop <mask> the </s> <s> <pad>")
    assert not {0, subwords.begin, subwords.end, subwords.mask} & set(row)


def test_bf16_losses_are_float32() -> None:
    decoder, clips = built().float(), tokens().float()
    wanted = decoder.losses(RAGGED, clips)
    with torch.autocast("cpu", torch.bfloat16):
        found = decoder.losses(RAGGED, clips)
        assert len(decoder.generate(clips)) == 4
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, wanted, rtol=0.05, atol=0.05)
    half = copy.deepcopy(decoder).bfloat16().losses(RAGGED, clips)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, wanted, rtol=0.05, atol=0.05)


# Likelihood and writing


def test_likelihood_is_the_loss_of_a_pair_times_minus_one() -> None:
    decoder, clips = built(dropout=0.3).train(), tokens()
    found = decoder.log_likelihood(clips, [*RAGGED, ""])
    assert found.shape == (4, 5)
    assert not found.requires_grad
    assert decoder.training
    decoder.eval()
    for row in range(4):
        for column in range(4):
            loss = decoder.losses([RAGGED[column]], clips[row : row + 1])
            torch.testing.assert_close(found[row, column], -loss[0].detach())
        torch.testing.assert_close(found[row, 4], -loss_by_hand(decoder, "", clips[row]).detach())


def test_likelihood_is_computed_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder, clips = built(), tokens()
    whole = decoder.log_likelihood(clips, RAGGED)
    monkeypatch.setattr("vtlearn.heads.lines._CLIPS", 3)
    torch.testing.assert_close(decoder.log_likelihood(clips, RAGGED), whole, rtol=0, atol=1e-12)


def greedy(decoder: TextDecoder, clip: Tensor, most: int) -> list[int]:
    subwords, words = decoder._known().subwords, [2]
    for _ in range(most):
        logits = logits_of(decoder, words, clip)[-1]
        logits[1] = -torch.inf
        words.append(int(logits.argmax()))
        if words[-1] == subwords.end:
            return words[1:-1]
    return words[1:]


@pytest.mark.parametrize("most", [1, 4, 30])
def test_a_beam_of_one_is_greedy(most: int) -> None:
    for seed in range(3):
        decoder, clips = built(), tokens(6, seed)
        wanted = [greedy(decoder, clip, min(most, 13)) for clip in clips]
        found = decoder.generate(clips, beams=1, max_new=most)
        assert found == decoder._known().subwords.decode(wanted)


def test_a_beam_is_never_worse_than_greedy() -> None:
    better = 0
    for seed in range(4):
        decoder, clips = built(), tokens(6, seed)
        memory, decode = decoder._remember(clips, None), decoder._known().subwords.decode
        for penalty in (0.0, 1.0):
            alone = decoder._search(memory, 1, penalty, 6)
            for beam in (2, 5):
                best = decoder._search(memory, beam, penalty, 6).or_better(alone)
                assert (best.scores >= alone.scores).all()
                written = decoder.generate(clips, beams=beam, length_penalty=penalty, max_new=6)
                assert written == decode(best.words)
                better += int((best.scores > alone.scores).sum())
    assert better  # or the search looks at one text alone


def test_where_a_beam_loses_the_greedy_text_that_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decoder, clips = built(), tokens()
    search = decoder._search

    def losing(memory: Any, beam: int, penalty: float, most: int) -> Found:
        found = search(memory, beam, penalty, most)
        return found if beam == 1 else Found([[5]] * 4, found.scores - 99)

    wanted = decoder.generate(clips, beams=1)
    monkeypatch.setattr(decoder, "_search", losing)
    assert decoder.generate(clips, beams=5) == wanted


@pytest.mark.parametrize("beam", [1, 5])
def test_a_text_is_as_likely_as_the_search_says(beam: int) -> None:
    """Words one after another, of several texts that are continued, as of whole texts."""
    decoder, subwords = built(), built()._known().subwords
    memory = decoder._remember(tokens(6), None)
    found = decoder._search(memory, beam, 1.0, 6)
    for clip, words in enumerate(found.words):
        asked = [*words, subwords.end or 0][:6]
        ids = torch.tensor([[2, *asked[:-1]]])
        seen = torch.ones(1, 1, len(asked), len(asked), dtype=torch.bool).tril()
        logits, _ = decoder._decode(ids, seen, memory.of_clips(slice(clip, clip + 1)))
        each = logits[0].log_softmax(-1)[torch.arange(len(asked)), asked]
        torch.testing.assert_close(found.scores[clip], each.mean())


def test_what_is_written_does_not_depend_on_the_other_clips() -> None:
    decoder, clips = built(dropout=0.5).train(), tokens(6)
    whole = decoder.generate(clips)
    assert decoder.generate(clips) == whole
    assert [decoder.generate(clips[i : i + 1])[0] for i in range(6)] == whole
    assert decoder.training


def test_a_text_is_no_longer_than_asked_for() -> None:
    decoder = built(max_words=5)
    memory = decoder._remember(tokens(), None)
    assert max(len(words) for words in decoder._search(memory, 3, 0.0, 4).words) <= 4
    decoder.generate(tokens(), max_new=100)  # 6 pieces, which have positions


@pytest.mark.parametrize("masked", [False, True])
def test_it_learns_texts_of_clips(masked: bool) -> None:
    decoder = built(CAPTIONS, width=32).float()
    clips = tokens(8).float()
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=5e-3)
    loss = torch.zeros(())
    for step in range(120):
        rng = [np.random.default_rng((step, 1, row, 0)) for row in range(8)]
        loss = decoder.losses(CAPTIONS, clips, masked=masked, rng=rng).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if masked:
        assert loss < 0.2
    else:
        assert decoder.generate(clips) == decoder.generate(clips, beams=1) == CAPTIONS
        assert (decoder.log_likelihood(clips, CAPTIONS).argmax(1) == torch.arange(8)).all()


# Vocabulary and arguments


def test_a_checkpoint_brings_the_vocabulary(tmp_path: Path) -> None:
    decoder = built()
    torch.save(decoder.state_dict(), tmp_path / "x.ckpt")
    other = TextDecoder(**decoder.arguments).double()
    needed = other.needs_vocabulary
    other.connect(TinyVideo(width=4))
    other.double().load_state_dict(torch.load(tmp_path / "x.ckpt", weights_only=True))
    assert (needed, other.needs_vocabulary) == (True, False)
    assert torch.equal(decoder.losses(RAGGED, tokens()), other.losses(RAGGED, tokens()))
    assert decoder.generate(tokens()) == other.generate(tokens())


def test_without_a_vocabulary_it_can_be_saved_and_loaded() -> None:
    one, two = (TextDecoder(width=16, heads=2) for _ in range(2))
    two.load_state_dict(one.state_dict())
    assert two.needs_vocabulary


def test_loading_keeps_the_parameter_that_an_optimiser_holds() -> None:
    decoder = built()
    weight = decoder.embedding.weight
    decoder.load_state_dict(built().state_dict())
    assert decoder.embedding.weight is weight


def test_at_first_all_words_are_nearly_alike() -> None:
    decoder = TextDecoder(width=64, dropout=0.0)
    decoder.connect(TinyVideo(width=4))
    decoder.build(CAPTIONS)
    loss = decoder.losses(CAPTIONS, tokens(8).float() * 100)
    assert abs(loss.mean() - math.log(len(decoder._known().subwords) - 3)) < 0.5


def test_arguments_come_back() -> None:
    given: dict[str, Any] = {"width": 16, "heads": 2, "layers": 1, "dropout": 0.2}
    config = to_config(TextDecoder(**given, max_words=9))
    assert config == {
        "class_path": "vtlearn.heads.TextDecoder",
        "init_args": {**given, "max_words": 9},
    }


def test_copies_are_alike() -> None:
    decoder = built()
    for twin in (copy.deepcopy(decoder), pickle.loads(pickle.dumps(decoder))):  # noqa: S301
        assert torch.equal(twin.losses(RAGGED, tokens()), decoder.losses(RAGGED, tokens()))


def unconnected() -> TextDecoder:
    decoder = TextDecoder(width=16, heads=2)
    decoder.build(CAPTIONS)
    return decoder


def unbuilt() -> TextDecoder:
    decoder = TextDecoder(width=16, heads=2)
    decoder.connect(TinyVideo(width=4))
    return decoder


@pytest.mark.parametrize(
    ("act", "complaint"),
    [
        (lambda: TextDecoder(layers=0), "must be positive"),
        (lambda: TextDecoder(dropout=1.5), "from 0 to 1"),
        (lambda: TextDecoder(width=10, heads=4), "heads=4 has to divide width=10"),
        (lambda: unbuilt().losses(["chop"], tokens(1)), "call build(captions)"),
        (lambda: unbuilt().generate(tokens(1)), "call build(captions)"),
        (lambda: unconnected().losses(["chop"], tokens(1)), "connect it first"),
        (lambda: built().losses(["chop"], tokens(2)), "1 texts came with 2 clips"),
        (lambda: built().losses(["chop"], tokens(1), masked=True), "came with 0 generators"),
        (lambda: built().losses(["chop", " "], tokens(2)), "' ' has no words to predict"),
        (lambda: built().losses(["chop"], tokens(1)[..., :7]), "patches, 32)"),
        (lambda: built().generate(tokens(1), beams=0), "must be positive"),
        (lambda: built().generate(tokens(1), length_penalty=-1.0), "must be 0 or more"),
        (lambda: built(vocab_size=5), "larger vocab_size"),
    ],
)
def test_mistakes_are_named(act: Callable[[], object], complaint: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(complaint)):
        act()


def test_the_state_of_another_module_is_refused() -> None:
    encoder = TinyText()
    encoder.build(CAPTIONS)
    with pytest.raises(CheckpointError, match="not learned by a TextDecoder"):
        unbuilt().set_extra_state(encoder.get_extra_state())
    with pytest.raises(CheckpointError, match="to be bytes, got list"):
        unbuilt().set_extra_state(["chop"])
