import pytest
import torch

from tests.processes import Pool
from vtlearn.distributed import Process, gather, gather_objects, process


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
