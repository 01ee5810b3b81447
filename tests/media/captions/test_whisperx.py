from typing import Any

import pytest

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.caption import validate_captions
from vtlearn.media.captions.whisperx import whisperx_columns


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


def test_a_translation_is_read_and_not_the_speech() -> None:
    native = [segment(1, 2, ("guten", 1.0, 1.5), ("Tag", 1.5, 2.0))]
    english = [{"start": 1, "end": 2, "text": "good day"}]
    content = {"segments": english, "segments_native": native, "language": "de"}
    assert whisperx_columns(content) == {"start": [1], "end": [2], "text": ["good day"]}


def test_no_segment_is_no_caption() -> None:
    assert whisperx_columns({"segments": []}) == {"start": [], "end": [], "text": []}


@pytest.mark.parametrize("segments", [None, {}, [1], ["so we go"]])
def test_what_is_not_a_segment(segments: Any) -> None:
    with pytest.raises(TranscriptError, match="segments must be a list of mappings"):
        whisperx_columns({"segments": segments})


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ([{"end": 2, "text": "a"}], "caption 0 has None for its start"),
        ([{"start": 1, "end": 0, "text": "a"}], "caption 0 ends at 0.0 s"),
        ([{"start": 1, "end": 2}], "caption 0 has None for a text"),
    ],
)
def test_what_a_segment_lacks_is_named(segments: Any, message: str) -> None:
    with pytest.raises(TranscriptError, match=message):
        validate_captions(whisperx_columns({"segments": segments}))
