from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtlearn.media.captions import Caption, read_transcript
from vtlearn.media.captions.subtitles import parse_srt, parse_webvtt
from vtlearn.media.captions.writing import format_srt, format_webvtt

TEXTS = [
    "salt & pepper",
    "1 < 2 > 0",
    "<i>tags</i> that were said",
    "an arrow --> and another -->",
    "00:00:01.000 --> 00:00:02.000",
    "&amp; is an entity, &#x41; another",
    "NOTE that this is no note",
    "STYLE",
    "12",
    "{\\an8} is ASS",
    "WEBVTT",
    'çà et là 漢字 🍅 "quoted"',
]


@pytest.mark.parametrize("text", TEXTS)
def test_webvtt_is_read_as_it_was(text: str) -> None:
    captions = [Caption(0.0, 1.0, "before"), Caption(1.5, 3.25, text), Caption(4.0, 5.0, "after")]
    found = parse_webvtt(format_webvtt(captions))
    assert (found, found.skipped) == (captions, [])


@given(st.lists(st.tuples(st.integers(0, 10**8), st.integers(0, 10**5)), max_size=5))
def test_times_are_kept_to_the_millisecond(times: list[tuple[int, int]]) -> None:
    captions = [Caption(t / 1000, (t + length) / 1000, f"said at {t}") for t, length in times]
    assert parse_webvtt(format_webvtt(captions)) == captions
    assert parse_srt(format_srt(captions)) == captions


@given(
    st.lists(
        st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\u200e\u200f")),
        max_size=4,
    )
)
def test_any_words_are_kept(texts: list[str]) -> None:
    said = [Caption(float(n), n + 0.5, " ".join(text.split())) for n, text in enumerate(texts)]
    assert parse_webvtt(format_webvtt(said)) == [one for one in said if one.text]


def test_lines_become_one() -> None:
    captions = [Caption(0.0, 1.0, "so\n\n we --> go ")]
    assert "\nso we --&gt; go\n" in format_webvtt(captions)
    assert format_srt(captions).endswith("\nso we --> go\n")


def test_names_and_notes_are_not_read() -> None:
    captions = [Caption(0.0, 1.0, "a"), Caption(0.5, 2.0, "b")]
    text = format_webvtt(captions, names=["1 matched", "2 unmatched"], note="a note\n\nin --> two")
    assert text.count("NOTE a note in -> two\n\n1 matched\n00:00:00.000 --> 00:00:01.000\n") == 1
    assert parse_webvtt(text) == captions


def test_files_are_read_as_well(tmp_path: Path) -> None:
    captions = [Caption(3599.9996, 3725.25, "long & late")]
    for name, text in (("a.vtt", format_webvtt(captions)), ("a.srt", format_srt(captions))):
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert read_transcript(tmp_path / name) == [Caption(3600.0, 3725.25, "long & late")]


def test_nothing_is_before_zero() -> None:
    assert "\n00:00:00,000 --> 00:00:00,500\n" in format_srt([Caption(-1.0, 0.5, "early")])
