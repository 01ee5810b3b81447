"""What benchmarks/alignment.py compares vtlearn with: other packages' soft-DTW and published forms.

Every peer takes a cost (pairs, clips, captions) and returns the sum of the pairs' values, which can
be differentiated. Each is called as its authors mean it to be where a cost is at hand, in its
fastest mode; :data:`PEERS` says how.
"""

import importlib.metadata
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numba import njit, prange
from torch import Tensor
from torch.nn import functional

from vtlearn.alignment import soft_dtw

GAMMA = 0.1
#: Stands for infinity in the plain recursion: fastmath takes infinities for impossible.
FAR = np.float32(1e30)

Total = Callable[[Tensor], Tensor]


class Peer(NamedTuple):
    """Someone else's soft-DTW.

    Attributes:
        name: What the tables call it.
        how: How it is called.
        devices: Where it runs.
        make: Imports it and returns the sum of soft-DTW values as a function of the cost.
        package: What its version is asked of; empty for what is written here.
    """

    name: str
    how: str
    devices: tuple[str, ...]
    make: Callable[[str], Total]
    package: str = ""

    def title(self) -> str:
        """Write the name, and the release that is installed."""
        if not self.package:
            return self.name
        return f"{self.name} ({self.package} {importlib.metadata.version(self.package)})"


def make_ddtw(device: str) -> Total:
    """Build ddtw's SDTW on its compiled backend; its loss is a mean over pairs."""
    from ddtw import SDTW

    backend = "cuda_cpp" if device == "cuda" else "cpu_numba"
    loss = SDTW(gamma=GAMMA, normalization="none", backend=backend)
    return lambda cost: loss(C=cost) * len(cost)


def make_pysdtw(device: str) -> Total:
    """Build pysdtw's module, whose distance function hands over the cost."""
    from pysdtw import SoftDTW

    loss = SoftDTW(gamma=GAMMA, use_cuda=device == "cuda", dist_func=lambda cost, _: cost)
    return lambda cost: loss(cost, second(cost)).sum()


def make_tslearn(device: str) -> Total:
    """Build tslearn's module, whose distance function hands over the cost."""
    del device
    from tslearn.metrics import SoftDTWLossPyTorch

    loss = SoftDTWLossPyTorch(gamma=GAMMA, dist_func=lambda cost, _: cost)
    return lambda cost: loss(cost, second(cost)).sum()


def make_maghoumi(device: str) -> Total:
    """Build Maghoumi's pytorch-softdtw-cuda, as dtw-loss-functions ships it."""
    from dtw_loss_functions.soft_dtw import soft_dtw as build

    options = {"gamma": GAMMA, "use_cuda": device == "cuda", "dist_func": lambda cost, _: cost}
    loss = build("mag", options)

    def total(cost: Tensor) -> Tensor:
        if device == "cuda" and max(cost.shape[1:]) > 1024:
            message = "runs on the CPU above length 1024"
            raise ValueError(message)
        return loss(cost, second(cost)).sum()

    return total


def make_softdtw_cuda_torch(device: str) -> Total:
    """Build softdtw-cuda-torch, from its repository or as dtw-loss-functions ships it."""
    del device
    try:
        from softdtw_cuda.autograd import SoftDTWAutograd
    except ImportError:
        from dtw_loss_functions.soft_dtw_implementations.soft_dtw_cuda_ron.autograd import (
            SoftDTWAutograd,
        )
    return lambda cost: SoftDTWAutograd.apply(cost, GAMMA, None).sum()


def make_plain(device: str) -> Total:
    """Build the plain recursion below."""
    del device
    return lambda cost: PlainSoftDTW.apply(cost, GAMMA).sum()


def second(cost: Tensor) -> Tensor:
    """Stand in for the second sequences: nothing but their shape is looked at."""
    return cost.new_zeros(()).expand(len(cost), cost.shape[2], cost.shape[2])


PEERS = [
    Peer(
        "plain numba",
        "a loop over cells for each pair, pairs in parallel (prange), float32, fastmath, in place; "
        "backward from differences, as commonly published",
        ("cpu",),
        make_plain,
    ),
    Peer(
        "ddtw",
        "SDTW(normalization='none')(C=cost), cpu_numba or cuda_cpp",
        ("cpu", "cuda"),
        make_ddtw,
        "ddtw",
    ),
    Peer(
        "pysdtw",
        "SoftDTW(dist_func=the cost)",
        ("cpu", "cuda"),
        make_pysdtw,
        "pysdtw",
    ),
    Peer(
        "tslearn",
        "SoftDTWLossPyTorch(dist_func=the cost); its older soft_dtw_fast is as fast, within 10 %",
        ("cpu",),
        make_tslearn,
        "tslearn",
    ),
    Peer(
        "softdtw-cuda-torch",
        "SoftDTWAutograd.apply(cost, gamma, None), log-space backward on CUDA",
        ("cpu", "cuda"),
        make_softdtw_cuda_torch,
        "dtw-loss-functions",
    ),
    Peer(
        "pytorch-softdtw-cuda",
        "dtw-loss-functions' 'mag' with dist_func=the cost (its CPU code is pysdtw's)",
        ("cuda",),
        make_maghoumi,
        "dtw-loss-functions",
    ),
]


def usable(device: str, say: Callable[[str], None]) -> dict[str, Total]:
    """Import each peer of a device and hold its value and gradient to ours.

    Args:
        device: ``cpu`` or ``cuda``.
        say: Takes a line about each peer.

    Returns:
        The peers that import and compute what we compute, by name.
    """
    found = {}
    for peer in PEERS:
        if device not in peer.devices:
            continue
        try:
            total = peer.make(device)
            errors = [disagreement(total, shape, device) for shape in ((5, 9, 9), (5, 7, 12))]
        except Exception as error:  # noqa: BLE001 - a peer may fail in any way, and then is left out
            say(f"- {peer.name}: left out, {reason(error)}")
            continue
        value, gradient = (max(each) for each in zip(*errors, strict=True))
        verdict = f"value within {value:.0e}, gradient within {gradient:.0e} of ours"
        if not (value <= 1e-5 and gradient <= 1e-4):  # NaN is wrong too
            say(f"- {peer.name}: left out, wrong: {verdict}")
            continue
        say(f"- {peer.title()}: {verdict}; called as {peer.how}")
        found[peer.name] = total
    return found


def disagreement(total: Total, shape: tuple[int, int, int], device: str) -> tuple[float, float]:
    """Compare a peer with ours in double precision: relative in value, absolute in gradient."""
    cost = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2
    theirs = value_and_gradient(total, cost.to(device))
    ours = value_and_gradient(lambda cost: soft_dtw(cost, GAMMA).sum(), cost.double().to(device))
    value = (theirs[0] - ours[0]).abs() / ours[0].abs()
    return float(value), float((theirs[1] - ours[1]).abs().max())


def value_and_gradient(total: Total, *inputs: Tensor) -> tuple[Tensor, ...]:
    """Run a function of tensors forward and backward."""
    leaves = [tensor.detach().requires_grad_() for tensor in inputs]
    value = total(*leaves)
    return value.detach(), *torch.autograd.grad(value, leaves)


def reason(error: Exception) -> str:
    """Write an error in one line."""
    first = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first[:120]}"


# The plain recursion: what one writes without thinking about vector units, but carefully.


@njit(inline="always")
def softmin(a: float, b: float, c: float, gamma: float, sharpness: float) -> float:
    low = min(a, b, c)
    total = (
        math.exp((low - a) * sharpness)
        + math.exp((low - b) * sharpness)
        + math.exp((low - c) * sharpness)
    )
    return low - gamma * math.log(total)


@njit(parallel=True, fastmath=True, cache=True)
def plain_forward(cost: Any, gamma: Any, r: Any) -> None:
    pairs, rows, columns = cost.shape
    sharpness = np.float32(1) / gamma
    for p in prange(pairs):
        r[p, 0, :] = FAR
        r[p, :, 0] = FAR
        r[p, 0, 0] = np.float32(0)
        for i in range(rows):
            for j in range(columns):
                least = softmin(r[p, i, j], r[p, i, j + 1], r[p, i + 1, j], gamma, sharpness)
                r[p, i + 1, j + 1] = cost[p, i, j] + least


@njit(parallel=True, fastmath=True, cache=True)
def plain_backward(cost: Any, r: Any, gamma: Any, upstream: Any, e: Any) -> None:
    pairs, rows, columns = cost.shape
    sharpness, zero = np.float32(1) / gamma, np.float32(0)
    for p in prange(pairs):
        r[p, rows + 1, :] = -FAR
        r[p, :, columns + 1] = -FAR
        r[p, rows + 1, columns + 1] = r[p, rows, columns]
        e[p, rows + 1, :] = zero
        e[p, :, columns + 1] = zero
        e[p, rows + 1, columns + 1] = upstream[p]
        for i in range(rows, 0, -1):
            for j in range(columns, 0, -1):
                here = r[p, i, j]
                down = cost[p, i, j - 1] if i < rows else zero
                right = cost[p, i - 1, j] if j < columns else zero
                both = cost[p, i, j] if i < rows and j < columns else zero
                e[p, i, j] = (
                    e[p, i + 1, j] * math.exp((r[p, i + 1, j] - here - down) * sharpness)
                    + e[p, i, j + 1] * math.exp((r[p, i, j + 1] - here - right) * sharpness)
                    + e[p, i + 1, j + 1] * math.exp((r[p, i + 1, j + 1] - here - both) * sharpness)
                )


class PlainSoftDTW(torch.autograd.Function):
    """Soft-DTW of float32 costs on the CPU, (pairs, clips, captions) to (pairs,)."""

    @staticmethod
    def forward(ctx: Any, cost: Tensor, gamma: float) -> Tensor:
        """Run the recursion and keep its table, padded on all sides."""
        pairs, rows, columns = cost.shape
        r = torch.empty(pairs, rows + 2, columns + 2)
        plain_forward(cost.detach().numpy(), np.float32(gamma), r.numpy())
        ctx.gamma = gamma
        ctx.save_for_backward(cost, r)
        return r[:, rows, columns].clone()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        """Follow the table back; its border is written over, which changes no result."""
        cost, r = ctx.saved_tensors
        e = torch.empty_like(r)
        arrays = (table.detach().contiguous().numpy() for table in (cost, r))
        plain_backward(*arrays, np.float32(ctx.gamma), upstream.contiguous().numpy(), e.numpy())
        return e[:, 1:-1, 1:-1], None


# The contrastive step of S2DTW as published: every pair expanded, then a loop over pairs.


def published_loss(video: Tensor, text: Tensor) -> Tensor:
    """Compute the loss of VT-TWINS as its code does, but for the plain recursion above.

    Both embeddings are expanded to (texts, videos, entries, dim), one product is taken for each
    pair, and costs, smoothing and dummies are built for a batch of texts * videos pairs.

    Args:
        video: (batch, clips, dim).
        text: (batch, captions, dim).

    Returns:
        The cross-entropy over videos for each text, a scalar.
    """
    batch, clips, dim = video.shape
    captions = text.shape[1]
    videos = functional.normalize(video, dim=-1).expand(batch, -1, -1, -1)
    texts = functional.normalize(text, dim=-1)[:, None].expand(-1, batch, -1, -1)
    videos = videos.reshape(batch * batch, clips, dim)
    texts = texts.reshape(batch * batch, captions, dim)
    cost = with_dummies(smoothed(-torch.bmm(videos, texts.transpose(1, 2))))
    logits = -PlainSoftDTW.apply(cost, GAMMA).view(batch, batch)
    return functional.cross_entropy(logits, torch.arange(batch))


def smoothed(cost: Tensor) -> Tensor:
    """Add to each cell the soft minimum of the cells before it; of the first, three zeros."""
    factors = torch.exp(-cost / GAMMA)
    before = functional.pad(factors, (1, 0, 1, 0))[:, :-1, :-1]
    above = functional.pad(factors, (0, 0, 1, 0))[:, :-1]
    left = functional.pad(factors, (1, 0))[:, :, :-1]
    total = before + above + left
    total[:, 0, 0] = 3
    return cost - GAMMA * torch.log(total)


def with_dummies(cost: Tensor, dummy: float = 0.5) -> Tensor:
    """Put rows and columns of a fixed cost between the cells."""
    pairs, clips, captions = cost.shape
    grid = cost.new_full((pairs, 2 * clips + 1, 2 * captions + 1), dummy)
    grid[:, 1::2, 1::2] = cost
    return grid
