import random
from pathlib import Path

import pytest
import torch

from vtlearn.cli.config_check import check_configs
from vtlearn.cli.config_files import list_configs
from vtlearn.errors import ArgumentError

METHOD = "configs/vttwins.yaml"
#: Those that read weights that others published.
FROM_A_HUB = {"configs/paper/opt_timesformer.yaml"}


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(text: str, *below: str) -> str:
    """What is said of a configuration that is laid over others, as of the line and on."""
    Path("mine.yaml").write_text(text)
    with pytest.raises(ArgumentError) as raised:
        check_configs([*below, "mine.yaml"])
    name, _, said = str(raised.value).partition(":")
    assert name == "mine.yaml"
    return said


@pytest.mark.slow
@pytest.mark.parametrize("name", [config.name for config in list_configs()])
def test_every_shipped_configuration_is_right(name: str) -> None:
    checked = check_configs([name], build=name not in FROM_A_HUB)
    assert checked.model or checked.data or checked.remarks


def test_a_method_is_built_and_no_data_are_touched(workplace: Path) -> None:
    checked = check_configs([METHOD])
    assert checked.model == ["TinyVideo", "TinyText", "S2DTW"]
    assert checked.data == "Kitchen"
    assert checked.remarks == []
    assert list(workplace.iterdir()) == []


def test_data_and_a_fragment_stand_by_themselves() -> None:
    checked = check_configs(["configs/data/howto100m.yaml", "configs/trainer/ddp.yaml"])
    assert (checked.model, checked.data) == ([], "HowTo100M")
    (remark,) = checked.remarks
    assert remark.startswith("no file has a model")


def test_callbacks_and_weights_that_are_not_there_are_told() -> None:
    lines = ["weights: absent.ckpt", "trainer:", "  callbacks+:", "  - class_path: ModelSummary"]
    Path("mine.yaml").write_text("\n".join(lines))
    checked = check_configs([METHOD, "mine.yaml"])
    assert checked.callbacks == ["ModelSummary"]
    assert checked.remarks == ["weights absent.ckpt are not there yet"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "model: {head: {init_args: {gama: 1.0}}}",
            "1: model.head.init_args.gama: S2DTW has no option gama; did you mean gamma?",
        ),
        (
            "trainer:\n  max_epoch: 1\n",
            "2: trainer.max_epoch: there is no option trainer.max_epoch; did you mean "
            "trainer.max_epochs?",
        ),
        (
            "model: {head: {class_path: S2DT}}",
            "1: model.head.class_path: there is no class S2DT; did you mean S2DTW?",
        ),
        (
            "class_path: Kitchen\ninit_args: {sampling: {num_clip: 3}}",
            "2: data.init_args.sampling.num_clip: ClipSampling has no option num_clip; did you "
            "mean num_clips?",
        ),
        (
            "trainer: {precision: 3}",
            "1: trainer.precision: expected one of 64, 32, 16, ",
        ),
        (
            "model: {head: {init_args: {gamma: -1.0}}}",
            "1: model.head.init_args.gamma: gamma=-1.0 of S2DTW: it has to be 0 or more",
        ),
        (
            "model: {text_encoder: {init_args: {dim: 3}}}",
            "1: model.text_encoder.init_args.dim: model.text_encoder.init_args.dim=3, but videos "
            "have dim=128",
        ),
        (
            "data: {init_args: {sampling: {num_frames: 9}}}",
            "1: data.init_args.sampling.num_frames: the data give clips of 9 frames",
        ),
        ("data: {init_args: {batch_size: 0}}", "1: data.init_args.batch_size: batch_size must be"),
        (
            "trainer:\n  callbacks:\n  - class_path: EarlyStopping\n    init_args:\n"
            "      {monitor: a, mode: up}",
            "5: trainer.callbacks.init_args.mode: `mode` can be min, max, got up",
        ),
        ("- a", " expected a mapping of sections"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, said: str) -> None:
    assert refused(text, METHOD).startswith(said)


def test_stored_vectors_need_an_encoder_of_them() -> None:
    said = refused("data: {init_args: {features: store}}", METHOD)
    assert "TinyVideo takes pictures, and the data give stored vectors" in said


def test_a_fragment_that_needs_a_class_says_so() -> None:
    said = refused("model: {head: {init_args: {gamma: 1.0}}}")
    assert said.startswith("1: model.head.init_args: no class is chosen: give model.head.class_pa")


def test_parsing_alone_builds_nothing() -> None:
    Path("mine.yaml").write_text("model: {head: {init_args: {gamma: -1.0}}}")
    assert check_configs([METHOD, "mine.yaml"], build=False).model[-1] == "S2DTW"


def test_the_process_keeps_its_random_numbers() -> None:
    torch.manual_seed(7)
    random.seed(7)
    expected = random.random()
    random.seed(7)
    check_configs(["configs/trainer/laptop.yaml"], build=False)
    assert random.random() == expected
