import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.media.video.writing import write_video
from tests.media.webdataset.tars import member, write_tar
from vtlearn.datasets.corpus_report import CorpusReport
from vtlearn.datasets.shard_checking import check_shards
from vtlearn.errors import ArgumentError, ShardError
from vtlearn.media.captions.extent import OutsideCaptions
from vtlearn.media.webdataset.index import INDEX, open_shards
from vtlearn.media.webdataset.writer import Content, ShardWriter

TOLD = {"captions": {"start": [0.0], "end": [1.0], "text": ["chop the carrot"]}}


def check(folder: Path, workers: int = 1, decode: bool = False) -> CorpusReport:
    return check_shards(folder, workers=workers, time_budget=None, decode=decode)


def pack(folder: Path, samples: dict[str, dict[str, Content]]) -> Path:
    """Two samples a shard."""
    with ShardWriter(folder, max_samples=2) as writer:
        for key, files in samples.items():
            writer.add(key, files)
    return folder


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "v.mp4", range(20, 80), rate=4, gop=4)


@pytest.fixture
def shards(video: Path, tmp_path: Path) -> Path:
    told = json.dumps(TOLD).encode()
    return pack(tmp_path / "shards", {key: {"json": told, "mp4": video} for key in "abcdefgh"})


def test_what_is_packed_is_all_there(shards: Path) -> None:
    report = check(shards, decode=True)
    assert report == CorpusReport("Shards", 8, list("abcdefgh"), [], [], {}, [])
    assert report.coverage == 100


def test_captions_outside_their_videos_are_counted(video: Path, tmp_path: Path) -> None:
    def said(*starts: float) -> bytes:
        ends, text = [start + 1 for start in starts], ["chop"] * len(starts)
        return json.dumps({"captions": {"start": starts, "end": ends, "text": text}}).encode()

    samples = {"in": said(14.5), "partly": said(1.0, 15.0, 20.0), "wholly": said(15.0)}
    written: dict[str, dict[str, Content]] = {
        key: {"json": told, "mp4": video} for key, told in samples.items()
    }
    report = check(pack(tmp_path / "shards", written))
    assert report.usable == ["in", "partly"]
    assert report.outside_captions == (OutsideCaptions("partly", 2, 3),)
    assert list(report.damaged_captions) == ["wholly"]


def test_captions_that_cannot_be_read_are_counted_as_training_does(
    video: Path, tmp_path: Path
) -> None:
    said = {"start": [0.0, 0.1, None, 0.2], "end": [0.1, 0.2, 0.3, None], "text": ["a"] * 4}
    spoilt = {"start": [0.0, None, None, None], "end": [0.1] * 4, "text": ["a"] * 4}
    files: dict[str, dict[str, Content]] = {
        name: {"json": json.dumps({"captions": captions}).encode(), "mp4": video}
        for name, captions in (("half", said), ("most", spoilt))
    }
    pack(tmp_path, files)
    report = check(tmp_path)
    assert report.usable == ["half"]
    assert {one: [cue.line for cue in cues] for one, cues in report.skipped_captions.items()} == {
        "half": [2, 3]
    }
    assert list(report.damaged_captions) == ["most"]
    report = check_shards(tmp_path, workers=1, time_budget=None, max_bad_cues=0.9)
    assert report.usable == ["half", "most"]
    assert len(report.skipped_captions["most"]) == 3
    with pytest.raises(ArgumentError, match="max_bad_cues"):
        check_shards(tmp_path, max_bad_cues=9)


def test_what_begins_with_a_dot_is_not_a_shard(shards: Path) -> None:
    whole = check(shards)
    (shards / "._00000.tar").write_bytes(b"\0\5\26\7\0\2\0\0Mac OS X        ")
    assert check(shards) == whole
    assert list(open_shards(shards).keys) == list("abcdefgh")


@pytest.mark.slow  # it starts processes, each of which imports torch
def test_processes_change_nothing(shards: Path) -> None:
    sorted(shards.glob("*.tar"))[1].unlink()
    assert check(shards, workers=2) == check(shards, workers=1)


def test_each_kind_of_damage_to_a_shard(shards: Path) -> None:
    first, second, third, _ = sorted(shards.glob("*.tar"))
    data = bytearray(first.read_bytes())
    place = data.index(b"carrot")
    data[place : place + 6] = b"potato"
    first.write_bytes(data)
    second.unlink()
    third.write_bytes(third.read_bytes()[: -(20 << 10)])
    report = check(shards)
    problems = {name: why.split(": ")[0] for name, why in report.damaged_shards.items()}
    assert list(problems) == [first.name, second.name, third.name]
    assert "is another file than" in problems[first.name]
    assert "No such file" in report.damaged_shards[second.name]
    assert report.expected == 8
    assert set("cd") <= set(report.missing) <= set("cdef")
    assert set(report.usable) == set("abcdefgh") - set(report.missing)


def test_each_kind_of_damage_to_a_sample(video: Path, tmp_path: Path) -> None:
    told = json.dumps(TOLD).encode()
    picture = tmp_path / "p.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(picture)
    halved = tmp_path / "halved.mp4"
    halved.write_bytes(video.read_bytes()[:400])
    wrong = json.dumps({"captions": {"start": [2.0], "end": [1.0], "text": ["chop"]}}).encode()
    folder = pack(
        tmp_path / "shards",
        {
            "good": {"json": told, "mp4": video},
            "picture": {"png": picture, "txt": b"two apples"},
            "halved": {"mp4": halved, "json": told},
            "wrong": {"mp4": video, "json": wrong},
            "garbled": {"png": picture, "txt": bytes.fromhex("cd072cd8be6f9f62") * 5},
            "silent": {"png": picture, "txt": b" \n"},
            "empty": {"png": picture, "json": b'{"caption": null}'},
            "both": {"png": b"no picture", "json": b"{"},
        },
    )
    for index in (True, False):
        report = check(folder, decode=True)
        assert report.expected == 8
        assert report.videos_without_captions == ("silent", "empty")
        assert report.usable == ["good", "picture"]
        assert [video.id for video in report.unreadable] == ["halved", "both"]
        assert report.unreadable[0].path == str(folder / "00001.tar" / "halved.mp4")
        assert list(report.damaged_captions) == ["wrong", "garbled", "both"]
        assert not report.missing
        assert not report.damaged_shards
        if index:
            (folder / INDEX).unlink()


def test_what_is_lost_is_told(video: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mp4"
    shutil.copy(video, cut)
    data = bytearray(cut.read_bytes())
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    middle = slice(start + (end - start) * 2 // 5, start + (end - start) * 3 // 5)
    data[middle] = bytes(255 - byte for byte in data[middle])
    cut.write_bytes(data)
    told = json.dumps(TOLD).encode()
    folder = pack(tmp_path / "shards", {"cut": {"mp4": cut, "json": told}})
    assert not check(folder).lost
    (lost,) = check(folder, decode=True).lost
    assert lost.id == "cut"
    assert 1 <= lost.seconds <= 6


def test_no_shards_and_no_sense(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"holds no \.tar file"):
        check(tmp_path)
    with pytest.raises(ArgumentError, match="workers"):
        check(tmp_path, workers=0)


def test_keys_that_repeat_are_told_apart_by_their_shards(tmp_path: Path) -> None:
    for name in ("00000", "00001"):
        pictures_of = {"0": b"no picture", "1": png()} if name == "00000" else {"0": png()}
        members = [
            entry
            for key, data in pictures_of.items()
            for entry in (member(f"{key}.png", data), member(f"{key}.txt", b"two apples"))
        ]
        write_tar(tmp_path / f"{name}.tar", *members)
    report = check(tmp_path)
    assert report.expected == 3
    assert report.usable == ["00000.tar/1", "00001.tar/0"]
    assert [video.id for video in report.unreadable] == ["00000.tar/0"]
    assert report.coverage == pytest.approx(200 / 3)


SCATTERED = "is in several places"


@pytest.mark.parametrize(
    ("names", "usable", "incomplete"),
    [
        (["a.png", "a.txt", "b.png", "c.txt"], ["a"], {"b": "no text", "c": "no video or picture"}),
        (["a.png", "b.png", "a.txt", "b.txt"], [], {"a": SCATTERED, "b": SCATTERED}),
        (["a.png", "a.txt", "b.png", "c.png", "c.txt", "b.txt"], ["a", "c"], {"b": SCATTERED}),
        (["a.png", "a.txt", "b.png", "a.txt"], ["a"], {"b": "no text"}),
        (["a.info.json", "a.png"], [], {"a": r"no text beside \.info\.json, \.png"}),
        (["v1.0.png", "v1.0.txt"], [], {"v1": "no video or picture and no text"}),
        (["._a.png", "a.png", "a.txt", "__MACOSX/._a.png", "README"], ["a"], {}),
    ],
)
def test_what_is_no_pair_stays_in_the_denominator(
    names: list[str], usable: list[str], incomplete: dict[str, str], tmp_path: Path
) -> None:
    contents = {"png": png(), "txt": b"two apples", "json": b"{}"}
    members = [member(name, contents.get(name.rpartition(".")[2], b"")) for name in names]
    write_tar(tmp_path / "00000.tar", *members)
    report = check(tmp_path)
    assert report.usable == usable
    assert report.incomplete.keys() == incomplete.keys()
    for sample, why in incomplete.items():
        assert re.search(why, report.incomplete[sample])
    assert report.expected == len(usable) + len(incomplete)
    assert not report.missing
    assert report.as_json()["incomplete"] == report.incomplete


def png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(file, "png")
    return file.getvalue()


def test_a_key_twice_in_a_shard_is_damage(tmp_path: Path) -> None:
    names = [f"{key}.{extension}" for key in ("a", "b", "a") for extension in ("png", "txt")]
    write_tar(tmp_path / "00000.tar", *(member(name, png()) for name in names))
    assert "'a' in several places" in check(tmp_path).damaged_shards["00000.tar"]


def test_nobody_knows_what_a_damaged_shard_without_an_index_should_hold(shards: Path) -> None:
    first, second, *others = sorted(shards.glob("*.tar"))
    for shard in others:
        shard.unlink()
    (shards / INDEX).unlink()
    whole = check(shards)
    assert (whole.expected, whole.uncounted, whole.coverage) == (4, 0, 100)
    second.write_bytes(second.read_bytes()[: -(20 << 10)])
    cut = check(shards)
    assert (len(cut.damaged_shards), cut.uncounted, cut.coverage) == (1, 1, None)
    assert cut.as_json()["coverage"] is None
    assert set("ab") <= set(cut.usable) <= set("abc")
    for shard in (first, second):
        shard.write_bytes(b"garbage" * 1000)
    garbage = check(shards)
    assert (garbage.expected, garbage.uncounted, garbage.coverage) == (0, 2, 0)
