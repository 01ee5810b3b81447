import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from tests.media.captions.rolling import Line, as_srt, as_srv3, as_ttml, as_webvtt
from vtlearn.errors import TranscriptError
from vtlearn.media.captions.transcripts import (
    SUFFIXES,
    Caption,
    read_track,
    read_transcript,
)

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


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"start": [5], "end": [4], "text": ["a"]}, "caption 0 ends at 4.0 s, before"),
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


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", '{"start": [], "end": [], "text": []}', "holds no caption"),
        ("a.csv", "start,end,text\n", "holds no caption"),
        ("a.csv", "", r"but these are \[\]"),
        ("a.csv", "begin,end,text\n0,1,a\n", r"but these are \['begin', 'end', 'text'\]"),
        ("a.csv", "start,end,text\n0,1\n", "caption 0 has None for a text"),
        (
            "a.csv",
            'start,end,text\n0,1,a\n1,2,"b\n2,3,c\n',
            "not a valid csv: .* the row from line 3 on",
        ),
        ("a.csv", 'start,end,text\n0,1,"a"b\n', "not a valid csv: .* the row from line 2 on"),
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


LINES = [
    Line([(1000, "chop"), (1400, "the")], 2000, True),
    Line([(2000, "onion"), (2500, "and")], 3000, False),
    Line([(3000, "and")], 3600, False),
]
WHISPERX = {
    "segments": [
        {
            "start": 1.0,
            "end": 2.0,
            "text": " Chop it.",
            "words": [{"word": "Chop", "start": 1.0, "end": 1.3}, {"word": "it."}],
        }
    ]
}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.vtt", as_webvtt(LINES)),
        ("a.en.VTT", as_webvtt(LINES)),
        ("a.srt", as_srt(LINES)),
        ("a.ttml", as_ttml(LINES)),
        ("a.dfxp", as_ttml(LINES)),
        ("a.srv3", as_srv3(LINES)),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_formats_of_subtitles(name: str, content: str, encoding: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content.replace('encoding="utf-8"', "").encode(encoding))
    captions = read_transcript(tmp_path / name)
    assert [caption.text for caption in captions] == ["chop the", "onion and", "and"]
    assert [caption.start for caption in captions] == [1.0, 2.0, 3.0]


def test_whisperx(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", WHISPERX)
    assert read_transcript(path) == [Caption(1.0, 2.0, "Chop it.")]


def test_rolling_is_undone_where_it_is_asked_for(tmp_path: Path) -> None:
    said = {"start": [0, 2, 4], "end": [2, 4, 6], "text": ["chop it", "chop it up", "up\nnow"]}
    path = write(tmp_path / "a.json", said)
    texts = [caption.text for caption in read_transcript(path, rolling=True)]
    assert texts == ["chop it", "up", "now"]
    assert len(" ".join(each.text for each in read_transcript(path)).split()) == 7
    (tmp_path / "a.vtt").write_text(as_webvtt(LINES))
    assert len(read_transcript(tmp_path / "a.vtt", rolling=False)) == 6


def test_what_says_nothing_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", {"start": [0, 1], "end": [1, 2], "text": [None, "b"]})
    transcript = read_transcript(path)
    assert transcript == [Caption(1.0, 2.0, "b")]
    assert [line for line, _ in transcript.skipped] == [0]
    assert read_track(path).skipped == transcript.skipped
    with pytest.raises(TranscriptError, match="caption 0 has None for a text"):
        read_transcript(path, max_bad_cues=0.25)


def test_a_segment_that_ends_before_it_starts_is_left_out(tmp_path: Path) -> None:
    spans = [(0.5, 3.0, " Wash it."), (61.2, 55.0, " Grate it."), (62.0, 66.0, " Bake it.")]
    segments = [{"start": start, "end": end, "text": text} for start, end, text in spans]
    transcript = read_transcript(write(tmp_path / "a.json", {"segments": segments}))
    assert transcript == [Caption(0.5, 3.0, "Wash it."), Caption(62.0, 66.0, "Bake it.")]
    assert transcript.skipped == [(1, "caption 1 ends at 55.0 s, before it starts at 61.2 s")]


def test_the_unit_of_failure_is_a_cue(tmp_path: Path) -> None:
    cues = ["00:01 --> 00:02\nso", "00:03 --> 00:0x\nwe", "00:05 -> 00:06\nmoved"]
    path = write(tmp_path / "a.srt", "\n\n".join(cues))
    transcript = read_transcript(path)
    assert transcript == [Caption(1.0, 2.0, "so"), Caption(5.0, 6.0, "moved")]
    assert transcript.skipped == [(4, "line 4 is not the time of a caption: '00:03 --> 00:0x'")]
    assert read_transcript(path, rolling=True).skipped == transcript.skipped
    with pytest.raises(TranscriptError, match=r"line 4 is not the time .*max_bad_cues=0\.3 allows"):
        read_transcript(path, max_bad_cues=0.3)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_garbage_is_named_in_every_format(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    for content in (b"garbage", b"\xff\xfe\x00", b"\x80"):
        path.write_bytes(content)
        with pytest.raises(TranscriptError, match="cannot be read as captions") as caught:
            read_transcript(path)
        assert str(caught.value).startswith(str(path))
