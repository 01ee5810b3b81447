import pytest

from vtlearn.evaluation.metrics.ptb_characters import simplify_characters


@pytest.mark.parametrize(
    "kept",
    ["caf\u00e9", "\u65e5\u672c", "e\u0301", "\u0915\u094d\u0937", "a-b's", "1\u20442", "\u0661"],
)
def test_letters_digits_marks_and_ascii_stay(kept: str) -> None:
    assert simplify_characters(kept) == kept


@pytest.mark.parametrize(
    "sign", ["\u00b0", "\u00bd", "\u2122", "\u3002", "\u2460", "\u266b", "\u00b7"]
)
def test_signs_stand_alone(sign: str) -> None:
    assert simplify_characters(f"a{sign}b").split() == ["a", sign, "b"]


@pytest.mark.parametrize(
    "gone",
    [
        "\u2014",
        "\u2026",
        "\u201c",
        "\u200b",
        "\ufeff",
        "\U0001f600",
        "\u20b9",
        "\x85",
        "\u2028",
        "\x07",
        "\u00a0",
    ],
)
def test_what_is_nothing_ends_a_word(gone: str) -> None:
    assert simplify_characters(f"a{gone}b") == "a b"


def test_money_and_soft_hyphens() -> None:
    assert simplify_characters("\u20ac5 \u00a36 7\u00a2").split() == [
        "$",
        "5",
        "#",
        "6",
        "7",
        "cents",
    ]
    assert simplify_characters("soft\u00adhyphen don\x92t") == "softhyphen don\u2019t"
