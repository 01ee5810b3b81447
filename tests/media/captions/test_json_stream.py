import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.json_stream import stream_object

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def pieces(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


@given(
    st.dictionaries(st.text(), VALUES, max_size=5),
    st.integers(1, 40),
    st.sampled_from([None, 1]),
    st.booleans(),
)
@example({"": 0.5}, 1, None, False)  # 0 is a number, too
def test_pieces_of_any_size_read_as_the_whole(
    content: dict[str, Any], size: int, indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(content, indent=indent, ensure_ascii=ascii_only)
    assert dict(stream_object(pieces(text, size))) == content


@given(st.integers(1, 9))
def test_nan_is_a_number(size: int) -> None:
    ((_, values),) = stream_object(pieces('{"a": [NaN, -Infinity, 1.5e3]} \n', size))
    assert math.isnan(values[0])
    assert values[1:] == [-math.inf, 1500.0]


@given(st.dictionaries(st.text(), VALUES, max_size=5), st.integers(1, 40), st.data())
def test_what_is_cut_off_is_no_object(content: dict[str, Any], size: int, data: Any) -> None:
    text = json.dumps(content)
    cut = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(TranscriptError, match="it is not valid JSON"):
        list(stream_object(pieces(text[:cut], size)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "{ is expected, but there is [, at character 0"),
        ("", "{ is expected, but there is its end, at character 0"),
        ('{"a": 1} x', "its end is expected, but there is x, at character 9"),
        ('{"a" 1}', ": is expected, but there is 1, at character 5"),
        ('{"a": 1 "b": 2}', ', is expected, but there is ", at character 8'),
        ("{1: 2}", "1 is not a key, at character 2"),
        ('{"a": nothing, "b": ' + "1" * 50, "Expecting value, at character 6"),
        ('{"a": [1, 2, x], "b": ' + "1" * 50, "Expecting value, at character 13"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply, at character 6"),
    ],
)
def test_errors_say_where(text: str, message: str) -> None:
    for size in (7, 1_000_000):
        with pytest.raises(TranscriptError) as caught:
            list(stream_object(pieces(text, size)))
        assert message in str(caught.value)


def test_what_was_whole_comes_before_the_error() -> None:
    read = stream_object(pieces('{"a": [1], "b": [2], "c": [3', 5))
    assert [next(read), next(read)] == [("a", [1]), ("b", [2])]
    with pytest.raises(TranscriptError):
        next(read)


def test_a_value_far_longer_than_a_piece_takes_linear_time() -> None:
    taken = iter(pieces(json.dumps({"a": "x" * 2_000_000}), 100))
    ((_, value),) = stream_object(taken)  # parsed anew with each piece, this would take minutes
    assert len(value) == 2_000_000
