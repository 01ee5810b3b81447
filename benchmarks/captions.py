"""Index a million captions, read them in random order, and let many workers do so at once.

    python benchmarks/captions.py [--captions 1000000] [--videos 10000] [--workers 8]

The captions are made up, in the layout of HowTo100M's raw_caption.json. Each worker is one of a
torch DataLoader, forked, and reads ALL captions once, in an order of its own. What only it has of
the memory is measured before and after, while all others are still there: by the index, and by
what the published loaders hold, the dict of lists that json.load returns.
"""

import argparse
import json
import multiprocessing
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from measuring import header, line, machine
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from vtlearn.media import CaptionIndex, open_captions

BAR = 50.0  # MB a worker may gain
SPEECH = (
    "so now we are going to add the onion and a bit of salt to this pan then stir it until it is "
    "golden brown you can use any oil that you like just make sure not to burn your garlic here"
)
WORDS = SPEECH.split()

Read = Callable[[int], int]


class Unique(NamedTuple):
    """Megabytes that only one process has: written to, and read from files alone."""

    dirty: float
    clean: float


class Passes(IterableDataset[tuple[Unique, Unique]]):
    """One pass over everything in each worker, and its unique memory before and after."""

    def __init__(self, read: Read, videos: int, workers: int) -> None:
        self._read = read
        self._videos = videos
        self._together = multiprocessing.get_context("fork").Barrier(workers)

    def __iter__(self) -> Iterator[tuple[Unique, Unique]]:
        worker = get_worker_info()
        order = np.random.default_rng(worker.id if worker else 0).permutation(self._videos)
        for video in order[:10]:
            self._read(int(video))
        self._together.wait()
        before = unique_memory()
        self._together.wait()
        for video in order:
            self._read(int(video))
        self._together.wait()
        after = unique_memory()
        self._together.wait()
        yield before, after


def main() -> None:
    """Print a line on the machine, and two tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captions", type=int, default=1_000_000)
    parser.add_argument("--videos", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=8)
    options = parser.parse_args()
    print(machine(1), platform.release(), sep=", Linux ")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "raw_caption.json")
        write_corpus(source, options.captions, options.videos)
        index, build = clocked(partial(open_captions, source, progress=False))
        _, opened = clocked(partial(open_captions, source, progress=False))
        plain, load = clocked(partial(load_plain, source))
        megabytes = source.stat().st_size / 1e6
        held = sum(path.stat().st_size for path in source.parent.rglob("*") if path.is_file())
        print(f"{index}, {megabytes:.0f} MB of JSON, {held / 1e6 - megabytes:.0f} MB of table\n")
        speeds(index, plain, build, load, opened)
        growths(index, plain, options.workers)


def write_corpus(path: Path, captions: int, videos: int) -> None:
    """Write as many captions, of about 10 words and 3 seconds, of videos of unequal length."""
    rng = np.random.default_rng(0)
    shares = rng.lognormal(sigma=0.7, size=videos)
    counts = np.maximum(1, shares / shares.sum() * captions).astype(int)
    counts[-1] += max(0, captions - int(counts.sum()))
    with path.open("w") as file:
        for number, count in enumerate(counts.tolist()):
            starts = np.cumsum(rng.uniform(1, 4, count)).round(2)
            words = rng.choice(WORDS, (count, 14))
            lengths = rng.integers(5, 15, count)
            said = {
                "start": starts.tolist(),
                "end": (starts + rng.uniform(1, 5, count)).round(2).tolist(),
                "text": [
                    " ".join(row[:length]) for row, length in zip(words, lengths, strict=True)
                ],
            }
            video_id = f"{number * 0x9E3779B97F4A7C15 % 2**44:011x}"
            file.write(f"{', ' if number else '{'}{json.dumps(video_id)}: {json.dumps(said)}")
        file.write("}")


def clocked(step: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a step returns, and how many seconds it took."""
    start = time.perf_counter()
    result = step()
    return result, time.perf_counter() - start


def load_plain(source: Path) -> dict[str, Any]:
    """Load the captions as the published loaders do."""
    videos: dict[str, Any] = json.loads(source.read_bytes())
    return videos


def read_index(index: CaptionIndex, video: int) -> int:
    """Read a video's captions by the index, each word of them."""
    return sum(len(caption.text) for caption in index[index.ids[video]])


def read_plain(videos: dict[str, Any], ids: list[str], video: int) -> int:
    """Read a video's captions in the dict of lists."""
    said = videos[ids[video]]
    entries = zip(said["start"], said["end"], said["text"], strict=True)
    return sum(len(text) for _, _, text in entries)


def speeds(
    index: CaptionIndex, plain: dict[str, Any], build: float, load: float, opened: float
) -> None:
    """Print how fast one process is."""
    header("", "build or load, s", "captions/s", "open again, ms", "videos/s", "captions/s")
    reads: dict[str, Read] = {
        "index": partial(read_index, index),
        "dict of lists": partial(read_plain, plain, list(plain)),
    }
    order = np.random.default_rng(0).permutation(len(index)).tolist()
    for (name, read), first in zip(reads.items(), (build, load), strict=True):
        _, seconds = clocked(lambda read=read: [read(video) for video in order])
        rate, again = index.num_captions / first, opened if name == "index" else load
        figures = f"{first:.2f}", f"{rate:,.0f}", f"{again * 1e3:.1f}"
        pace = f"{len(order) / seconds:,.0f}", f"{index.num_captions / seconds:,.0f}"
        line(name, *figures, *pace)
    print()


def growths(index: CaptionIndex, plain: dict[str, Any], workers: int) -> None:
    """Print what workers gain in memory of their own, MB: the median and the worst of them."""
    header(f"{workers} workers", "dirty", "clean", "together", f"worst of all (bar {BAR:.0f})")
    reads: dict[str, Read] = {
        "index": partial(read_index, index),
        "dict of lists": partial(read_plain, plain, list(plain)),
    }
    for name, read in reads.items():
        passes = Passes(read, len(index), workers)
        loader = DataLoader(
            passes, batch_size=None, num_workers=workers, multiprocessing_context="fork"
        )
        gained = [
            Unique(after.dirty - before.dirty, after.clean - before.clean)
            for before, after in loader
        ]
        totals = [sum(each) for each in gained]
        medians = [*map(statistics.median, zip(*gained, strict=True)), statistics.median(totals)]
        line(name, *(f"{median:.1f}" for median in medians), f"{max(totals):.1f}")


def unique_memory() -> Unique:
    """Return what only this process has."""
    facts = dict(
        entry.split(":", 1)
        for entry in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    )
    return Unique(*(int(facts[f"Private_{kind}"].split()[0]) / 1e3 for kind in ("Dirty", "Clean")))


if __name__ == "__main__":
    main()
