from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.parsed import parsed
from vtlearn.__main__ import main
from vtlearn.cli import moved_classes
from vtlearn.cli.config_files import shipped_configs
from vtlearn.cli.moved_classes import current_class_path, with_current_classes
from vtlearn.encoders.base import VideoEncoder
from vtlearn.encoders.text import TinyText
from vtlearn.encoders.video import TinyVideo
from vtlearn.heads import InfoNCE

CONFIG = ["fit", "--config", str(shipped_configs() / "vttwins.yaml")]

#: Class paths of another layout, as an earlier version would have saved them.
OLD = {
    "vtlearn.encoders.video.tiny_old.TinyVideo": "TinyVideo",
    "vtlearn.encoders.words.TinyText": "TinyText",
    "vtlearn.heads.old.place.S2DTW": "S2DTW",
    "vtlearn.schedules.WarmupCosine": "WarmupCosine",
    "vtlearn.datamodules.somewhere.Kitchen": "Kitchen",
    "vtlearn.callbacks.x.FeatureWriter": "FeatureWriter",
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Holding(InfoNCE):
    """A head with a part of its own, and a text."""

    def __init__(self, part: VideoEncoder | None = None, note: str = "") -> None:
        super().__init__()
        self.part, self.note = part, note


@pytest.mark.parametrize(("old", "name"), OLD.items())
def test_what_is_gone_is_found_by_its_last_word(old: str, name: str) -> None:
    found = current_class_path(old)
    assert found != old
    module, _, last = found.rpartition(".")
    assert last == name
    assert isinstance(getattr(__import__(module, fromlist=[name]), name), type)


@pytest.mark.parametrize(
    "path",
    [
        "vtlearn.heads.S2DTW",
        "vtlearn.heads.s2dtw.S2DTW",  # not the public path, but it leads there
        "vtlearn.datasets.howto100m.HowTo100M",  # another class of that name
        "vtlearn.old.Nothing",
        "vtlearn.heads.old.stem_of",  # public, but not a class
        "vtlearn.heads.old.HeadOutput",  # none that a configuration names
        "vtlearn.yaml",
        "mine.heads.S2DTW",
        "torch.optim.adamw_old.AdamW",
        "S2DTW",
        "runs/vtlearn.old.S2DTW",
        "chop vtlearn.old.S2DTW",
        "",
    ],
)
def test_everything_else_stays_what_it_is(path: str) -> None:
    assert current_class_path(path) == path


def test_a_configuration_is_searched_through() -> None:
    part = {"class_path": "vtlearn.a.S3D", "init_args": {"dim": 4}}
    given = {"head": {"class_path": "mine.Head", "init_args": {"parts": [part, "vtlearn.b.S3D"]}}}
    now = {"class_path": "vtlearn.encoders.S3D", "init_args": {"dim": 4}}
    wanted = {
        "class_path": "mine.Head",
        "init_args": {"parts": [now, "vtlearn.encoders.S3D"]},
    }
    assert with_current_classes(given) == {"head": wanted}
    assert given["head"]["init_args"]["parts"][0] is part  # type: ignore[index]
    assert part["class_path"] == "vtlearn.a.S3D"


@pytest.mark.parametrize(
    ("words", "section", "name"),
    [
        (["--model.head", "vtlearn.old.place.MILNCE"], "model.head", "MILNCE"),
        (["--model.head.class_path", "vtlearn.old.MILNCE"], "model.head", "MILNCE"),
        (["--model.head=vtlearn.old.MILNCE"], "model.head", "MILNCE"),
        (["--model.head", "{class_path: vtlearn.old.MILNCE}"], "model.head", "MILNCE"),
        (["--model.scheduler", "vtlearn.plans.WarmupCosine"], "model.scheduler", "WarmupCosine"),
        (["--data", "vtlearn.loaders.Shards", "--data.shards", "x"], "data", "Shards"),
        (["--config", "{model: {head: vtlearn.old.MILNCE}}"], "model.head", "MILNCE"),
        (["--trainer.callbacks", "vtlearn.hooks.DataWait"], "trainer.callbacks", "DataWait"),
        (["--trainer.callbacks+", "vtlearn.hooks.DataWait"], "trainer.callbacks", "DataWait"),
        (["--trainer.callbacks", "[vtlearn.hooks.DataWait]"], "trainer.callbacks", "DataWait"),
    ],
)
def test_moved_classes_may_be_typed(words: list[str], section: str, name: str) -> None:
    config: Any = parsed(*CONFIG, *words)
    for key in section.split("."):
        config = config[key]
    (found,) = config if isinstance(config, list) else [config]
    assert found["class_path"].rpartition(".")[2] == name


def test_moved_classes_in_files_that_name_files(elsewhere: Path) -> None:
    folder = elsewhere / "configs" / "mine"
    folder.mkdir(parents=True)
    nested = {"class_path": "vtlearn.encoders.vid.TinyVideo", "init_args": {"dim": 4}}
    head = {"class_path": f"{__name__}.Holding", "init_args": {"part": nested, "note": "vtlearn."}}
    (folder / "head.yaml").write_text(yaml.safe_dump(head))
    data = {"class_path": "vtlearn.loaders.Kitchen", "init_args": {"root": "there"}}
    (folder / "data.yaml").write_text(yaml.safe_dump(data))
    (folder / "method.yaml").write_text("model: {head: head.yaml}")
    config = parsed(
        *CONFIG, "--config", str(folder / "method.yaml"), "--data", str(folder / "data.yaml")
    )
    arguments = config["model"]["head"]["init_args"]
    assert arguments["note"] == "vtlearn."
    assert arguments["part"]["class_path"] == "vtlearn.encoders.TinyVideo"
    assert arguments["part"]["init_args"]["dim"] == 4
    assert config["data"]["class_path"] == "vtlearn.datamodules.Kitchen"
    assert str(config["data"]["init_args"]["root"]) == "there"


def test_the_saved_configuration_of_an_old_run(elsewhere: Path) -> None:
    callback = {"class_path": "FeatureWriter", "init_args": {"folder": "store"}}
    words = ["--trainer.callbacks", yaml.safe_dump([callback], default_flow_style=True).strip()]
    wanted = parsed(*CONFIG, *words)
    text = yaml.safe_dump(_plain(wanted))
    for old, name in OLD.items():
        for package in ("encoders", "heads", "schedule", "datamodules", "callbacks"):
            text = text.replace(f"class_path: vtlearn.{package}.{name}\n", f"class_path: {old}\n")
    assert all(f"class_path: {old}" in text for old in OLD)
    (elsewhere / "config.yaml").write_text(text)
    found = parsed("fit", "--config", "config.yaml")
    assert _plain(found) == _plain(wanted)


def _plain(config: dict[str, Any]) -> Any:
    config = {key: value for key, value in config.items() if key != "config"}
    return yaml.safe_load(yaml.safe_dump(_strings(config)))


def _strings(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strings(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strings(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value


class VideoRoom:
    __all__ = ("Twin",)

    class Twin(TinyVideo):
        pass


class TextRoom:
    __all__ = ("Twin",)

    class Twin(TinyText):
        pass


def test_of_a_name_that_two_kinds_share_the_kind_that_is_needed_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(moved_classes, "_PUBLIC", (VideoRoom, TextRoom))
    assert current_class_path("vtlearn.gone.Twin") == "Twin"
    words = ["--model.video_encoder", "vtlearn.gone.Twin"]
    words += ["--config", "{model: {text_encoder: {class_path: vtlearn.gone.Twin}}}"]
    model = parsed(*CONFIG, *words)["model"]
    assert model["video_encoder"]["class_path"] == f"{__name__}.VideoRoom.Twin"
    assert model["text_encoder"]["class_path"] == f"{__name__}.TextRoom.Twin"


@pytest.mark.parametrize(
    ("option", "given", "sentence"),
    [
        (
            "--model.video_encoder",
            "vtlearn.gone.MILNCE",
            "MILNCE is not a subclass of VideoEncoder",
        ),
        ("--data", "vtlearn.gone.TinyVideo", "TinyVideo is not a subclass of VideoTextData"),
        ("--data", "{class_path: vtlearn.gone.TinyVideo}", "TinyVideo is not a subclass of Video"),
        ("--model.scheduler", "vtlearn.gone.TinyVideo", "TinyVideo is not a subclass of LRSched"),
    ],
)
def test_a_class_of_the_wrong_kind_is_one_sentence(
    option: str, given: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refusal(option, given, capsys)
    assert error.startswith(f"vtlearn: error: {option.removeprefix('--')}: {sentence}")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "path", "sentence"),
    [
        ("--model.head", "vtlearn.gone.S2DTV", "there is no class S2DTV; did you mean S2DTW?"),
        ("--model.head", "vtlearn.heads.S2DTV", "there is no class S2DTV; did you mean S2DTW?"),
        ("--data", "vtlearn.gone.Kitchn", "there is no class Kitchn; did you mean Kitchen?"),
        ("--model.scheduler", "vtlearn.a.b.WarmupCosin", "did you mean WarmupCosine?"),
        ("--trainer.callbacks", "vtlearn.a.FeatureWritr", "did you mean FeatureWriter?"),
        ("--model.head", "mine.S2DTW", "there is no module 'mine'"),
    ],
)
def test_where_nothing_fits_the_nearest_is_named(
    option: str, path: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refusal(option, path, capsys)
    assert sentence in error
    assert error.count("\n") == 1


def refusal(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stopped:
        main([*CONFIG, option, value])
    assert stopped.value.code == 2
    return capsys.readouterr().err
