import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import OPTConfig, OPTForCausalLM

from vtlearn.heads.beam_search import Found, Step, beam_search

BEGIN, END, PIECES = 0, 1, 5


class Random:
    """A language model: the log-probabilities after a text are a function of the text alone."""

    def __init__(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.table = torch.randn(2, 6, PIECES, PIECES, dtype=torch.float64, generator=generator)
        self.table[..., BEGIN] = -torch.inf

    def after(self, clip: int, text: list[int]) -> Tensor:
        last, before = ([BEGIN, BEGIN, *text])[-1], ([BEGIN, BEGIN, *text])[-2]
        row = self.table[clip, len(text), last] + 0.7 * self.table[clip, 0, before].roll(before)
        row[BEGIN] = -torch.inf
        return row.nan_to_num(neginf=-torch.inf).log_softmax(-1)

    def step(self, beam: int) -> Step:
        texts: list[list[int]] = []

        def step(words: Tensor, parents: Tensor) -> Tensor:
            nonlocal texts
            pairs = zip(words.tolist(), parents.tolist(), strict=True)
            texts = [[*texts[parent], word] if texts else [] for word, parent in pairs]
            return torch.stack([self.after(row // beam, text) for row, text in enumerate(texts)])

        return step

    def score(self, clip: int, text: list[int], penalty: float) -> float:
        total = sum(self.after(clip, text[:i])[word].item() for i, word in enumerate(text))
        return float(total / len(text) ** penalty)


def search(model: Random, beam: int, penalty: float = 1.0, max_new: int = 4) -> Found:
    return beam_search(
        model.step(beam),
        2,
        begin=BEGIN,
        end=END,
        beam=beam,
        length_penalty=penalty,
        max_new=max_new,
        device=torch.device("cpu"),
    )


def all_texts(max_new: int) -> list[list[int]]:
    words = range(2, PIECES)
    ended = [[*start, END] for n in range(max_new) for start in itertools.product(words, repeat=n)]
    return ended + [list(cut) for cut in itertools.product(words, repeat=max_new)]


@pytest.mark.parametrize("seed", range(4))
def test_a_beam_of_one_takes_the_likeliest_piece_each_time(seed: int) -> None:
    model = Random(seed)
    found = search(model, beam=1, max_new=5)
    for clip in range(2):
        text: list[int] = []
        while len(text) < 5 and END not in text:
            text.append(int(model.after(clip, text).argmax()))
        assert found.words[clip] == [word for word in text if word != END]
        assert found.scores[clip].item() == pytest.approx(model.score(clip, text, 1.0))


@pytest.mark.parametrize("penalty", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_beam_as_wide_as_all_texts_finds_the_best(seed: int, penalty: float) -> None:
    model = Random(seed)
    found = search(model, beam=200, penalty=penalty, max_new=4)
    for clip in range(2):
        best = max(all_texts(4), key=lambda text: model.score(clip, text, penalty))
        assert found.words[clip] == [word for word in best if word != END]
        assert found.scores[clip].item() == pytest.approx(model.score(clip, best, penalty))


@pytest.mark.parametrize("beam", [1, 2, 3])
def test_scores_are_those_of_the_texts(beam: int) -> None:
    for seed in range(5):
        model = Random(seed)
        found = search(model, beam)
        for clip, (words, score) in enumerate(zip(found.words, found.scores.tolist(), strict=True)):
            text = [*words, END][:4]
            assert score == pytest.approx(model.score(clip, text, 1.0))


def test_one_clip_does_not_change_another() -> None:
    """A clip of the second table alone, which is first there."""
    for seed in range(5):
        model, alone = Random(seed), Random(seed)
        alone.table = alone.table.flip(0)
        assert search(model, 3).words == search(alone, 3).words[::-1]


def test_what_is_never_written_is_not() -> None:
    model = Random(0)
    model.table[..., 3] = -torch.inf
    assert not any(3 in words for words in search(model, 4).words)


def test_no_clips_have_no_texts() -> None:
    step = Random(0).step(2)
    found = beam_search(
        step,
        0,
        begin=BEGIN,
        end=END,
        beam=2,
        length_penalty=1.0,
        max_new=3,
        device=torch.device("cpu"),
    )
    assert found.words == []
    assert found.scores.shape == (0,)


def test_the_better_of_two_is_taken_and_the_first_of_equals() -> None:
    one = Found([[1], [2], [3]], torch.tensor([-1.0, -2.0, -3.0]))
    two = Found([[4], [5], [6]], torch.tensor([-2.0, -1.0, -3.0]))
    both = one.or_better(two)
    assert both.words == [[1], [5], [3]]
    assert both.scores.tolist() == [-1.0, -1.0, -3.0]
    assert math.isfinite(both.scores.sum().item())


# The same search in transformers


class TinyOPT:
    """An OPT in float64 whose first layer's output is shifted by a vector of the row's clip."""

    def __init__(self, seed: int, vocab_size: int) -> None:
        config = OPTConfig(
            vocab_size=vocab_size,
            hidden_size=8,
            num_hidden_layers=1,
            ffn_dim=8,
            num_attention_heads=2,
            max_position_embeddings=16,
            init_std=1.0,  # or all pieces are alike
        )
        torch.manual_seed(seed)
        model: Any = OPTForCausalLM(config)
        self.model = model.double().eval()
        self.clips = 2 * torch.randn(3, 8, dtype=torch.float64)
        self.model.model.decoder.layers[0].register_forward_hook(self._shift)

    def _shift(self, _layer: Any, _inputs: Any, output: Tensor) -> Tensor:
        return output + self.clips.repeat_interleave(len(output) // 3, 0)[:, None]

    def step(self) -> Step:
        texts = torch.empty(0, 0, dtype=torch.int64)

        def step(words: Tensor, parents: Tensor) -> Tensor:
            nonlocal texts
            before = texts[parents] if len(texts) else words[:, None][:, :0]
            texts = torch.cat([before, words[:, None]], 1)
            with torch.no_grad():
                logits: Tensor = self.model(texts).logits
            return logits[:, -1].log_softmax(-1)

        return step

    def generate(self, beam: int, penalty: float, max_new: int) -> list[list[int]]:
        start = torch.full((3, 1), 2)
        written = self.model.generate(
            start,
            attention_mask=torch.ones_like(start),
            num_beams=beam,
            do_sample=False,
            length_penalty=penalty if beam > 1 else None,
            max_new_tokens=max_new,
        )
        rows = written[:, 1:].tolist()
        return [row[: row.index(2)] if 2 in row else row for row in rows]


@pytest.mark.parametrize("beam", [1, 2, 3, pytest.param(5, marks=pytest.mark.slow)])
def test_texts_are_those_of_transformers(beam: int) -> None:
    lengths = set()
    for seed in range(6):
        model = TinyOPT(seed, vocab_size=12 if seed % 2 else 40)
        for penalty in (0.0, 0.6, 1.0, 2.0)[: 4 if beam > 1 else 1]:
            found = beam_search(
                model.step(),
                3,
                begin=2,
                end=2,
                beam=beam,
                length_penalty=penalty,
                max_new=9,
                device=torch.device("cpu"),
            )
            wanted = model.generate(beam, penalty, 9)
            assert found.words == wanted
            lengths |= {len(words) for words in wanted}
    assert 9 in lengths  # cut
    assert lengths & {0, 1, 2, 3, 4, 5}  # ended early
