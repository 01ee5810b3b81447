import signal
from pathlib import Path

import pytest

from vtlearn.callbacks import TrainingStopped
from vtlearn.cli.stopping import ctrl_c_stops, describe_stop


def test_the_command_that_goes_on_is_the_one_that_was_typed() -> None:
    stopped = TrainingStopped(signal.SIGTERM, 12, Path("runs/a b/last.ckpt"), 12)
    argv = ["fit", "--ckpt_path=best", "--config", "a.yaml", "--ckpt_path", "last"]
    assert describe_stop(stopped, argv) == (
        "stopped by SIGTERM after 12 steps: runs/a b/last.ckpt\nto resume:\n"
        "  vtlearn fit --config a.yaml --ckpt_path 'runs/a b/last.ckpt'\n"
    )
    behind = TrainingStopped(signal.SIGINT, 12, Path("last.ckpt"), 10)
    assert "after 12 steps, whose last 2 are made again: last.ckpt" in describe_stop(behind, argv)


def test_what_is_no_training_has_nothing_to_go_on_from() -> None:
    assert describe_stop(TrainingStopped(2), ["test"]) == "stopped by SIGINT\n"


def test_ctrl_c_raises_what_stops_a_training() -> None:
    former = signal.getsignal(signal.SIGINT)
    with pytest.raises(TrainingStopped), ctrl_c_stops():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == former
