"""Several processes as one: the only file that knows ``torch.distributed``.

A loss that contrasts over the whole batch needs everybody's features, and its gradient has to reach
the process that computed them. :func:`gather` does both exactly: its backward sums what all
processes ask of a feature, so that W processes train as one would on the whole batch.
"""

import pickle
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, distributed
from torch.autograd.function import FunctionCtx, once_differentiable

from vtlearn.batch import EncodedBatch, Features
from vtlearn.errors import ArgumentError
from vtlearn.padding import pad

__all__ = [
    "Process",
    "allow_waiting",
    "any_process",
    "compute_once",
    "gather",
    "gather_batch",
    "gather_objects",
    "process",
    "sum_counts",
    "zero_reaching",
]

ValueT = TypeVar("ValueT")

#: How long processes wait for what another computes alone.
_PATIENCE = timedelta(days=1)


class Process(NamedTuple):
    """This process among those that train or evaluate together.

    Attributes:
        rank: Its number, from 0.
        world: How many there are.
    """

    rank: int
    world: int


def process() -> Process:
    """Tell which process this is; number 0 of 1 where nothing is distributed.

    Example:
        >>> process()
        Process(rank=0, world=1)
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return Process(0, 1)
    return Process(distributed.get_rank(), distributed.get_world_size())


def allow_waiting() -> None:
    """Get ready for waits without a time limit, while all processes are here.

    What :func:`gather_objects` and :func:`compute_once` wait by is made at their first call
    otherwise, and to make it takes all processes within the time limit of the others.

    Example:
        >>> allow_waiting()
    """
    if process().world > 1:
        _patient_group(distributed.group.WORLD)


def gather(x: Tensor) -> Tensor:
    """Give every process the rows of all processes, in the order of their ranks.

    The backward sums the gradients that all processes have for a row and hands it to the row's
    owner. With a loss of each process's own rows, scaled as ``HeadOutput`` says, the gradients
    after DDP's averaging are those of one process on the whole batch, also for parameters used
    after the gather.

    Args:
        x: (rows, ...), the same shape on every process.

    Returns:
        (world x rows, ...); ``x`` itself where there is one process.
    """
    world = process().world
    if world == 1:
        return x
    if not x.numel():  # the same on every process, since shapes are
        return x.repeat(world, *[1] * (x.ndim - 1))
    gathered: Tensor = _Gather.apply(x)  # type: ignore[no-untyped-call]
    return gathered


def gather_objects(value: Any) -> Sequence[Any]:
    """Give every process what each process holds, in the order of their ranks.

    It is for what processes have after work of hours, not all at the same time: they wait for each
    other as long as it takes, other than in a training step.

    Args:
        value: Anything that pickles.

    Returns:
        One value a process.

    Example:
        >>> gather_objects({"a": 1})
        [{'a': 1}]
    """
    world = process().world
    if world == 1:
        return [value]
    values: list[Any] = [None] * world
    group = _patient_group(distributed.group.WORLD)
    distributed.all_gather_object(values, value, group=group)
    return values


def gather_batch(batch: EncodedBatch) -> EncodedBatch:
    """Give every process the features of the whole batch; tokens and strings stay where they are.

    Shapes are padded to the largest of any process, on which all agree first.

    Args:
        batch: This process's samples.

    Returns:
        The same fields, of all processes' samples in the order of their ranks.

    Raises:
        ArgumentError: If the processes have different numbers of samples, or of candidates.
    """
    if process().world == 1:
        return batch
    device = batch.video.pooled.device
    shape = torch.tensor(
        [*batch.video.pooled.shape[:2], *batch.text.pooled.shape[1:3]], device=device
    )
    shapes = gather(shape[None])
    _require_equal_shares(shapes[:, 0].tolist())
    _require_one_number([k for _, _, texts, k in shapes.tolist() if texts])
    clips, texts, candidates = shapes[:, 1:].amax(0).tolist()

    def spans(x: Tensor, size: int) -> Tensor:
        return gather(pad(x, [size], fill=torch.nan).to(device)).cpu()

    return batch._replace(
        video=Features(gather(pad(batch.video.pooled, [clips])), gather(batch.video.length)),
        text=Features(
            gather(pad(batch.text.pooled, [texts, candidates])), gather(batch.text.length)
        ),
        clip_spans=spans(batch.clip_spans, clips),
        text_spans=spans(batch.text_spans, texts),
    )


def zero_reaching(own: EncodedBatch, whole: EncodedBatch, parameters: Iterable[Tensor]) -> Tensor:
    """Return a zero that depends on everything encoded, gathered and trained.

    A head may have nothing to say of a process's samples. Every process still has to take part in
    the gather's backward and to have a gradient for each parameter, or the others wait for it.

    Args:
        own: This process's samples.
        whole: Those of all processes, as :func:`gather_batch` gave them.
        parameters: The head's own.

    Returns:
        0, a scalar, to be added to the loss.
    """
    tokens = () if own.own is None else (own.own.video_tokens, own.own.text_tokens)
    features = (own.video.pooled, own.text.pooled, whole.video.pooled, whole.text.pooled)
    reached = (x for x in (*features, *tokens, *parameters) if x is not None)
    zeros = [x.reshape(-1)[:0].sum().float() for x in reached if x.requires_grad]
    return torch.stack(zeros).sum() if zeros else torch.zeros((), device=features[0].device)


def sum_counts(counts: Sequence[int], device: torch.device | str = "cpu") -> list[int]:
    """Add up numbers over all processes.

    Args:
        counts: As many on every process.
        device: Where processes exchange tensors.

    Returns:
        The sums, on every process alike.

    Example:
        >>> sum_counts([3, 0])
        [3, 0]
    """
    if process().world == 1:
        return list(counts)
    total = torch.tensor(counts, device=device)
    distributed.all_reduce(total)
    return total.tolist()


def any_process(flags: Tensor) -> list[bool]:
    """Say what is so on any process, in one exchange and one wait for the device.

    Args:
        flags: (flags,), bool, as many on every process.

    Returns:
        For each whether it is set anywhere, on every process alike.

    Example:
        >>> any_process(torch.tensor([True, False]))
        [True, False]
    """
    counts = flags.int()
    if process().world > 1:
        distributed.all_reduce(counts)
    return [count > 0 for count in counts.tolist()]


def compute_once(value: Any, compute: Callable[[Sequence[Any]], ValueT]) -> ValueT:
    """Compute on the first process alone what may take hours, and give it to all.

    Args:
        value: What this process contributes; anything that pickles.
        compute: Called on process 0 with one value per process, in the order of their ranks.

    Returns:
        What it returned, on every process.

    Raises:
        Exception: What it raised, on every process.

    Example:
        >>> compute_once(2, sum)
        2
    """
    rank, world = process()
    if world == 1:
        return compute([value])
    group = _patient_group(distributed.group.WORLD)
    values: list[Any] | None = [None] * world if rank == 0 else None
    distributed.gather_object(value, values, dst=0, group=group)
    answer: list[Any] = [None, None]
    if rank == 0:
        try:
            answer[0] = compute(values or [])
            pickle.dumps(answer)
        except Exception as error:  # noqa: BLE001 - the others would wait for a day
            answer = [None, _picklable(error)]
    distributed.broadcast_object_list(answer, src=0, group=group)
    if answer[1] is not None:
        raise answer[1]
    result: ValueT = answer[0]
    return result


@cache
def _patient_group(_processes: Any) -> Any:
    """Make a group whose members wait for each other as long as it takes; all call this at once."""
    return distributed.new_group(backend="gloo", timeout=_PATIENCE)


def _picklable(error: Exception) -> Exception:
    try:
        pickle.dumps(error)
    except Exception:  # noqa: BLE001 - objects raise anything
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _require_equal_shares(sizes: list[int]) -> None:
    for rank, size in enumerate(sizes):
        if size != sizes[0]:
            message = (
                f"process 0 has {sizes[0]} samples of the batch and process {rank} has {size}; all "
                "need equally many: use a sampler that leaves out an incomplete batch"
            )
            raise ArgumentError(message)


def _require_one_number(candidates: list[int]) -> None:
    if len(set(candidates)) > 1:
        message = (
            f"processes have {sorted(set(candidates))} candidates per text in one batch; it has to "
            "be one number"
        )
        raise ArgumentError(message)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(_ctx: FunctionCtx, x: Tensor) -> Tensor:
        x = x.contiguous()
        parts = [torch.empty_like(x) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, x)
        return torch.cat(parts)

    @staticmethod
    @once_differentiable
    def backward(_ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        # all_reduce and slice rather than reduce_scatter, which gloo does not have
        total = gradient.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total.chunk(distributed.get_world_size())[distributed.get_rank()]
