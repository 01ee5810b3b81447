import os
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch import distributed

from tests import processes
from tests.processes import Pool
from vtlearn.batch import EncodedBatch
from vtlearn.distributed import (
    Process,
    allow_waiting,
    any_process,
    compute_once,
    gather,
    gather_batch,
    gather_objects,
    process,
    sum_counts,
    zero_reaching,
)
from vtlearn.errors import ArgumentError


def _gathered() -> tuple[Process, torch.Tensor, list[int], torch.Tensor]:
    me = process()
    own = torch.full((2, 3), float(me.rank), requires_grad=True)
    everybody = gather(own)
    # each process weighs the rows its own way, so that the sum over processes shows
    weight = (me.rank + 1) * torch.arange(12.0).reshape(4, 3)
    (everybody * weight).sum().backward()
    assert own.grad is not None
    return me, everybody.detach(), list(gather_objects(me.rank)), own.grad


def test_alone() -> None:
    x = torch.ones(2, requires_grad=True)
    assert gather(x) is x
    assert process() == (0, 1)


@pytest.mark.ddp
def test_two_processes(two_processes: Pool) -> None:
    for rank, (me, everybody, ranks, gradient) in enumerate(two_processes.run(_gathered)):
        assert me == Process(rank, 2)
        assert everybody[:, 0].tolist() == [0, 0, 1, 1]
        assert ranks == [0, 1]
        # both processes' weights, 1 and 2, for the rows of this one
        wanted = 3 * torch.arange(12.0).reshape(4, 3)[2 * rank : 2 * rank + 2]
        torch.testing.assert_close(gradient, wanted)


def _ragged(samples: Sequence[int], candidates: Sequence[int]) -> EncodedBatch | str:
    """Gather samples whose shapes differ between processes."""
    rank = process().rank
    size, clips, texts = samples[rank], (3, 1)[rank], (0, 4)[rank] or 4 * (candidates[0] > 1)
    own = EncodedBatch.of(
        torch.full((size, clips, 2), float(rank)),
        torch.full((size, texts, candidates[rank], 2), float(rank)),
        clip_spans=torch.full((size, clips, 2), float(rank), dtype=torch.float64),
    )
    try:
        return gather_batch(own)
    except ArgumentError as error:
        return str(error)


@pytest.mark.ddp
def test_processes_agree_on_the_largest_shapes(two_processes: Pool) -> None:
    for whole in two_processes.run(_ragged, (1, 1), (1, 2)):
        assert whole.video.pooled.shape == (2, 3, 2)
        assert whole.text.pooled.shape == (2, 4, 2, 2)
        assert whole.video.length.tolist() == [3, 1]
        assert whole.text.length.tolist() == [0, 4]
        assert whole.video.pooled[1, :, 0].tolist() == [1, 0, 0]
        assert whole.clip_spans[1, 0].tolist() == [1, 1]
        assert whole.clip_spans[1, 1:].isnan().all()


@pytest.mark.ddp
def test_unequal_numbers_of_samples_are_an_error_on_every_process(two_processes: Pool) -> None:
    for answer in two_processes.run(_ragged, (2, 3), (1, 1)):
        assert "process 0 has 2 samples of the batch and process 1 has 3" in answer


@pytest.mark.ddp
def test_unequal_numbers_of_candidates_are_an_error(two_processes: Pool) -> None:
    for answer in two_processes.run(_ragged, (1, 1), (3, 2)):
        assert "processes have [2, 3] candidates per text" in answer


def _computed_once() -> tuple[list[int], list[int], str]:
    rank = process().rank
    ranks = compute_once(rank, lambda values: [*values, process().rank])
    try:
        compute_once(rank, lambda values: 1 // values[0])
    except ZeroDivisionError as error:
        return ranks, sum_counts([rank, 2]), str(error)
    return ranks, [], ""


@pytest.mark.ddp
def test_one_process_computes_for_all_and_fails_for_all(two_processes: Pool) -> None:
    for ranks, sums, error in two_processes.run(_computed_once):
        assert ranks == [0, 1, 0]
        assert sums == [1, 4]
        assert "division" in error


def _flagged() -> list[bool]:
    rank = process().rank
    return any_process(torch.tensor([rank == 1, False, True, rank == 0]))


@pytest.mark.ddp
def test_what_is_so_on_one_process_is_told_to_all(two_processes: Pool) -> None:
    assert two_processes.run(_flagged) == [[True, False, True, True]] * 2


def _gather_late() -> list[int]:
    """The processes wait a second for each other, and one is late by more."""
    rank = process().rank
    allow_waiting()
    distributed.distributed_c10d._set_pg_timeout(timedelta(seconds=1))
    if rank == 0:
        time.sleep(2.5)
    return list(gather_objects(rank))


@pytest.mark.ddp
def test_what_is_gathered_waits_for_a_process_that_is_late(tmp_path: Path) -> None:
    pool = Pool(2, tmp_path / "store")
    try:
        assert pool.run(_gather_late) == [[0, 1]] * 2
    finally:
        pool.close()


def _fresh_zeros() -> torch.Tensor:
    """One process has nothing to say of its samples, and still takes part."""
    layer = torch.nn.Linear(2, 2)
    scale = torch.nn.Parameter(torch.tensor(2.0))
    x = layer(torch.ones(1, 1, 2))
    own = EncodedBatch.of(x, x)
    whole = gather_batch(own)
    says = process().rank == 0
    loss = (whole.video.pooled * scale).sum() if says else torch.zeros(())
    (loss + zero_reaching(own, whole, [scale])).backward()
    assert scale.grad is not None
    assert layer.weight.grad is not None
    return layer.weight.grad


@pytest.mark.ddp
def test_a_process_without_a_loss_does_not_stop_the_others(two_processes: Pool) -> None:
    for gradient in two_processes.run(_fresh_zeros):
        assert gradient.tolist() == [[2, 2], [2, 2]]


def _fail_or_wait(kind: str) -> None:
    if process().rank == 0:
        if kind == "dies":
            os._exit(7)
        message = "rank 0 refuses"
        raise ValueError(message)
    gather_objects("answers never come")


@pytest.mark.slow
@pytest.mark.ddp
def test_a_pool_survives_a_process_that_leaves_the_others_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_PATIENCE", 0.5)
    pool = Pool(2, tmp_path / "store")
    for kind, message in (("raises", "rank 0 refuses"), ("dies", r"process 0 died \(7\)")):
        with pytest.raises((ValueError, RuntimeError), match=message):
            pool.run(_fail_or_wait, kind)
        assert [me for me, *_ in pool.run(_gathered)] == [Process(0, 2), Process(1, 2)]
    pool.close()
