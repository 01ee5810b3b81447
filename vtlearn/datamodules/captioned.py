"""What datamodules of captioned clips share: how they are scored."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from vtlearn.datamodules.base import VideoTextData
from vtlearn.datamodules.captioning import captioning_task
from vtlearn.datasets.base import Corpus
from vtlearn.datasets.captioned import CaptionedClip, CaptionedCorpus, captioned_items
from vtlearn.datasets.clips import require_stored
from vtlearn.datasets.evaluation import EvaluationItem, EvaluationItems
from vtlearn.datasets.windows import VideoList, require_pixels
from vtlearn.evaluation.encoded_item import Pooling
from vtlearn.evaluation.evaluator import EvaluationTask
from vtlearn.evaluation.protocol import Mode, Protocol
from vtlearn.evaluation.retrieval import Retrieval

__all__ = ["CaptionedData"]


class CaptionedData(VideoTextData):
    """Clips with written captions, to be found by them or to write others of.

    A corpus's own module lists the clips of a split, and says which splits are scored.

    Args:
        loading: What every corpus takes.

    Attributes:
        train_split: What is trained on.
        pooling: What is compared: vectors as the head embeds them, or those of the encoders.
        mode: ``reference`` to score as published code does, with its quirks.
    """

    train_split = "train"
    pooling: Pooling = "head"
    mode: Mode = "exact"

    def __init__(self, **loading: Any) -> None:
        super().__init__(**loading)
        self._clips: dict[str, Sequence[CaptionedClip]] = {}

    @abstractmethod
    def list_split(self, split: str, max_missing: float | None) -> Sequence[CaptionedClip]:
        """List the clips of a split.

        Args:
            split: Its name.
            max_missing: How many of the clips may lack their files, a share of them, if a float;
                None for any number, where features are read.
        """

    def clips(self, split: str) -> Sequence[CaptionedClip]:
        """Return the clips of a split, listed once.

        Args:
            split: Its name.

        Raises:
            CorpusNotFoundError: If the files are not there.
            FeatureError: If features are read, and some clips have none.
        """
        if split not in self._clips:
            reading, allowed = self.reading, float(self.reading.max_unreadable_fraction)
            allowed = allowed if split == self.train_split else self.max_unreadable
            any_number = reading.features is not None or not self.videos_needed
            clips = self.list_split(split, None if any_number else allowed)
            if reading.features is not None and self.videos_needed:
                require_stored(reading.features, list({clip.video: None for clip in clips}))
            self._clips[split] = clips
        return self._clips[split]

    def train_dataset(self) -> Corpus:
        """Return the training clips."""
        return CaptionedCorpus(self.clips(self.train_split), self.reading)

    def videos(self) -> VideoList:
        """List the files of all clips, to make features of: those that are scored as well.

        Raises:
            ArgumentError: If the corpus is set to read features itself.
        """
        require_pixels(self.reading.features)
        files = {clip.video: str(clip.path) for clip in self.clips(self.train_split)}
        tasks = [*self.tasks("validate"), *self.tasks("test")]
        files |= {item.id: str(item.source) for task in tasks for item in task.items.items}
        return self._listed(list(files), list(files.values()))

    def retrieval(
        self, name: str, version: int, clips: Sequence[CaptionedClip], windows: int
    ) -> EvaluationTask:
        """Make the task of finding each clip by each of its texts.

        Where two texts are equal, each counts its own clip alone.

        Args:
            name: The protocol's name.
            version: Its version.
            clips: What is searched, with the texts that ask for each.
            windows: Windows that are averaged, spread evenly over a clip.

        Returns:
            The task.
        """
        protocol = self.retrieval_protocol(name, version, clips, windows)
        return self.task([protocol], captioned_items(clips, windows))

    def captioning(self, name: str, version: int, clips: Sequence[CaptionedClip]) -> EvaluationTask:
        """Make the task of writing a caption of each clip, scored by all of its texts.

        A clip is one window: frames from the middles of equal parts of it, or its stored vectors.

        Args:
            name: The protocol's name.
            version: Its version.
            clips: The clips, each with its references.

        Returns:
            The task.
        """
        return captioning_task(self, name, version, clips)

    def retrieval_protocol(
        self, name: str, version: int, clips: Sequence[CaptionedClip], windows: int
    ) -> Retrieval:
        """Make the protocol of finding each clip by each of its texts.

        Args:
            name: Its name.
            version: Its version.
            clips: What is searched, with the texts that ask for each.
            windows: Windows that are averaged, spread evenly over a clip.

        Returns:
            The protocol.
        """
        return Retrieval(
            name,
            version,
            expected=[clip.id for clip in clips],
            relevance={text_id: [clip.id] for clip in clips for text_id in clip.text_ids},
            windows=self.describe_windows(windows),
            pooling=self.pooling,
            mode=self.mode,
            captions={
                text_id: text
                for clip in clips
                for text_id, text in zip(clip.text_ids, clip.texts, strict=True)
            },
        )

    def task(
        self, protocols: Sequence[Protocol], items: Sequence[EvaluationItem]
    ) -> EvaluationTask:
        """Make a task that reads items as this corpus is read.

        Args:
            protocols: What scores them.
            items: What is scored.

        Returns:
            The task.
        """
        for protocol in protocols:
            protocol.settings = {**protocol.settings, "max_words": self.max_words}
        readable = EvaluationItems(items, self.reading, self.max_unreadable)
        return EvaluationTask(protocols, readable, self.evaluation_batch_size, self.max_words)

    def describe_windows(self, windows: int) -> str:
        """Say how the windows of a clip are chosen.

        Args:
            windows: How many are asked for.
        """
        if self.reading.features is not None:
            return "the stored vectors of a clip, as many as the video encoder takes"
        return f"{windows}, spread evenly over a clip and averaged"
