import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image

from tests.damage import (
    READABLE,
    UNREADABLE,
    Way,
    copy_corpus,
    damage_videos,
    empty,
    lose_index,
)
from tests.layouts import LAYOUTS, write_layout
from tests.media.video.writing import write_video
from tests.media.webdataset.tars import member, write_tar
from vtlearn.cli.commands import data_check, tree
from vtlearn.datasets import HowTo100M
from vtlearn.datasets.files import find_videos, video_names
from vtlearn.datasets.video_list import read_video_list
from vtlearn.kitchen import read_truth
from vtlearn.kitchen.manifest import read_manifest, write_manifest


class Damaged(NamedTuple):
    """A corpus, the ids that cannot be read, and those of one frame, during which none speaks."""

    root: Path
    bad: list[str]
    single: list[str]


FAST = tuple(way for way in UNREADABLE if way.stage != "time")


def check(root: Path, *options: str) -> int:
    return tree.run("data check", [str(root), "--data", "Kitchen", "--time-budget", "0", *options])


@pytest.mark.parametrize(
    "ids",
    [
        *LAYOUTS.values(),
        ["salt, pepper", 'a "b" c', "1. Intro.mp4"],
        [" before", "after ", "a  b"],
        ["x/talk", "y/talk", "talk"],
    ],
)
def test_the_list_of_what_can_be_used_is_read_back_alike(
    ids: Sequence[str], tmp_path: Path
) -> None:
    root = write_layout(tmp_path / "corpus", [*ids, "unreadable", "untold"], [*ids, "unreadable"])
    next((root / "videos").rglob("unreadable.*")).write_bytes(b"")
    written = tmp_path / "new" / "list.csv"
    options = ["--time-budget", "0", "--write-list", str(written)]
    assert tree.run("data check", [str(root), *options]) == 0
    found = find_videos(root / "videos")
    wanted = [one for one in found if one not in ("unreadable", "untold")]
    assert len(wanted) == len(ids)
    assert read_video_list(written, video_names(root / "videos", found)) == wanted
    corpus = HowTo100M(root / "captions", videos=root / "videos", video_list=written)
    assert list(corpus.ids) == wanted
    report = tmp_path / "report.json"
    again = ["--list", str(written), "--report", str(report), "--min-coverage", "100"]
    assert tree.run("data check", [str(root), "--time-budget", "0", *again]) == 0
    assert json.loads(report.read_text())["usable"] == wanted


def test_a_list_that_is_there_is_not_written_over(
    kitchen_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("video_id\nmine\n")
    assert check(kitchen_root, "--write-list", str(path)) == 2
    error = capsys.readouterr().err
    assert f"--write-list {path} is there already; remove it, or give another name" in error
    assert path.read_text() == "video_id\nmine\n"
    assert check(kitchen_root, "--write-list", str(tmp_path)) == 2
    assert f"--write-list {tmp_path} is a folder; give the file's name, {path}" in (
        capsys.readouterr().err
    )
    path.unlink()
    assert check(kitchen_root, "--write-list", str(path), "--workers", "0") == 2
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def damaged(kitchen_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Damaged:
    """Kitchen with each kind of damage but the one that hangs."""
    root = copy_corpus(kitchen_root, tmp_path_factory.mktemp("check") / "kitchen")
    ways: dict[str, Way] = damage_videos(root, sorted(read_truth(root)), (*FAST, *READABLE))
    single = [video_id for video_id, way in ways.items() if way.name == "one-frame"]
    return Damaged(root, sorted(one for one, way in ways.items() if way in FAST), single)


def test_a_good_corpus_is_covered(kitchen_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(kitchen_root, "--min-coverage", "100") == 0
    captured = capsys.readouterr()
    assert captured.out == "Kitchen: 13 of 13 videos can be used, 100.0 %\n"


def test_the_report_has_all_ids_and_the_table_the_first(
    damaged: Damaged, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, bad, single = damaged
    path = tmp_path / "reports" / "kitchen.json"
    assert check(root, "--report", str(path), "--decode") == 0
    report = json.loads(path.read_text(encoding="utf-8"))
    ids = sorted(read_truth(root))
    assert sorted(entry["id"] for entry in report["unreadable"]) == bad
    assert sorted(report["usable"]) == sorted({*ids} - {*bad, *single})
    assert sorted(report["damaged_captions"]) == sorted(single)
    assert len(report["lost"]) == 2
    output = capsys.readouterr().out
    usable = len(ids) - len(bad) - len(single)
    share = 100 * usable / len(ids)
    assert output.startswith(f"Kitchen: {usable} of {len(ids)} videos can be used")
    assert f", {int(share * 10) / 10} %\n" in output
    line = next(line for line in output.splitlines() if line.startswith("  unreadable"))
    assert line.split() == ["unreadable", str(len(bad)), "(the", "first", "3)"]
    assert sum(video_id in output for video_id in bad) == 3


def test_frames_that_are_not_the_recorded_ones_are_named(
    kitchen_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = copy_corpus(kitchen_root, tmp_path / "kitchen")
    manifest = read_manifest(root)
    assert manifest is not None
    assert manifest.rendered is not None
    write_manifest(root, manifest._replace(rendered=manifest.rendered._replace(av="17.0.0")))
    videos = root / "videos"
    changed = videos / "kitchen_val_0001.mp4"
    shutil.copy(videos / "kitchen_val_0000.mp4", changed)
    report = tmp_path / "report.json"
    assert check(root, "--report", str(report), "--tolerance", "1000") == 0
    assert capsys.readouterr().out == (
        "Kitchen: 13 of 13 videos can be used, 100.0 %\n"
        "  captions outside              1\n"
        "      kitchen_val_0001  2 of 10 outside its frames, left out\n"
        "  frames changed                1\n"
        f"      {changed}  rendered by av 17.0.0, read by av {version('av')}\n"
        "      delete the folder of the corpus to render it again\n"
    )
    (entry,) = json.loads(report.read_text(encoding="utf-8"))["changed_frames"]
    assert entry["id"] == changed.stem


def test_a_corpus_without_a_record_is_told_so(
    kitchen_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = copy_corpus(kitchen_root, tmp_path / "kitchen")
    manifest = read_manifest(root)
    assert manifest is not None
    write_manifest(root, manifest.identity)
    assert check(root) == 0
    assert "  frames not recorded          13\n      delete the folder" in capsys.readouterr().out


def test_coverage_decides_the_exit_code(
    damaged: Damaged, capsys: pytest.CaptureFixture[str]
) -> None:
    root, bad, single = damaged
    share = 100 * (13 - len(bad) - len(single)) / 13
    assert check(root, "--min-coverage", f"{share - 0.01}") == 0
    capsys.readouterr()
    assert check(root, "--min-coverage", f"{share + 0.01}") == 1
    assert "coverage is below --min-coverage" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--min-coverage", "101"], "--min-coverage is 101, and is in per cent"),
        (
            ["--min-coverage", "0.8"],
            "--min-coverage is 0.8, and is in per cent, 0 to 100; did you mean 80?",
        ),
        (["--captions", "y"], "--captions: Kitchen says itself"),
        (["--data", "WebVid", "--videos", "y"], "--videos: WebVid says itself"),
        (["--data", "WebVid", "--list", "y.csv"], "y.csv: a csv with the columns"),
        (["--data", "Shards", "--list", "y.csv"], "--list: Shards says itself"),
        (["--data", "Shards", "--durations", "y.csv"], "--durations: Shards says itself"),
        (["--data", "Shards", "--features", "y"], "--features: Shards has no use for it; check"),
        (["--data", "Shards", "--tolerance", "5"], "--tolerance: Shards has no use for it; check"),
        (["--data", "Shards", "--cache", "y"], "--cache: Shards has no use for it; check"),
        (["--data", "Shards", "--language", "en"], "--language: Shards has no use for it; check"),
        (["--data", "Shards", "--max-bad-cues", "9"], "max_bad_cues"),
        (["--data", "ImageCaptions", "--captions", "y"], "--captions: ImageCaptions says itself"),
        (["--data", "ImageCaptions", "--videos", "y"], "--videos y: say by --list which captions"),
        (
            ["--data", "ImageCaptions", "--list", "y.csv"],
            "y.csv: captions of pictures  (not there)",
        ),
        (["--data", "ImageCaptions"], "give it by --list, and its pictures' folder by --videos"),
        (["--data", "HowTo100M", "--list", "absent.csv"], "absent.csv cannot be read as a csv"),
        (["--report", "."], "--report . is a folder"),
        (["--report", "/dev/null/x.json"], "--report /dev/null/x.json cannot be written"),
        (["--report", "/proc/x.json"], "--report /proc/x.json cannot be written"),
        (["--workers", "0"], "workers"),
        (["--time-budget", "-1"], "time_budget"),
    ],
)
def test_mistakes_are_sentences(
    options: list[str], sentence: str, kitchen_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(kitchen_root, *options) == 2
    error = capsys.readouterr().err
    assert error.startswith("vtlearn: error: ")
    assert sentence in error


def test_names_with_dots_and_twins_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos = [*LAYOUTS["volumes"], *LAYOUTS["lessons"]]
    root = write_layout(tmp_path, videos, [videos[1], videos[3]])
    options = ("--data", "HowTo100M")
    assert check(root, *options) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("HowTo100M: 2 of 4 videos can be used, 50.0 %\n")
    assert f"videos without captions       2\n      {videos[0]}\n      {videos[2]}\n" in printed
    rows = ["video_path", "/x/lesson2/part1.mp4", f'"{videos[1]}.webm"', "lesson2/part3.mp4"]
    (root / "list.csv").write_text("\n".join(rows))
    report = tmp_path / "report.json"
    assert check(root, *options, "--list", str(root / "list.csv"), "--report", str(report)) == 0
    found = json.loads(report.read_text())
    assert (found["usable"], found["missing"]) == ([videos[3], videos[1]], ["part3"])
    write_layout(root, (), ["part1"])
    assert check(root, *options) == 0
    assert "captions/part1.json may be of lesson1/part1 or of less" in capsys.readouterr().out


def test_no_corpus_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path) == 2
    assert "steps.json" in capsys.readouterr().err


def test_a_list_and_durations_say_what_there_should_be(
    damaged: Damaged, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, bad, _ = damaged
    splits = [path.read_text(encoding="utf-8").split()[1:] for path in root.glob("splits/*.csv")]
    listed = tmp_path / "list.csv"
    listed.write_text("\n".join(["video_path", *chain(*splits), "absent.mp4"]), encoding="utf-8")
    durations = tmp_path / "durations.csv"
    good = next(video_id for video_id in read_truth(root) if video_id not in bad)
    durations.write_text(f"{good},1000\n", encoding="utf-8")
    report = tmp_path / "report.json"
    tables = ["--list", str(listed), "--durations", str(durations), "--data", "HowTo100M"]
    assert check(root, *tables, "--report", str(report)) == 0
    found = json.loads(report.read_text(encoding="utf-8"))
    assert sorted(entry["id"] for entry in found["unreadable"]) == bad
    assert found["missing"] == ["absent"]
    assert good in {entry["id"] for entry in found["duration_mismatch"]}
    assert f"      {good}  lasts " in capsys.readouterr().out


@pytest.mark.slow  # it starts processes, each of which imports torch
def test_it_runs_as_a_command_with_several_processes(damaged: Damaged, tmp_path: Path) -> None:
    bad = damaged.bad
    root = copy_corpus(damaged.root, tmp_path / "kitchen")
    hanging = next(video_id for video_id in bad if "train" in video_id)
    pipe = next(way for way in UNREADABLE if way.stage == "time")
    pipe.apply(root / "videos" / f"{hanging}.mp4")
    command = [sys.executable, "-m", "vtlearn", "data", "check", str(root), "--data", "Kitchen"]
    options = ["--workers", "2", "--time-budget", "4", "--min-coverage", "100"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    # of another video, a tenth of a second is left, and all its captions are outside of that
    assert f"Kitchen: {12 - len(bad)} of 13" in done.stdout
    assert "damaged captions              1\n" in done.stdout
    assert f"{hanging}  time: " in done.stdout
    assert "Opening videos" in done.stderr
    assert "coverage is below --min-coverage 100" in done.stderr


def test_names_that_a_terminal_would_obey_are_escaped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / os.fsdecode(b"\x1b[31m\xff.mp4")).write_bytes(b"")
    (tmp_path / "caption.json").write_text('{"a": {"start": [0], "end": [1], "text": ["x"]}}')
    report = tmp_path / "report.json"
    options = ["--time-budget", "0", "--report", str(report), "--decode"]
    assert tree.run("data check", [str(tmp_path), *options]) == 0
    assert "      \\x1b[31m%FF  open: " in capsys.readouterr().out
    (entry,) = json.loads(report.read_text(encoding="utf-8"))["unreadable"]
    assert entry["id"] == "\x1b[31m%FF"
    assert entry["path"] == f"{tmp_path}/\x1b[31m%FF.mp4"


@pytest.mark.parametrize(
    ("report", "why"),
    [
        ("/proc/x.json", "cannot be written: "),
        ("x" * 300, "cannot be written: File name too long"),
        ("pipe", "is not a file that can be replaced; give another name"),  # or a device
    ],
)
def test_a_report_that_cannot_be_written_is_found_out_before_the_work(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    report: str,
    why: str,
) -> None:
    os.mkfifo(tmp_path / "pipe")

    def work(*_: object, **__: object) -> None:
        pytest.fail("the corpus was read")

    monkeypatch.setattr(data_check, "_check", work)
    assert check(tmp_path, "--report", str(tmp_path / report)) == 2
    assert f"--report {tmp_path / report} {why}" in capsys.readouterr().err
    assert (tmp_path / "pipe").is_fifo()


def test_a_report_that_cannot_be_written_any_more_is_a_sentence_after_the_table(
    monkeypatch: pytest.MonkeyPatch,
    kitchen_root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = tmp_path / "report.json"
    monkeypatch.setattr(data_check, "_make_room", lambda _: report.mkdir())
    assert check(kitchen_root, "--report", str(report)) == 2
    captured = capsys.readouterr()
    assert f"--report {report} cannot be written" in captured.err
    assert "100.0 %" in captured.out


def test_looking_whether_a_report_can_be_written_leaves_nothing(
    kitchen_root: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    report.write_text("an earlier one")
    assert check(kitchen_root, "--report", str(report), "--workers", "0") == 2
    assert report.read_text() == "an earlier one"
    assert list(tmp_path.iterdir()) == [report]


def test_damaged_shards_without_an_index_suffice_for_no_coverage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def coded(per_cent: str) -> int:
        options = ["--data", "Shards", "--workers", "1", "--time-budget", "0"]
        return tree.run("data check", [str(tmp_path), *options, "--min-coverage", per_cent])

    picture = io.BytesIO()
    Image.new("L", (8, 8)).save(picture, "png")
    for name in ("00000", "00001"):
        data = picture.getvalue()
        members = (member(f"{name}.png", data), member(f"{name}.txt", b"two apples"))
        write_tar(tmp_path / f"{name}.tar", *members)
    assert coded("100") == 0
    assert "2 of 2 videos can be used, 100.0 %" in capsys.readouterr().out
    second = tmp_path / "00001.tar"
    second.write_bytes(second.read_bytes()[:600])
    assert (coded("0"), coded("1"), coded("100")) == (0, 1, 1)
    captured = capsys.readouterr()
    words = "1 videos can be used, of 1 or more: the total is unknown, since 1 damaged shards have"
    assert captured.out.count(f"Shards: {words} no index\n") == 3
    assert "%" not in captured.out
    assert "coverage is below --min-coverage 100" in captured.err
    for path in tmp_path.glob("*.tar"):
        path.write_bytes(b"garbage" * 1000)
    assert (coded("0"), coded("1")) == (0, 1)
    assert "0 videos can be used, of 0 or more" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "name", "count"),
    [
        ("YouCook2", "YouCook2", 10),
        ("CrossTask", "CrossTask", 10),
        ("MSRVTT", "MSR-VTT", 32),
        ("WebVid", "WebVid", 50),
        ("MSVD", "MSVD", 14),
        ("VATEX", "VATEX", 14),
        ("UCF101", "UCF101", 24),
        ("HMDB51", "HMDB51", 24),
    ],
)
def test_what_is_annotated_is_checked_in_its_own_layout(
    data: str,
    name: str,
    count: int,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = copy_corpus(request.getfixturevalue(f"{data.lower()}_root"), tmp_path / "corpus")
    options = ("--data", data, "--min-coverage", "100")
    assert check(root, *options) == 0
    assert capsys.readouterr().out == f"{name}: {count} of {count} videos can be used, 100.0 %\n"

    missing, damaged, *_ = find_videos(root).values()
    missing.unlink()
    (lose_index if damaged.suffix == ".mp4" else empty)(damaged)
    report = tmp_path / "report.json"
    assert check(root, *options, "--report", str(report)) == 1
    captured = capsys.readouterr()
    share = int(1000 * (count - 2) / count) / 10
    assert captured.out.startswith(
        f"{name}: {count - 2} of {count} videos can be used, {share} %\n"
        f"  missing                       1\n      {missing.stem}\n"
        f"  unreadable                    1\n      {damaged.stem}  open: "
    )
    assert "coverage is below --min-coverage 100" in captured.err
    found = json.loads(report.read_text(encoding="utf-8"))
    assert (found["missing"], found["unlisted"]) == ([missing.stem], 0)
    assert [entry["id"] for entry in found["unreadable"]] == [damaged.stem]
    assert len(found["usable"]) == count - 2


@pytest.mark.parametrize(
    ("layout", "pictures"),
    [("coco", "train2017/*"), ("cc", "training/*"), ("img2dataset", "*/*.jpg")],
)
def test_pictures_are_checked(
    layout: str,
    pictures: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = copy_corpus(request.getfixturevalue(f"{layout}_root"), tmp_path / "corpus")
    options = ("--data", "ImageCaptions", "--min-coverage", "100")
    assert check(root, *options) == 0
    missing, damaged, *others = sorted(root.glob(pictures))
    ids = [str(int(path.stem)) if layout == "coco" else path.stem for path in (missing, damaged)]
    count = 2 + len(others)
    shown = capsys.readouterr().out
    assert shown == f"ImageCaptions: {count} of {count} pictures can be used, 100.0 %\n"
    assert check(root, *options, "--language", "en") == 2
    assert "--language: ImageCaptions has no transcripts" in capsys.readouterr().err
    missing.unlink()
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size * 3 // 4])
    assert check(root, *options) == 1
    shown = capsys.readouterr().out
    assert f"  missing                       1\n      {ids[0]}\n" in shown
    assert f"      {ids[1]}  decode: image file is truncated" in shown
    assert check(tmp_path, "--data", "ImageCaptions") == 2
    assert "`vtlearn data kitchen --layout coco`, `cc`" in capsys.readouterr().err


@pytest.mark.parametrize(
    "data", ["YouCook2", "CrossTask", "MSRVTT", "WebVid", "MSVD", "VATEX", "UCF101", "HMDB51"]
)
def test_an_annotated_corpus_that_is_not_there_is_a_mistake(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(tmp_path, "--data", data) == 2
    error = capsys.readouterr().err
    assert error.startswith("vtlearn: error: ")
    assert f"vtlearn data kitchen --layout {data.lower()}" in error


def test_a_video_that_is_shorter_than_its_database_says_is_named(
    youcook2_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = copy_corpus(youcook2_root, tmp_path / "corpus")
    path = sorted(root.rglob("*.mp4"))[0]
    write_video(path, [0] * 4, rate=4)
    assert check(root, "--data", "YouCook2") == 0
    assert f"      {path.stem}  lasts " in capsys.readouterr().out
    (root / "youcookii_annotations_trainval.json").write_text("{}")
    assert check(root, "--data", "YouCook2") == 2
    assert "has no database of videos" in capsys.readouterr().err


def test_a_video_without_annotation_cannot_be_used(
    crosstask_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = copy_corpus(crosstask_root, tmp_path / "corpus")
    path = sorted((root / "annotations").iterdir())[0]
    path.unlink()
    assert check(root, "--data", "CrossTask") == 0
    output = capsys.readouterr().out
    assert output.startswith("CrossTask: 9 of 10 videos can be used, 90.0 %\n")
    video = path.stem.partition("_")[2]
    assert f"  videos without captions       1\n      {video}\n" in output


def test_a_video_that_was_not_cut_as_its_name_says_is_named(
    vatex_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whole videos of YouTube are often found under a clip's name."""
    root = copy_corpus(vatex_root, tmp_path / "corpus")
    path = root / "vatex_validation_v1.0.json"
    first, *_ = json.loads(path.read_text(encoding="utf-8"))
    named, longer = first["videoID"], f"{first['videoID'][:11]}_000100_000130"
    path.write_text(path.read_text(encoding="utf-8").replace(named, longer), encoding="utf-8")
    (root / "videos" / f"{named}.mp4").rename(root / "videos" / f"{longer}.mp4")
    assert check(root, "--data", "VATEX") == 0
    shown = capsys.readouterr().out
    assert "duration mismatch 1" in " ".join(shown.split())
    assert f"{longer}  lasts " in shown
    assert "should last 30.0 s" in shown


def test_shards_without_any_sample_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tar(tmp_path / "00000.tar")
    assert tree.run("data check", [str(tmp_path), "--data", "Shards", "--min-coverage", "1"]) == 1
    assert "0 of 0 videos can be used: there is not a single sample" in capsys.readouterr().out


def test_a_language_chooses_transcripts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("videos", "captions"):
        (tmp_path / folder).mkdir()
    for name in ("a", "b"):
        write_video(tmp_path / "videos" / f"{name}.mp4", range(20, 40), rate=4, gop=4)
    for name in ("a.en.srt", "a.de.srt", "b.de.srt"):
        (tmp_path / "captions" / name).write_text("00:01,000 --> 00:02,000\nso\n")
    assert tree.run("data check", [str(tmp_path), "--language", "en"]) == 0
    said = capsys.readouterr().out
    assert "1 of 2 videos can be used" in said
    assert "videos without captions       1\n      b" in said
    assert tree.run("data check", [str(tmp_path), "--language", "english"]) == 2


@pytest.mark.parametrize("data", ["HowTo100M", "Shards"])
def test_the_reports_of_parts_say_together_what_that_of_the_whole_says(
    data: str, tmp_path: Path
) -> None:
    ids = [f"v{number}" for number in range(3)]
    root = write_layout(tmp_path / "corpus", [*ids, "unreadable", "untold"], [*ids, "unreadable"])
    next((root / "videos").rglob("unreadable.*")).write_bytes(b"")
    if data == "Shards":
        argv = [str(root / name) for name in ("videos", "captions", "shards")]
        options = ["--time-budget", "0", "--samples-per-shard", "2"]
        assert tree.run("data pack", [*argv, *options]) == 0
        root /= "shards"

    def reports(*options: str) -> list[dict[str, Any]]:
        folder = tmp_path / f"{len(options)}"
        argv = [str(root), "--data", data, "--time-budget", "0"]
        argv += ["--report", str(folder / "report.json"), "--write-list", str(folder / "list.csv")]
        for option in options or ("",):
            assert tree.run("data check", [*argv, *(["--part", option] if option else [])]) == 0
        named = [f"-{option.replace('/', '-of-')}" for option in options] or [""]
        lists = [read_video_list(folder / f"list{name}.csv") for name in named]
        found = [json.loads((folder / f"report{name}.json").read_text()) for name in named]
        assert lists == [report["usable"] for report in found]
        return found

    (whole,), parts = reports(), reports("1/3", "2/3", "3/3")
    for key in ("usable", "missing", "videos_without_captions", "captions_without_video"):
        assert sorted(chain.from_iterable(part[key] for part in parts)) == sorted(whole[key])
    for key in ("expected", "unlisted"):
        assert sum(part[key] for part in parts) == whole[key]
    assert sum(len(part["unreadable"]) for part in parts) == len(whole["unreadable"])
    assert len(whole["usable"]) == len(ids)
