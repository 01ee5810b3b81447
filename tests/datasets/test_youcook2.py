import csv
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.models import LOADING
from vtlearn.datasets.reading import Reading
from vtlearn.datasets.youcook2 import (
    YouCook2,
    annotation_files,
    read_recipe_types,
    read_video_durations,
    read_youcook2,
)
from vtlearn.errors import ArgumentError, CorpusNotFoundError

# ids as YouTube has them: with a hyphen or an underscore in front, and both inside
ONE, TWO, TRAIN = "-_a_b-cDe1Z", "_2-x_yZ9wq_", "GLd3aX16zBg"
ROWS = [  # interleaved, out of temporal order, one stretch twice with other words
    (60, 47, "226", "pick the ends off", ONE),
    (20, 11, "113", "spread margarine", TWO),
    (30, 22, "226", "chop the lettuce", ONE),
    (60, 47, "226", "trim the ends", ONE),
    (90, 80, "113", "add, then mix", TWO),
]


def write_table(path: Path, rows: Sequence[tuple[int, int, str, str, str]] = ROWS) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["end", "start", "task", "text", "video_id"])
        writer.writerows(rows)


def database() -> dict[str, Any]:
    def video(subset: str, kind: str, *segments: tuple[int, int, str]) -> dict[str, Any]:
        return {
            "duration": 241.62,
            "subset": subset,
            "recipe_type": kind,
            "video_url": "https://www.youtube.com/watch?v=x",
            "annotations": [
                {"segment": [start, end], "id": index, "sentence": text}
                for index, (start, end, text) in enumerate(segments)
            ],
        }

    own = {one: [(s, e, t) for e, s, _, t, v in ROWS if v == one] for one in (ONE, TWO)}
    return {
        ONE: video("validation", "226", *own[ONE]),
        TWO: video("validation", "113", *own[TWO]),
        "unlistedvid": video("validation", "113", (1, 5, "boil")),
        TRAIN: video("training", "113", (90, 102, "spread margarine on bread"), (5, 9, "cut it")),
    }


def write_database(path: Path, videos: dict[str, Any]) -> None:
    path.write_text(json.dumps({"database": videos}))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folders = {ONE: "validation/226", TWO: "validation/113", TRAIN: "training/113"}
    for (video, folder), suffix in zip(folders.items(), (".mp4", ".mkv", ".webm"), strict=True):
        place = tmp_path / "raw_videos" / folder
        place.mkdir(parents=True)
        (place / f"{video}{suffix}").touch()
    write_table(tmp_path / "validation_youcook.csv")
    write_database(tmp_path / "youcookii_annotations_trainval.json", database())
    return tmp_path


def test_the_kth_row_of_a_video_is_its_kth_segment(root: Path) -> None:
    clips = read_youcook2(root, "validation")
    assert [(clip.id, clip.start, clip.end, clip.texts) for clip in clips] == [
        (f"{ONE}_0", 47.0, 60.0, ("pick the ends off",)),
        (f"{ONE}_1", 22.0, 30.0, ("chop the lettuce",)),
        (f"{ONE}_2", 47.0, 60.0, ("trim the ends",)),
        (f"{TWO}_0", 11.0, 20.0, ("spread margarine",)),
        (f"{TWO}_1", 80.0, 90.0, ("add, then mix",)),
    ]
    assert {clip.video for clip in clips} == {ONE, TWO}
    assert all(clip.text_ids == (clip.id,) for clip in clips)
    assert {clip.path.name for clip in clips} == {f"{ONE}.mp4", f"{TWO}.mkv"}
    assert all(clip.path.is_file() for clip in clips)


def test_without_the_table_the_authors_file_says_the_same_and_more(root: Path) -> None:
    expected = read_youcook2(root, "validation")
    (root / "validation_youcook.csv").unlink()
    (root / "unlistedvid.mp4").touch()
    clips = read_youcook2(root, "validation")
    assert [clip for clip in clips if clip.video != "unlistedvid"] == expected
    assert len(clips) == 6
    assert annotation_files(root, "validation")[0].suffix == ".json"


def test_training_is_in_the_authors_file(root: Path) -> None:
    (clip, other) = read_youcook2(root, "training")
    assert (clip.id, clip.start, clip.end) == (f"{TRAIN}_0", 90.0, 102.0)
    assert (clip.path.name, other.texts) == (f"{TRAIN}.webm", ("cut it",))
    corpus = YouCook2([clip, other], Reading(**LOADING))
    assert list(corpus.texts()) == ["cut it", "spread margarine on bread"]  # in temporal order
    assert list(corpus.ids) == [TRAIN]


def test_the_table_alone_is_enough_to_validate(root: Path) -> None:
    (root / "youcookii_annotations_trainval.json").unlink()
    assert len(read_youcook2(root, "validation")) == 5
    assert read_recipe_types(root, "validation") == {ONE: "226", TWO: "113"}
    assert read_video_durations(root) == {}
    with pytest.raises(CorpusNotFoundError, match=r"the segments of training .*not there"):
        read_youcook2(root, "training")


def test_recipe_types_and_durations(root: Path) -> None:
    assert read_recipe_types(root, "validation") == {ONE: "226", TWO: "113"}
    assert read_recipe_types(root, "training") == {TRAIN: "113"}
    assert read_video_durations(root)[TRAIN] == 241.62


def test_the_table_of_another_split_is_refused(root: Path) -> None:
    write_table(
        root / "validation_youcook.csv",
        [*ROWS, (9, 5, "113", "cut it", TRAIN), (9, 5, "1", "boil", "stranger")],
    )
    with pytest.raises(ArgumentError) as caught:
        read_youcook2(root, "validation")
    assert "2 of 4 videos" in str(caught.value)
    assert "not in split 'validation'" in str(caught.value)
    assert "1 of them are in split 'training'" in str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((47, 60, "226", "cut", ONE), r"line 2: a segment from 60 s to 47 s; it has to end after"),
        ((47, 47, "226", "cut", ONE), "line 2: a segment from 47 s to 47 s"),
        (("x", 47, "226", "cut", ONE), "line 2: expected a number for end, got 'x'"),
        ((60, 47, "226", "", ONE), "has no text in line 2"),
    ],
)
def test_a_damaged_row_is_named(root: Path, row: Any, message: str) -> None:
    write_table(root / "validation_youcook.csv", [row])
    with pytest.raises(ArgumentError, match=message):
        read_youcook2(root, "validation")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"segment": [9, 5]}, r"annotation 0 of GLd3aX16zBg: a segment from 9 s to 5 s"),
        ({"segment": [9]}, r"expected a segment \[start, end\]"),
        ({"segment": None}, r"expected a segment \[start, end\]"),
        ({"sentence": " "}, "has no string sentence"),
    ],
)
def test_a_damaged_record_is_named(root: Path, change: dict[str, Any], message: str) -> None:
    videos = database()
    videos[TRAIN]["annotations"][0] |= change
    write_database(root / "youcookii_annotations_trainval.json", videos)
    with pytest.raises(ArgumentError, match=message):
        read_youcook2(root, "training")


@pytest.mark.parametrize("text", ["[]", '{"database": []}', "{"])
def test_another_file_of_the_name_is_refused(root: Path, text: str) -> None:
    (root / "youcookii_annotations_trainval.json").write_text(text)
    with pytest.raises(ArgumentError, match=r"no database of videos|cannot be read as JSON"):
        read_youcook2(root, "training")


def test_missing_videos_are_counted_as_videos(root: Path) -> None:
    (root / "raw_videos" / "validation" / "226" / f"{ONE}.mp4").unlink()
    with pytest.raises(ArgumentError) as caught:
        read_youcook2(root, "validation")
    message = str(caught.value)
    assert "1 of 2 videos" in message
    assert f": {ONE}. Download them" in message
    assert f"`vtlearn data check {root} --data YouCook2` lists all" in message
    assert "max_unreadable=1" in message
    clips = read_youcook2(root, "validation", max_missing=1)
    assert len(clips) == 5  # what is missing still counts


def test_no_video_at_all_is_a_corpus_that_is_not_there(root: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CorpusNotFoundError, match=r"youcook2\.eecs\.umich\.edu"):
        read_youcook2(root, "validation", videos=empty, max_missing=1)
    assert len(read_youcook2(root, "validation", videos=empty, max_missing=None)) == 5


def test_there_is_no_such_split(root: Path) -> None:
    with pytest.raises(ArgumentError, match=r"no split .validatoin.; .*did you mean validation"):
        read_youcook2(root, "validatoin")


def test_it_reads_what_kitchen_writes_in_this_layout(youcook2_root: Path) -> None:
    clips = {split: read_youcook2(youcook2_root, split) for split in ("training", "validation")}
    assert len({clip.video for clip in clips["training"]}) == 4
    types = read_recipe_types(youcook2_root, "validation")
    assert Counter(Counter(types.values()).values()) == {3: 2}
    sentences = {
        kind: {
            tuple(sorted(c.texts[0] for c in clips["validation"] if c.video == video))
            for video, own in types.items()
            if own == kind
        }
        for kind in types.values()
    }
    assert all(len(same) == 1 for same in sentences.values())
    expected = YouCook2.expectations(youcook2_root)
    assert expected.listed is not None
    assert len(expected.listed) == 10
    assert expected.durations is not None
    assert set(expected.durations) == set(expected.listed)
