"""Few-shot recognition: episodes of labelled videos, to train on and to be scored by."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from vtlearn.checks import require_positive
from vtlearn.data_source import Stage
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datamodules.samplers import EpochOrder
from vtlearn.datasets.annotations import are_published, hash_annotations
from vtlearn.datasets.clips import require_stored
from vtlearn.datasets.episodes import (
    Draw,
    EpisodeCorpus,
    EpisodeVideo,
    by_label,
    episode_items,
    read_labels,
    recipe_videos,
    require_classes,
)
from vtlearn.datasets.evaluation import EvaluationItems
from vtlearn.datasets.windows import VideoList, require_pixels
from vtlearn.distributed import process
from vtlearn.errors import ArgumentError, CorpusNotFoundError
from vtlearn.evaluation.encoded_item import Pooling
from vtlearn.evaluation.evaluator import EvaluationTask
from vtlearn.evaluation.few_shot import FewShotRecognition
from vtlearn.evaluation.result import Annotations
from vtlearn.kitchen import KitchenCorpus

__all__ = ["Episodes"]

_NAME = "A set of labelled videos"
_STREAM = 4  # apart from what else is drawn by (seed, epoch)
_SPLITS: Mapping[Stage, str] = {"validate": "val", "test": "test"}


class Episodes(VideoTextData):
    """Train on episodes of labelled videos, and score how well classes are told that are new.

    An episode is a batch: ``ways`` classes, class after class, of each first ``shots`` videos that
    are shown and then ``queries`` videos whose class is asked for. A sample is ``windows`` clips
    spread over a video, and no text. The head ``FewShot`` has to be told the same ``shots`` and
    ``queries``. The protocol is ``few-shot@1``; see
    :class:`~vtlearn.evaluation.few_shot.FewShotRecognition`.

    Args:
        root: The folder of the videos, and of Kitchen.
        annotations: A csv with the columns video_path, label, split (train, val or test) and
            perhaps group; ``labels.csv`` in ``root`` by default. A class is in one split alone.
        ways: Classes of an episode, in training and in scoring.
        shots: Videos of a class that a training episode shows.
        queries: Videos of a class that a training episode asks about.
        episodes: Training episodes of an epoch.
        windows: Clips of a video, spread evenly over it; of stored features too, from the vector at
            each clip's start on.
        test_shots: Videos of a class that are shown in scoring, each number by itself; the first is
            that of the primary figure.
        test_episodes: How many episodes are drawn to score a split.
        pooling: What is compared in scoring: ``head`` for windows as the head embeds them, ``raw``
            for those of the video encoder.
        kitchen: Take Kitchen's recipes as classes and their families as groups, in place of a list;
            rendered in ``root`` where it is not there.
        draw: Which two of Kitchen's six families are tested; the other four are trained on.
        loading: What every corpus takes, but for ``batch_size``, which is ways x (shots + queries).

    Raises:
        ArgumentError: If a number is outside its range, or both a list and Kitchen are asked for.

    Example:
        >>> Episodes(ways=5, shots=1, queries=2).batch_size
        15
    """

    def __init__(
        self,
        root: Path = Path("data/episodes"),
        *,
        annotations: Path | None = None,
        ways: int = 5,
        shots: int = 1,
        queries: int = 1,
        episodes: int = 100,
        windows: int = 8,
        test_shots: Sequence[int] = (1, 5),
        test_episodes: int = 10_000,
        pooling: Pooling = "head",
        kitchen: bool = False,
        draw: Draw = 0,
        **loading: Any,
    ) -> None:
        require_positive(
            ways=ways, shots=shots, queries=queries, episodes=episodes, windows=windows
        )
        super().__init__(batch_size=ways * (shots + queries), **loading)
        if kitchen and annotations is not None:
            message = (
                f"annotations={annotations} list classes, and kitchen=true takes those of Kitchen: "
                "leave one of them out"
            )
            raise ArgumentError(message)
        self.root = Path(root)
        self.annotations = self.root / "labels.csv" if annotations is None else Path(annotations)
        self.ways, self.shots, self.queries = ways, shots, queries
        self.episodes, self.windows = episodes, windows
        self.test_shots, self.test_episodes = list(test_shots), test_episodes
        self.pooling: Pooling = pooling
        self.kitchen, self.draw = kitchen, draw
        self._listed_videos: list[EpisodeVideo] | None = None

    def prepare_data(self) -> None:
        """Render Kitchen, if that is wanted and not there; forget what was unreadable."""
        if self.kitchen and not (self.root.is_dir() and any(self.root.iterdir())):
            KitchenCorpus(self.root).prepare()
        super().prepare_data()

    @override
    def setup(self, stage: str) -> None:
        super().setup(stage)
        if stage == "fit":
            self._require_one_layout()

    def train_dataset(self) -> EpisodeCorpus:
        """Return the videos of the classes that are trained on."""
        videos = self.split("train")
        self._require_classes("train", self.shots, self.queries)
        return EpisodeCorpus(videos, self.reading, self.windows)

    def epoch_order(self) -> EpochOrder:
        """Return what draws the episodes of an epoch, one after another.

        Raises:
            ArgumentError: If the processes cannot share an episode evenly.
        """
        self._require_even_shares()
        labels = [video.label for video in self.split("train")]
        return _EpisodeOrder(labels, self.ways, self.shots + self.queries, self.episodes)

    def videos(self) -> VideoList:
        """List the videos of all splits, to make features of.

        Raises:
            ArgumentError: If the corpus is set to read features itself.
        """
        require_pixels(self.reading.features)
        videos = self._all_videos()
        return self._listed([video.id for video in videos], [str(video.path) for video in videos])

    def tasks(self, stage: Stage) -> list[EvaluationTask]:
        """Return the episodes that a split is scored by; an empty list without validation videos.

        Args:
            stage: Which split.

        Raises:
            ArgumentError: If no episode can be drawn of it, or there is nothing to test.
        """
        split = _SPLITS[stage]
        videos = self.split(split)
        if not videos and stage == "test":
            message = (
                f"{self._source()} has no video of the split test: list some, or score those of "
                "the split val by `vtlearn validate`"
            )
            raise ArgumentError(message)
        if not videos:
            return []
        self._require_classes(split, max(self.test_shots, default=1), 1)
        protocol = FewShotRecognition(
            "few-shot",
            1,
            {label: [video.id for video in of] for label, of in by_label(videos).items()},
            windows=f"{self.windows}, spread evenly over a video",
            groups={video.label: video.group for video in videos if video.group is not None},
            ways=self.ways,
            shots=self.test_shots,
            episodes=self.test_episodes,
            pooling=self.pooling,
        )
        source = self._source()
        protocol.annotations = Annotations(hash_annotations([source]), are_published([source]))
        own = {"split": split, **({"draw": self.draw} if self.kitchen else {})}
        protocol.settings = {**protocol.settings, **own}
        items = EvaluationItems(
            episode_items(videos, self.windows), self.reading, self.max_unreadable
        )
        return [EvaluationTask([protocol], items, self.evaluation_batch_size, self.max_words)]

    def split(self, split: str) -> list[EpisodeVideo]:
        """Return the videos of a split.

        Args:
            split: ``train``, ``val`` or ``test``.

        Raises:
            CorpusNotFoundError: If the list is not there, or none of its videos.
            FeatureError: If features are read, and some videos have none.
        """
        return [video for video in self._all_videos() if video.split == split]

    def _all_videos(self) -> list[EpisodeVideo]:
        if self._listed_videos is None:
            if self.kitchen:
                self._require_no_list()
                videos = recipe_videos(self.root, self.draw)
            else:
                videos = read_labels(self.annotations, self.root)
            self._require_there(videos)
            self._listed_videos = videos
        return self._listed_videos

    def _require_no_list(self) -> None:
        """Refuse to look for Kitchen where there is a list of one's own."""
        if self.annotations.is_file() and not self._source().is_file():
            message = (
                f"kitchen=true takes the recipes of {self._source()}, which is not there, and "
                f"{self.annotations} is: set data.init_args.kitchen=false"
            )
            raise ArgumentError(message)

    def _source(self) -> Path:
        return self.root / "steps.json" if self.kitchen else self.annotations

    def _require_there(self, videos: Sequence[EpisodeVideo]) -> None:
        """Refuse a store that lacks videos, and a folder without any."""
        features = self.reading.features
        if not self.videos_needed:
            return
        if features is not None:
            require_stored(features, [video.id for video in videos])
        elif not any(video.path.exists() for video in videos):
            holds = f"{self.root}: the videos listed in {self._source()}  (there are none)"
            raise CorpusNotFoundError(_NAME, [holds])

    def _require_classes(self, split: str, shots: int, queries: int) -> None:
        classes = by_label(self.split(split))
        require_classes(split, classes, ways=self.ways, shots=shots, queries=queries)

    def _require_even_shares(self) -> None:
        world = process().world
        if self.batch_size % world:
            message = (
                f"an episode of {self.ways} ways x ({self.shots} shots + {self.queries} queries) "
                f"has {self.batch_size} videos, which {world} processes cannot share evenly: "
                "change data.init_args.ways, or shots and queries (of model.head.init_args too)"
            )
            raise ArgumentError(message)

    def _require_one_layout(self) -> None:
        """Refuse a head that takes batches to be laid out in another way: it cannot see that."""
        learner = None if self.trainer is None else self.trainer.lightning_module
        for part in () if learner is None else learner.modules():
            of_head = {name: getattr(part, name, None) for name in ("shots", "queries")}
            own = {"shots": self.shots, "queries": self.queries}
            if None not in of_head.values() and of_head != own:
                message = (
                    f"the data have shots={self.shots} and queries={self.queries}, and "
                    f"{type(part).__name__} has shots={of_head['shots']} and "
                    f"queries={of_head['queries']}: set data.init_args and model.head.init_args "
                    "alike"
                )
                raise ArgumentError(message)


class _EpisodeOrder:
    """Draw the episodes of an epoch, alike on every process.

    Args:
        labels: The class of each training video.
        ways: Classes of an episode.
        size: Videos of a class in an episode.
        episodes: How many episodes there are.
    """

    def __init__(self, labels: Sequence[str], ways: int, size: int, episodes: int) -> None:
        every = np.asarray(labels)
        self._classes = [(every == label).nonzero()[0] for label in sorted(set(labels))]
        self._ways, self._size, self._episodes = ways, size, episodes

    def __call__(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """Return the places of the videos, episode by episode, class by class."""
        rng = np.random.default_rng((seed, epoch, _STREAM))
        return np.concatenate(
            [
                rng.permutation(self._classes[label])[: self._size]
                for _ in range(self._episodes)
                for label in rng.permutation(len(self._classes))[: self._ways]
            ]
        )
