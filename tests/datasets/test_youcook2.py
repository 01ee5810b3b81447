import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.media.features.stores import fill_store
from vtlearn.datasets.captioned import captioned_items
from vtlearn.datasets.evaluation import EvaluationItems
from vtlearn.datasets.reading import ClipSampling, Reading
from vtlearn.datasets.youcook2 import (
    YouCook2,
    annotation_files,
    read_recipe_types,
    read_youcook2,
)
from vtlearn.errors import ArgumentError, CorpusNotFoundError
from vtlearn.media.video.reader import VideoReader

DASH, UNDERSCORE, PLAIN = "-aB_c-D3e_F", "__x-Y_z-0_1", "xHr8X2Wpmno"
TRAINED = "GLd3aX16zBg"
#: Rows in the table's order: those of videos interleave, and are out of temporal order.
ROWS = (
    (60, 47, "226", "pick the ends off", PLAIN),
    (252, 120, "101", "fry the onions", DASH),
    (83, 68, "226", "combine lemon juice", PLAIN),
    (252, 120, "101", "stir until brown", DASH),
    (9, 2, "405", "boil water", UNDERSCORE),
    (40, 12, "226", "wash the leaves", PLAIN),
    (30, 3, "101", "slice an onion", DASH),
)
JSON, TABLE = "youcookii_annotations_trainval.json", "validation_youcook.csv"


def write_table(root: Path, rows: Sequence[Sequence[object]] = ROWS) -> Path:
    lines = [",".join(map(str, row)) for row in rows]
    path = root / TABLE
    path.write_text("\n".join(["end,start,task,text,video_id", *lines, ""]))
    return path


def describe(subset: str, recipe_type: str, segments: Sequence[Sequence[Any]]) -> dict[str, Any]:
    annotations = [
        {"segment": list(span), "id": number, "sentence": sentence}
        for number, (*span, sentence) in enumerate(segments)
    ]
    return {
        "duration": 241.62,
        "subset": subset,
        "recipe_type": recipe_type,
        "video_url": "https://www.youtube.com/watch?v=x",
        "annotations": annotations,
    }


def database() -> dict[str, Any]:
    """The table's segments, and a video of training."""
    videos = {TRAINED: describe("training", "113", [(90, 102, "spread margarine on two slices")])}
    for video in dict.fromkeys(row[4] for row in ROWS):
        own = [row for row in ROWS if row[4] == video]
        segments = [(start, end, text) for end, start, _, text, _ in own]
        videos[video] = describe("validation", own[0][2], segments)
    return videos


def write_database(root: Path, videos: Mapping[str, Any] | None = None) -> Path:
    path = root / JSON
    path.write_text(json.dumps({"database": database() if videos is None else videos}))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A corpus as its authors' script leaves it; its videos are empty files."""
    files = {
        f"validation/226/{PLAIN}.mkv",
        f"validation/101/{DASH}.webm",
        f"validation/405/{UNDERSCORE}/{UNDERSCORE}.mp4",
        f"training/113/{TRAINED}.mp4",
    }
    for name in files:
        path = tmp_path / "raw_videos" / name
        path.parent.mkdir(parents=True)
        path.touch()
    write_table(tmp_path)
    write_database(tmp_path)
    return tmp_path


def test_the_end_is_the_first_column(root: Path) -> None:
    clip = read_youcook2(root, "validation")[0]
    assert (clip.start, clip.end, clip.texts) == (47.0, 60.0, ("pick the ends off",))


def test_segments_are_numbered_by_their_place_in_the_video(root: Path) -> None:
    clips = read_youcook2(root, "validation")
    assert [(clip.id, clip.video, clip.start) for clip in clips] == [
        (f"{PLAIN}_0", PLAIN, 47.0),
        (f"{PLAIN}_1", PLAIN, 68.0),
        (f"{PLAIN}_2", PLAIN, 12.0),
        (f"{DASH}_0", DASH, 120.0),
        (f"{DASH}_1", DASH, 120.0),
        (f"{DASH}_2", DASH, 3.0),
        (f"{UNDERSCORE}_0", UNDERSCORE, 2.0),
    ]
    assert all(clip.text_ids == (clip.id,) for clip in clips)


def test_one_stretch_with_two_sentences_is_two_clips(root: Path) -> None:
    twins = [clip for clip in read_youcook2(root, "validation") if clip.start == 120]
    assert [(clip.end, clip.texts) for clip in twins] == [
        (252.0, ("fry the onions",)),
        (252.0, ("stir until brown",)),
    ]
    assert len({clip.id for clip in twins}) == 2


def test_videos_are_found_however_deep_and_by_any_suffix(root: Path) -> None:
    names = {clip.video: clip.path for clip in read_youcook2(root, "validation")}
    assert {path.name for path in names.values()} == {
        f"{PLAIN}.mkv",
        f"{DASH}.webm",
        f"{UNDERSCORE}.mp4",
    }
    assert all(path.is_file() for path in names.values())
    (trained,) = read_youcook2(root, "training")
    assert trained.path == root / "raw_videos" / "training" / "113" / f"{TRAINED}.mp4"
    assert (trained.start, trained.end) == (90.0, 102.0)


def test_videos_may_be_elsewhere(root: Path, tmp_path: Path) -> None:
    (root / "raw_videos").rename(tmp_path / "elsewhere")
    clips = read_youcook2(root, "validation", videos=tmp_path / "elsewhere" / "validation")
    assert all(clip.path.is_file() for clip in clips)


@pytest.mark.parametrize("folder", ["", "annotations", "splits", "data", "csv"])
def test_either_file_lists_validation(root: Path, folder: str) -> None:
    clips = read_youcook2(root, "validation")
    assert annotation_files(root, "validation") == [root / TABLE]
    (root / folder).mkdir(exist_ok=True)
    for gone, left in ((TABLE, JSON), (JSON, TABLE)):
        write_table(root)
        write_database(root)
        (root / gone).unlink()
        (root / left).rename(root / folder / left)
        assert read_youcook2(root, "validation") == clips
        assert annotation_files(root, "validation") == [root / folder / left]
        (root / folder / left).unlink()


def test_the_table_decides_which_validation_videos_are_scored(root: Path) -> None:
    write_table(root, ROWS[:1])
    assert [clip.id for clip in read_youcook2(root, "validation")] == [f"{PLAIN}_0"]
    assert YouCook2.expectations(root).listed == [TRAINED, PLAIN, DASH, UNDERSCORE]


def test_recipe_types_are_strings(root: Path) -> None:
    expected = {PLAIN: "226", DASH: "101", UNDERSCORE: "405"}
    assert read_recipe_types(root, "validation") == expected
    assert read_recipe_types(root, "training") == {TRAINED: "113"}
    (root / TABLE).unlink()
    assert read_recipe_types(root, "validation") == expected
    videos = database()
    videos[DASH]["recipe_type"] = 101
    path = write_database(root, videos)
    with pytest.raises(ArgumentError, match=f"{path}: {DASH} has no string recipe_type"):
        read_recipe_types(root, "validation")


def test_a_table_of_another_split_is_refused(root: Path) -> None:
    write_table(root, [*ROWS[:1], (102, 90, "113", "spread margarine", TRAINED)])
    with pytest.raises(ArgumentError) as caught:
        read_youcook2(root, "validation")
    assert str(caught.value) == (
        f"1 of 2 videos of {root / TABLE} are not in split 'validation' of {root / JSON} (first: "
        f"{TRAINED}); 1 of them are in split 'training'. Download the table of this split"
    )
    videos = database()
    videos["tested"] = describe("testing", "113", [])
    write_database(root, videos)
    rows = [(9, 2, "113", "text", video) for video in (TRAINED, "tested", "unheard", PLAIN)]
    write_table(root, rows)
    with pytest.raises(ArgumentError, match="3 of 4 videos") as caught:
        read_youcook2(root, "validation")
    assert "; 1 of them are in split 'training'; 1 of them are in split 'testing'." in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((47, 60, "226", "x", PLAIN), "a segment from 60 s to 47 s; it has to end after it starts"),
        ((60, 60, "226", "x", PLAIN), "from 60 s to 60 s"),
        ((60, -1, "226", "x", PLAIN), "from -1 s to 60 s"),
        (("nan", 1, "226", "x", PLAIN), "expected a number for end, got 'nan'"),
        ((60, "one", "226", "x", PLAIN), "expected a number for start, got 'one'"),
        ((60, 47, "226", " ", PLAIN), "has no text in line 3"),
        ((60, 47, "", "x", PLAIN), "has no task in line 3"),
        ((60, 47, "226", "x"), "has 4 cells in line 3"),
        ((60, 47, "227", "x", PLAIN), f"line 3: {PLAIN} has the task 227, and 226 before"),
        ((60, 47, "226", "wash, then dry", PLAIN), "has 6 cells in line 3"),
    ],
)
def test_a_wrong_row_is_named(root: Path, row: Sequence[object], message: str) -> None:
    path = write_table(root, [ROWS[0], row])
    with pytest.raises(ArgumentError, match=message) as caught:
        read_youcook2(root, "validation")
    assert str(path) in str(caught.value)
    assert "line 3" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"segment": [102, 90]}, "a segment from 102 s to 90 s"),
        ({"segment": [90]}, r"expected a segment \[start, end\] in seconds, got \[90\]"),
        ({"segment": ["90", "102"]}, "expected a segment"),
        ({"segment": [90, float("inf")]}, "expected a segment"),
        ({"segment": None}, "expected a segment"),
        ({"sentence": " "}, "has no string sentence"),
        ({"sentence": None}, "has no string sentence"),
    ],
)
def test_a_wrong_annotation_is_named(root: Path, change: dict[str, Any], message: str) -> None:
    videos = database()
    videos[TRAINED]["annotations"].append({"segment": [1, 2], "id": 1, "sentence": "x"} | change)
    path = write_database(root, videos)
    with pytest.raises(ArgumentError, match=message) as caught:
        read_youcook2(root, "training")
    assert str(caught.value).startswith(f"{path}: annotation 1 of {TRAINED}")
    assert str(caught.value).count(str(path)) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "no database of videos"),
        ('{"database": {"x": 3}}', "no database of videos"),
        ('{"database": {}}', "no videos of split 'training'; download it again"),
    ],
)
def test_a_damaged_database_is_named(root: Path, content: str, message: str) -> None:
    (root / JSON).write_text(content)
    with pytest.raises(ArgumentError, match=message) as caught:
        read_youcook2(root, "training")
    assert str(root / JSON) in str(caught.value)


def test_a_damaged_table_is_named(root: Path) -> None:
    write_table(root, [])
    with pytest.raises(ArgumentError, match=rf"{TABLE} lists no segments"):
        read_youcook2(root, "validation")
    (root / TABLE).write_text("start,end,text,video_id\n")
    with pytest.raises(ArgumentError, match="has no column task"):
        read_youcook2(root, "validation")


@pytest.mark.parametrize("split", ["testing", "valid"])
def test_an_unknown_split_is_refused(root: Path, split: str) -> None:
    with pytest.raises(ArgumentError, match=f"no split '{split}'; it has training, validation"):
        read_youcook2(root, split)
    with pytest.raises(ArgumentError, match=f"no split '{split}'"):
        read_recipe_types(root, split)


def test_missing_videos_are_counted_once_each(tmp_path: Path) -> None:
    ids = [f"video-{number:05d}" for number in range(40)]
    rows = [(9 + k, 2 + k, "226", f"step {k}", video) for video in ids for k in range(3)]
    write_table(tmp_path, rows)
    gone = [ids[3], ids[20], ids[39]]
    for video in set(ids) - set(gone):
        (tmp_path / f"{video}.mp4").touch()
    with pytest.raises(ArgumentError) as caught:
        read_youcook2(tmp_path, "validation")
    assert str(caught.value) == (
        f"3 of 40 videos listed in {tmp_path / TABLE} are missing under {tmp_path}: "
        f"{', '.join(gone)}. Download them (`vtlearn data check {tmp_path} --data YouCook2` lists "
        "all), or pass --data.init_args.max_unreadable=3 (in training, "
        "--data.init_args.max_unreadable_fraction=0.08) to continue without them"
    )
    with pytest.raises(ArgumentError, match="3 of 40"):
        read_youcook2(tmp_path, "validation", max_missing=2)
    for enough in (3, 0.08):
        assert len(read_youcook2(tmp_path, "validation", max_missing=enough)) == 120


def test_no_video_at_all(root: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CorpusNotFoundError, match="there are none"):
        read_youcook2(root, "validation", videos=empty, max_missing=99)
    with pytest.raises(CorpusNotFoundError, match=r"nowhere: videos.*not there"):
        read_youcook2(root, "validation", videos=tmp_path / "nowhere")


def test_a_corpus_that_is_not_there_says_what_it_looks_like(tmp_path: Path) -> None:
    with pytest.raises(CorpusNotFoundError) as caught:
        read_youcook2(tmp_path / "youcook2", "validation")
    sentence = str(caught.value)
    for part in (
        TABLE,
        JSON,
        "<id>.mp4, .mkv or .webm",
        "http://youcook2.eecs.umich.edu/download",
        "vtlearn data kitchen --layout youcook2",
    ):
        assert part in sentence
    write_table(tmp_path)
    with pytest.raises(CorpusNotFoundError, match=rf"{JSON}: the segments of training.*not there"):
        read_youcook2(tmp_path, "training")


def test_features_need_no_videos(tmp_path: Path) -> None:
    write_table(tmp_path)
    clips = read_youcook2(tmp_path, "validation", videos=tmp_path / "none", max_missing=None)
    durations = dict.fromkeys((PLAIN, DASH, UNDERSCORE), 260.0)
    vectors = fill_store(tmp_path / "store", durations)
    reading = Reading(features=tmp_path / "store", sampling=ClipSampling(num_frames=4))
    items = EvaluationItems(captioned_items(clips, 4), reading)
    for clip, index in zip(clips, range(len(items)), strict=True):
        first = int(clip.start)
        assert items[index].clips[0].equal(vectors[clip.video][first : first + 4])  # type: ignore[union-attr]


def test_it_reads_what_kitchen_writes_in_this_layout(youcook2_root: Path) -> None:
    asked = read_youcook2(youcook2_root, "validation")
    assert len({clip.video for clip in asked}) == 6
    assert len({clip.video for clip in read_youcook2(youcook2_root, "training")}) == 4
    types = read_recipe_types(youcook2_root, "validation")
    assert sorted(Counter(types.values()).values()) == [3, 3]
    for clip in asked:
        assert clip.path.parent.name == types[clip.video]
        assert clip.path.parent.parent.name == "validation"
        clips = VideoReader().clips(clip.path, [clip.start], num_frames=2, fps=1.0, size=16)
        assert clips.valid.all()
    expectations = YouCook2.expectations(youcook2_root)
    assert len(expectations.listed or ()) == 10
    assert expectations.durations is not None
    for video, seconds in expectations.durations.items():
        (path,) = youcook2_root.rglob(f"{video}.mp4")
        assert VideoReader().probe(path).duration == pytest.approx(seconds, abs=0.1)


def test_a_corpus_of_json_alone_says_what_it_should_hold(root: Path) -> None:
    (root / TABLE).unlink()
    videos = database() | {"silent": describe("validation", "113", [])}
    videos[PLAIN]["duration"] = "?"
    write_database(root, videos)
    expected = YouCook2.expectations(root)
    assert expected.listed == [*database(), "silent"]
    assert expected.captions == list(database())
    assert set(expected.durations or ()) == {TRAINED, DASH, UNDERSCORE, "silent"}
