"""Find the nearest videos of every video, against scikit-learn's exact search and a full matrix.

    python benchmarks/neighbours.py [--videos 20000] [--dim 768] [--neighbours 64] [--threads 2]

Vectors are made up, in groups. Each side runs once, in a fresh process, whose highest memory is its
own, the interpreter and the vectors included. The full matrix is numpy's, in float64; scikit-learn
is left out where it is not installed.
"""

import argparse
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from measuring import clocked_alone, header, line, machine
from numpy.typing import NDArray
from torch import Tensor

from vtlearn.datamodules.nearest import nearest

SECONDS_BAR, MEMORY_BAR = 60, 1.0  # seconds, GB
GROUP, SPREAD = 100, 0.7  # videos of a group, and how far they are from its centre


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=20_000)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--neighbours", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    case = options.videos, options.dim, options.neighbours
    print(f"{machine(options.threads)}\n\n{case[0]} videos, {case[1]}-d, {case[2]} neighbours\n")
    header("search", "s", "ours is faster by", "GB", "bar", "same neighbours")
    ours = clocked_alone(our_neighbours, case, options.threads)
    bar = f"{SECONDS_BAR} s, {MEMORY_BAR:g} GB"
    line("vtlearn", f"{ours.seconds:.1f}", "", gigabytes(ours.peak), bar, "")
    peers = {"full matrix, argpartition": matrix_neighbours}
    if find_spec("sklearn"):
        peers["scikit-learn, NearestNeighbors(brute)"] = sklearn_neighbours
    for name, search in peers.items():
        peer = clocked_alone(search, case, options.threads)
        same = np.mean([len({*a} & {*b}) for a, b in zip(ours.answer, peer.answer, strict=True)])
        times = f"{peer.seconds:.1f}", f"{peer.seconds / ours.seconds:.1f}"
        line(name, *times, gigabytes(peer.peak), "", f"{100 * same / case[2]:.3f} %")


def gigabytes(peak: float | None) -> str:
    """Write bytes."""
    return "" if peak is None else f"{peak / 1e9:.2f}"


def draw(videos: int, dim: int) -> Tensor:
    """Draw vectors that are in groups, and all on one side of the origin, as encoders' are."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(videos // GROUP + 1, dim, generator=generator)
    noise = torch.randn(videos, dim, generator=generator)
    return centres.repeat_interleave(GROUP, 0)[:videos].add_(noise, alpha=SPREAD).add_(1)


def our_neighbours(videos: int, dim: int, count: int) -> NDArray[Any]:
    """Search as NeighbourBatches does."""
    return nearest(draw(videos, dim), count).numpy()


def matrix_neighbours(videos: int, dim: int, count: int) -> NDArray[Any]:
    """Search all squared distances at once."""
    points = draw(videos, dim).double().numpy()
    norms = np.square(points).sum(1)
    distances = norms[:, None] - 2 * points @ points.T + norms
    return np.argpartition(distances, count - 1, axis=1)[:, :count]


def sklearn_neighbours(videos: int, dim: int, count: int) -> NDArray[Any]:
    """Search by scikit-learn's exact method."""
    from sklearn.neighbors import NearestNeighbors

    points = draw(videos, dim).numpy()
    search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(points)
    found: NDArray[Any] = search.kneighbors(points, return_distance=False)
    return found


if __name__ == "__main__":
    main()
