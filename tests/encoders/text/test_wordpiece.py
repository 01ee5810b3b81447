import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from vtlearn.encoders.text.wordpiece import learn_pieces, read_pieces, tokenizer_of
from vtlearn.errors import ArgumentError

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["the", "carrot", "un", "##want", "##ed", "cafe", "naive", "don", "'", "t", "s", "##s"]
WORDS += [
    "鱼",
    "香",
    "!",
    ".",
    ",",
    "-",
    "[",
    "]",
    "cl",
    "##s",
    "stir",
    "fry",
    "5",
    "##0",
    "°",
    "ß",
]
VOCABULARY = list(dict.fromkeys([*SPECIAL, *WORDS]))
TRICKY = [
    *("The CARROT", "unwanted", "café naïve CAFÉ", "don't!", "stir-fry, the... carrot's"),
    *(
        "鱼香carrot",
        "zzz carrot",
        "",
        "  \t\n ",
        "the\u200bcarrot\u0000\ufffd",
        "50° ß",
        "e\u0301 caf\u0065\u0301",
    ),
    *("x" * 101, "the " * 80, "İstanbul ﬁ", "🥕 carrot"),
]


def captions(count: int = 2000) -> list[str]:
    dice = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(dice.choices(letters, k=dice.randint(1, 9))) for _ in range(1500)]
    return [" ".join(dice.choices(words, k=8)) for _ in range(count)]


def test_texts_are_cut_as_transformers_cuts_them(tmp_path: Path) -> None:
    from transformers import BertTokenizer

    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    theirs, ours = BertTokenizer.from_pretrained(tmp_path), tokenizer_of(VOCABULARY)
    for text in TRICKY:
        tokens = theirs.convert_ids_to_tokens(theirs.encode(text, add_special_tokens=False))
        assert ours.encode(text).tokens == tokens, text
    assert theirs.tokenize("unwanted") == ["un", "##want", "##ed"]  # it read the vocabulary


def test_a_known_word_is_known() -> None:
    assert tokenizer_of(VOCABULARY).encode("Unwanted CARROT").tokens == [
        *("un", "##want", "##ed", "carrot"),
    ]


def test_special_pieces_in_a_caption_are_plain_text() -> None:
    assert tokenizer_of(VOCABULARY).encode("[CLS]").tokens == ["[", "cl", "##s", "]"]


def test_the_same_captions_give_the_same_pieces() -> None:
    # tokenizers alone gives other ones each time
    lines = captions()
    once = learn_pieces(lines, 1000)
    assert len(once) == 1000
    assert all(learn_pieces(iter(lines), 1000) == once for _ in range(4))


def test_pieces_read_what_they_were_learned_from() -> None:
    lines = captions(200)
    pieces = learn_pieces(lines, 300)
    assert pieces[:5] == SPECIAL
    assert len(pieces) == len(set(pieces)) == 300
    tokenizer = tokenizer_of(pieces)
    for line in lines:
        tokens = tokenizer.encode(line).tokens
        assert "".join(tokens).replace("##", "") == line.replace(" ", "")


def test_frequent_words_become_one_piece() -> None:
    tokenizer = tokenizer_of(learn_pieces(["chop the carrot", "fry the egg"] * 5, 100))
    assert tokenizer.encode("fry THE carrot").tokens == ["fry", "the", "carrot"]


def test_rare_letters_are_unknown() -> None:
    lines = ["chop the carrot " * 3, " ".join(chr(0x4E00 + i) for i in range(1100))]
    tokenizer = tokenizer_of(learn_pieces(lines, 4000))
    assert "[UNK]" not in tokenizer.encode("chop 一").tokens
    assert tokenizer.encode(chr(0x4E00 + 1099)).tokens == ["[UNK]"]


def test_no_threads_are_left_that_a_fork_complains_about() -> None:
    code = """
import os
from vtlearn.encoders.text.wordpiece import learn_pieces, tokenizer_of
pieces = learn_pieces(["chop the carrot"] * 2000, 100)
assert "TOKENIZERS_PARALLELISM" not in os.environ
child = os.fork()
if not child:
    tokenizer_of(pieces).encode("chop")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    environment = {k: v for k, v in os.environ.items() if k != "TOKENIZERS_PARALLELISM"}
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
    )
    assert "forked" not in done.stderr


def test_a_choice_of_threads_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    learn_pieces(["chop"], 20)
    assert os.environ["TOKENIZERS_PARALLELISM"] == "true"


@pytest.mark.parametrize(("lines", "size"), [([], 100), (["", "  "], 100), (["chop"], 11)])
def test_captions_that_give_no_pieces(lines: list[str], size: int) -> None:
    with pytest.raises(ArgumentError, match="captions that say something, or a larger vocab_size"):
        learn_pieces(lines, size)


def test_a_file_is_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    odd = [*VOCABULARY, "\u2028", "\x85"]  # lines to str.splitlines
    path.write_text("\n".join(odd) + "\n", encoding="utf-8")
    assert read_pieces(path) == odd
    path.write_bytes("\r\n".join(odd).encode())
    assert read_pieces(path) == odd


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"chop\ncarrot\n", r"lacks \[UNK\], \[CLS\], \[SEP\]: give BERT's vocab\.txt"),
        (b"", r"lacks \[UNK\]"),
        (b"[UNK]\n[CLS]\n[SEP]\nchop\nchop\n", "'chop' more than once"),
        (b"\xff\xfe[UNK]", "not text in UTF-8"),
    ],
)
def test_files_that_are_no_vocabulary(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "vocab.txt").write_bytes(content)
    with pytest.raises(ArgumentError, match=words):
        read_pieces(tmp_path / "vocab.txt")
