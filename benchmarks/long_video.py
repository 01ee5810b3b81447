"""Score one long video, a window per second of S3D, and print the process's peak memory.

    python benchmarks/long_video.py [--minutes 10] [--chunk 2]

The video is rendered; a window has 32 frames of 224 px, and so many as --chunk says are on the
device at once. Nothing else runs in the process: no loader workers, no training.
"""

import argparse
import platform
import resource
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import Trainer

from vtlearn.data_source import Stage
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datasets.evaluation import EvaluationItem, EvaluationItems
from vtlearn.encoders import S3D, Word2Vec
from vtlearn.evaluation import EncodedItem, EvaluationTask, Protocol, Result
from vtlearn.heads import InfoNCE
from vtlearn.kitchen.writer import write_video
from vtlearn.learner import VideoTextLearner

SIZE, FPS = 256, 10


class Windows(Protocol):
    """Counts the windows that came."""

    name, version, windows, primary = "windows", 1, "one per second", "windows"
    expected = ("video",)

    def update(self, item: EncodedItem) -> int:
        return len(item.windows)

    def compute(self, kept: Mapping[str, Any]) -> Result:
        return self.summarize({"windows": np.array([*kept.values()], float)}, kept)


class OneVideo(VideoTextData):
    """A single file to be scored."""

    def __init__(self, path: Path, seconds: int, chunk: int) -> None:
        super().__init__(evaluation_chunk=chunk)
        self._item = EvaluationItem("video", path, [float(s) for s in range(seconds)], [], [])

    def tasks(self, stage: Stage) -> Sequence[EvaluationTask]:
        del stage
        items = EvaluationItems([self._item], self.reading)
        return [EvaluationTask([Windows()], items, batch_size=1)]

    def captions(self) -> Iterator[str]:
        raise NotImplementedError

    def train_dataset(self) -> Any:
        raise NotImplementedError


def frames(seconds: int) -> Iterator[NDArray[np.uint8]]:
    """A bar that moves over a gradient."""
    still = np.broadcast_to(np.arange(SIZE, dtype=np.uint8)[:, None, None], (SIZE, SIZE, 3))
    for number in range(seconds * FPS):
        picture = still.copy()
        picture[:, number % SIZE : number % SIZE + 16] = 255
        yield picture


def main() -> None:
    """Render, score, and print a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--chunk", type=int, default=2)
    options = parser.parse_args()
    seconds = int(60 * options.minutes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "video.mp4")
        write_video(path, frames(seconds), size=SIZE, fps=FPS)
        text = Word2Vec()
        text.build(["nothing is said"])
        learner = VideoTextLearner(S3D(), text, InfoNCE())
        trainer = Trainer(
            accelerator="cpu", devices=1, logger=False, default_root_dir=folder,
            enable_model_summary=False, use_distributed_sampler=False,
        )  # fmt: skip
        before, start = peak(), time.perf_counter()
        trainer.test(learner, datamodule=OneVideo(path, seconds, options.chunk), verbose=False)
        taken = time.perf_counter() - start
    print(f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(
        f"{seconds} windows of 32 x 224 px in {taken:.0f} s, chunk {options.chunk}: peak memory "
        f"{peak():.2f} GB, of which {before:.2f} GB before the first window"
    )


def peak() -> float:
    """The most memory that the process has had, in GB (10^9 bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    main()
