"""Search Kitchen's test videos by sentence: what is found, how fast, and what an index costs.

A sentence per (action, ingredient) pair, 50 pairs chosen by the hash of their text. A hit is right
if the middle of its window lies in a step of that action and ingredient:

  python benchmarks/search.py --checkpoint runs/vttwins/version_0/checkpoints/best.ckpt
"""

import argparse
import hashlib
import io
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from itertools import count
from pathlib import Path
from typing import NamedTuple

import torch
from measuring import header, line, machine, set_threads
from torch import Tensor

from vtlearn.cli.commands import tree
from vtlearn.inference import Hit, Model, SearchIndex, load
from vtlearn.inference.windows import read_windows
from vtlearn.kitchen.truth import VideoTruth, read_truth
from vtlearn.media import VideoReader

_TEN_HOURS = 36_000.0  # seconds


class Cost(NamedTuple):
    """Seconds of the clock and of all cores."""

    clock: float
    cores: float


class Stub:
    """Encodes no video, so that what a large index itself costs can be measured."""

    def __init__(self, model: Model, windows: int) -> None:
        self.sha256, self.reading = model.sha256, model.reading
        dim = model.encode_text(["a"]).shape[1]
        starts = torch.arange(windows).double()
        self._windows = Windows(torch.randn(windows, dim), torch.stack([starts, starts + 2], dim=1))

    def encode_video(self, video: Path, *, stride: float = 1.0) -> "Windows":
        del video, stride
        return self._windows


class Windows(NamedTuple):
    vectors: Tensor
    spans: Tensor


@contextmanager
def clocked() -> Iterator[Callable[[], Cost]]:
    begun = time.perf_counter(), time.process_time()
    yield lambda: Cost(time.perf_counter() - begun[0], time.process_time() - begun[1])


def choose_pairs(truth: dict[str, VideoTruth], number: int) -> list[tuple[str, str]]:
    """Choose pairs that are shown, by the hash of their text."""
    steps = {(step.action, step.ingredient) for video in truth.values() for step in video.steps}
    return sorted(steps, key=lambda pair: hashlib.sha256(" ".join(pair).encode()).hexdigest())[
        :number
    ]


def is_right(hit: Hit, pair: tuple[str, str], truth: dict[str, VideoTruth]) -> bool:
    middle = (hit.start + hit.end) / 2
    return any(
        (step.action, step.ingredient) == pair and step.start <= middle < step.end
        for step in truth[hit.id].steps
    )


def share_right(index: SearchIndex, pair: tuple[str, str], truth: dict[str, VideoTruth]) -> float:
    """Tell which share of all windows is right."""
    windows = zip(index.owners.tolist(), index.spans.tolist(), strict=True)
    hits = (Hit(index.paths[video], index.ids[video], *span, 0.0) for video, span in windows)
    return sum(is_right(hit, pair, truth) for hit in hits) / len(index.owners)


def report_hits(
    model: Model, index: SearchIndex, pairs: Sequence[tuple[str, str]], truth: dict[str, VideoTruth]
) -> None:
    by_chance = sum(share_right(index, pair, truth) for pair in pairs) / len(pairs)
    print(f"a window is right by chance: {by_chance:.1%}\n")
    header("query", "hits apart by", "first right", "right among five", "right hits")
    for text in ("{} the {}", "{} {}"):
        queries = [text.format(*pair) for pair in pairs]
        for apart in (None, 0.0):
            found = model.search(queries, index, 5, apart=apart)
            right = [
                [is_right(hit, pair, truth) for hit in hits]
                for hits, pair in zip(found, pairs, strict=True)
            ]
            first = sum(marks[0] for marks in right)
            among = sum(any(marks) for marks in right)
            line(
                f'"{text.format("chop", "carrot")}"',
                "a window" if apart is None else "nothing, but no overlap",
                f"{first} of {len(pairs)} ({first / len(pairs):.0%})",
                f"{among} of {len(pairs)} ({among / len(pairs):.0%})",
                f"{sum(map(sum, right)) / len(pairs):.2f} of 5",
            )


def decode(paths: Sequence[Path]) -> None:
    """Decode every frame once, and make nothing of it but its hash."""
    reader = VideoReader()
    for path in paths:
        reader.hash_frames(path)


def read(model: Model, paths: Sequence[Path]) -> None:
    """Read the windows that are encoded."""
    for path in paths:
        together = model.windows_per_batch
        for _ in read_windows(model.loader, path, stride=1.0, together=together):
            pass


def report_costs(
    model: Model, folder: Path, seconds: float, home: Path, rounds: int
) -> tuple[SearchIndex, list[Cost]]:
    """Index the folder in turn with reading alone; return the index and the cost of each."""
    paths = sorted(folder.iterdir())
    homes = (home / str(number) for number in count())
    index = SearchIndex.open(model, folder, home=next(homes))  # what is loaded first does not count
    steps: list[Callable[[], object]] = [
        lambda: decode(paths),
        lambda: read(model, paths),
        lambda: SearchIndex.open(model, folder, home=next(homes)),
    ]
    costs: list[list[Cost]] = [[] for _ in steps]
    for _ in range(rounds):
        for step, taken in zip(steps, costs, strict=True):
            with clocked() as cost:
                step()
            taken.append(cost())
    best = [Cost(min(one.clock for one in each), min(one.cores for one in each)) for each in costs]
    size = sum(path.stat().st_size for path in index.home.rglob("*") if path.is_file())
    print(f"\n{seconds / 3600:.2f} hours of video measured, the best of {rounds} rounds\n")
    header("what", "s", "s of cores", "x real time", "10 hours: s", "ratio of cores to decoding")
    for name, each in zip(
        ("decoding and hashing each frame once", "reading the windows", "indexing"),
        best,
        strict=True,
    ):
        line(
            name,
            f"{each.clock:.1f}",
            f"{each.cores:.1f}",
            f"{seconds / each.clock:.0f}",
            f"{each.clock * _TEN_HOURS / seconds:.0f}",
            f"{each.cores / best[0].cores:.2f}",
        )
    ten = size * _TEN_HOURS / seconds
    print(f"\nindex: {size / 1e6:.2f} MB for {index.describe()}; 10 hours: {ten / 1e6:.1f} MB\n")
    return index, best


def report_second_call(checkpoint: Path, folder: Path, home: Path) -> None:
    command = ["chop the carrot", "--in", str(folder), "--model", str(checkpoint)]
    printed = io.StringIO()
    for name in ("first call", "second call", "third call"):
        with clocked() as cost, redirect_stdout(printed):
            code = tree.run("search", [*command, "--index", str(home / "command")])
        print(f"vtlearn search, {name}, after imports: {cost().clock:.2f} s (exit code {code})")


def report_many(model: Model, files: int, home: Path) -> None:
    """Time an index of many videos, which are looked at and not changed."""
    folder = home / "many"
    for number in range(files):
        path = folder / f"{number // 100:03d}" / f"video{number:06d}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"stands for a video")
    stub = Stub(model, windows=60)
    for name in ("first", "second", "third"):
        with clocked() as opening:
            index = SearchIndex.open(stub, folder, home=home / "of many")
            opened = opening().clock
        with clocked() as searching:
            model.search("chop the carrot", index, 5)
            searched = searching().clock
        print(
            f"{files} files, {index.describe()}: {name} opening {opened:.2f} s, "
            f"search {searched:.2f} s"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="CKPT")
    parser.add_argument("--root", type=Path, default=Path("data/kitchen"), help="of Kitchen")
    parser.add_argument("--pairs", type=int, default=50, help="that are searched for")
    parser.add_argument("--files", type=int, default=5000, help="of an index of many videos")
    parser.add_argument("--rounds", type=int, default=2, help="of measuring")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    set_threads(arguments.threads)
    print(machine(arguments.threads), "\n")
    truth = {
        video_id: video
        for video_id, video in read_truth(arguments.root).items()
        if "_test_" in video_id
    }
    pairs = choose_pairs(truth, arguments.pairs)
    model = load(arguments.checkpoint)
    with tempfile.TemporaryDirectory() as place:
        folder, home = Path(place, "videos"), Path(place, "home")
        folder.mkdir()
        for video_id in truth:
            target = (arguments.root / "videos" / f"{video_id}.mp4").resolve()
            (folder / target.name).symlink_to(target)
        seconds = sum(video.duration for video in truth.values())
        index, _ = report_costs(model, folder, seconds, home, arguments.rounds)
        report_hits(model, index, pairs, truth)
        print()
        report_second_call(arguments.checkpoint, folder, home)
        print()
        report_many(model, arguments.files, home)


if __name__ == "__main__":
    main()
