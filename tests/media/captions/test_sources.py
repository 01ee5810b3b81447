import csv
import json
import os
import pickle
import random
import tempfile
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.caption import Caption
from vtlearn.media.captions.sources import Entry, file_states, read_entries
from vtlearn.media.captions.transcripts import read_transcript

Columns = dict[str, list[Any]]
SILENT: Columns = {"start": [], "end": [], "text": []}


def corpus(videos: int, captions: int = 5) -> dict[str, Columns]:
    """Make captions, unsorted, of ids that are not sorted either."""
    rng = random.Random(0)
    made: dict[str, Columns] = {}
    for _ in range(videos):
        starts = [round(rng.uniform(0, 100), 2) for _ in range(rng.randint(1, captions))]
        texts = [rng.choice(["chop", "crème brûlée", "a,\nb", '"so"', ""]) for _ in starts]
        ends = [round(start + rng.random(), 2) for start in starts]
        video_id = "".join(rng.choices("-_ab9Z", k=11))
        made[video_id] = {"start": starts, "end": ends, "text": texts}
    return made


def expected(videos: dict[str, Columns]) -> dict[str, list[Caption]]:
    return {
        video_id: sorted(map(Caption, *columns.values()), key=lambda caption: caption.start)
        for video_id, columns in videos.items()
    }


def read(source: Path) -> list[Entry]:
    with tempfile.TemporaryDirectory() as scratch:
        return list(read_entries(source, Path(scratch), progress=False))


def captions(entries: list[Entry]) -> dict[str, list[Caption]]:
    assert len({entry.video_id for entry in entries}) == len(entries)
    assert not any(entry.reason for entry in entries)
    return {entry.video_id: entry.track.captions() for entry in entries}


def test_json_of_all_videos(tmp_path: Path) -> None:
    source = tmp_path / "raw_caption.json"
    for bom in ("", "\ufeff"):
        source.write_text(bom + json.dumps(corpus(50)), encoding="utf-8")
        found = captions(read(source))
        assert found == expected(corpus(50))
        assert list(found) == list(corpus(50))


def test_a_large_file_does_not_fill_memory(tmp_path: Path) -> None:
    said = {"start": [1.5], "end": [2.5], "text": ["x" * 20_000]}
    big = tmp_path / "raw_caption.json"
    big.write_text(json.dumps({str(number): said for number in range(700)}))
    rows = tmp_path / "htm_aa_v1.csv"
    lines = (f"{number},1,{'x' * 20_000}" for number in range(700))
    rows.write_text("\n".join(["vid,timestamp,text", *lines]))
    for source in (big, rows):
        assert source.stat().st_size > 13e6
        scratch = tmp_path / f"scratch of {source.name}"
        scratch.mkdir()
        tracemalloc.start()
        entries = read_entries(source, scratch, progress=False)
        assert sum(len(entry.track.texts) for entry in entries) == 700
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 6e6


def test_csv_of_all_videos_in_any_order(tmp_path: Path) -> None:
    rows = [
        [video_id, *caption]
        for video_id, columns in corpus(50).items()
        for caption in zip(*columns.values(), strict=True)
    ]
    first = dict.fromkeys(row[0] for row in rows)
    random.Random(1).shuffle(rows)
    source = tmp_path / "htm.csv"
    with source.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["vid", " start", "end", "text"], *rows])
    found = captions(read(source))
    assert list(found) == list(dict.fromkeys(row[0] for row in rows)) != list(first)
    assert {key: sorted(value) for key, value in found.items()} == {
        key: sorted(value) for key, value in expected(corpus(50)).items()
    }


def test_htm_aa_has_seconds_instead_of_spans(tmp_path: Path) -> None:
    source = tmp_path / "htm_aa_v1.csv"
    source.write_text('vid,timestamp,text\n-a,284,"so, salt"\r\n_b,3,stir\n\n-a,7,chop\n')
    assert captions(read(source)) == {
        "-a": [Caption(7.0, 7.0, "chop"), Caption(284.0, 284.0, "so, salt")],
        "_b": [Caption(3.0, 3.0, "stir")],
    }


@pytest.mark.parametrize("mark", [";", "\t"])
def test_times_may_have_decimal_commas_where_cells_are_not_separated_by_any(
    mark: str, tmp_path: Path
) -> None:
    source = tmp_path / "corpus.csv"
    source.write_text(mark.join(["vid", "start", "end", "text\na", "1,5", "2.25", "so, 1,5 l\n"]))
    assert captions(read(source)) == {"a": [Caption(1.5, 2.25, "so, 1,5 l")]}
    source.write_text(mark.join(["vid", "timestamp", "text\na", "1,5", "stir\n"]))
    assert captions(read(source)) == {"a": [Caption(1.5, 1.5, "stir")]}


def test_a_short_row_spoils_its_video_only(tmp_path: Path) -> None:
    source = tmp_path / "htm_aa_v1.csv"
    source.write_text("vid,timestamp,text\na,1,x\nb\nb,2,y\nc,soon,z\nd,4\nd,5,w\n,1,v\n")
    reasons = {entry.video_id: entry.reason for entry in read(source)}
    assert reasons["b"] == "" == reasons["a"]  # a row without a text is left out
    assert "'soon' for its start" in reasons["c"]
    assert [len(entry.track.skipped) for entry in read(source)] == [0, 1, 0, 1]


@pytest.mark.parametrize("bad", [b"\xed\xa0\xbd", b"\xe9"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b'{"v": {"start": [1], "end": [2], "text": ["so %b"]}, "%b": %b}'),
        ("a.csv", b"vid,start,end,text\nv,1,2,so %b\n%b,3,4,stir\n"),
        ("a.csv", b"vid;start;end;text\nv;1,0;2,0;so %b\n%b;3;4;stir\n"),
    ],
)
def test_a_byte_that_is_not_utf8_costs_no_corpus(
    bad: bytes, name: str, content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stir = b'{"start": [3], "end": [4], "text": ["stir"]}'
    source = tmp_path / name
    source.write_bytes(content % (bad, b"caf\xe9", stir)[: content.count(b"%b")])
    assert captions(read(source)) == {
        "v": [Caption(1.0, 2.0, "so \ufffd")],
        "caf%E9": [Caption(3.0, 4.0, "stir")],  # as the file of that name is called
    }
    (message,) = caplog.messages
    line = 1 if name == "a.json" else 2
    assert message.startswith(f"{source}: 2 places are not UTF-8 (first: line {line}, ")
    assert "so \ufffd" in message


NOT_UTF8 = "it is not UTF-8; save it as UTF-8"


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.csv", "vid,timestamp,text\na,1,x\n,1,v\n ,2,w\n", "there are 2"),
        ("a.json", '{"": {"start": 1}, "a": {}}', "captions need the lists start, end"),
        ("a.json", '{"": {"start": [1], "end": [2], "text": ["v"]}, "a": {}}', "there are 1"),
    ],
)
def test_captions_that_name_no_video_are_of_none(
    name: str, content: str, what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = tmp_path / name
    source.write_text(content)
    assert [entry.video_id for entry in read(source)] == ["a"]
    (message,) = caplog.messages
    assert message.startswith(f"{source}: captions that name no video are left out (")
    assert what in message


def test_rows_of_blank_cells_say_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = tmp_path / "a.csv"
    source.write_text("vid,timestamp,text\n,,\na,1,x\n,,\n")
    assert [entry.video_id for entry in read(source)] == ["a"]
    assert not caplog.messages


HOWTOCAPTION: dict[str, Columns] = {
    "-a": {"start": [19, 12], "end": [27, 20], "text": [["stir", "mix"], ["chop"]]},
    "_b": {"start": [1], "end": [9], "text": [["wash"]]},
}
SAID = {
    "-a": [Caption(12, 20, "chop"), Caption(19, 27, "stir"), Caption(19, 27, "mix")],
    "_b": [Caption(1, 9, "wash")],
}


def with_scores(columns: Columns) -> Columns:
    return {**columns, "text": [[(text, 0.5) for text in texts] for texts in columns["text"]]}


def as_arrays(columns: Columns) -> dict[str, Any]:
    arrays: dict[str, Any] = {key: np.array(columns[key], object) for key in ("start", "end")}
    arrays["text"] = np.empty(len(columns["text"]), object)
    arrays["text"][:] = columns["text"]
    return arrays


@pytest.mark.parametrize(
    "pack",
    [
        dict,
        with_scores,
        as_arrays,
        json.dumps,
        lambda columns: zlib.compress(json.dumps(columns).encode()),
        lambda columns: zlib.compress(json.dumps(with_scores(columns)).encode()),
    ],
)
@pytest.mark.parametrize("suffix", [".pickle", ".pkl"])
def test_pickles(pack: Callable[[Columns], Any], suffix: str, tmp_path: Path) -> None:
    source = tmp_path / f"howtocaption{suffix}"
    packed = {video_id: pack(columns) for video_id, columns in HOWTOCAPTION.items()}
    source.write_bytes(pickle.dumps(packed))
    assert captions(read(source)) == SAID


def test_what_cannot_be_unpacked_spoils_its_video_only(tmp_path: Path) -> None:
    source = tmp_path / "a.pickle"
    good = json.dumps(HOWTOCAPTION["_b"])
    cut = zlib.compress(good.encode())[:-6]
    bomb = zlib.compress(bytes(2**26 + 1))
    packed = {"a": good, "b": "{", "c": b"no zlib", "d": cut, "e": bomb, "f": 5, "g": "[" * 9999}
    packed["h"] = '{"start": [' + "1" * 5000
    source.write_bytes(pickle.dumps(packed))
    reasons = {entry.video_id: entry.reason for entry in read(source)}
    assert not reasons.pop("a")
    assert "these are int" in reasons.pop("f")
    for reason in reasons.values():
        assert "cannot be unpacked" in reason
    assert "or larger than" in reasons["e"]


def test_a_folder_of_transcripts(tmp_path: Path) -> None:
    source = tmp_path / "captions"
    (source / "deep" / "er").mkdir(parents=True)
    (source / ".hidden").mkdir()
    for index, (video_id, columns) in enumerate(corpus(30).items()):
        folder = source / ("deep/er" if index % 2 else "")
        (folder / f"{video_id}.json").write_text(json.dumps(columns))
    (source / "subtitled.en.srt").write_text("1\n00:00:01,000 --> 00:00:02,500\nso we\n")
    (source / "README.txt").write_text("not a transcript")
    (source / ".hidden" / "a.json").write_text("")
    found = read(source)
    assert [entry.video_id for entry in found] == sorted([*corpus(30), "subtitled"])
    assert captions(found) == {
        **expected(corpus(30)),
        "subtitled": read_transcript(source / "subtitled.en.srt"),
    }


def test_of_several_files_of_a_video_the_first_kind_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = tmp_path / "captions"
    source.mkdir()
    (source / "a.srt").write_text("00:01,000 --> 00:02,000\nsubtitles\n")
    (source / "a.csv").write_text("start,end,text\n1,2,csv\n")
    assert captions(read(source)) == {"a": [Caption(1, 2, "csv")]}
    (source / "a.json").write_text('{"start": [1], "end": [2], "text": ["json"]}')
    (source / "b.en.srt").write_text("00:01,000 --> 00:02,000\nstir\n")
    caplog.clear()
    found = captions(read(source))
    assert found == {"a": [Caption(1, 2, "json")], "b": [Caption(1, 2, "stir")]}
    words = ": 1 videos have several files, such as a.json and a.csv; one of each is read: "
    assert words in caplog.text


def test_the_first_file_that_holds_captions_is_read(tmp_path: Path) -> None:
    source = tmp_path / "captions"
    source.mkdir()
    subtitles = "WEBVTT\n\n00:01.000 --> 00:02.000\nsubtitles\n"
    (source / "a.vtt").write_text(subtitles)
    (source / "a.json").write_text('{"title": "yt-dlp -j printed it"}')
    (source / "a.csv").write_text("start,end,text\n")
    (source / "b.json").write_text('{"title": "and of nothing else"}')
    (source / "b.vtt").write_text(subtitles.replace("-->", "->x"))
    found = read(source)
    assert captions(found[:1]) == {"a": [Caption(1, 2, "subtitles")]}
    assert [entry.file for entry in found] == ["a.vtt", "b.json"]
    assert found[1].reason.startswith("b.json: captions need the lists")


def test_names_keep_their_dots_and_twins_their_folders(tmp_path: Path) -> None:
    source = tmp_path / "captions"
    names = {
        "1. Intro": "1. Intro.en.json",
        "1. Outro": "1. Outro.json",
        "a/p": "a/p.json",
        "b/p": "b/p.pt-BR.json",
        "t": "t.de.json",
        "t.en": "t.en.json",  # as far as is known here, it may be of a t.en.mp4
        "v": "c/v.mp4.json",
    }
    for name in names.values():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(json.dumps({"start": [1], "end": [2], "text": [name]}))
    found = read(source)
    assert [entry.video_id for entry in found] == sorted(names)
    assert {entry.video_id: entry.file for entry in found} == names
    assert all(entry.track.texts == [entry.file] for entry in found)


def test_a_file_that_the_disk_does_not_give_is_named(tmp_path: Path) -> None:
    source = tmp_path / "captions"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "a.json").symlink_to(source / "absent.json")
    message = (
        f"{source} cannot be read as captions: {source}/deep/a.json: No such file or directory "
        "(a broken link; fix or remove it)"
    )
    for use in (read, file_states):
        with pytest.raises(TranscriptError) as caught:
            use(source)
        assert str(caught.value) == message
    (source / "deep" / "a.json").unlink()
    for name in ("a.json", "deep/b.json"):
        (source / name).write_text('{"start": [1], "end": [2], "text": ["so"]}')
    entries = read_entries(source, tmp_path, progress=False)
    assert next(entries).video_id == "a"
    (source / "deep" / "b.json").unlink()  # it was there a moment ago
    with pytest.raises(TranscriptError, match=r"captions: deep/b\.json: No such file or directory"):
        next(entries)


def test_a_quote_that_is_not_closed_swallows_no_video(tmp_path: Path) -> None:
    source = tmp_path / "htm_aa_v1.csv"
    for rest in ("c,3,z\n", 'c,3,"z"\n', 'c,3,z\nd,4,"so, ""salt"""\n'):
        source.write_text(f'vid,timestamp,text\na,1,"x\nx"\nb,2,"y\n{rest}')
        with pytest.raises(TranscriptError, match=r"not a valid csv: .* in the row from line 4 on"):
            read(source)


def test_what_is_too_deep_to_be_shown_spoils_its_video_only(tmp_path: Path) -> None:
    source = tmp_path / "a.pickle"
    good = pickle.dumps({"start": [1], "end": [2], "text": ["so"]}, 0)[:-1]
    deep = b"]" * 9999 + b"a" * 9998
    bad = b"(Vstart\n" + deep + b"Vend\n](I2\neVtext\n](Vso\ned"
    source.write_bytes(b"\x80\x02}(Va\n" + good + b"Vb\n" + bad + b"u.")
    entries = {entry.video_id: entry for entry in read(source)}
    assert captions([entries["a"]]) == {"a": [Caption(1, 2, "so")]}
    assert entries["b"].reason == "its lists are nested too deeply"


def test_spaces_around_ids_are_no_part_of_them(tmp_path: Path) -> None:
    source = tmp_path / "htm_aa_v1.csv"
    source.write_text("vid,timestamp,text\nv1 ,1,x\n v1,2,y\n")
    assert captions(read(source)) == {"v1": [Caption(1, 1, "x"), Caption(2, 2, "y")]}


def test_one_damaged_video_does_not_spoil_the_others(tmp_path: Path) -> None:
    bad: dict[str, Any] = {
        **corpus(3),
        "late": {"start": [1], "end": [0], "text": ["a"]},
        "null": None,
        "silent": SILENT,
        "left": {"start": [1, 2], "end": [3, 4], "text": [float("nan"), "b"]},
    }
    source = tmp_path / "raw_caption.json"
    source.write_text(json.dumps(bad))
    folder = tmp_path / "captions"
    folder.mkdir()
    for video_id, columns in bad.items():
        (folder / f"{video_id}.json").write_text(json.dumps(columns))
    for path in (source, folder):
        found = {entry.video_id: entry for entry in read(path)}
        assert "caption 0 ends at 0.0 s, before it starts" in found["late"].reason
        assert "these are NoneType" in found["null"].reason
        assert not found["late"].track.texts
        assert found["left"].track.captions() == [Caption(2, 4, "b")]
        assert [line for line, _ in found["left"].track.skipped] == [0]
        assert captions([found[key] for key in corpus(3)]) == expected(corpus(3))
        assert found["late"].reason.startswith("late.json: ") == (path is folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b'{"a": {"start": [1', "not valid JSON: Expecting"),
        ("a.json", b"[]", "not valid JSON: { is expected"),
        (
            "a.json",
            b'{"a": ' + b"1" * 5000 + b"}",
            "not valid JSON: Exceeds the limit .* at character 6",
        ),
        ("a.json", b'{"start": [1], "end": [2], "text": ["a"]}', "captions of one video"),
        ("a.json", '{"a": {"text": ["là-bas, l\'été, à côté"]}}'.encode("latin-1"), NOT_UTF8),
        ("a.csv", "vid,timestamp,text\na,1,là-bas, l'été, à côté".encode("latin-1"), NOT_UTF8),
        ("a.json", '{"a": {"start": [], "end": [], "text": []}}'.encode("utf-16"), NOT_UTF8),
        ("a.csv", b"start,end,text\n1,2,a\n", r"needs the columns vid, timestamp and text"),
        ("a.csv", b"", r"needs the columns vid, timestamp and text, but has \[\]"),
        ("a.csv", b'vid,timestamp,text\na,1,"' + b"x" * 200_000, "not a valid csv: field larger"),
        ("a.pickle", pickle.dumps([1]), "must map video ids to captions, but holds a list"),
        ("a.pickle", pickle.dumps({1: 2}), "ids, which are strings, to captions, but has 1"),
        ("a.pickle", pickle.dumps(os.getcwd), "getcwd, and only plain data"),
        ("a.txt", b"", "neither a folder nor a .json"),
    ],
)
def test_what_spoils_a_whole_source(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    source = tmp_path / name
    source.write_bytes(content)
    with pytest.raises(TranscriptError, match=message) as caught:
        read(source)
    assert str(caught.value).startswith(f"{source} cannot be read as captions: ")


def test_states_tell_files_apart(tmp_path: Path) -> None:
    source = tmp_path / "captions"
    (source / "b").mkdir(parents=True)
    (source / "b" / "c.json").write_text("12")
    (source / "a.vtt").write_text("1")
    os.utime(source / "a.vtt", ns=(5, 7))
    first, second = file_states(source)
    assert first == ("a.vtt", 1, 7)
    assert second[:2] == ("b/c.json", 2)
    assert file_states(source / "a.vtt") == [("a.vtt", 1, 7)]
    with pytest.raises(TranscriptError, match="No such file"):
        file_states(tmp_path / "absent")


def test_one_file_may_hold_any_layout_of_one_video(tmp_path: Path) -> None:
    entries = [{"text": "so we", "start": 1.0, "duration": 1.0}]
    videos = {
        "a": entries,
        "b": {"snippets": entries},
        "c": {"segments": [{**entries[0], "end": 2}]},
    }
    source = tmp_path / "caption.json"
    source.write_text(json.dumps(videos))
    expected = [Caption(1.0, 2.0, "so we")]
    assert captions(read(source)) == {"a": expected, "b": expected, "c": expected}
