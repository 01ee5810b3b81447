import logging
import pickle
from pathlib import Path

import numpy as np
import pytest

from tests.media.video.writing import write_video
from vtlearn.datasets import ClipSampling, Pixels, Reading, SampleKey, WebVid
from vtlearn.datasets.webvid import annotation_files, read_matches, read_webvid
from vtlearn.errors import ArgumentError, CorpusNotFoundError

TRAIN = "results_2M_train.csv"
HEADER = "videoid,contentUrl,duration,page_dir,name"  # as it circulates; others are ignored
ROWS = {
    "1066": "PT00H00M10S,006001_006050,Chopping a carrot",
    "21179416": 'PT00H00M21S,000051_000100,"Aerial shot, winter forest"',
    "7": 'PT00H00M09S,006001_006050,"A ""quoted"" word"',
}


def write_list(root: Path, rows: dict[str, str], name: str = TRAIN) -> Path:
    path = root / "metadata" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{one},https://example.org/{one}.mp4,{row}" for one, row in rows.items()]
    path.write_text("\n".join([HEADER, *lines, ""]), encoding="utf-8")
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A corpus as it circulates; its videos are empty files."""
    write_list(tmp_path, ROWS)
    for one, row in ROWS.items():
        video = tmp_path / "videos" / row.split(",")[1] / f"{one}.mp4"
        video.parent.mkdir(parents=True, exist_ok=True)
        video.touch()
    return tmp_path


def test_a_list_has_a_caption_for_each_video(root: Path) -> None:
    clips = read_webvid(root, TRAIN)
    assert [(clip.id, clip.video, clip.texts, clip.text_ids) for clip in clips] == [
        ("1066", "1066", ("Chopping a carrot",), ("1066#0",)),
        ("21179416", "21179416", ("Aerial shot, winter forest",), ("21179416#0",)),
        ("7", "7", ('A "quoted" word',), ("7#0",)),
    ]
    assert clips[1].path == root / "videos" / "000051_000100" / "21179416.mp4"
    assert {(clip.start, clip.end) for clip in clips} == {(0.0, None)}  # the whole video
    assert list(clips[1:]) == [clips[1], clips[2]]
    assert [clips[-1], len(clips)] == [clips[2], 3]
    with pytest.raises(IndexError):
        clips[3]
    assert list(pickle.loads(pickle.dumps(clips))) == list(clips)  # noqa: S301


def test_lists_may_lie_beside_the_videos_and_videos_elsewhere(root: Path, tmp_path: Path) -> None:
    clips = read_webvid(root, TRAIN)
    (root / "metadata" / TRAIN).rename(root / TRAIN)
    assert list(read_webvid(root, TRAIN)) == list(clips)
    (root / "videos").rename(tmp_path / "elsewhere")
    moved = read_webvid(root, TRAIN, videos=tmp_path / "elsewhere")
    assert [clip.path.relative_to(tmp_path / "elsewhere") for clip in moved] == [
        clip.path.relative_to(root / "videos") for clip in clips
    ]


@pytest.mark.parametrize("name", ["", " ", "NaN", "nan", "NA", "N/A", "null", "None", "#N/A"])
def test_videos_without_a_name_are_left_out_and_counted(
    name: str, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = {"5": f"PT,000051_000100,{name}", **ROWS, "9": f"PT,000051_000100,{name}"}
    path = write_list(root, rows)
    with caplog.at_level(logging.WARNING):
        clips = read_webvid(root, TRAIN)
    assert [clip.id for clip in clips] == list(ROWS)
    (record,) = caplog.records
    assert record.getMessage() == (
        f"2 of 5 videos in {path} have an empty or NaN name and are left out"
    )


def test_names_that_only_look_empty_stay(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_list(root, {"1066": "PT,006001_006050,Nana", "7": "PT,006001_006050,0"})
    assert [clip.texts for clip in read_webvid(root, TRAIN)] == [("Nana",), ("0",)]
    assert not caplog.records


def test_a_long_caption_is_cut(root: Path) -> None:
    longest = "x" * 348 + " y"
    write_list(
        root, {"7": f"PT,006001_006050,{longest} z", "1066": "PT,006001_006050,é" + 400 * "u"}
    )
    long, accented = read_webvid(root, TRAIN)
    assert long.texts == (longest,)
    assert accented.texts == ("é" + 349 * "u",)


@pytest.mark.parametrize("column", ["videoid", "name", "page_dir"])
def test_a_list_without_a_column_says_which_it_has(column: str, root: Path) -> None:
    path = root / "metadata" / TRAIN
    path.write_text(path.read_text().replace(column, "other", 1))
    columns = HEADER.replace(column, "other").split(",")
    with pytest.raises(ArgumentError) as caught:
        read_webvid(root, TRAIN)
    assert str(caught.value) == f"{path} has no column {column}; its columns are {columns}"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"7": "PT,,a cat"}, "has no page_dir in line 2; complete or remove the row"),
        ({"": "PT,000051_000100,a cat"}, "has no videoid in line 2"),
        ({"7": "PT,000051_000100,a cat,a dog"}, "has 6 cells in line 2 and 5 in its header"),
        ({"7": "PT,000051_000100,nan"}, "lists no videos with a name; download it again"),
        ({}, "lists no videos with a name"),
        ({" 7": "PT,1_2,a", "7": "PT,1_3,b"}, "has the videoid 7 in lines 2 and 3; remove one"),
        ({"7": "PT,/1_2,a cat"}, "line 2: expected a name below .* for page_dir, got '/1_2'"),
        ({"7": "PT,a/../../b,a cat"}, r"for page_dir, got 'a/\.\./\.\./b'"),
        ({"/7": "PT,1_2,a cat"}, "for videoid, got '/7'"),
        ({"../../secret": "PT,1_2,a cat"}, r"for videoid, got '\.\./\.\./secret'"),
    ],
)
def test_a_list_that_says_something_else(rows: dict[str, str], message: str, root: Path) -> None:
    path = write_list(root, rows)
    with pytest.raises(ArgumentError, match=message) as caught:
        read_webvid(root, TRAIN)
    assert str(path) in str(caught.value)


def test_missing_videos_are_counted(root: Path) -> None:
    for name in ("000051_000100/21179416.mp4", "006001_006050/7.mp4"):
        (root / "videos" / name).unlink()
    with pytest.raises(ArgumentError) as caught:
        read_webvid(root, TRAIN, max_missing=1)
    path = root / "metadata" / TRAIN
    assert str(caught.value) == (
        f"2 of 3 videos listed in {path} are missing under {root / 'videos'}: 21179416, 7. "
        f"Download them (`vtlearn data check {root} --data WebVid --list {path}` lists all), or "
        "pass --data.init_args.max_unreadable=2 (in training, "
        "--data.init_args.max_unreadable_fraction=0.67) to continue without them (now 1 may be)"
    )
    assert [clip.id for clip in read_webvid(root, TRAIN, max_missing=2)] == list(ROWS)
    (root / "videos" / "006001_006050" / "1066.mp4").unlink()
    with pytest.raises(CorpusNotFoundError, match=r"videos: the videos listed .*there are none"):
        read_webvid(root, TRAIN, max_missing=3)
    assert len(read_webvid(root, TRAIN, max_missing=None)) == 3


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusNotFoundError) as caught:
        read_webvid(tmp_path, TRAIN)
    message = str(caught.value)
    assert f"{tmp_path / 'metadata' / TRAIN}: a csv with the columns videoid" in message
    assert f"{tmp_path / 'videos'}: videos, <page_dir>/<videoid>.mp4" in message
    assert "vtlearn data kitchen --layout webvid" in message


def test_a_list_that_is_not_there_among_others_is_told_their_names(root: Path) -> None:
    write_list(root, ROWS, "a_truth.csv")
    (root / "b.csv").write_text(HEADER)
    with pytest.raises(ArgumentError) as caught:
        read_webvid(root, "c.csv")
    assert str(caught.value) == (
        f"there is no list {root / 'metadata' / 'c.csv'}; those in {root} are {TRAIN}, b.csv: "
        "name one"
    )


def test_a_list_in_another_encoding_is_told_so(root: Path) -> None:
    path = root / "metadata" / TRAIN
    path.write_text(path.read_text(), encoding="utf-16")
    with pytest.raises(ArgumentError) as caught:
        read_webvid(root, TRAIN)
    assert str(caught.value) == f"{path} cannot be read as a csv: it is not UTF-8; save it as UTF-8"


def test_a_byte_that_is_not_utf8_costs_no_list(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = root / "metadata" / TRAIN
    path.write_bytes(path.read_bytes().replace(b"winter forest", b"caf\xe9 \xed\xa0\xbd"))
    assert [clip.texts for clip in read_webvid(root, TRAIN)] == [
        ("Chopping a carrot",),
        ("Aerial shot, caf\ufffd \ufffd",),
        ('A "quoted" word',),
    ]
    (message,) = caplog.messages
    assert message.startswith(f"{path}: 2 places are not UTF-8 (first: line 3, ")


def test_it_is_known_which_captions_match_where_a_file_says_so(root: Path) -> None:
    assert read_matches(root, TRAIN) == {}
    assert annotation_files(root, TRAIN) == [root / "metadata" / TRAIN]
    truth = root / "metadata" / "results_2M_train_truth.csv"
    truth.write_text("videoid,caption_of,matches\n1066,1066,1\n7,1066,0\n")
    assert read_matches(root, TRAIN) == {"1066": True, "7": False}
    assert annotation_files(root, TRAIN) == [root / "metadata" / TRAIN, truth]
    assert read_matches(root, "results_2M_val.csv") == {}
    truth.write_text("videoid,matches\n1066,yes\n")
    with pytest.raises(ArgumentError, match=r"line 2: expected 0 or 1 for matches, got 'yes'"):
        read_matches(root, TRAIN)
    truth.write_text("videoid,fits\n1066,1\n")
    with pytest.raises(ArgumentError, match=r"no column matches; its columns are \['videoid'"):
        read_matches(root, TRAIN)


def test_all_lists_that_are_there_are_expected(root: Path) -> None:
    write_list(root, {"1066": ROWS["1066"], "8": "PT,006001_006050,A dog"}, "results_10M_val.csv")
    write_list(root, {"9": "PT,006001_006050,A cat"}, "results_2M_train_mismatched_40.csv")
    expected = WebVid.expectations(root)
    assert expected.videos == root / "videos"
    assert expected.listed == expected.captions == [*ROWS, "8"]
    with pytest.raises(CorpusNotFoundError, match="results_2M_train"):
        WebVid.expectations(root / "videos")


def test_a_list_of_another_name_is_expected_where_it_is_asked_for(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_list(root, {"9": "PT,006001_006050,A cat"}, "mine.csv")
    monkeypatch.chdir(tmp_path)
    for listed in (path, path.relative_to(tmp_path), Path("mine.csv")):
        assert WebVid.expectations(root, listed=listed).listed == ["9"]


def test_windows_are_drawn_uniformly_over_the_whole_video(tmp_path: Path) -> None:
    """Video frame k, at 4 frames per second, is of the grey level 8 k."""
    write_list(tmp_path, {"7": "PT,1_2,counting"})
    video = tmp_path / "videos" / "1_2" / "7.mp4"
    video.parent.mkdir(parents=True)
    write_video(video, [8 * k for k in range(24)], rate=4)
    sampling = ClipSampling(num_clips=1, num_frames=4, fps=4.0)
    reading = Reading(
        sampling, Pixels(size=16), unreadable_log=tmp_path / "u.jsonl", max_unreadable_fraction=0
    )
    corpus = WebVid(read_webvid(tmp_path, TRAIN), reading)
    samples = [corpus[SampleKey(epoch, 0)] for epoch in range(200)]
    assert {(sample.id, *sample.texts, len(sample.clips)) for sample in samples} == {
        ("7", "counting", 1)
    }
    starts = np.array([float(sample.clip_spans[0, 0]) for sample in samples])
    quarters, _ = np.histogram(starts, 4, (0.0, 5.0))  # 6 s less a clip of 1 s
    assert quarters.sum() == 200
    assert quarters.min() > 30
    for sample, start in zip(samples, starts, strict=True):
        grey = sample.clips[0].double().mean((1, 2, 3)) / 8
        assert np.allclose(grey, np.floor(4 * start) + np.arange(4), atol=0.6)
