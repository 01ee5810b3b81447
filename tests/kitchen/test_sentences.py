import numpy as np
import pytest

from vtlearn.kitchen.narrator import CHATTER, TEMPLATES
from vtlearn.kitchen.script import Pair
from vtlearn.kitchen.sentences import write_sentences, write_vague_sentence

PAIR = Pair("chop", "carrot")
KNOWN = {word for sentence in (*TEMPLATES, *CHATTER) for word in sentence.split()}


@pytest.mark.parametrize("count", [1, 20, 200])
def test_all_sentences_differ_and_name_the_pair(count: int) -> None:
    sentences = write_sentences(np.random.default_rng(0), PAIR, count)
    assert len(sentences) == len(set(sentences)) == count
    assert all({"chop", "carrot"} <= set(sentence.split()) for sentence in sentences)


def test_the_narrators_own_sentences_are_among_them() -> None:
    sentences = write_sentences(np.random.default_rng(0), PAIR, 200)
    assert {template.format(*PAIR) for template in TEMPLATES} <= set(sentences)


def test_the_narrator_knows_every_word() -> None:
    sentences = write_sentences(np.random.default_rng(0), PAIR, 200)
    sentences += [write_vague_sentence(np.random.default_rng(seed), "chop") for seed in range(99)]
    words = {word for sentence in sentences for word in sentence.split()}
    assert words - {"chop", "carrot"} <= KNOWN


def test_a_vague_sentence_names_the_action_alone() -> None:
    for seed in range(20):
        sentence = write_vague_sentence(np.random.default_rng(seed), "weigh")
        assert "weigh it" in sentence


def test_the_generator_decides() -> None:
    first, again, other = (
        write_sentences(np.random.default_rng(seed), PAIR, 20) for seed in (0, 0, 1)
    )
    assert first == again != other
