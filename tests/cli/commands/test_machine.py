import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from vtlearn.alignment.kernels import kernel_for, solve_soft_dtw_gradient
from vtlearn.alignment.options import SoftDTWOptions
from vtlearn.cli.commands import machine
from vtlearn.cli.commands.installed import Finding
from vtlearn.kitchen.writer import write_video


def decoding() -> dict[str, Finding]:
    """What is found without starting a process."""
    return {finding.name: finding for finding in islice(machine.decoding(), 3)}


def test_what_is_encoded_comes_back() -> None:
    found = decoding()
    assert set(found) == {"FFmpeg", "encoding", "decoding"}
    assert {finding.state for finding in found.values()} == {"ok"}, found
    assert "libavcodec 6" in found["FFmpeg"].text


def test_a_decoder_that_gives_something_else_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def backwards(path: Path, frames: Iterable[NDArray[np.uint8]], *, size: int, fps: int) -> None:
        write_video(path, reversed(list(frames)), size=size, fps=fps)

    monkeypatch.setattr(machine, "write_video", backwards)
    found = decoding()
    assert found["encoding"].state == "ok"
    assert found["decoding"].state == "fail"
    assert "came back as [2" in found["decoding"].text


def test_an_encoder_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object, **__: object) -> None:
        message = "libx264"
        raise LookupError(message)

    monkeypatch.setattr(machine, "write_video", absent)
    found = decoding()
    assert found["encoding"] == ("encoding", "LookupError: libx264", "fail")
    assert found["decoding"].state == "fail"


def test_the_kernel_that_is_chosen_is_compared() -> None:
    first, *others = machine.kernels()
    assert first.name == "on cpu"
    assert first.text.startswith(f"{kernel_for(torch.zeros(1))}, within ")
    assert first.state == "ok" or "pip install 'vtlearn[fast]'" in first.text
    assert len(others) == torch.cuda.device_count()


def test_a_kernel_that_says_something_else_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(cost: Tensor, options: SoftDTWOptions) -> tuple[Tensor, Tensor]:
        value, gradient = solve_soft_dtw_gradient(cost, options)
        return value, gradient.flip(-1)

    monkeypatch.setattr(machine, "solve_soft_dtw_gradient", wrong)
    finding = next(machine.kernels())
    assert finding.state == "fail"
    assert "off the specification" in finding.text


def test_what_there_is_to_run_on() -> None:
    found = {finding.name: finding for finding in machine.devices()}
    assert {"CPU", "disk"} <= found.keys()
    assert all(finding.state != "fail" for finding in found.values())
    if sys.platform == "linux":
        total = float(found["memory"].text.split()[-2])
        meminfo = Path("/proc/meminfo").read_text(encoding="utf-8").split()
        assert total == pytest.approx(int(meminfo[1]) / 2**20, abs=0.1)


def test_little_shared_memory_is_a_note() -> None:
    assert machine._shared_memory(0.06).state == "note"
    assert machine._shared_memory(8.0).state == "ok"


def test_what_meteor_lacks_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    for reason, state in (("there is no Java", "note"), (None, "ok")):
        monkeypatch.setattr(machine, "why_no_meteor", lambda reason=reason: reason)
        assert [finding.state for finding in machine.captions()] == [state]
