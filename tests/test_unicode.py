"""Tests for names and texts that are not valid Unicode."""

import io
import itertools
import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtlearn.unicode import (
    escape_bytes,
    escape_name,
    parse_json,
    replace_surrogates,
    show_escaped_bytes,
)


@given(st.binary(), st.binary())
def test_ids_are_utf8_and_stay_apart(one: bytes, other: bytes) -> None:
    names = [name.decode("utf-8", "surrogateescape") for name in (one, other)]
    first, second = map(escape_name, names)
    first.encode()
    assert (first == second) == (one == other)


def test_names_that_look_escaped_stay_apart() -> None:
    parts = ["%", "2", "5", "F", "f", "\udcff", "\udc25".encode("utf-8", "replace").decode()]
    names = {"".join(chosen) for n in range(1, 6) for chosen in itertools.product(parts, repeat=n)}
    assert len({escape_name(name) for name in names}) == len(names)


@pytest.mark.parametrize("name", ["nVbIUDjzWY4", "1. Äpfel 🍏", "100 % rye", "50%", "%zz"])
def test_ordinary_names_stay(name: str) -> None:
    assert escape_name(name) == name


def test_messages_keep_their_percent_signs() -> None:
    assert escape_bytes("caf\udce9%20au lait.mp4") == "caf%E9%20au lait.mp4"


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("so we", "so we"),
        ("Äpfel 🍏", "Äpfel 🍏"),
        ("\ud83c", "\ufffd"),
        ("cut \ud83c off", "cut \ufffd off"),
        ("\udf45 late", "\ufffd late"),
        ("\ud83c\udf45", "🍅"),
        ("\udf45\ud83c", "\ufffd\ufffd"),
    ],
)
def test_halves_of_pairs(text: str, valid: str) -> None:
    assert replace_surrogates(text) == valid


@given(st.text())  # which has no surrogates
def test_valid_texts_stay(text: str) -> None:
    assert replace_surrogates(text) == text


def test_json_is_valid_throughout() -> None:
    content = {"cut \ud83d": ["\udc00", {"deep": "🍅 \ud83c"}, 1.5, None, True]}
    expected = {"cut \ufffd": ["\ufffd", {"deep": "🍅 \ufffd"}, 1.5, None, True]}
    assert parse_json(json.dumps(content)) == expected
    assert parse_json(r'["a backslash: \\ud83d"]') == [r"a backslash: \ud83d"]


def test_streams_print_escaped_bytes() -> None:
    for encoding, printed in (("utf-8", "caf%E9 é"), ("ascii", r"caf%E9 \xe9")):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        show_escaped_bytes(stream, io.StringIO())
        stream.write("caf\udce9 é")
        stream.seek(0)
        assert stream.read() == printed


def test_the_command_line_prints_names_that_are_not_utf8() -> None:
    command = [sys.executable, "-m", "vtlearn", "data", "check", os.fsdecode(b"caf\xe9")]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 2
    assert "caf%E9" in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
