from typing import Any

import pytest

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.caption import Caption
from vtlearn.media.captions.whisperx import whisperx_columns, whisperx_words


def segment(start: float, end: float, *words: tuple[Any, ...], **others: Any) -> dict[str, Any]:
    """Make a segment of words with two times, one, or none."""
    fields = ("word", "start", "end")
    entries = [dict(zip(fields, word, strict=False)) for word in words]
    text = " " + " ".join(str(word[0]) for word in words)
    return {"start": start, "end": end, "text": text, "words": entries, **others}


SPEECH = {
    "segments": [
        segment(4, 6, ("so", 4.0, 4.5), ("we", 4.5, 5.0), ("go", 5.5, 6.0), avg_logprob=-0.5),
        segment(1, 3, ("200",), ("g", 1.5, 2.0), ("of", 2.0), ("10",), ("salt", 2.5, 2.9), ("1",)),
        {"start": 7, "end": 8.5, "text": " no words"},
    ],
    "word_segments": [],
    "language": "en",
}


def test_segments_as_columns() -> None:
    assert whisperx_columns(SPEECH) == {
        "start": [4, 1, 7],
        "end": [6, 3, 8.5],
        "text": ["so we go", "200 g of 10 salt 1", "no words"],
    }


def test_words_and_what_has_no_time() -> None:
    assert whisperx_words(SPEECH) == [
        Caption(1.0, 1.5, "200"),
        Caption(1.5, 2.0, "g"),
        Caption(2.0, 2.5, "of 10"),
        Caption(2.5, 2.9, "salt"),
        Caption(2.9, 3.0, "1"),
        Caption(4.0, 4.5, "so"),
        Caption(4.5, 5.0, "we"),
        Caption(5.5, 6.0, "go"),
        Caption(7.0, 8.5, "no words"),
    ]


def test_a_translation_has_no_words() -> None:
    native = [segment(1, 2, ("guten", 1.0, 1.5), ("Tag", 1.5, 2.0))]
    english = [{"start": 1, "end": 2, "text": "good day"}]
    content = {"segments": english, "segments_native": native, "language": "de"}
    assert whisperx_words(content) == [Caption(1.0, 2.0, "good day")]


def test_a_segment_without_any_timed_word() -> None:
    assert whisperx_words({"segments": [segment(1, 2, ("1",), ("2",))]}) == [Caption(1, 2, "1 2")]
    assert whisperx_words({"segments": []}) == []


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        (None, "segments must be a list of mappings"),
        ([1], "segments must be a list of mappings"),
        ([{"end": 2, "text": "a"}], "caption 0 has None for its start"),
        ([{"start": 1, "end": 0, "text": "a"}], "caption 0 ends at 0.0 s"),
        ([{"start": 1, "end": 2}], "caption 0 has None for a text"),
        ([{"start": 1, "end": 2, "text": "a", "words": [1]}], "words must be a list of mappings"),
        ([segment(1, 2, ("a", 1.5, 1.0))], "caption 0 ends at 1.0 s"),
        ([segment(1, 2, (None, 1.0, 1.5))], "segment at 1.0 s has words that are no text"),
        ([segment(1, 2, ("a",), (None,))], r"words that are no text: \['a', None\]"),
    ],
)
def test_what_is_no_segment(segments: Any, message: str) -> None:
    with pytest.raises(TranscriptError, match=message):
        whisperx_words({"segments": segments})
