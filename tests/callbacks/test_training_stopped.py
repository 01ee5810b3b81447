import copy
import signal
from pathlib import Path

from vtlearn.callbacks import TrainingStopped


def test_it_says_what_it_left_in_another_process_too() -> None:
    stopped = TrainingStopped(signal.SIGTERM, 7, Path("last.ckpt"), 5)
    again = copy.copy(stopped)  # as pickle makes it
    for one in (stopped, again):
        assert (one.signum.name, one.step, one.saved_step) == ("SIGTERM", 7, 5)
        assert one.checkpoint == Path("last.ckpt")
