import pytest

from tests.evaluation.metrics.stored_captions import STORED
from vtlearn.evaluation.metrics.ptb import tokenize

PAIRS = [
    pair
    for captions, words in zip(STORED["captions"], STORED["words"], strict=True)
    for pair in zip(captions, words, strict=True)
]


def test_500_captions_give_the_words_of_the_java_tokenizer() -> None:
    ours = [" ".join(tokenize(caption)) for caption, _ in PAIRS]
    assert len(ours) == 500
    assert ours == [words for _, words in PAIRS]


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("", []),
        (" .,!;:- \u2026 \u201c\u201d", []),
        ("\U0001f600 \U0001f44d\U0001f3fd", []),
        ("A man isn't here.", ["a", "man", "is", "n't", "here"]),
        ("(a) [b] {c}", ["-lrb-", "a", "-rrb-", "-lsb-", "b", "-rsb-", "-lcb-", "c", "-rcb-"]),
        ("what?? wow!!! no! ok?", ["what", "??", "wow", "!!!", "no", "ok"]),
        ("\u20ac5 \u00a35 5\u00a2 $5", ["$", "5", "#", "5", "5", "cents", "$", "5"]),
        ("\u00bd cup, 1 1/2 cups", ["1/2", "cup", "1\u00a01/2", "cups"]),
        ("comma.period 15-20 and/or 3,000", ["comma.period", "15-20", "and/or", "3,000"]),
        (":-) :(", [":--rrb-", ":-lrb-"]),
        ("the boys\u2019 dog\u2019s", ["the", "boys", "dog", "'s"]),
        ("Cannot gonna", ["can", "not", "gon", "na"]),
        ("R&B r&b", ["r&b", "r", "&", "b"]),
        ("caf\u00e9/bar", ["caf\u00e9", "/", "bar"]),
        ("vitamin c. the rest", ["vitamin", "c.", "the", "rest"]),
        ("vitamin C. The rest", ["vitamin", "c", "the", "rest"]),
    ],
)
def test_oddities(caption: str, words: list[str]) -> None:
    assert tokenize(caption) == words


@pytest.mark.parametrize("separator", ["\n", "\r\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"])
def test_what_separates_lines_is_a_space(separator: str) -> None:
    assert tokenize(f"one{separator}two") == ["one", "two"]


def test_long_text_without_spaces_ends() -> None:
    for text in ("a" * 20_000, "-" * 20_000, "a.b" * 5000, "1," * 5000, "<a " * 3000, "x'" * 5000):
        assert len(tokenize(text)) <= len(text)
