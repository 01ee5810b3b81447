"""Time soft-DTW and the S2DTW loss step, forward and backward, against other implementations.

    python benchmarks/alignment.py [--sections speed step growth limits] [--cases 4096x16x16 ...]
                                   [--threads 2] [--csv alignment.csv] [--quick]

Needs the extra `bench` (ddtw, pysdtw, tslearn); a peer that is not installed is left out and named.
Ours and a peer run in turn, in their stride for 40 ms at a time, with as many threads; compilation
and first runs are not counted. Each peer's value and gradient are held to ours first. Costs are
float32, uniform in [0, 2], pairs x clips x captions; gamma is 0.1. Memory is what a step takes
beyond its inputs, at its highest: on the CPU of a fresh process (none with --quick). Where there is
a GPU, it is timed too.
"""

import argparse
import csv
import gc
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import alignment_peers as peers
import measuring
import torch
from measuring import Step, alternate, header, line, spread
from torch import Tensor
from torch.nn import functional

from vtlearn.alignment import kernel_for, s2dtw, soft_dtw
from vtlearn.heads.contrastive import pairwise_similarity

Shape = tuple[int, int, int]

SECTIONS = ("speed", "step", "growth", "limits")
INNERMOST = "pairs innermost"
#: How many times the fastest peer's speed we want, contiguous.
BARS = {(4096, 16, 16): 12, (256, 64, 64): 12, (16, 256, 256): 8}
BAR_INNERMOST = 15
CASES = {"cpu": list(BARS)}
CASES["cuda"] = [
    *BARS,
    (262144, 17, 17),
    (32, 512, 512),
    (32, 2048, 2048),
    (8, 4096, 4096),
]
BAR_CUDA = 3
MEANING = {
    "cpu": "Medians of runs in turn (least in brackets); the peer's cost is contiguous throughout.",
    "cuda": "Medians of runs in turn (least in brackets). Memory is beyond the cost, which takes"
    " 537 MB at 8x4096x4096; the bar for both together is 2000 MB.",
}
STEP = (128, 8, 512)  # videos, entries, dim
BARS_STEP = (30, 20)  # time, memory


class Row(NamedTuple):
    """A line of the CSV; milliseconds, megabytes, and theirs over ours."""

    section: str
    device: str
    case: str
    ours: str
    peer: str = ""
    ms: float | None = None
    ms_min: float | None = None
    peer_ms: float | None = None
    peer_ms_min: float | None = None
    ratio: float | None = None
    bar: float | None = None
    mb: float | None = None
    peer_mb: float | None = None
    note: str = ""


class Plan(NamedTuple):
    """What was asked for."""

    threads: int
    seconds: float
    memory: bool
    cases: list[Shape] | None
    batch: int


def main() -> None:
    """Run what was asked for and print Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--cases", nargs="+", type=shape, help="pairs x clips x captions")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--quick", action="store_true", help="short runs, a batch of 32, no memory")
    options = parser.parse_args()
    quick = options.quick
    seconds, batch = (0.3, 32) if quick else (2.0, STEP[0])
    plan = Plan(options.threads, seconds, not quick, options.cases, batch)
    measuring.set_threads(plan.threads)
    kernels = [f"{kernel_for(torch.zeros(1, device=device))} on {device}" for device in devices()]
    print(f"{measuring.machine(plan.threads)}, kernel {', '.join(kernels)}")
    run = {"speed": speed, "step": loss_step, "growth": growth, "limits": limits}
    rows = [row for section in options.sections for row in run[section](plan)]
    if options.csv:
        write(options.csv, rows)


def shape(text: str) -> Shape:
    """Read 4096x16x16."""
    pairs, clips, captions = map(int, text.split("x"))
    return pairs, clips, captions


def devices() -> list[str]:
    """List what soft-DTW can be timed on here."""
    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


# Speed: soft-DTW of a cost, against each peer.


def speed(plan: Plan) -> Iterator[Row]:
    """Time the cases of each device."""
    for device in devices():
        print(f"\n## soft_dtw forward and backward, {device}\n")
        totals = peers.usable(device, print)
        print(f"\n{MEANING[device]}\n")
        header("case", "ours", "peer", "ours ms", "peer ms", "ratio", "bar", "ours MB", "peer MB")
        for case in plan.cases or CASES[device]:
            yield from against_peers(case, device, totals, plan)
            gc.collect()


def against_peers(
    case: Shape, device: str, totals: dict[str, peers.Total], plan: Plan
) -> Iterator[Row]:
    """Time one case against every peer, and what lies pairs innermost against the fastest."""
    rows = [versus(case, device, name, total, plan) for name, total in totals.items()]
    timed = [row for row in rows if row.peer_ms is not None]
    for row in rows:
        if row not in timed:
            yield show(row)
    for row in sorted(timed, key=lambda row: -(row.ratio or 0))[:-1]:
        yield show(row)
    if not timed:
        yield show(alone(case, device, plan))
        return
    best = min(timed, key=lambda row: row.ratio or 0)  # in the same minutes, whatever else ran
    bar = BAR_CUDA if device == "cuda" else BARS.get(case)
    note = "fastest peer"
    if plan.memory:
        ours, theirs = (memory(name, case, device, plan) for name in ("ours", best.peer))
        best = best._replace(mb=ours, peer_mb=theirs)
    yield show(best._replace(bar=bar, note=note))
    row = versus(case, device, best.peer, totals[best.peer], plan, innermost=True)
    bar = BAR_CUDA if device == "cuda" else BAR_INNERMOST
    mb = memory("innermost", case, device, plan) if plan.memory else None
    yield show(row._replace(bar=bar, mb=mb, peer_mb=best.peer_mb, note=note))


def versus(
    case: Shape,
    device: str,
    name: str,
    total: peers.Total,
    plan: Plan,
    *,
    innermost: bool = False,
) -> Row:
    """Time ours and a peer in turn; the peer's cost is contiguous either way."""
    row = Row("speed", device, label(case), INNERMOST if innermost else "contiguous", name)
    ours, theirs = cost_of(case, device, innermost=innermost), cost_of(case, device)
    steps = [
        lambda: peers.value_and_gradient(our_total, ours),
        lambda: peers.value_and_gradient(total, theirs),
    ]
    steps[0]()  # so that what fails below is the peer
    try:
        mine, peer = alternate(steps, plan.seconds, device)
    except Exception as error:  # noqa: BLE001 - what a peer cannot do is a result
        return row._replace(note=f"not run: {peers.reason(error)}")
    times = {"ms": mine.median, "ms_min": mine.least}
    times |= {"peer_ms": peer.median, "peer_ms_min": peer.least}
    return row._replace(**times, ratio=peer.median / mine.median)


def alone(case: Shape, device: str, plan: Plan) -> Row:
    """Time ours where no peer runs."""
    cost = cost_of(case, device)
    [mine] = alternate([lambda: peers.value_and_gradient(our_total, cost)], plan.seconds, device)
    mb = memory("ours", case, device, plan) if plan.memory else None
    row = Row("speed", device, label(case), "contiguous", mb=mb, note="no peer runs this")
    return row._replace(ms=mine.median, ms_min=mine.least)


def our_total(cost: Tensor) -> Tensor:
    """Sum our soft-DTW."""
    return soft_dtw(cost, peers.GAMMA).sum()


def cost_of(case: Shape, device: str, *, innermost: bool = False) -> Tensor:
    """Draw a cost, contiguous or a view of one whose last axis is the pairs'."""
    generator = torch.Generator(device).manual_seed(0)
    if not innermost:
        return torch.rand(case, generator=generator, device=device) * 2
    turned = (*case[1:], case[0])
    return (torch.rand(turned, generator=generator, device=device) * 2).permute(2, 0, 1)


def label(case: Iterable[int]) -> str:
    """Write a shape as it is read."""
    return "x".join(map(str, case))


# The loss step of S2DTW, against the published formulation.


def loss_step(plan: Plan) -> Iterator[Row]:
    """Time the contrastive step, from embeddings to their gradients."""
    size = (plan.batch, *STEP[1:])
    steps = {name: grid_step(name, size) for name in ("ours", "published")}
    print(f"\n## S2DTW loss step, {label(size)} embeddings (batch, entries, dim)\n")
    print(compared(*(step() for step in steps.values())))
    print("published: pairs expanded to (B, B, N, D), then the plain recursion for each pair\n")
    mine, theirs = alternate(list(steps.values()), plan.seconds, "cpu")
    row = Row("step", "cpu", label(size), "pairwise_similarity, s2dtw", "published")
    times = {"ms": mine.median, "ms_min": mine.least}
    times |= {"peer_ms": theirs.median, "peer_ms_min": theirs.least}
    row = row._replace(**times, ratio=theirs.median / mine.median, bar=BARS_STEP[0])
    if plan.memory:
        mb, peer_mb = (memory(f"step {name}", size, "cpu", plan) for name in steps)
        share = f"memory 1/{(peer_mb or 0) / mb:.0f}, bar 1/{BARS_STEP[1]}" if mb else ""
        row = row._replace(mb=mb, peer_mb=peer_mb, note=share)
    header("case", "ours", "peer", "ours ms", "peer ms", "ratio", "bar", "ours MB", "peer MB")
    yield show(row)


def grid_step(name: str, size: Shape) -> Step:
    """Build a step from embeddings to the loss and their gradients."""
    generator = torch.Generator().manual_seed(0)
    video, text = torch.randn(2, *size, generator=generator)
    loss = {"ours": our_loss, "published": peers.published_loss}[name]
    return lambda: peers.value_and_gradient(loss, video, text)


def our_loss(video: Tensor, text: Tensor) -> Tensor:
    """Compute the loss of VT-TWINS, text to video, as vtlearn's head does."""
    video, text = (functional.normalize(side, dim=-1) for side in (video, text))
    logits = -s2dtw(pairwise_similarity(video, text), peers.GAMMA).T
    return functional.cross_entropy(logits, torch.arange(len(text)))


def compared(ours: tuple[Tensor, ...], theirs: tuple[Tensor, ...]) -> str:
    """Check that two steps agree, and say how well."""
    loss = float((ours[0] - theirs[0]).abs() / theirs[0].abs())
    pairs = zip(ours[1:], theirs[1:], strict=True)
    gradient = max(float((a - b).norm() / b.norm()) for a, b in pairs)
    assert loss < 1e-4, f"the losses differ by {loss:.0e} of their size"
    assert gradient < 1e-3, f"the gradients differ by {gradient:.0e} of their norm"
    return f"losses agree within {loss:.0e}, gradients within {gradient:.0e}, relative"


# Growth of our own cost.


def growth(plan: Plan) -> Iterator[Row]:
    """Time ours against the length, and against the number of pairs."""
    lengths = [(4, length, length) for length in (64, 128, 256, 512, 1024, 2048, 4096)]
    counts = [(2**power, 16, 16) for power in range(0, 17, 2)]
    for device in devices():
        print(f"\n## Growth, {device}\n")
        header("case", "ms", "ms at least", "Mcells/s")
        for case in [*lengths, *counts]:
            cost = cost_of(case, device)
            step = [lambda cost=cost: peers.value_and_gradient(our_total, cost)]
            [times] = alternate(step, plan.seconds / 4, device)
            rate = cost.numel() / times.median / 1e3
            line(label(case), f"{times.median:.2f}", f"{times.least:.2f}", f"{rate:.1f}")
            note = f"{rate:.1f} Mcells/s"
            yield Row("growth", device, label(case), "contiguous", note=note)._replace(
                ms=times.median, ms_min=times.least
            )


# What the machine allows.


def limits(plan: Plan) -> Iterator[Row]:
    """Compare ours with the least time that memory and exponentials take on this CPU."""
    print("\n## The machine's limit, cpu\n")
    rates = {}
    for name, step, work in measuring.machine_steps(plan.threads):
        [times] = alternate([step], plan.seconds / 2, "cpu")
        rates[name] = work / times.least * 1e3
        print(f"- {name}: {rates[name]:.2f}")
        yield Row("limits", "cpu", name, "", ms=times.median, note=f"{rates[name]:.3f}")
    print(
        "- memory: the cost is read and the gradient written once, 8 bytes a cell; 1 exp: exp(-cost"
        " / gamma), products\n  and rescaling for the rest; 3 exp: two exponentials and a logarithm"
        " a cell, as the soft minimum is written\n"
    )
    header(
        "case", "ours", "ours ms", "memory ms", "1 exp ms", "3 exp ms", "ours / 1 exp", "/ 3 exp"
    )
    bandwidth, exps = max(rates["copy, GB/s"], rates["triad, GB/s"]), rates["exp, Gexp/s"]
    for case in plan.cases or CASES["cpu"]:
        for innermost in (False, True):
            yield limit(case, innermost, bandwidth, exps, plan)


def limit(case: Shape, innermost: bool, bandwidth: float, exps: float, plan: Plan) -> Row:
    """Compare one case with its bounds, each the slower of memory and exponentials."""
    cost = cost_of(case, "cpu", innermost=innermost)
    step = [lambda: peers.value_and_gradient(our_total, cost)]
    [times] = alternate(step, plan.seconds / 2, "cpu")
    moved = 8 * cost.numel() / bandwidth / 1e6
    once, thrice = (count * cost.numel() / exps / 1e6 for count in (1, 3))
    far = [times.median / max(moved, bound) for bound in (once, thrice)]
    layout = INNERMOST if innermost else "contiguous"
    figures = (times.median, moved, once, thrice)
    line(label(case), layout, *(f"{ms:.2f}" for ms in figures), *(f"{x:.1f}" for x in far))
    note = f"memory {moved:.3f} ms, 1 exp {once:.3f} ms, 3 exp {thrice:.3f} ms"
    row = Row("limits", "cpu", label(case), layout, note=note)
    return row._replace(ms=times.median, ms_min=times.least)


# Memory.


def memory(name: str, size: Shape, device: str, plan: Plan) -> float | None:
    """Measure what a step takes beyond its inputs, in MB; None where it cannot be told."""
    if device == "cuda":
        return measuring.cuda_memory(step_of(name, size, device))
    tiny = (32, 16, 16)
    return measuring.memory(step_of, (name, tiny, device), (name, size, device), plan.threads)


def step_of(name: str, size: Shape, device: str) -> Step:
    """Build the step that a name means: ours, innermost, a peer, or a side of the loss step."""
    if name.startswith("step "):
        return grid_step(name.removeprefix("step "), size)
    cost = cost_of(size, device, innermost=name == "innermost")
    found = {peer.name: peer for peer in peers.PEERS}
    total = found[name].make(device) if name in found else our_total
    return lambda: peers.value_and_gradient(total, cost)


# Writing.


def show(row: Row) -> Row:
    """Print a comparison as a line of its table."""
    ratio = "" if row.ratio is None else f"{row.ratio:.1f}"
    bar = "" if row.bar is None else f"{row.bar:g}"
    sizes = ["" if mb is None else f"{mb:.1f}" for mb in (row.mb, row.peer_mb)]
    peer = f"{row.peer} ({row.note})" if row.note else row.peer
    ours, theirs = spread(row.ms, row.ms_min), spread(row.peer_ms, row.peer_ms_min)
    line(row.case, row.ours, peer, ours, theirs, ratio, bar, *sizes)
    return row


def write(path: Path, rows: list[Row]) -> None:
    """Write every figure as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Row._fields)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
