import os
import sys
from pathlib import Path

import pytest
import torch
import yaml

from vtlearn.cli.argv import (
    find_configs,
    named_checkpoint,
    names_checkpoint,
    prefer_typed_weights,
    put_checkpoint_first,
    replace_data,
    separated,
    typed_text_dim,
)
from vtlearn.cli.config_files import shipped_configs
from vtlearn.errors import ArgumentError, CheckpointError


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.usefixtures("elsewhere")
def test_a_config_that_is_not_here_is_one_of_the_shipped() -> None:
    argv = find_configs(separated(["fit", "--config=configs/vttwins.yaml", "-c", "vttwins.yaml"]))
    shipped = str(shipped_configs() / "vttwins.yaml")
    assert argv == ["fit", "--config", shipped, "-c", shipped]


def test_a_config_that_is_here_wins(elsewhere: Path) -> None:
    touch(elsewhere / "configs" / "vttwins.yaml")
    assert find_configs(["fit", "--config", "configs/vttwins.yaml"])[2] == "configs/vttwins.yaml"


@pytest.mark.usefixtures("elsewhere")
def test_a_config_that_is_nowhere_names_the_nearest() -> None:
    with pytest.raises(
        ArgumentError, match=r"no file configs/vtwins.yaml.*did you mean configs/vttwins.yaml"
    ):
        find_configs(["fit", "--config", "configs/vtwins.yaml"])


def test_a_class_name_is_no_file() -> None:
    assert find_configs(["test", "--data", "Kitchen"]) == ["test", "--data", "Kitchen"]


def test_new_data_replace_the_old() -> None:
    assert replace_data(["fit", "--data", "A", "--data.init_args.x", "1"]) == [
        "fit",
        "--data",
        "null",
        "--data",
        "A",
        "--data.init_args.x",
        "1",
    ]


def test_no_checkpoint_is_named() -> None:
    assert named_checkpoint(["fit", "--config", "{}"]) is None


def test_best_is_the_newest_of_the_configurations_runs(elsewhere: Path) -> None:
    (elsewhere / "mine.yaml").write_text(
        "trainer: {logger: {init_args: {save_dir: runs, name: mine}}}"
    )
    old = touch(elsewhere / "runs/mine/version_0/checkpoints/best.ckpt")
    new = touch(elsewhere / "runs/mine/version_1/checkpoints/best.ckpt")
    touch(elsewhere / "runs/other/version_0/checkpoints/best.ckpt")
    argv = ["test", "--config", "mine.yaml", "--ckpt_path", "best"]
    os.utime(old, (1, 1))
    found = named_checkpoint(argv)
    assert found is not None
    assert found.resolve() == new
    with pytest.raises(CheckpointError, match=r"runs/mine/version_1, kept only best.ckpt: give"):
        named_checkpoint([*argv[:-1], "last"])


def test_where_the_runs_are_is_typed_or_not_said(elsewhere: Path) -> None:
    for name, text in (
        ("odd.yaml", "trainer: [1]"),
        ("null.yaml", "trainer: {logger: {class_path: CSVLogger, init_args: {name: null}}}"),
        ("none.yaml", "trainer: {logger: {class_path: CSVLogger, init_args: null}}"),
    ):
        (elsewhere / name).write_text(text)
        with pytest.raises(CheckpointError, match=r"below (runs(/vtlearn)?|\.): train first"):
            named_checkpoint(["test", "--config", name, "--ckpt_path", "best"])
    for prefix in ("--trainer.logger.", "--trainer.logger.init_args."):
        argv = ["test", f"{prefix}save_dir", "logs", f"{prefix}name", "x", "--ckpt_path", "best"]
        with pytest.raises(CheckpointError, match=r"no best.ckpt below logs/x: train first"):
            named_checkpoint(argv)


def test_last_may_be_named_in_a_file_before_there_is_one(elsewhere: Path) -> None:
    (elsewhere / "a.yaml").write_text("ckpt_path: last")
    for argv in (["fit", "--config", "a.yaml"], ["fit", "--ckpt_path", "last"]):
        assert named_checkpoint(argv) is None
        assert names_checkpoint(argv)
    assert not names_checkpoint(["fit", "--config", "a.yaml", "--ckpt_path", "null"])
    assert not names_checkpoint(["fit", "--data.name", "last"])


def test_a_checkpoint_in_a_file_is_seen_and_the_command_line_wins(elsewhere: Path) -> None:
    (elsewhere / "a.yaml").write_text("ckpt_path: a.ckpt")
    first, second = touch(elsewhere / "a.ckpt"), touch(elsewhere / "b.ckpt")
    argv = ["test", "--config", "a.yaml"]
    assert named_checkpoint(argv) == Path(first.name)
    assert named_checkpoint([*argv, "--ckpt_path", "b.ckpt"]) == Path(second.name)


def test_the_checkpoints_model_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    head = {"class_path": "InfoNCE", "init_args": {}}
    optimizer = {"class_path": "torch.optim.adamw.AdamW", "init_args": {"lr": 0.5}}
    saved = {"hyper_parameters": {"head": head, "optimizer": optimizer}, "state_dict": {}}
    torch.save(saved, path)
    head = {"class_path": "vtlearn.heads.InfoNCE", "init_args": {}}
    optimizer = {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.5}}
    for command, model in (
        ("test", {"head": head}),
        ("fit", {"head": head, "optimizer": optimizer}),
    ):
        argv = put_checkpoint_first([command, "--data", "Kitchen"], path)
        assert argv[:2] == [command, "--config"]
        assert yaml.safe_load(argv[2]) == {"model": model}
        assert argv[3:] == ["--data", "Kitchen", "--ckpt_path", str(path)]


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no such file"):
        named_checkpoint(["test", "--ckpt_path", "x.ckpt"])
    with pytest.raises(CheckpointError, match="it is a folder; a converted model is given by --w"):
        named_checkpoint(["test", "--ckpt_path", str(tmp_path)])
    path = tmp_path / "x.ckpt"
    path.write_text("hello")
    with pytest.raises(CheckpointError, match=r"x.ckpt is not a vtlearn checkpoint"):
        put_checkpoint_first(["test"], path)


@pytest.fixture
def strange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint of a class that only its user knows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "strangest.py").write_text(
        "from vtlearn.heads import InfoNCE\nclass Mine(InfoNCE):\n    pass\n"
    )
    spec = {"class_path": "strangest.Mine", "init_args": {}}
    torch.save({"hyper_parameters": {"head": spec}, "state_dict": {}}, "x.ckpt")
    Path("names.yaml").write_text("model: {head: {class_path: strangest.Mine}}")
    Path("short.yaml").write_text("model: {head: strangest.Mine}")
    Path("says.yaml").write_text("data: {init_args: {root: strangest.Mine}}")
    Path("trusts.yaml").write_text("trust_checkpoint: true")
    Path("trusts_not.yaml").write_text("trust_checkpoint: false")
    monkeypatch.delitem(sys.modules, "strangest", raising=False)
    return Path("x.ckpt")


@pytest.mark.parametrize(
    ("words", "opens"),
    [
        ("--config names.yaml", True),
        ("--config short.yaml", True),
        ("--model.head strangest.Mine", True),
        ("--model.head.class_path strangest.Mine", True),
        ("--model.head {class_path:\xa0strangest.Mine}", True),
        ("--trust_checkpoint", True),
        ("--config trusts.yaml", True),
        ("--config trusts_not.yaml --trust_checkpoint", True),
        ("--config trusts.yaml --config trusts_not.yaml", False),
        ("--config says.yaml", False),
        ("--data.init_args.root strangest.Mine", False),
        ("--model.head.init_args.name strangest.Mine", False),
        ("", False),
    ],
)
def test_a_class_is_imported_only_if_the_user_names_it(
    words: str, opens: bool, strange: Path
) -> None:
    argv = ["test", *(word.replace("\xa0", " ") for word in words.split(" ") if word)]
    if opens:
        assert "strangest.Mine" in put_checkpoint_first(argv, strange)[2]
    else:
        with pytest.raises(CheckpointError, match=r"x.ckpt names the class 'strangest\.Mine'"):
            put_checkpoint_first(argv, strange)
        assert "strangest" not in sys.modules


def test_trust_takes_no_value(strange: Path) -> None:
    with pytest.raises(ArgumentError, match="takes no value, got 'false'"):
        put_checkpoint_first(["test", "--trust_checkpoint", "false"], strange)


def test_infinity_goes_through(tmp_path: Path) -> None:
    path = tmp_path / "x.ckpt"
    head = {"class_path": "InfoNCE", "init_args": {"temperature": float("inf")}}
    torch.save({"hyper_parameters": {"head": head}, "state_dict": {}}, path)
    section = yaml.safe_load(put_checkpoint_first(["test"], path)[2])
    assert section["model"]["head"]["init_args"] == {"temperature": float("inf")}


def test_the_last_width_of_texts_counts(tmp_path: Path) -> None:
    for name, dim in (("one", 3), ("two", 4)):
        arguments = {"class_path": "TinyText", "init_args": {"dim": dim}}
        content = {"model": {"text_encoder": arguments}}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "none.yaml").write_text("model: {text_encoder: TinyText}")
    files = [word for name in ("one", "two", "none") for word in ("-c", f"{tmp_path}/{name}.yaml")]
    assert typed_text_dim(["fit", *files]) == 4
    assert typed_text_dim(["fit", *files, "--model.text_encoder.init_args.dim", "5"]) == 5
    assert typed_text_dim(["fit", *files[4:]]) is None
    whole = "{class_path: TinyText, init_args: {dim: 6}}"
    assert typed_text_dim(["fit", *files, "--model.text_encoder", whole]) == 6
    assert typed_text_dim(["fit", *files, "--model.text_encoder.init_args", "{dim: 7}"]) == 7
    assert typed_text_dim(["fit", *files, "--model.text_encoder", "TinyText"]) == 4


def test_a_typed_source_of_weights_replaces_a_configured_one(elsewhere: Path) -> None:
    (elsewhere / "a.yaml").write_text("{ckpt_path: a.ckpt, weights: w.ckpt}")
    argv = ["test", "--config", "a.yaml"]
    assert prefer_typed_weights(argv) == argv
    checkpoint, weights = ["--ckpt_path", "b.ckpt"], ["--weights", "v.ckpt"]
    assert prefer_typed_weights([*argv, *checkpoint]) == [*argv, *checkpoint, "--weights", "null"]
    assert prefer_typed_weights([*argv, *weights]) == [*argv, *weights, "--ckpt_path", "null"]
    assert named_checkpoint(prefer_typed_weights([*argv, *weights])) is None
    both = [*argv, *checkpoint, *weights]
    assert prefer_typed_weights(both) == both
    none = [*argv, "--ckpt_path", "null"]
    assert prefer_typed_weights(none) == none


def test_what_configurations_cannot_hold_is_refused() -> None:
    words = ["fit", f"--data.videos={os.fsdecode(bytes.fromhex('636166e9'))}/videos"]
    with pytest.raises(ArgumentError, match=r"caf%E9/videos is not UTF-8 .* a link to it"):
        separated(words)
