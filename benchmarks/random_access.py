"""Read random clips of the videos of a folder in several ways, which must give the same frames.

    python benchmarks/random_access.py FOLDER... [--clips 1000] [--seed 0]

Each clip is read by a reader of its own, among others in one call, in another order by a reader
that was used before, and in one pass over the whole file, without a seek. All four have to agree
bit for bit, in the frames and in which of them are valid. Clips start anywhere, also before the
start and past the end, and differ in length, rate and size. The exit code is 1 where anything
differs.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from vtlearn.errors import UnreadableVideoError
from vtlearn.media.clips import Clips, Rate, Source
from vtlearn.media.ids import VIDEO_SUFFIXES
from vtlearn.media.video.file import VideoFile
from vtlearn.media.video.pictures import PictureFile
from vtlearn.media.video.reader import VideoReader

SUFFIXES = (
    *VIDEO_SUFFIXES,
    ".ts",
    ".m2ts",
    ".mpg",
    ".flv",
    ".ogv",
    ".wmv",
    ".gif",
    ".3gp",
    ".asf",
    ".h264",
    ".m2v",
    ".nut",
)
RATES: tuple[Rate, ...] = ("native", 1, 5, 10, 12.5, 29.97)
CALL = 8  # clips of a call


class Call(NamedTuple):
    """What is asked of a reader at a time: starts in seconds, and the rest of the settings."""

    starts: tuple[float, ...]
    settings: dict[str, Any]


class Outcome(NamedTuple):
    """What came of a video: how many clips and frames were read, valid ones, and what differs."""

    clips: int
    frames: int
    valid: int
    differences: list[str]


class SequentialReader(VideoReader):
    """A reader that decodes a file from the first frame on, whatever is wanted."""

    def _file(self, source: Source) -> VideoFile | PictureFile:
        file = super()._file(source)
        if isinstance(file, _SequentialFile | PictureFile):
            return file
        return _SequentialFile(source, file.identity, self.num_threads)


class _SequentialFile(VideoFile):
    def should_seek(self, now: float, time: float) -> bool:
        del now, time
        return False


def main() -> int:
    """Read the clips of all videos, and print a line for each video."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folders", type=Path, nargs="+", help="where the videos are")
    parser.add_argument("--clips", type=int, default=1000, help="of all videos together")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    paths = [path for folder in arguments.folders for path in find(folder)]
    if not paths:
        message = f"there are no videos in {' and in '.join(map(str, arguments.folders))}"
        raise SystemExit(message)
    each = -(-arguments.clips // len(paths))
    outcomes: list[Outcome] = []
    for number, path in enumerate(paths):
        before = time.perf_counter()
        try:
            outcome = compare(
                path, draw(path, each, np.random.default_rng([arguments.seed, number]))
            )
        except UnreadableVideoError as error:
            print(f"{path.name}: {error}", flush=True)
            continue
        outcomes.append(outcome)
        taken = time.perf_counter() - before
        print(
            f"{path.name}: {outcome.clips} clips, {outcome.valid} of {outcome.frames} frames valid,"
            f" {len(outcome.differences)} differences, {taken:.1f} s",
            flush=True,
        )
        print("".join(f"  {line}\n" for line in outcome.differences), end="", flush=True)
    clips = sum(outcome.clips for outcome in outcomes)
    differences = sum(len(outcome.differences) for outcome in outcomes)
    print(f"{clips} clips of {len(outcomes)} videos: {differences} differences")
    return 1 if differences else 0


def find(folder: Path) -> list[Path]:
    """List the videos below a folder, each file once."""
    if folder.is_file():
        return [folder]
    found = {
        path.resolve(): path
        for path in sorted(folder.rglob("*"), reverse=True)
        if path.suffix.lower() in SUFFIXES and path.is_file()
    }
    return sorted(found.values())


def draw(path: Path, clips: int, rng: np.random.Generator) -> list[Call]:
    """Draw clips of a video, a few for each of several settings.

    Args:
        path: The video.
        clips: How many, at least.
        rng: What is drawn with.

    Raises:
        UnreadableVideoError: If it cannot be read.
    """
    info = VideoReader().probe(path)
    end = min(info.duration, 3600.0)
    calls: list[Call] = []
    while sum(len(call.starts) for call in calls) < clips:
        starts = rng.uniform(-0.5, end + 1, CALL)
        exact = rng.random(CALL) < 0.25  # at the start of a frame, or what rounding makes of it
        starts[exact] = np.round(starts[exact] * info.fps) / info.fps
        settings = {
            "num_frames": int(rng.integers(1, 9)),
            "fps": RATES[rng.integers(len(RATES))],
            "size": int(rng.choice([16, 24, 32])),
            "pad": ("edge", "black")[rng.integers(2)],
            "frame_at": ("screen", "nearest")[rng.integers(2)],
        }
        calls.append(Call(tuple(starts.tolist()), settings))
    return calls


def compare(path: Path, calls: Sequence[Call]) -> Outcome:
    """Read clips in four ways.

    Args:
        path: The video.
        calls: What is asked of it.

    Raises:
        UnreadableVideoError: If it cannot be read.
    """
    differences: list[str] = []
    count = frames = valid = 0
    used = VideoReader()
    sequential = SequentialReader()
    for call in calls:
        starts = list(call.starts)
        expected = sequential.clips(path, starts, **call.settings)
        backwards = used.clips(path, starts[::-1], **call.settings)
        alone = [VideoReader().clips(path, [start], **call.settings) for start in starts]
        found = {
            "among others": VideoReader().clips(path, starts, **call.settings),
            "in another order": Clips(backwards.frames.flip(0), backwards.valid.flip(0)),
            "alone": Clips(*(torch.cat(parts) for parts in zip(*alone, strict=True))),
        }
        for name, clips in found.items():
            differences += [
                f"{starts[row]:.4f} s, {call.settings}: {name} other than in one pass; valid "
                f"{clips.valid[row].int().tolist()}, then {expected.valid[row].int().tolist()}"
                for row in differing(clips, expected)
            ]
        count += len(starts)
        frames += expected.valid.numel()
        valid += int(expected.valid.sum())
    return Outcome(count, frames, valid, differences)


def differing(clips: Clips, others: Clips) -> list[int]:
    """Return which clips have other frames, or frames that are valid in one of them only."""
    return [
        row
        for row in range(len(clips.valid))
        if not torch.equal(clips.frames[row], others.frames[row])
        or not torch.equal(clips.valid[row], others.valid[row])
    ]


if __name__ == "__main__":
    raise SystemExit(main())
