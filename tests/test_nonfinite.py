import json
import logging
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.plugins import MixedPrecision
from torch import Tensor

from tests.models import TINY_ENCODERS
from tests.poison import Poison, batches, poisoned_learner, trainer_in
from vtlearn.__main__ import main
from vtlearn.callbacks import StepCheckpoint
from vtlearn.errors import ArgumentError, NonFiniteError
from vtlearn.learner import VideoTextLearner

ROOT = Path(__file__).parents[1]


def report_in(folder: Path) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = (folder / "nonfinite.json").read_text()
    report: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return report


def weights_of(learner: VideoTextLearner) -> dict[str, Tensor]:
    state = learner.state_dict()
    return {name: x.clone() for name, x in state.items() if isinstance(x, Tensor)}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(x, other[name]) for name, x in one.items())


def trained(folder: Path, learner: VideoTextLearner, **options: Any) -> VideoTextLearner:
    trainer_in(folder, **options).fit(learner, batches())
    return learner


@pytest.mark.parametrize("poison", ["loss", "gradient"])
def test_the_first_step_that_is_not_finite_stops_the_training_and_moves_nothing(
    tmp_path: Path, poison: Poison
) -> None:
    learner = poisoned_learner(3, poison=poison)
    what = "the loss" if poison == "loss" else "a gradient"
    message = (
        rf"^{what} is not finite at step 3, which has changed no weight: \S*nonfinite\.json names "
        r".*lower learning rate, --trainer\.gradient_clip_val 1\.0, or --model\.skip_nonfinite 1 "
    )
    with pytest.raises(NonFiniteError, match=message):
        trained(tmp_path, learner)
    before = weights_of(trained(tmp_path, poisoned_learner(), max_steps=3))
    after = weights_of(learner)
    del before["head.mean"], after["head.mean"]
    assert equal(after, before)
    report = report_in(tmp_path)
    assert (report["reason"], report["step"], report["epoch"]) == (f"{what} is not finite", 3, 0)
    (batch,) = report["batches"]
    assert (batch["process"], batch["batch"], batch["ids"]) == (0, 3, ["v3-0", "v3-1"])
    assert (batch["loss"] == "nan") is (poison == "loss")
    assert (report["head"], report["precision"]) == ("Poisoned", "32-true")
    names = {name for name, _ in learner.named_parameters()}
    assert set(report["gradient_norms"]) == names
    broken = set(report["nonfinite_gradients"])
    assert broken == {name for name, norm in report["gradient_norms"].items() if norm == "nan"}
    if poison == "gradient":  # only what is behind the clips' vectors
        assert broken == {name for name in names if name.startswith("video_encoder")}
        assert math.isfinite(batch["loss"])


def test_a_step_that_is_left_out_leaves_nothing_behind(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    learner = poisoned_learner(1, 4, skip_nonfinite=1)
    logger = CSVLogger(tmp_path, name="", version="")
    with caplog.at_level(logging.WARNING), pytest.raises(NonFiniteError, match="after 1 that were"):
        trained(tmp_path, learner, logger=logger, gradient_clip_val=1.0)
    assert "at step 1, which is left out (1 of 1 that skip_nonfinite allows)" in caplog.text
    assert report_in(tmp_path)["step"] == 4
    assert report_in(tmp_path)["left_out_before"] == 1
    (optimizer,) = learner.trainer.optimizers
    assert {int(state["step"]) for state in optimizer.state.values()} == {3}  # 0, 2 and 3
    assert all(state["exp_avg"].isfinite().all() for state in optimizer.state.values())
    lines = (tmp_path / "metrics.csv").read_text().splitlines()
    column = lines[0].split(",").index("train/nonfinite_steps")
    counts = [line.split(",")[column] for line in lines[1:]]
    assert [float(count) for count in counts if count] == [0, 1, 1, 1]


def test_running_statistics_are_those_before(tmp_path: Path) -> None:
    learner = trained(tmp_path, poisoned_learner(5, skip_nonfinite=1))
    clean = trained(tmp_path, poisoned_learner(), limit_train_batches=5)
    assert learner.head.mean.isfinite()  # type: ignore[operator]
    moved = weights_of(learner)
    assert all(x.isfinite().all() for x in moved.values())
    assert float(moved["head.mean"]) == pytest.approx(float(weights_of(clean)["head.mean"]), 1e-2)


def test_of_an_accumulated_step_all_batches_are_named(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteError, match="at step 1,"):
        trained(tmp_path, poisoned_learner(1), accumulate_grad_batches=2)
    assert [batch["ids"][0] for batch in report_in(tmp_path)["batches"]] == ["v2-0", "v3-0"]


def test_a_training_that_resumes_goes_on_counting_and_another_begins_anew(tmp_path: Path) -> None:
    keeper = ModelCheckpoint(tmp_path, save_last=True, every_n_train_steps=1)
    options: dict[str, Any] = {"callbacks": [keeper], "enable_checkpointing": True}
    learner = trained(tmp_path, poisoned_learner(1, 4, skip_nonfinite=1), max_steps=3, **options)
    content = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert content["nonfinite_steps"] == 1
    assert content["hyper_parameters"]["skip_nonfinite"] == 1
    resumed = trainer_in(tmp_path)
    with pytest.raises(NonFiniteError, match="step 4, after 1"):
        resumed.fit(
            poisoned_learner(1, 4, skip_nonfinite=1), batches(), ckpt_path=tmp_path / "last.ckpt"
        )
    assert resumed.global_step == 4
    trained(tmp_path, learner, max_steps=3)  # its step 1 is the first one again
    opened = poisoned_learner(1, skip_nonfinite=1)
    opened.on_load_checkpoint(content)  # for its weights
    trained(tmp_path, opened, max_steps=3)


def test_a_scaler_s_infinite_gradients_are_its_own_business(tmp_path: Path) -> None:
    def half(folder: Path, learner: VideoTextLearner) -> VideoTextLearner:
        scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
        return trained(folder, learner, plugins=MixedPrecision("16-mixed", "cpu", scaler))

    learner = half(tmp_path, poisoned_learner(3, poison="gradient"))
    assert all(parameter.isfinite().all() for parameter in learner.parameters())
    assert not (tmp_path / "nonfinite.json").exists()
    with pytest.raises(NonFiniteError, match="the loss is not finite at step 3"):
        half(tmp_path, poisoned_learner(3))
    assert report_in(tmp_path)["precision"] == "16-mixed"
    learner = half(tmp_path, poisoned_learner(3, skip_nonfinite=1))
    assert all(parameter.isfinite().all() for parameter in learner.parameters())


def test_large_gradients_are_finite_and_sparse_and_missing_ones_are_read(tmp_path: Path) -> None:
    learner = poisoned_learner()
    learner.head.scale = torch.nn.Parameter(torch.zeros(2))
    table = learner.head.table = torch.nn.Embedding(3, 2, sparse=True)
    learner.trainer = trainer_in(tmp_path)
    optimizer = torch.optim.SGD(learner.parameters())
    assert learner._ask_all([], optimizer) == [False, False]
    scale = learner.head.scale
    scale.grad = torch.full((2,), 3e38)  # its norm is infinite
    assert learner._ask_all([], optimizer) == [False, False]
    table(torch.tensor([1])).sum().backward()
    assert learner._ask_all([], optimizer) == [False, False]
    gradient = table.weight.grad
    assert gradient is not None
    table.weight.grad = gradient * math.inf
    assert learner._ask_all([], optimizer) == [False, True]


def test_it_is_a_count() -> None:
    with pytest.raises(ArgumentError, match="skip_nonfinite must be 0 or more, but is -1"):
        poisoned_learner(skip_nonfinite=-1)


def test_the_command_ends_with_one_sentence_and_the_last_checkpoint_is_sound(
    tmp_path: Path,
    kitchen_root: Path,
    small: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    head = {"class_path": "tests.poison.Poisoned", "init_args": {"steps": [3]}}
    sizes = {"sampling": {"num_clips": 3, "num_frames": 2, "fps": 4.0}, "pixels": {"size": 16}}
    init_args = {"root": str(kitchen_root), "batch_size": 4, **sizes, **small}
    keeper = {"class_path": StepCheckpoint.__name__, "init_args": {"every_n_train_steps": 1}}
    trainer = {
        "accelerator": "cpu",
        "max_epochs": 4,
        "limit_val_batches": 0,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "callbacks": [keeper],
        "logger": {"class_path": "CSVLogger", "init_args": {"save_dir": "runs", "name": "t"}},
    }
    data = {"class_path": "Kitchen", "init_args": init_args}
    config = {"model": {**TINY_ENCODERS, "head": head}, "data": data, "trainer": trainer}
    Path("poisoned.yaml").write_text(yaml.safe_dump(config))
    assert main(["fit", "--config", "poisoned.yaml"]) == 2
    error = [x for x in capsys.readouterr().err.splitlines() if x.startswith("vtlearn: error: ")]
    (report,) = tmp_path.rglob("nonfinite.json")
    place = report.relative_to(tmp_path)
    assert len(error) == 1
    start = "vtlearn: error: the loss is not finite at step 3, which has changed no weight"
    assert error[0].startswith(f"{start}: {place} names")
    (last,) = tmp_path.rglob("last.ckpt")
    content = torch.load(last, weights_only=True)
    assert content["global_step"] == 3
    assert all(x.isfinite().all() for x in content["state_dict"].values() if isinstance(x, Tensor))
    found = report_in(report.parent)
    assert len(found["batches"][0]["ids"]) == 4
    assert set(found["batches"][0]["logs"]) == {"batch_accuracy", "temperature"}
    argv = ["fit", "--config", "poisoned.yaml", "--model.skip_nonfinite", "1"]
    assert main(argv) == 0


@pytest.mark.ddp
@pytest.mark.slow
@pytest.mark.parametrize(("poison", "skip"), [("loss", 0), ("gradient", 1)])
def test_two_processes_decide_alike_where_one_has_the_nan(
    tmp_path: Path, poison: str, skip: int
) -> None:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone"]
    subprocess.run(
        [*launcher, "-m", "tests.poison", str(tmp_path), poison, str(skip)],
        check=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
    )
    one, two = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert one == two
    assert bool(one["error"]) is (skip == 0)
    assert one["steps"] == (6 if skip else 3)
    assert all(math.isfinite(weight) for weight in one["weights"])
    report = report_in(tmp_path)
    assert [batch["process"] for batch in report["batches"]] == [0, 1]
    assert [batch["ids"] for batch in report["batches"]] == [["v3-0"], ["v3-1"]]
    losses = [batch["loss"] for batch in report["batches"]]
    assert math.isfinite(losses[0])
    assert (losses[1] == "nan") is (poison == "loss")
