import json
import math
from pathlib import Path

import pytest

from vtlearn.errors import TranscriptError
from vtlearn.media.ids import VideoNames
from vtlearn.transcription import count_word_errors, read_texts

SRT = "1\n00:00:01,000 --> 00:00:02,000\n{}\n"


@pytest.mark.parametrize(
    ("written", "said", "wrong"),
    [
        ("chop the carrot", "chop the carrot", 0),
        ("Chop the CARROT!", "chop the carrot.", 0),
        ("chop a carrot", "chop the carrot", 1 / 3),
        ("the carrot", "chop the carrot", 1 / 3),
        ("now chop the big carrot", "chop the carrot", 2 / 3),
        ("", "chop the carrot", 1),
        ("dont stir", "don't stir", 0),
        ("don\u2019t stir", "don't stir", 0),
        ("well-done steak", "well done steak", 0),
        ("2.5 cups", "2 5 cups", 0),
        ("ÜBER \u2014 gut", "über gut", 0),
    ],
)
def test_words_are_compared_without_case_and_punctuation(
    written: str, said: str, wrong: float
) -> None:
    errors = count_word_errors({"a": written}, {"a": said})
    assert errors.rate == pytest.approx(wrong, abs=1e-6)
    assert errors.words == len(said.split()) - said.count("\u2014")


def test_all_words_of_all_videos_count_alike() -> None:
    said = {"a": "one two three four", "b": "five", "not written": "six"}
    errors = count_word_errors({"a": "one two three four", "b": "six", "more": "x"}, said)
    assert (errors.rate, errors.words, errors.videos) == (0.2, 5, 2)
    assert str(errors).startswith("word error rate: 20.0% of 5 words of 2 videos")


def test_without_a_word_there_is_no_rate() -> None:
    errors = count_word_errors({"a": "one"}, {"b": "two"})
    assert math.isnan(errors.rate)
    assert str(errors) == "word error rate: the reference of 0 videos has no word"


def test_texts_are_read_by_the_videos_names(tmp_path: Path) -> None:
    root = tmp_path / "said"
    (root / "lesson1").mkdir(parents=True)
    (root / "lesson1" / "part1.en.srt").write_text(SRT.format("chop") + "\n" + SRT.format("stir"))
    (root / "b.json").write_text(json.dumps({"segments": [], "language": None}))
    (root / "c.srt").write_text(SRT.format("bake"))
    names = VideoNames({"part1": "lesson1/part1", "b": "b", "c": "c", "d": "d"})
    assert read_texts(root, names, ["part1", "b", "d"]) == {"part1": "chop stir"}
    assert [path.name for path in tmp_path.iterdir()] == ["said"]


def test_a_reference_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TranscriptError, match="absent cannot be read as captions"):
        read_texts(tmp_path / "absent", VideoNames({}), [])
