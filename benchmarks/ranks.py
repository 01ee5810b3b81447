"""Rank texts and videos in both directions, against a sort of the full matrix, and at scale.

    python benchmarks/ranks.py [--items 20000] [--large 100000] [--dim 512] [--threads 1]

Pairs are made up: each text's vector is its video's and noise. The peer multiplies in float32,
sorts every row of the matrix and of its transpose with numpy's argsort, and looks up where the
right item stands. Each side runs once, in a fresh process, whose highest memory is its own, the
interpreter and the vectors included. --large 0 leaves out the large run, which takes minutes.
"""

import argparse

import numpy as np
import torch
from measuring import clocked_alone, header, line, machine
from torch import Tensor

from vtlearn.evaluation.metrics.tiled_ranks import vector_ranks

RATIO_BAR = 5
LARGE_BAR = 2.0  # GiB
NOISE = 4.0

Found = tuple[list[float], list[float]]


def main() -> None:
    """Print two tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--large", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    print(f"{machine(options.threads)}, {options.dim}-d\n")
    header("case", "ours s", "full argsort s", "ratio", "bar", "ours GiB", "full argsort GiB")
    ours, peer = (
        clocked_alone(side, (options.items, options.dim), options.threads)
        for side in (our_recalls, sorted_recalls)
    )
    assert np.allclose(ours.answer, peer.answer), f"{ours.answer} is not {peer.answer}"
    ratio = f"{peer.seconds / ours.seconds:.1f}"
    times = f"{ours.seconds:.1f}", f"{peer.seconds:.1f}", ratio, f"{RATIO_BAR}"
    line(f"{options.items} x {options.items}", *times, gib(ours.peak), gib(peer.peak))
    if options.large:
        print()
        large = clocked_alone(our_recalls, (options.large, options.dim), options.threads)
        header("case", "ours s", "ours GiB", "bar GiB")
        case = f"{options.large} x {options.large}"
        line(case, f"{large.seconds:.0f}", gib(large.peak), f"{LARGE_BAR:g}")


def gib(peak: float | None) -> str:
    """Write bytes."""
    return "" if peak is None else f"{peak / 2**30:.2f}"


def draw(items: int, dim: int) -> tuple[Tensor, Tensor]:
    """Draw vectors of videos and texts that are hard enough to rank."""
    generator = torch.Generator().manual_seed(0)
    videos = torch.randn(items, dim, generator=generator)
    return videos, torch.randn(items, dim, generator=generator).mul_(NOISE).add_(videos)


def our_recalls(items: int, dim: int) -> list[float]:
    """Compute R@1 and R@10 of both directions."""
    videos, texts = draw(items, dim)
    found = vector_ranks(videos, texts, torch.arange(items)[:, None].expand(-1, 2))
    return [float((one.greater < k).double().mean()) for one in found for k in (1, 10)]


def sorted_recalls(items: int, dim: int) -> list[float]:
    """Compute the same from a sort of the full matrix."""
    videos, texts = draw(items, dim)
    similarity = (texts @ videos.T).numpy()
    recalls = []
    for scores in (similarity, similarity.T):
        order = np.argsort(-scores, axis=1)
        rank = np.nonzero(order == np.arange(items)[:, None])[1]
        recalls += [float((rank < k).mean()) for k in (1, 10)]
    return recalls


if __name__ == "__main__":
    main()
