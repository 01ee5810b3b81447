"""Tests for the encodings of text files."""

import logging

import pytest

from vtlearn.media.captions.encoding import decode_text

_FRENCH = "Épluchez les carottes, coupez-les en dés, puis ajoutez une pincée de sel à la poêle."
_RUSSIAN = "Очистите морковь, нарежьте её кубиками и добавьте щепотку соли в сковороду."


@pytest.mark.parametrize("text", ["so we chop", _FRENCH, _RUSSIAN, "🍅", ""])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_is_read_without_guessing(
    text: str, encoding: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert decode_text(text.encode(encoding), "a.srt") == text
    assert not caplog.records


@pytest.mark.parametrize(
    ("text", "encoding"), [(_FRENCH, "cp1252"), (_RUSSIAN, "cp1251"), ("caf\xe9", "latin-1")]
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


def test_one_bad_byte_spoils_no_file() -> None:
    damaged = _RUSSIAN.encode().replace("ё".encode(), b"\xff")
    assert decode_text(damaged, "a.srt") == _RUSSIAN.replace("ё", "\ufffd")


def test_surrogates_that_were_encoded_one_by_one() -> None:
    halves = "so \ud83c\udf45 we \ud83c".encode("utf-8", "surrogatepass")
    assert decode_text(halves, "a.srt") == "so 🍅 we \ufffd"
    wide = "so \ud83c".encode("utf-16", "surrogatepass")
    assert decode_text(wide, "a.srt") == "so \ufffd"
