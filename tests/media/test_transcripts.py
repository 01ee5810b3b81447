import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from vtlearn.errors import TranscriptError
from vtlearn.media.transcripts import Caption, read_captions, read_transcript

SAID = {"start": [4.13, 0.0, 4.13], "end": [6.5, 0.0, 5], "text": ["so we", "[Music]", "we\nmoved"]}
SORTED = [
    Caption(0.0, 0.0, "[Music]"),
    Caption(4.13, 6.5, "so we"),
    Caption(4.13, 5.0, "we\nmoved"),
]


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_json_of_one_video(tmp_path: Path) -> None:
    captions = read_transcript(write(tmp_path / "-a_b.json", SAID))
    assert captions == SORTED
    assert all(type(caption.end) is float for caption in captions)


@pytest.mark.parametrize(
    "content",
    [
        'start,end,text\n4.13,6.5,so we\n0.0,0.0,[Music]\n4.13,5,"we\nmoved"\n',
        ',start,end,text\n0,4.13,6.5,so we\n1,0.0,0.0,[Music]\n2,4.13,5,"we\nmoved"\n',
        '\ufeffstart, end, text\r\n4.13, 6.5, so we\r\n\r\n0, 0, [Music]\r\n4.13, 5, "we\nmoved"',
        'text,end,start\n"so we",6.5,4.13\n[Music],0,0\n"we\nmoved",5,4.13\n',
    ],
)
def test_csv_of_one_video(content: str, tmp_path: Path) -> None:
    assert read_transcript(write(tmp_path / "a.csv", content)) == SORTED


def test_commas_and_quotes_stay_in_the_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'start,end,text\n0,1,"salt, pepper, and ""zest"""\n')
    assert read_transcript(path) == [Caption(0.0, 1.0, 'salt, pepper, and "zest"')]


def test_captions_of_many_videos(tmp_path: Path) -> None:
    silent: dict[str, list[Any]] = {"start": [], "end": [], "text": []}
    path = write(tmp_path / "raw_caption.json", {"a": SAID, "b": silent})
    assert read_captions(path) == {"a": SORTED, "b": []}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"start": [0, 5], "end": [1, 4], "text": ["a", "b"]}, "caption 1 ends at 4.0 s, before"),
        ({"start": [float("nan")], "end": [1], "text": ["a"]}, "caption 0 has nan for its start"),
        ({"start": [0], "end": [float("inf")], "text": ["a"]}, "caption 0 has inf for its end"),
        ({"start": [None], "end": [1], "text": ["a"]}, "caption 0 has None for its start"),
        ({"start": [0], "end": [1], "text": [float("nan")]}, "caption 0 has nan for a text"),
        ({"start": [0], "end": [1], "text": [None]}, "caption 0 has None for a text"),
        ({"start": [0], "end": [1, 2], "text": ["a"]}, r"differ in length: \[1, 2, 1\]"),
        ({"start": [0], "end": [1]}, r"start, end and text, but these are \['end', 'start'\]"),
        ({"start": 0, "end": 1, "text": "a"}, "must be lists"),
        ([1, 2], "but these are list"),
    ],
)
def test_what_is_no_caption_is_named(columns: Any, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", columns)
    with pytest.raises(TranscriptError, match=message) as caught:
        read_transcript(path)
    assert str(path) in str(pickle.loads(pickle.dumps(caught.value)))  # noqa: S301
    with pytest.raises(TranscriptError, match=f"video x.*{message}"):
        read_captions(write(tmp_path / "b.json", {"x": columns}))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", '{"start": [], "end": [], "text": []}', "holds no caption"),
        ("a.csv", "start,end,text\n", "holds no caption"),
        ("a.csv", "", r"but these are \[\]"),
        ("a.csv", "begin,end,text\n0,1,a\n", r"but these are \['begin', 'end', 'text'\]"),
        ("a.csv", "start,end,text\n0,1\n", "caption 0 has None for a text"),
        ("a.csv", "start,end,text\n0:12,1,a\n", "caption 0 has '0:12' for its start"),
        ("a.json", "", "cannot be read as captions"),
        ("a.json", "{", "cannot be read as captions"),
        ("a.txt", "", r"its name ends in none of \.json, \.csv"),
    ],
)
def test_files_without_captions(name: str, content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(TranscriptError, match=message):
        read_transcript(write(tmp_path / name, content))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes("start,end,text\n0,1,crème\n".encode("latin-1"))
    for name in ("absent.json", "absent.csv", "latin.csv"):
        with pytest.raises(TranscriptError, match=f"{name} cannot be read as captions"):
            read_transcript(tmp_path / name)
    with pytest.raises(TranscriptError, match="must map video ids to captions, but holds a list"):
        read_captions(write(tmp_path / "list.json", "[]"))
