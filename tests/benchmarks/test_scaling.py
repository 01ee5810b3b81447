"""The model of a step of many GPUs: its arithmetic by hand, and what its parts are measured by."""

import importlib
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vtlearn.batch import Encoded
from vtlearn.encoders.video import TinyVideo

pytestmark = pytest.mark.usefixtures("scripts")


def module(name: str) -> Any:
    return importlib.import_module(name)


def by_hand(gpus: int, videos: int = 4) -> Any:
    model = module("scaling_model")
    hardware = model.Hardware(
        flops=100.0,
        utilisation=0.5,
        cores=2,
        gpus=2,
        inside=1000.0,
        between=100.0,
        reached=0.5,
        latency=1.0,
        grid_speedup=10.0,
    )
    sizes = model.Sizes(clips=2, texts=3, dim=5, directions=2)
    measured = model.Measured(decode=3.0, flops=7.0, parameters=11, pair=0.1)
    return model.step_time(measured, hardware, sizes, gpus, videos)


def test_a_step_within_a_machine_adds_up() -> None:
    step = by_hand(2)
    assert step.decode == pytest.approx(8 * 3 / 2)
    assert step.encode == pytest.approx(8 * 7 / 50)
    assert step.gathered == 3 * 400  # of 4 videos of 5 vectors of 5 floats
    assert step.gather == pytest.approx(1200 / 500 + 6)
    assert step.gradients == pytest.approx(44 / 500 + 2)
    assert step.pairs == 4 * 8 * 2
    assert step.grid == pytest.approx(0.64)
    assert step.clips == 16
    assert step.seconds == step.computing == pytest.approx(1.12 + 8.4 + 2.088 + 0.64)
    assert step.bound == "gather"


def test_a_step_of_several_machines_waits_for_the_network() -> None:
    step = by_hand(3)
    assert step.gathered == 2400
    assert step.gather == pytest.approx(2400 / 50 + 12)
    assert step.gradients == pytest.approx(4 / 3 * 44 / 50 + 4)
    assert step.pairs == 4 * 12 * 2


def test_one_gpu_exchanges_nothing() -> None:
    step = by_hand(1)
    assert step.gather == step.gradients == step.gathered == 0
    assert (step.seconds, step.bound) == (12.0, "decode")


def test_enough_cores_decode_as_fast_as_a_gpu_computes() -> None:
    model = module("scaling_model")
    measured = model.Measured(decode=0.1, flops=1e12, parameters=10, pair=1e-5)
    hardware = model.Hardware()
    cores = model.cores_needed(measured, hardware, model.Sizes(), 16)
    step = model.step_time(measured, hardware, model.Sizes(), 1, 16)
    assert step.decode * hardware.cores / cores == pytest.approx(step.computing)


def test_cells_say_what_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    steps = [(1, 4, by_hand(1)), (3, 4, by_hand(3))]
    module("scaling").print_steps(steps, {(4, 4): 0.7}, 0.1)
    first, second = capsys.readouterr().out.splitlines()[2:]
    assert "| 700 m |" in first
    assert "| 9600 x |" in second  # 96 pairs
    assert "0 (18%) x" in second  # 24 clips in 67 s; alone 8 in 12 s


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3 * 4 * 4, 5)

    def forward(self, frames: Tensor) -> Encoded:
        return Encoded(self.fc(frames.float().flatten(1)))


def test_flops_are_two_a_weight_and_twice_that_with_its_gradient() -> None:
    parts = module("scaling_parts")
    cost = parts.encoder_cost(Linear(), parts.ClipShape(1, 1, 4), 1)
    assert (cost.forward, cost.both) == (2 * 48 * 5, 4 * 48 * 5)
    assert cost.parameters == 49 * 5


@pytest.mark.slow
def test_the_whole_script_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scaling, parts = module("scaling"), module("scaling_parts")
    tiny = {"Tiny": (lambda: TinyVideo(dim=8, width=4), parts.ClipShape(4, 8.0, 32))}
    monkeypatch.setattr(scaling, "ENCODERS", tiny)
    threads = torch.get_num_threads()
    options = ["--rounds", "1", "--seconds", "2", "--grids", "2", "4", "--videos", "2"]
    monkeypatch.setattr(sys, "argv", ["scaling.py", *options, "--hardware.cores", "3"])
    scaling.main()
    torch.set_num_threads(threads)
    out = capsys.readouterr().out
    assert "| cores | 3 a GPU | given |" in out
    assert out.count("| 512 |") == 3  # of weak scaling, and of strong: 512 videos of one GPU
    assert "gather, 2 processes, gloo" in out
