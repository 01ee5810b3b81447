import json
import logging
import pickle
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.media.captions.rolling import Line, as_srt, as_srv3, as_ttml, as_webvtt
from tests.media.video.writing import write_video
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
        ("a.csv", "", "holds no caption"),
        ("a.csv", "hello\n", r"but these are \['hello'\]"),
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
        ("a.txt", "", r"its name ends in none of \.json, \.json3, \.csv"),
    ],
)
def test_files_without_captions(name: str, content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(TranscriptError, match=message):
        read_transcript(write(tmp_path / name, content))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for name in ("absent.json", "absent.csv", "absent.vtt", "absent.ass"):
        with pytest.raises(TranscriptError, match=f"{name} cannot be read as captions"):
            read_transcript(tmp_path / name)


def test_text_that_is_not_utf_8_is_detected_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = "la crème brûlée est prête, on la sert très fraîche à côté du gâteau"
    cue = f"1\n00:00:01,000 --> 00:00:02,000\n{said}\n\n"
    (tmp_path / "a.srt").write_bytes((cue * 5).encode("cp1252"))
    with caplog.at_level(logging.WARNING):
        captions = read_transcript(tmp_path / "a.srt")
    assert {caption.text for caption in captions} == {said}
    assert f"{tmp_path / 'a.srt'} is not UTF-8, and is read as cp1252" in caplog.text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "Start,END, Text\n0.5,2,wash it\n2,3.5,grate it\n"),
        ("a.csv", "start;end;text\n0,5;2;wash it\n2;3,5;grate it\n"),
        ("a.tsv", "start\tend\ttext\n500\t2000\twash it\n2000\t3500\tgrate it\n"),
        ("a.tsv", "start\tend\ttext\n0.5\t2\twash it\n2\t3.5\tgrate it\n"),
        ("a.sbv", "0:00:00.500,0:00:02.000\nwash\nit\n\n0:00:02.000,0:00:03.500\ngrate it\n"),
        ("a.sub", "{1}{1}20\n{10}{40}wash|it\n{40}{70}{y:i}grate it\n"),
        (
            "a.ass",
            "[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, "
            "Text"
            "\nDialogue: 0,0:00:00.50,0:00:02.00,Default,,0,0,0,,{\\i1}wash{\\i0}\\Nit"
            "\nComment: 0,0:00:00.50,0:00:02.00,Default,,0,0,0,,sign"
            "\nDialogue: 0,0:00:02.00,0:00:03.50,Default,,0,0,0,,grate it\n",
        ),
        (
            "a.ssa",
            "Dialogue: Marked=0,0:00:00.50,0:00:02.00,*Default,,0,0,0,,wash it\nDialogue: "
            "Marked=0,0:00:02.00,0:00:03.50,*Default,,0,0,0,,grate it\n",
        ),
        (
            "a.smi",
            "<SAMI><BODY><SYNC Start=500><P>wash it and wash it again<SYNC Start=2000>"
            "<P>grate it, and do not stop<SYNC Start=3500><P>&nbsp;</BODY></SAMI>",
        ),
        (
            "a.srt",
            "WEBVTT\n\n00:00.500 --> 00:02.000\nwash it\n\n00:02.000 --> 00:03.500\ngrate it",
        ),
    ],
)
def test_every_format_people_have(name: str, content: str, tmp_path: Path) -> None:
    captions = read_transcript(write(tmp_path / name, content))
    assert [(each.start, each.end) for each in captions] == [(0.5, 2.0), (2.0, 3.5)]
    first, second = (caption.text for caption in captions)
    assert first.startswith("wash it")
    assert second.startswith("grate it")
    assert not captions.skipped


@pytest.mark.parametrize(
    ("name", "content", "lines"),
    [
        ("a.csv", "start,end,text\n0,1,a\nnow,2,b\n\n1,2\n2,3,c\n", [3, 5]),
        ("a.tsv", "start\tend\ttext\n0\t1000\ta\n1000\n1000\t2000\tb\n", [3]),
        ("a.sbv", "0:00:00.500,0:00:02.000\na\n\n0:00:x,0:00:03.000\nb\n", [4]),
        ("a.sbv", "0:00:00.500,0:00:02.000\na\n\n0:00:02.9.9,0:00:03.000\nb\n", [4]),
        ("a.sbv", "0:00:00.500,0:00:02.000\na\n\nlost\nits time\n", [4]),
        ("a.sbv", "lost\n\n0:00:00.500,0:00:02.000\na\n", [1]),
        ("a.sub", "{1}{1}25\n{10}{40}a\nb\n{40}{x}c\n{50}{60}d\n{70}{80}e", [3, 4]),
        (
            "a.ass",
            "Dialogue: 0,0:00:00.50,0:00:02.00,D,,0,0,0,,a\nDialogue: 0,now,0:00:02.00,D,,0,0,0,,b",
            [2],
        ),
    ],
)
def test_a_bad_line_costs_itself_in_every_format(
    name: str, content: str, lines: list[int], tmp_path: Path
) -> None:
    captions = read_transcript(write(tmp_path / name, content))
    assert captions[0].text.startswith("a")
    assert [line for line, _ in captions.skipped] == lines
    assert all(reason.startswith(f"line {line}") for line, reason in captions.skipped)


def test_times_in_frames_need_a_rate(tmp_path: Path) -> None:
    path = write(tmp_path / "a.sub", "{25}{50}so we\n")
    with pytest.raises(TranscriptError, match=r"say how many there are per second in line 1"):
        read_transcript(path)
    assert read_transcript(path, fps=12.5) == [Caption(2.0, 4.0, "so we")]
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(TranscriptError, match=r"say how many there are per second in line 1"):
        read_transcript(path)
    write_video(tmp_path / "a.mp4", [20] * 8, rate=5)
    assert read_transcript(path) == [Caption(5.0, 10.0, "so we")]


def test_names_of_pictures_are_no_speech(tmp_path: Path) -> None:
    cues = [f"00:0{n}.000 --> 00:0{n + 1}.000\nsprite-{n}.jpg#xywh=0,0,8,8" for n in range(3)]
    sprites = "\n\n".join(["WEBVTT", *cues])
    with pytest.raises(TranscriptError, match=r"caption 0 names a picture: 'sprite-0.jpg#xywh"):
        read_transcript(write(tmp_path / "a.vtt", sprites))
    said = "\n\n".join([sprites, *(f"00:2{n}.000 --> 00:2{n}.500\nsee a.jpg" for n in range(3))])
    captions = read_transcript(write(tmp_path / "a.vtt", said))
    assert [caption.text for caption in captions] == ["see a.jpg"] * 3
    assert len(captions.skipped) == 3


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
        read_transcript(path, max_bad_cues=0.0)


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
    with pytest.raises(TranscriptError, match=r"line 4 is not the time .*max_bad_cues=0 allows"):
        read_transcript(path, max_bad_cues=0.0)


HALF = r"\ud83d"  # of an emoji, as JSON has it


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", f'{{"start": [1], "end": [2], "text": ["cut {HALF}"]}}'),
        ("a.json", f'{{"segments": [{{"start": 1, "end": 2, "text": "cut {HALF}"}}]}}'),
        ("a.json", f'[{{"start": 1, "duration": 1, "text": "cut {HALF}"}}]'),
        (
            "a.json3",
            '{"events": [{"tStartMs": 1000, "dDurationMs": 1000, "segs": '
            f'[{{"utf8": "cut "}}, {{"utf8": "{HALF}"}}]}}]}}',
        ),
        ("a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\ncut \ud83d\n"),
        ("a.srt", "00:01,000 --> 00:02,000\ncut \ud83d\n"),
        ("a.srt", "00:01,000 --> 00:02,000\ncut &#xD83D;\n"),
        ("a.csv", "start,end,text\n1,2,cut \ud83d\n"),
        ("a.ttml", '<tt><body><p begin="1s" end="2s">cut &#xD83D;</p></body></tt>'),
        ("a.srv1", '<transcript><text start="1" dur="1">cut &#55357;</text></transcript>'),
        ("a.srv1", '<transcript><text start="1" dur="1">cut &amp;#55357;</text></transcript>'),
    ],
)
def test_half_an_emoji_costs_no_more_than_itself(name: str, content: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    assert read_transcript(path) == [Caption(1.0, 2.0, "cut \ufffd")]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_blank_file_has_no_captions_in_any_format(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    for content in (b"", b" \r\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"):
        path.write_bytes(content)
        assert read_track(path).transcript() == []
        with pytest.raises(TranscriptError, match=r"a\..* holds no caption; leave its video out"):
            read_transcript(path)
    path.write_bytes(b"\0" * 20)  # of a crash
    with pytest.raises(TranscriptError):
        read_track(path)


HEADERS = {
    "a.json": '{"segments": []}',
    "b.json": "{}",
    "c.json": '{"start": [], "end": [], "text": []}',
    "d.json": '{"text": "", "segments": [], "language": "en"}',
    "a.json3": '{"wireMagic": "pb3", "events": []}',
    "a.csv": "start,end,text\n",
    "a.tsv": "start\tend\ttext\n",
    "a.vtt": "WEBVTT",
    "b.vtt": "WEBVTT\nKind: captions\nLanguage: en\n\nNOTE by nobody\n\nSTYLE\n::cue {}\n",
    "a.ttml": '<tt xmlns="http://www.w3.org/ns/ttml"><body><div/></body></tt>',
    "a.srv1": "<transcript/>",
    "a.srv3": '<timedtext format="3"><body/></timedtext>',
    "a.ass": "[Script Info]\nTitle: a\n\n[Events]\nFormat: Layer, Start, End, Text\n",
    "a.smi": "<SAMI><HEAD><TITLE>a</TITLE></HEAD><BODY></BODY></SAMI>",
    "a.sub": "{1}{1}25\n",
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_file_of_a_header_only_has_no_captions(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(HEADERS[name])
    track = read_track(tmp_path / name)
    assert (track.texts, list(track.skipped), track.spans.shape) == ([], [], (0, 2))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '{"text": "so we", "segments": []}'),
        ("a.json", '{"error": "no speech"}'),
        ("a.vtt", "WEBVTT\n\nso we\n"),
        ("a.srt", "so we\n"),
        ("a.sbv", "so we\n"),
        ("a.ass", "so we\n"),
        ("a.ssa", "so we\n"),
        ("a.smi", "so we"),
        ("a.smi", "<html><body>404</body></html>"),
        ("a.ttml", "<Error><Code>404</Code></Error>"),
        ("a.ttml", "<tt><body><p>so we</p></body></tt>"),
        ("a.sub", "so we"),
        ("a.csv", "so we\n"),
        ("a.tsv", "so we\n"),
    ],
)
def test_text_that_is_in_no_caption_is_not_passed_over(
    name: str, content: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(TranscriptError):
        read_track(tmp_path / name, max_bad_cues=1.0)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_garbage_is_named_in_every_format(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    for content in (b"garbage", b"\xff\xfe\x00", b"\x80"):
        path.write_bytes(content)
        with pytest.raises(TranscriptError, match="cannot be read as captions") as caught:
            read_transcript(path)
        assert str(caught.value).startswith(str(path))


PIECES = ["00:00:01.000", "-->", "1:2", "\n", "\n\n", "1", "so", "<p>", "{1}{1}25", "{", "</tt>"]
PIECES += [
    "Dialogue: 0,0:00:01.00,",
    ",",
    "\t",
    "<SYNC Start=",
    ">",
    "WEBVTT",
    "<tt>",
    '"',
    "<00:01.5>",
]


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=30))
def test_nothing_in_a_file_is_more_than_an_error(suffix: str, pieces: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder, f"a{suffix}"), "".join(pieces))
        try:
            captions = read_transcript(path, max_bad_cues=1.0)
        except TranscriptError:
            return
    assert captions
    assert all(each.text.strip() and each.start <= each.end for each in captions)


@pytest.mark.parametrize("bad", ["61000\t", "nan\t9\tso", "7000.5\t9000.5\tso"])
def test_a_bad_row_leaves_the_unit_of_the_others(bad: str, tmp_path: Path) -> None:
    rows = ["start\tend\ttext", "0\t1500\tpeel", "1500\t4000\tthe", "4000\t6000\tcarrot", bad]
    captions = read_transcript(write(tmp_path / "a.tsv", "\n".join(rows)))
    assert [tuple(each[:2]) for each in captions[:3]] == [(0.0, 1.5), (1.5, 4.0), (4.0, 6.0)]


def test_whole_seconds_are_not_milliseconds(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "start\tend\ttext\n0\t2\tpeel\n2\t4\tit\n")
    assert read_transcript(path) == [Caption(0.0, 2.0, "peel"), Caption(2.0, 4.0, "it")]


SRT = "1\n00:00:01,000 --> 00:00:02,000\nso we\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.vtt", SRT),
        ("a.vtt", "\n \nWEBVTT\n\n00:01.000 --> 00:02.000\nso we\n"),
        ("a.srt", "WEBVTT\n\n00:01.000 --> 00:02.000\nso we\n"),
        ("a.srt", "{1}{1}25\n{25}{50}so we\n"),
        ("a.sub", "{1}{1}25\n{25}{50}so we\n"),
        ("a.sub", "[INFORMATION]\n[TITLE]stew\n\n00:00:01.00,00:00:02.00\nso[br]we\n"),
        ("a.sbv", "0:00:01.000,0:00:02.000\nso[br]we\n"),
        *(("a.srt", SRT.replace("-->", arrow)) for arrow in ("--->", "\u2013>", "=>", "\u2014 >")),
    ],
)
def test_contents_count_whatever_the_name(name: str, content: str, tmp_path: Path) -> None:
    assert read_transcript(write(tmp_path / name, content)) == [Caption(1.0, 2.0, "so we")]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("start,end,text\n1,2,chop, then stir\n", "chop, then stir"),
        ("start;end;text\n1,0;2,0;gut; sehr gut\n", "gut; sehr gut"),
        ('start,end,text\n1,2,"chop, then"\n', "chop, then"),
    ],
)
def test_separators_in_the_last_text_need_no_quotes(
    content: str, text: str, tmp_path: Path
) -> None:
    assert read_transcript(write(tmp_path / "a.csv", content)) == [Caption(1.0, 2.0, text)]


def test_numbers_in_braces_are_text_where_times_have_arrows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.srt", "1\n00:00:01,000 --> 00:00:02,000\nso\n{1}{2} we\n")
    assert read_transcript(path) == [Caption(1.0, 2.0, "so {1}{2} we")]
