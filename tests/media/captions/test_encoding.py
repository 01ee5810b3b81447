"""Tests for the encodings of text files."""

import logging

import pytest

from vtlearn.media.captions.encoding import decode_text

_FRENCH = "Épluchez les carottes, coupez-les en dés, puis ajoutez une pincée de sel à la poêle."
_RUSSIAN = "Очистите морковь, нарежьте её кубиками и добавьте щепотку соли в сковороду."


_OTHERS = {  # of each encoding, what people write in it
    "cp1252": [
        _FRENCH,
        "caf\xe9",
        "Lis\xe4\xe4 vett\xe4",
        "Först skalar vi morötterna",
        "Schälen Sie die Möhren und fügen Sie Öl hinzu, bis es heiß ist.",
        "Añade la sal. ¿Está caliente? Sí, mañana también.",
    ],
    "cp1250": [
        "Obierz małą marchewkę, dodaj trochę soli i gotuj na wolnym ogniu. Później wymieszaj.",
    ],
    "cp1251": [_RUSSIAN, f"{_RUSSIAN} IP\u0442\u0435\u043b\u0435\u0444\u043e\u043d"],
    "koi8_r": [_RUSSIAN],
    "cp866": [_RUSSIAN],
    "cp1253": ["Καθαρίστε τα καρότα και προσθέστε λίγο αλάτι στο τηγάνι."],
    "cp932": ["にんじんの皮をむいて、小さく切ってください。次に塩を少し入れます。"],
    "gb18030": ["把胡萝卜去皮切成小块然后在锅里加一点盐。"],
    "big5": ["把紅蘿蔔去皮切成小塊然後在鍋裡加一點鹽。"],
    "cp949": ["당근 껍질을 벗기고 작게 썬 다음 소금을 조금 넣으세요."],
}


@pytest.mark.parametrize("text", ["so we chop", _FRENCH, _RUSSIAN, "🍅", ""])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_is_read_without_guessing(
    text: str, encoding: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert decode_text(text.encode(encoding), "a.srt") == text
    assert not caplog.records


@pytest.mark.parametrize(
    ("text", "encoding"), [(text, name) for name, texts in _OTHERS.items() for text in texts]
)
def test_other_encodings_are_detected_and_named(
    text: str, encoding: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert decode_text(text.encode(encoding), "a.srt") == text
    assert "a.srt is not UTF-8, and is read as" in caplog.text


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_utf8_that_is_cut_off_stays_utf8(cut: int) -> None:
    whole = f"{_FRENCH} 🍅".encode()
    assert decode_text(whole[:-cut], "a.srt") == f"{_FRENCH} \ufffd"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"so we \xf0\x9f\x8d peel", "so we \ufffd peel"),
        ("so 🍅 we ".encode() + b"\xf0\x9f", "so 🍅 we \ufffd"),
        ("café".encode()[:-1], "caf\ufffd"),
    ],
)
def test_a_character_that_is_cut_costs_itself_alone(content: bytes, text: str) -> None:
    assert decode_text(content, "a.srt") == text


def test_one_bad_byte_spoils_no_file() -> None:
    damaged = _RUSSIAN.encode().replace("ё".encode(), b"\xff")
    assert decode_text(damaged, "a.srt") == _RUSSIAN.replace("ё", "\ufffd")


def test_surrogates_that_were_encoded_one_by_one() -> None:
    halves = "so \ud83c\udf45 we \ud83c".encode("utf-8", "surrogatepass")
    assert decode_text(halves, "a.srt") == "so 🍅 we \ufffd"
    wide = "so \ud83c".encode("utf-16", "surrogatepass")
    assert decode_text(wide, "a.srt") == "so \ufffd"
