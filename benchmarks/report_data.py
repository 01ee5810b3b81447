"""What the methods report trains on: one set of videos, features of it, and many narrations."""

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from trainings import checkpoint_of, fit, logged_in, seeded, vtlearn

from vtlearn.batch import Batch
from vtlearn.data_source import Stage
from vtlearn.datamodules import Kitchen
from vtlearn.datasets.clips import ClipLoader
from vtlearn.datasets.howto100m import HowTo100M
from vtlearn.datasets.reading import ClipSampling
from vtlearn.datasets.sampling.narrations import NarrationReader
from vtlearn.evaluation.evaluator import EvaluationTask
from vtlearn.kitchen import KitchenCorpus, Narrator, read_truth
from vtlearn.media.clips import Clips, Source
from vtlearn.media.features.reader import FeatureReader
from vtlearn.media.video.timeline import frame_times

WIDTH = 128  # of the features
STRIDE = 0.5  # seconds between these; a window of the checkpoint is 2 s
VECTORS = 4  # of a clip
CLEAN = {"shift": 0, "omitted": 0, "chatter": 0, "swapped": 0, "word_errors": 0}


class Places(NamedTuple):
    """Where everything lies.

    Attributes:
        data: The rendered corpora.
        runs: What is trained and found.
    """

    data: Path
    runs: Path

    @property
    def kitchen(self) -> Path:
        return self.data / "kitchen"

    @property
    def features(self) -> Path:
        return self.runs / "features"

    def captions(self, narrator: str) -> Path:
        return self.runs / "captions" / narrator.replace(" ", "-")


def train_encoder(places: Places, epochs: int) -> Path:
    """Train InfoNCE on another kitchen, clearly narrated, unless that was done."""
    run, data = places.runs / "encoder", "--data.init_args."
    words = [f"{data}root", str(places.data / "kitchen-clean"), f"{data}kitchen_seed", "1"]
    words += [f"{data}validation", "1", f"{data}test", "1"]  # nothing is scored there
    for name, value in CLEAN.items():
        words += [f"{data}{name}", str(value)]
    words += ["--trainer.max_epochs", str(epochs), "--trainer.limit_val_batches", "0"]
    fit(run, "--config", "configs/info_nce.yaml", *seeded(0), *logged_in(run), *words)
    return checkpoint_of(run)


def make_features(places: Places, checkpoint: Path) -> None:
    """Render Kitchen and encode its videos, unless they are there."""
    words = ["--ckpt_path", str(checkpoint), "--data", "configs/data/kitchen.yaml"]
    words += ["--data.init_args.root", str(places.kitchen), "--features.stride", str(STRIDE)]
    vtlearn("predict", *words, "--features.folder", str(places.features))


def write_captions(root: Path, narrator: Narrator, folder: Path) -> None:
    """Write what another narrator says of the training videos of a rendered Kitchen, once.

    Args:
        root: The rendered folder, with Kitchen's default parameters but for the number of videos.
        narrator: Who tells of them.
        folder: Where to, a file a video, in HowTo100M's layout.

    Raises:
        RuntimeError: If the videos show something else than is told of.
    """
    if folder.is_dir():
        return
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    truth = {id_: one for id_, one in read_truth(root).items() if "_train_" in id_}
    corpus = KitchenCorpus(root, train=len(truth), **vars(narrator))
    for index in range(len(truth)):
        plan = corpus.plan("train", index)
        if plan.truth.steps != truth[plan.id].steps:
            message = f"{root} shows other steps in {plan.id} than {narrator} would tell of"
            raise RuntimeError(message)
        (partial / f"{plan.id}.json").write_text(json.dumps(plan.transcript))
    partial.rename(folder)


class NarratedKitchen(Kitchen):
    """Kitchen, whose training videos are told of by another narrator.

    It is validated and tested by Kitchen's own captions, so that all narrators are compared by the
    same questions.

    Args:
        root: Kitchen's folder.
        narration: The folder of what is said of the training videos.
        kitchen: What Kitchen takes.

    Its tasks stay the same objects, so that what their protocols keep can be read afterwards.
    """

    def __init__(self, root: Path, *, narration: Path, **kitchen: Any) -> None:
        super().__init__(root, **kitchen)
        self.narration = narration
        self._tasks: dict[Stage, list[EvaluationTask]] = {}

    def prepare_data(self) -> None:
        """Leave the videos alone: they are rendered, and planning them again takes a second."""

    def transfer_batch_to_device(self, batch: Batch, *_: object) -> Batch:
        """Leave a batch where it is: looking through it takes as long as a step."""
        return batch

    def train_dataset(self) -> HowTo100M:
        kind = HowTo100M if self.reading.features is None else NarrationsInMemory
        return kind(
            self.narration,
            videos=self.root / "videos",
            video_list=self.root / "splits" / "train.csv",
            max_missing_fraction=0.0,
            reading=self.reading,
        )

    def tasks(self, stage: Stage) -> list[EvaluationTask]:
        if stage not in self._tasks:
            self._tasks[stage] = super().tasks(stage)
        return self._tasks[stage]


class NarrationsInMemory(HowTo100M):
    """Narrations with stored vectors: opening their files for each sample takes longer."""

    def __init__(self, captions: Path, **corpus: Any) -> None:
        super().__init__(captions, **corpus)
        reader = MemoryReader(self.reading.features)
        self._narrations = NarrationReader(ClipLoader(self.reading, reader))


class MemoryReader(FeatureReader):
    """Reads clips of vectors as ``FeatureReader`` does, out of memory."""

    def clips(self, source: Source, starts: Any, *, num_frames: int, fps: float, **_: Any) -> Clips:
        vectors = vectors_of(self.folder)[self._video_id(source)]
        shown = np.floor(frame_times(starts, num_frames, fps) * fps).astype(np.int64)
        frames = vectors[torch.from_numpy(shown.clip(0, len(vectors) - 1))]
        return Clips(frames, torch.ones(frames.shape[:2], dtype=torch.bool))


@cache
def vectors_of(folder: Path) -> dict[str, Tensor]:
    """Read all vectors of a store, (vectors, dim) each."""
    reader = FeatureReader(folder)
    fps, size = reader.spec.fps, reader.spec.dim
    counts = {video: int(np.ceil(reader.duration(video) * fps)) for video in reader.ids}
    return {
        video: reader.clips(video, [0.0], num_frames=count, fps=fps, size=size).frames[0]
        for video, count in counts.items()
    }


def open_kitchen(
    places: Places, narrator: str, seed: int, *, pixels: bool, log: Path
) -> NarratedKitchen:
    """Open what is trained and tested on: stored features, or pixels."""
    sampling = ClipSampling(num_clips=8, num_frames=None if pixels else VECTORS)
    return NarratedKitchen(
        places.kitchen,
        narration=places.captions(narrator),
        features=None if pixels else places.features,
        sampling=sampling,
        batch_size=16,
        seed=seed,
        unreadable_log=log,
    )
