"""Score full videos by Cap. Avg., DTW and OTAM, against the published padding and double loop.

    python benchmarks/full_video.py [--videos 436] [--dim 768] [--threads 1] [--pairs 2000]

Videos have 3 to 16 segments, and a paragraph has a sentence for each; vectors are made up. With
--select, a video's windows are twice as many, and those nearest to the paragraph are chosen. Ours
is timed in both modes, the peer on some of the pairs and multiplied, since all would take minutes:
it pads each pair's costs to the longest video, fills a table cell by cell for DTW and for OTAM in
both directions, and takes the best clip of each caption. Each side runs in a fresh process.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from measuring import clocked_alone, header, line, machine
from numpy.typing import NDArray
from torch import Tensor

from vtlearn.evaluation.metrics import comparable, product, sequence_scores
from vtlearn.evaluation.reference import published_full_video

SECONDS_BAR, RATIO_BAR, MEMORY_BAR = 5.0, 5, 1.5  # seconds, times, GB
TINY = 8  # videos of the run before
LENGTHS = (3, 16)
KEPT = 1.3


def main() -> None:
    """Print a table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=436)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=2000)
    options = parser.parse_args()
    videos, dim = options.videos, options.dim
    total = videos * videos
    pairs = min(options.pairs, total)
    print(f"{machine(options.threads)}, {dim}-d; the double loop on {pairs} of {total} pairs\n")
    header("case", "ours s", "bar", "double loop s", "ratio", "bar", "ours GB", "bar")
    for select in (False, True):
        arguments, tiny = (videos, dim, select), (TINY, dim, select)
        loop = partial(double_loop, pairs=pairs)
        peer = clocked_alone(loop, arguments, options.threads)
        published = clocked_alone(ours_reference, arguments, options.threads, tiny)
        agree(published.answer, peer.answer)
        exact = clocked_alone(ours_exact, arguments, options.threads, tiny)
        seconds = peer.seconds * total / pairs
        for mode, ours in (("exact", exact), ("reference", published)):
            case = f"{videos} x {videos}, {mode}{', selected' if select else ''}"
            memory = "" if ours.peak is None else f"{ours.peak / 1e9:.2f}"
            times = f"{ours.seconds:.2f}", f"{SECONDS_BAR:g}", f"{seconds:.0f}"
            line(
                case,
                *times,
                f"{seconds / ours.seconds:.0f}",
                f"{RATIO_BAR}",
                memory,
                f"{MEMORY_BAR}",
            )


def agree(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> None:
    """Check the pairs that both have computed."""
    both = np.isfinite(theirs)
    assert np.allclose(ours[both], theirs[both], rtol=1e-4, atol=1e-3), "the scores differ"


def draw(videos: int, dim: int, select: bool) -> tuple[Tensor, Tensor, list[int], list[int]]:
    """Draw vectors of captions and of windows, which are the captions' and noise."""
    generator = torch.Generator().manual_seed(0)
    counts = torch.randint(LENGTHS[0], LENGTHS[1] + 1, (videos,), generator=generator).tolist()
    windows = [count * (2 if select else 1) for count in counts]
    captions = torch.randn(sum(counts), dim, generator=generator)
    shown = captions.repeat_interleave(2, 0) if select else captions
    return captions, shown + torch.randn(shown.shape, generator=generator), counts, windows


def ours_exact(videos: int, dim: int, select: bool) -> NDArray[np.float32]:
    """Score all pairs at their own lengths."""
    captions, windows, *counts = draw(videos, dim, select)
    vectors = (comparable(side, "cosine") for side in (captions, windows))
    return np.stack(sequence_scores(*vectors, *counts, select=select)).astype(np.float32)


def ours_reference(videos: int, dim: int, select: bool) -> NDArray[np.float32]:
    """Score all pairs as published."""
    captions, windows, *counts = draw(videos, dim, select)
    lists = (runs(each) for each in counts)
    return np.stack(published_full_video(product(captions, windows), *lists, select=select))


def double_loop(videos: int, dim: int, select: bool, *, pairs: int) -> NDArray[np.float32]:
    """Score the first pairs one by one; the others are NaN."""
    captions, windows, *counts = draw(videos, dim, select)
    similarity = product(captions, windows).numpy()
    rows, columns = (runs(each) for each in counts)
    size = max(counts[0]), max(counts[1])
    found = np.full((3, videos, videos), np.nan, np.float32)
    for index in range(pairs):
        i, j = divmod(index, videos)
        block = similarity[rows[i]][:, columns[j]]
        found[0, i, j] = block.max(1).mean()
        cost = 1 - block
        if select:
            nearest = np.argsort(cost.min(0), kind="stable")[: int(KEPT * len(cost))]
            cost = cost[:, np.sort(nearest)]
        cost = cost * (size[0] * size[1] / cost.size)
        found[1, i, j] = -loop_dtw(padded(cost, len(cost), size))
        found[2, i, j] = -loop_otam(cost, size) - loop_otam(cost.T, size[::-1])
    return found


def runs(counts: Sequence[int]) -> list[list[int]]:
    """List the rows of each video."""
    ends = np.cumsum(counts).tolist()
    return [list(range(end - count, end)) for count, end in zip(counts, ends, strict=True)]


def padded(table: Any, rows: int, size: Sequence[int]) -> Any:
    """Pad with infinity, and with zeros in the corner."""
    missing = [whole - have for whole, have in zip(size, table.shape, strict=True)]
    cost = np.pad(table, [(0, more) for more in missing], constant_values=np.inf)
    cost[rows - 1 :, -missing[1] :] = 0
    return cost


def loop_dtw(cost: Any) -> float:
    """Fill the table of DTW, cell by cell."""
    cell = np.zeros(cost.shape, np.float32)
    cell[0], cell[:, 0] = cost[0].cumsum(), cost[:, 0].cumsum()
    for i in range(1, len(cost)):
        for j in range(1, cost.shape[1]):
            cell[i, j] = cost[i, j] + min(cell[i - 1, j - 1], cell[i - 1, j], cell[i, j - 1])
    return float(cell[-1, -1])


def loop_otam(table: Any, size: Sequence[int]) -> float:
    """Fill the table of OTAM, cell by cell, with the published sign slip."""
    bordered = np.pad(table, [(0, 0), (1, 1)])
    cost = padded(bordered, len(table), (size[0], size[1] + 2))
    cell = np.zeros(cost.shape, np.float32)
    cell[0, 1:] = cost[0, 1:].cumsum()
    for i in range(1, len(cost)):
        cell[i, 1] = cost[i, 1] - min(cell[i - 1, 0], cell[i - 1, 1], cell[i, 0])
        for j in range(2, cost.shape[1] - 1):
            cell[i, j] = cost[i, j] + min(cell[i - 1, j - 1], cell[i, j - 1])
        cell[i, -1] = cost[i, -1] + min(cell[i - 1, -2], cell[i - 1, -1], cell[i, -2])
    return float(cell[-1, -1])


if __name__ == "__main__":
    main()
