from typing import Any

import pytest

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.caption import Caption, Transcript, validate_captions
from vtlearn.media.captions.json_layouts import json_columns

WASH, GRATE = Caption(0.5, 2.0, "Wash it."), Caption(2.0, 3.5, "Grate it.")


def read(content: Any) -> Transcript:
    return validate_captions(json_columns(content), leave_out=True).transcript()


@pytest.mark.parametrize(
    "content",
    [
        {"start": [0.5, 2], "end": [2, 3.5], "text": ["Wash it.", "Grate it."], "segments": 1},
        [
            {"text": "Wash it.", "start": 0.5, "duration": 1.5},
            {"text": "Grate it.", "start": 2.0, "duration": 1.5},
        ],
        [
            [
                {"text": "Wash it.", "start": 0.5, "end": 2},
                {"text": "Grate it.", "start": 2, "end": 3.5},
            ]
        ],
        {
            "text": " Wash it. Grate it.",
            "language": "en",
            "segments": [
                {"id": 0, "start": 0.5, "end": 2.0, "text": " Wash it."},
                {"id": 1, "start": 2.0, "end": 3.5, "text": " Grate it."},
            ],
        },
        {
            "result": {"language": "en"},
            "transcription": [
                {"offsets": {"from": 500, "to": 2000}, "text": " Wash it."},
                {"offsets": {"from": 2000, "to": 3500}, "text": " Grate it."},
            ],
        },
        {
            "text": " Wash it. Grate it.",
            "chunks": [
                {"timestamp": [0.5, 2.0], "text": " Wash it."},
                {"timestamp": [2.0, 3.5], "text": " Grate it."},
            ],
        },
        {
            "wireMagic": "pb3",
            "events": [
                {"tStartMs": 0, "dDurationMs": 9000, "id": 1},
                {
                    "tStartMs": 500,
                    "dDurationMs": 1500,
                    "segs": [{"utf8": "Wash"}, {"utf8": " it.", "tOffsetMs": 300}],
                },
                {"tStartMs": 1990, "dDurationMs": 1510, "aAppend": 1, "segs": [{"utf8": "\n"}]},
                {"tStartMs": 2000, "dDurationMs": 1500, "segs": [{"utf8": "Grate\nit."}]},
            ],
        },
    ],
)
def test_layouts(content: Any) -> None:
    captions = read(content)
    assert captions == [WASH, GRATE]
    assert not captions.skipped


def test_decimals_add_up_as_they_are_written() -> None:
    assert read([{"text": "a", "start": 0.1, "duration": 0.2}]) == [Caption(0.1, 0.3, "a")]


def test_an_end_that_is_not_known_is_the_start() -> None:
    chunks = [
        {"timestamp": [0.5, 2.0], "text": " Wash it."},
        {"timestamp": [2.0, None], "text": "x"},
    ]
    assert read({"chunks": chunks}) == [WASH, Caption(2.0, 2.0, "x")]


@pytest.mark.parametrize(
    "bad",
    [
        {"segments": [{"start": None, "end": 1, "text": "b"}]},
        {"segments": [{"end": 1, "text": "b"}]},
        {"segments": [{"start": 3, "end": 1, "text": "b"}]},
        {"chunks": [{"timestamp": None, "text": "b"}]},
        {"chunks": [{"timestamp": [None, 1.0], "text": "b"}]},
        {"transcription": [{"text": "b"}]},
        {"transcription": [{"offsets": {"from": "x", "to": 10**400}, "text": "b"}]},
        {"events": [{"tStartMs": 1, "segs": [{"utf8": "b"}]}]},
        [{"text": "b", "start": 1, "duration": "long"}],
        [{"text": 5, "start": 1, "duration": 1}],
    ],
)
def test_what_lacks_something_is_left_out(bad: Any) -> None:
    captions = read(bad)
    assert captions == []
    assert [line for line, _ in captions.skipped] == [0]


@pytest.mark.parametrize(
    "content", [{"formats": [], "id": "a"}, [1, 2], ["a"], "a", 5, None, [{"start": 1}]]
)
def test_what_is_in_no_layout_is_told_which_are_read(content: Any) -> None:
    with pytest.raises(TranscriptError, match=r"but these are .*whisper\.cpp.*json3"):
        json_columns(content)


@pytest.mark.parametrize("key", ["segments", "events", "transcription", "chunks"])
def test_layouts_that_hold_something_else(key: str) -> None:
    for content in ({key: 5}, {key: [5]}):
        with pytest.raises(TranscriptError, match=f"{key} must be a list of mappings"):
            json_columns(content)
