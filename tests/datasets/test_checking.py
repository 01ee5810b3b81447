import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.damage import WAYS, copy_corpus, damage_videos, unreadable_ids
from tests.layouts import LAYOUTS, write_layout
from tests.media.features.stores import fill_store
from tests.media.video.hanging import spare_what_does_not_hang
from tests.media.video.writing import shift_clock, write_video
from vtlearn.datasets.base import Expectations
from vtlearn.datasets.checking import check_corpus
from vtlearn.datasets.howto100m import HowTo100M
from vtlearn.datasets.kitchen import Kitchen
from vtlearn.errors import ArgumentError, CorpusNotFoundError
from vtlearn.kitchen import read_truth
from vtlearn.media.captions.extent import OutsideCaptions

SECONDS = 3.0


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return write_video(path, range(30, 30 + int(SECONDS * 4)), rate=4)


def write_captions(folder: Path, video_id: str, ends: Sequence[float] = (2.0,)) -> None:
    columns = {"start": [0.0] * len(ends), "end": list(ends), "text": ["chop"] * len(ends)}
    folder.mkdir(exist_ok=True)
    (folder / f"{video_id}.json").write_text(json.dumps(columns), encoding="utf-8")


def put(film: Path, *paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(film, path)


def make(root: Path, film: Path, *ids: str) -> Path:
    """Make a corpus in which nothing is amiss."""
    for video_id in ids:
        put(film, root / "videos" / f"{video_id}.mp4")
        write_captions(root / "captions", video_id)
    return root


def test_damaged_kitchen(
    kitchen_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spare_what_does_not_hang(monkeypatch)
    root = copy_corpus(kitchen_root, tmp_path / "kitchen")
    ids = sorted(read_truth(root))
    lost, *left = ids
    (root / "videos" / f"{lost}.mp4").unlink()
    damaged = damage_videos(root, left, WAYS[: len(left) - 1])
    report = check_corpus(Kitchen.expectations(root), workers=1, time_budget=0.5)
    bad = unreadable_ids(damaged)
    assert {(video.id, video.stage) for video in report.unreadable} == {
        (video_id, damaged[video_id].stage) for video_id in bad
    }
    assert report.missing == [lost]
    assert set(report.usable) == set(ids) - bad - {lost}
    assert report.coverage == 100 * (len(ids) - len(bad) - 1) / len(ids)
    shortened = {video_id for video_id, way in damaged.items() if way.name == "one-frame"}
    assert {video.id for video in report.duration_mismatch} == shortened


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("with_list", [False, True])
def test_what_is_there_against_what_should_be(
    seed: int, with_list: bool, film: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(seed)
    ids = [f"-{number}_x" for number in range(12)]
    filmed, told, listed, garbled, broken = (
        {i for i in ids if rng.random() < 0.6} for _ in "12345"
    )
    make(tmp_path, film, "-0_x")  # so that there is something at any rate
    filmed, told = filmed | {"-0_x"}, told | {"-0_x"}
    put(film, *(tmp_path / "videos" / "food" / f"{i}.webm" for i in filmed - {"-0_x"}))
    for video_id in told:
        write_captions(tmp_path / "captions", video_id, [-1.0] if video_id in garbled else [2.0])
    for video_id in broken & filmed - {"-0_x"}:
        (tmp_path / "videos" / "food" / f"{video_id}.webm").write_bytes(b"")
    broken -= {"-0_x"}
    wanted = listed | {"-1_x"} if with_list else filmed | told
    layout = replace(HowTo100M.expectations(tmp_path), listed=sorted(wanted) if with_list else None)
    report = check_corpus(layout, workers=1, time_budget=None)
    assert report.expected == len(wanted)
    assert set(report.missing) == wanted - filmed
    assert {video.id for video in report.unreadable} == wanted & filmed & broken
    assert set(report.captions_without_video) == wanted & (told - garbled) - filmed
    assert set(report.videos_without_captions) == wanted & filmed - told
    assert set(report.damaged_captions) == wanted & told & garbled
    assert set(report.usable) == wanted & filmed & (told - garbled) - broken
    assert report.unlisted == len(filmed - wanted)
    assert not report.duration_mismatch


@pytest.mark.parametrize("ids", LAYOUTS.values(), ids=LAYOUTS)
def test_names_with_dots_and_twins_are_counted_apart(ids: Sequence[str], tmp_path: Path) -> None:
    root = write_layout(tmp_path, ids, ids[1:])
    report = check_corpus(HowTo100M.expectations(root), workers=1, time_budget=None)
    assert (report.expected, report.usable, report.coverage) == (2, [ids[1]], 50.0)
    assert report.videos_without_captions == [ids[0]]
    (root / "videos" / f"{ids[1]}.mp4").unlink()
    report = check_corpus(HowTo100M.expectations(root), workers=1, time_budget=None)
    if "/" in ids[0]:  # a single video of a name is called by that alone
        assert report.videos_without_captions == []
        assert report.usable == ["part1"]
    else:
        assert (report.expected, report.usable, report.missing) == (2, [], [ids[1]])
        assert report.captions_without_video == [ids[1]]
    write_layout(root, ids, ids)
    report = check_corpus(HowTo100M.expectations(root), workers=1, time_budget=None)
    assert (report.usable, report.missing) == (list(ids), [])


def test_an_empty_transcript_is_a_video_without_captions(film: Path, tmp_path: Path) -> None:
    root = make(tmp_path, film, "a", "b", "c")
    (root / "captions" / "b.json").write_text("")
    (root / "captions" / "c.json").write_text("no speech")
    (root / "captions" / "gone.srt").write_text("\n")
    report = check_corpus(HowTo100M.expectations(root), workers=1)
    assert (report.usable, report.expected) == (["a"], 3)
    assert report.videos_without_captions == ["b"]
    assert report.damaged_captions.keys() == {"c"}
    assert not report.captions_without_video
    listed = tmp_path / "list.csv"
    listed.write_text("video_id\na\nb\ngone\n")
    report = check_corpus(HowTo100M.expectations(root, listed=listed), workers=1)
    assert (report.usable, report.missing) == (["a"], ["gone"])
    assert (report.videos_without_captions, report.captions_without_video) == (["b"], [])


def test_captions_that_are_left_out_are_counted(film: Path, tmp_path: Path) -> None:
    root = make(tmp_path, film, "a", "b")
    write_captions(root / "captions", "b", [2.0, -1.0, 2.0, -2.0])
    expected = HowTo100M.expectations(root)
    report = check_corpus(expected, workers=1)
    assert report.usable == ["a", "b"]
    reason = "caption 1 ends at -1.0 s, before it starts at 0.0 s"
    assert report.skipped_captions["b"][0] == (1, reason)
    assert report.as_json()["skipped_captions"]["b"][0] == {"line": 1, "reason": reason}
    report = check_corpus(expected, workers=1, max_bad_cues=0.2)
    assert report.usable == ["a"]
    assert report.damaged_captions["b"].endswith(
        f"{reason} (2 of 4 captions cannot be read, more than the 1 that max_bad_cues=0.2 allows)"
    )
    assert not report.skipped_captions


def test_captions_of_which_nothing_tells_whose_they_are(tmp_path: Path) -> None:
    root = write_layout(tmp_path, [*LAYOUTS["lessons"], "food/a"], ["part1", "x/a", "y/a"])
    report = check_corpus(HowTo100M.expectations(root), workers=1, time_budget=None)
    assert (report.usable, report.coverage, report.expected) == ([], 0.0, 3)
    assert report.videos_without_captions == report.captions_without_video == []
    lesson1, lesson2, a = (report.damaged_captions[one] for one in (*LAYOUTS["lessons"], "a"))
    assert lesson1 == lesson2
    assert lesson1.startswith("captions/part1.json may be of lesson1/part1 or of lesson2/part1;")
    assert a.startswith("captions/x/a.json and captions/y/a.json are both of a")


def test_durations_are_held_against_what_is_said(film: Path, tmp_path: Path) -> None:
    root = make(tmp_path, film, "good", "short", "long", "outlasted", "unsaid")
    write_captions(root / "captions", "outlasted", [1.0, SECONDS + 7.0, 2.0])
    write_captions(root / "captions", "good", [SECONDS + 4.9])
    said = {"good": SECONDS + 4.9, "short": SECONDS + 5.1, "long": 0.0, "other": 9.0}
    layout = replace(HowTo100M.expectations(root), durations=said)
    report = check_corpus(layout, workers=1, time_budget=None)
    assert [video.id for video in report.duration_mismatch] == ["outlasted", "short"]
    strict = check_corpus(layout, workers=1, time_budget=None, tolerance=0.5)
    assert [tuple(video) for video in strict.duration_mismatch] == [
        ("good", SECONDS, SECONDS + 4.9, SECONDS + 4.9),
        ("long", SECONDS, 0.0, 2.0),
        ("outlasted", SECONDS, None, SECONDS + 7.0),
        ("short", SECONDS, SECONDS + 5.1, 2.0),
    ]
    assert len(strict.usable) == 5


def test_captions_outside_their_videos_are_counted(film: Path, tmp_path: Path) -> None:
    root = make(tmp_path, film, "good", "partly", "wholly")
    for video_id, starts in (("partly", [0.5, 2.5, 3.0, 9.0]), ("wholly", [3.0, 9.0])):
        ends = [start + 1 for start in starts]
        columns = {"start": starts, "end": ends, "text": ["chop"] * len(starts)}
        (root / "captions" / f"{video_id}.json").write_text(json.dumps(columns), encoding="utf-8")
    report = check_corpus(HowTo100M.expectations(root), workers=1, time_budget=None)
    assert report.outside_captions == (OutsideCaptions("partly", 2, 4),)
    assert report.usable == ["good", "partly"]
    assert list(report.damaged_captions) == ["wholly"]
    assert report.as_json()["outside_captions"] == [{"id": "partly", "left_out": 2, "captions": 4}]


def test_videos_that_a_former_feature_store_counts_otherwise(film: Path, tmp_path: Path) -> None:
    root = make(tmp_path / "corpus", film, "plain", "late")
    shift_clock(film, root / "videos" / "late.mkv", seconds=100)
    (root / "videos" / "late.mp4").unlink()
    for clock, found in (("stream", ("late",)), ("start", ())):
        fill_store(tmp_path / clock, {"plain": SECONDS, "late": SECONDS}, clock=clock)
        report = check_corpus(
            HowTo100M.expectations(root), workers=1, time_budget=None, features=tmp_path / clock
        )
        assert report.other_clock == found
        assert len(report.usable) == 2


def damaged_corpus(film: Path, root: Path) -> Expectations:
    """A corpus whose list is in no order, with three videos that cannot be read and two missing."""
    make(root, film, *(f"v{number}" for number in range(20)))
    for video_id in ("v11", "v19", "v3"):
        (root / "videos" / f"{video_id}.mp4").write_bytes(b"no video")
    listed = [f"v{number}" for number in (19, 3, 11, 0, 40, 7, 30)]
    return replace(HowTo100M.expectations(root), listed=listed)


def test_a_report_keeps_the_order_of_the_list(film: Path, tmp_path: Path) -> None:
    report = check_corpus(damaged_corpus(film, tmp_path), workers=1, time_budget=None)
    assert [video.id for video in report.unreadable] == ["v19", "v3", "v11"]
    assert (report.usable, report.missing) == (["v0", "v7"], ["v40", "v30"])


@pytest.mark.slow  # it starts processes, each of which imports torch
def test_processes_change_nothing(film: Path, tmp_path: Path) -> None:
    layout = damaged_corpus(film, tmp_path)
    alone, together = (check_corpus(layout, workers=n, time_budget=None) for n in (1, 2))
    assert alone == together


def test_a_report_is_plain_json(film: Path, tmp_path: Path) -> None:
    root = make(tmp_path, film, "a", "b")
    (root / "videos" / "b.mp4").write_bytes(b"")
    report = check_corpus(HowTo100M.expectations(root), workers=1, time_budget=None)
    plain = report.as_json()
    assert json.loads(json.dumps(plain)) == plain
    assert (plain["usable"], plain["coverage"]) == (["a"], 50.0)
    assert [entry["id"] for entry in plain["unreadable"]] == ["b"]
    assert plain["unreadable"][0]["path"] == str(root / "videos" / "b.mp4")


def test_where_a_corpus_is_looked_for(film: Path, tmp_path: Path) -> None:
    put(film, tmp_path / "food" / "a.mp4")
    captions = {"a": {"start": [0.0], "end": [2.0], "text": ["chop"]}}
    with pytest.raises(CorpusNotFoundError, match=r"captions, or raw_caption\.json or"):
        HowTo100M.expectations(tmp_path)
    (tmp_path / "caption.json").write_text(json.dumps(captions), encoding="utf-8")
    layout = HowTo100M.expectations(tmp_path)
    assert (layout.videos, layout.captions) == (tmp_path, tmp_path / "caption.json")
    assert check_corpus(layout, workers=1, time_budget=None).usable == ["a"]
    (tmp_path / "raw_caption.json").write_text("{}", encoding="utf-8")
    (tmp_path / "videos").mkdir()
    layout = HowTo100M.expectations(tmp_path)
    assert (layout.videos, layout.captions) == (
        tmp_path / "videos",
        tmp_path / "raw_caption.json",
    )
    with pytest.raises(CorpusNotFoundError, match=r"ids in the list  \(there are none\)$"):
        check_corpus(
            replace(HowTo100M.expectations(tmp_path, captions=tmp_path / "caption.json"), listed=[])
        )
    with pytest.raises(CorpusNotFoundError, match=r"steps\.json"):
        Kitchen.expectations(tmp_path)


def test_numbers_that_make_no_sense_are_refused(film: Path, tmp_path: Path) -> None:
    layout = HowTo100M.expectations(make(tmp_path, film, "a"))
    for wrong in ({"workers": 0}, {"tolerance": -1.0}, {"time_budget": 0.0}):
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            check_corpus(layout, **wrong)
