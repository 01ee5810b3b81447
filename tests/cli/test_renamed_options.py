# ruff: noqa: ARG002
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from vtlearn.__main__ import main
from vtlearn.cli.config_files import shipped_configs
from vtlearn.cli.renamed_options import RENAMED, renamed_options
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datasets.base import Corpus

CONFIG = ["fit", "--config", str(shipped_configs() / "trainer" / "laptop.yaml")]


@dataclass(frozen=True)
class OldClips:
    """What has the old names still."""

    num_clips: int = 8
    size: int = 64


@dataclass(frozen=True)
class Clips:
    """What had them once."""

    num_clips: int = 8


@dataclass(frozen=True)
class Pixels:
    """What has them now."""

    size: int | None = None
    crop: str = "center"
    crop_pixels: int | None = None
    flip: float = 0.5
    pad: str = "edge"


CLIPS, PIXELS, LOG_FILE = Clips(), Pixels(), Path("log")


class Base(VideoTextData):
    """A datamodule of no corpus."""

    def captions(self) -> Iterator[str]:
        return iter(())

    def train_dataset(self) -> Corpus:
        raise NotImplementedError


class Renamed(Base):
    """A datamodule with the new names."""

    def __init__(
        self,
        root: Path,
        *,
        sampling: Clips | None = None,
        pixels: Pixels | None = None,
        unreadable_log: Path = LOG_FILE,
    ) -> None:
        super().__init__()


class Grouped(Base):
    """The same, as groups that cannot be None, and by ``**``."""

    def __init__(self, root: Path, **loading: Any) -> None:
        super().__init__()
        self._load(**loading)

    def _load(
        self,
        sampling: Clips = CLIPS,
        pixels: Pixels = PIXELS,
        unreadable_log: Path = LOG_FILE,
    ) -> None:
        del sampling, pixels, unreadable_log


class Unchanged(Base):
    """A datamodule with the old names."""

    def __init__(
        self,
        root: Path,
        *,
        sampling: OldClips | None = None,
        pixels: Pixels | None = None,
        quarantine: Path = LOG_FILE,
        unreadable_log: Path = LOG_FILE,
    ) -> None:
        super().__init__()


class Other(Base):
    """A datamodule with neither."""

    def __init__(self, root: Path, *, sampling: Clips | None = None) -> None:
        super().__init__()


def test_a_class_that_takes_the_old_name_is_left_alone() -> None:
    given = {f"data.{old}" for old in RENAMED}
    assert renamed_options(Renamed, given) == dict(RENAMED)
    assert renamed_options(Renamed, {"data.sampling.num_clips", "data.size"}) == {}
    assert "quarantine" not in renamed_options(Unchanged, given)
    assert "sampling.size" not in renamed_options(Unchanged, given)
    assert renamed_options(Other, given) == {}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    sampling = {"size": 64, "num_clips": 2}
    arguments = {"root": "there", "sampling": sampling, "quarantine": "log"}
    data = {"class_path": "Renamed", "init_args": arguments}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(data))
    (tmp_path / "method.yaml").write_text(yaml.safe_dump({"data": data}))
    other = {"class_path": "Unchanged", "init_args": {"root": "there", "quarantine": "log"}}
    (tmp_path / "unchanged.yaml").write_text(yaml.safe_dump({"data": other}))
    (tmp_path / "names.yaml").write_text("data: data.yaml")
    saved = {**arguments, "sampling": {**sampling, "crop": "center", "flip": 0.5, "pad": "edge"}}
    config = {"seed_everything": 0, "data": {**data, "init_args": saved}, "ckpt_path": None}
    (tmp_path / "config.yaml").write_text("# pytorch_lightning==2.6\n" + yaml.safe_dump(config))
    return tmp_path


SIZE = "sampling.size is now pixels.size"
LOG = "quarantine is now unreadable_log"


@pytest.mark.parametrize("name", ["Renamed", "Grouped"])
@pytest.mark.parametrize(
    ("words", "sentences"),
    [
        ("--data.init_args.sampling.size 64", SIZE),
        ("--data.sampling.size 64", SIZE),
        ("--data.sampling.size=64", SIZE),
        ("--data.init_args.sampling {size:\xa064}", SIZE),
        ("--config {data:\xa0{init_args:\xa0{sampling:\xa0{size:\xa064}}}}", SIZE),
        ("--data.init_args.quarantine log", LOG),
        ("--data.quarantine log", LOG),
        ("--data.sampling.size 64 --data.quarantine log", f"{LOG}, {SIZE}"),
        (
            "--data.sampling.pad black --data.sampling.crop random --data.sampling.crop_pixels 9",
            "sampling.crop is now pixels.crop, sampling.crop_pixels is now pixels.crop_pixels, "
            "sampling.pad is now pixels.pad",
        ),
    ],
)
def test_old_names_are_answered_by_the_new_ones(
    name: str, words: str, sentences: str, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = [word.replace("\xa0", " ") for word in words.split(" ")]
    argv = ["--data", name, "--data.root", "there", *typed]
    assert refusal(argv, capsys) == f"vtlearn: error: data: {sentences}\n"


@pytest.mark.parametrize(
    ("argv", "sentences"),
    [
        (["--data", "data.yaml"], f"{LOG}, {SIZE}"),
        (["--config", "method.yaml"], f"{LOG}, {SIZE}"),
        (["--config", "names.yaml"], SIZE),  # a file that a file names is not looked into
        (
            ["--config", "config.yaml"],
            f"{LOG}, sampling.crop is now pixels.crop, sampling.flip is now pixels.flip, "
            f"sampling.pad is now pixels.pad, {SIZE}",
        ),
        # what another data section was given is no mistake of this one's
        (
            ["--config", "unchanged.yaml", "--data", "Renamed", "--data.sampling.size", "64"],
            SIZE,
        ),
        (["--config", "method.yaml", "--data", "Other"], f"{LOG}, {SIZE}"),
    ],
)
def test_old_names_in_files(
    argv: list[str], sentences: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal(argv, capsys) == f"vtlearn: error: data: {sentences}\n"


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--data", "Other", "--data.sampling.size", "64"], "Clips has no option size"),
        (["--data", "Renamed", "--data.sampling.sizes", "64"], "Clips has no option sizes"),
        (
            ["--data", "Grouped", "--data.sampling.num_clip", "64"],
            "Grouped has no option sampling.num_clip; did you mean sampling.num_clips?",
        ),
    ],
)
def test_other_mistakes_are_answered_as_before(
    argv: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refusal(argv, capsys) == f"vtlearn: error: {sentence}\n"


def refusal(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stopped:
        main([*CONFIG, *argv])
    assert stopped.value.code == 2
    return capsys.readouterr().err
