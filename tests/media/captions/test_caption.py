import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.caption import (
    Caption,
    Skipped,
    Track,
    Transcript,
    _repeated_words,
    dedupe_rolling,
    make_captions,
    require_most,
    validate_captions,
)

TIMES = st.floats(0, 1000)


@given(st.lists(st.tuples(TIMES, TIMES, st.text(max_size=5)), max_size=20))
def test_captions_are_sorted_by_their_start_and_nothing_else(
    said: list[tuple[float, float, str]],
) -> None:
    said = [(min(a, b), max(a, b), text) for a, b, text in said]
    starts, ends, texts = map(list, zip(*said, strict=True)) if said else ([], [], [])
    track = validate_captions({"start": starts, "end": ends, "text": texts})
    assert track.captions() == sorted(said, key=lambda caption: caption[0])
    assert track.spans.shape == (len(said), 2)
    assert all(type(caption) is Caption for caption in track.captions())


def test_arrays_of_objects_are_lists() -> None:
    columns = {"start": np.array([2, 1]), "end": np.array([3.5, 2], object)}
    texts = np.array(["b", "a"], object)
    assert validate_captions({**columns, "text": texts}).captions() == [
        (1.0, 2.0, "a"),
        (2.0, 3.5, "b"),
    ]


def test_windows_of_several_captions() -> None:
    columns: dict[str, Any] = {"start": [8, 0, 4], "end": [16, 8, 12]}
    columns["text"] = [[("stir", 0.25)], ["chop", ("cut", np.float32(0.5))], []]
    assert validate_captions(columns).captions() == [(0, 8, "chop"), (0, 8, "cut"), (8, 16, "stir")]
    columns["text"] = [[["stir", 0.25]], ["chop", ["cut", 1]], ["wash", 0.5]]  # of JSON
    assert [each.text for each in validate_captions(columns).captions()] == [
        "chop",
        "cut",
        "wash",
        "stir",
    ]
    columns["text"] = [np.array(["stir"], object), ("chop", 0.5), "wash"]
    assert validate_captions(columns).captions() == [
        (0, 8, "chop"),
        (4, 12, "wash"),
        (8, 16, "stir"),
    ]


def test_what_is_no_caption_is_left_out_and_counted_where_that_is_asked_for() -> None:
    texts = ["a", None, float("nan"), ["b", None], "c"]
    columns = {"start": [4, None, 3, 1, 0], "end": [4, 0, 2, 1, 0], "text": texts}
    with pytest.raises(TranscriptError, match="caption 1 has None for a text"):
        validate_captions(columns)
    track = validate_captions(columns, leave_out=True)
    assert track.captions() == [(0, 0, "c"), (1, 1, "b"), (4, 4, "a")]
    assert [line for line, _ in track.skipped] == [1, 2, 3]
    assert track.skipped[1].reason.startswith("caption 2 has nan for a text")
    assert track.transcript().skipped == track.skipped


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"start": ["x"], "end": [1], "text": ["a"]}, "caption 0 has 'x' for its start"),
        ({"start": [1, 2], "end": [1, 10**400], "text": ["a", "b"]}, "caption 1 has 1000"),
        ({"start": [[1]], "end": [1], "text": ["a"]}, r"caption 0 has \[1\] for its start"),
        ({"start": [[1], 2], "end": [1, 2], "text": "ab"}, "must be lists"),
        ({"start": [1], "end": {}, "text": ["a"]}, "must be lists"),
        ({"start": [1], "end": [None], "text": ["a"]}, "caption 0 has None for its end"),
        ({"start": [1, 0], "end": [1, 0], "text": ["a"]}, r"differ in length: \[2, 2, 1\]"),
        ({1: 2, "a": 3}, r"but these are \['1', 'a'\]"),
        (None, "but these are NoneType"),
    ],
)
def test_what_is_no_caption_is_named(columns: Any, message: str) -> None:
    with pytest.raises(TranscriptError, match=message):
        validate_captions(columns)


def test_the_number_of_a_caption_is_that_in_the_file() -> None:
    columns = {"start": [7, 5, 9, "x"], "end": [8, 6, 8, 1], "text": ["a", "b", "c", "d"]}
    with pytest.raises(TranscriptError, match=r"caption 2 ends at 8.0 s, before it starts"):
        validate_captions(columns)
    track = validate_captions(columns, leave_out=True)
    assert track.captions() == [Caption(5, 6, "b"), Caption(7, 8, "a")]
    reasons = ["caption 2 ends at 8.0 s, before it", "caption 3 has 'x' for its start"]
    for (line, reason), number, expected in zip(track.skipped, (2, 3), reasons, strict=True):
        assert line == number
        assert reason.startswith(expected)


@pytest.mark.parametrize(
    ("bad", "good", "share", "message"),
    [
        (1, 1, 0.5, None),
        (
            2,
            1,
            0.5,
            r"what 0 \(2 of 3 captions cannot be read, more than the 1 that max_bad_cues=0.5 ",
        ),
        (1, 9, 0.0, "1 of 10 captions cannot be read, more than the 0 that max_bad_cues=0 "),
        (1, 9, 0.01, None),  # a share above 0 allows one
        (2, 8, 0.01, "more than the 1 that max_bad_cues=0.01 allows"),
        (2, 1, 1.0, None),
        (0, 0, 0.0, None),
        (1, 0, 1.0, "^what 0$"),
        (3, 0, 1.0, r"^what 0 \(3 of 3 captions cannot be read\)$"),
    ],
)
def test_the_share_of_captions_that_may_be_bad(
    bad: int, good: int, share: float, message: str | None
) -> None:
    skipped = [Skipped(line, f"what {line}") for line in range(bad)]
    track = Track(np.zeros((good, 2)), ["a"] * good, skipped)
    if message is None:
        assert require_most(track, share) is track
        return
    with pytest.raises(TranscriptError, match=message):
        require_most(track, share)


def test_a_transcript_is_a_list_that_pickles() -> None:
    transcript = Transcript([Caption(0, 1, "a")], [(3, "what")])
    assert transcript == [Caption(0, 1, "a")]
    again: Transcript = pickle.loads(pickle.dumps(transcript))  # noqa: S301
    assert (again, again.skipped) == (transcript, [Skipped(3, "what")])


def test_making_captions_of_lists_of_unequal_length_is_refused() -> None:
    assert make_captions([1.0], [2.0], ["a"]) == [Caption(1.0, 2.0, "a")]
    with pytest.raises(ValueError, match="shorter"):
        make_captions([1.0, 2.0], [2.0], ["a"])


def captions(*texts: str, every: float = 2.0, gap: float = 0.0) -> list[Caption]:
    return [Caption(i * every, (i + 1) * every - gap, text) for i, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (["a b", "a b\nc d", "c d\ne"], ["a b", "c d", "e"]),
        (["a b", "a b c d", "c d e"], ["a b", "c d", "e"]),  # on one line, as in HowTo100M
        (["put it in the", "the oven"], ["put it in the", "the oven"]),  # not a whole line
        (["yeah", "yeah\nyeah", "yeah", "yeah\nyeah"], ["yeah", "yeah", "yeah"]),
        (["yeah", "\nyeah", " \nyeah"], ["yeah", "yeah", "yeah"]),  # an empty line: it is new
        (["a", "b", "c"], ["a", "b", "c"]),
        (["a", "a", "a"], ["a"]),
        (["a", "", "a"], ["a", "a"]),
        (["a", "a\nb", "a\nb\nc", "b\nc\nd"], ["a", "b", "c", "d"]),
        ([], []),
    ],
)
def test_rolling_captions(shown: list[str], said: list[str]) -> None:
    unrolled = dedupe_rolling(captions(*shown))
    assert [caption.text for caption in unrolled] == said
    starts = [caption.start for caption in captions(*shown)]
    assert {caption.start for caption in unrolled} <= set(starts)
    lost = sum(_repeated_words(captions(*shown)))
    assert lost == len(" ".join(shown).split()) - len(" ".join(said).split())


def test_what_was_shown_long_before_is_said_again() -> None:
    assert [each.text for each in dedupe_rolling(captions("stir", "stir", gap=0.05))] == ["stir"]
    assert [each.text for each in dedupe_rolling(captions("stir", "stir", gap=0.5))] == [
        "stir",
        "stir",
    ]
