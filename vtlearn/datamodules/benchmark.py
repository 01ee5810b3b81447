"""What datamodules of published benchmarks share: where they are, and how they are scored."""

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from vtlearn.checks import require_positive
from vtlearn.data_source import Stage
from vtlearn.datamodules.captioned import CaptionedData
from vtlearn.datamodules.captioning import Task, writes
from vtlearn.datasets.annotations import are_published, hash_annotations
from vtlearn.datasets.windows import VideoList, require_pixels
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.encoded_item import Pooling
from vtlearn.evaluation.evaluator import EvaluationTask
from vtlearn.evaluation.protocol import Mode
from vtlearn.evaluation.result import Annotations

__all__ = ["BenchmarkData"]


class BenchmarkData(CaptionedData):
    """A published benchmark: its files on disk, or Kitchen's in the same layout.

    A corpus's own module lists its splits and says what each stage is scored by.

    Args:
        root: The folder of videos and annotations, in any of the layouts that circulate.
        videos: The folder of the videos, if it is not ``root``.
        windows: Windows of a clip that are averaged when it is scored. Where features are read, a
            clip is one window of its own vectors.
        pooling: What is compared: ``head`` for vectors as the head embeds them, ``raw`` for the
            mean of the video encoder's own, by dot product, ``unit`` for the mean of these at unit
            length.
        mode: ``reference`` to score as published code does, with its quirks.
        task: What is scored: ``retrieval``, or ``captioning``, where the head writes a caption of
            each clip and all that people wrote of it are references. Clips are then their whole
            time (``sampling.whole``), in training as well, and nothing of ``windows`` counts.
        kitchen: Render a small corpus of cooking videos in this layout where ``root`` is not there.
        allow_test_selection: Validate on what the test is scored by; results on the same ids then
            say that the model was chosen by them.
        loading: What every corpus takes.

    Raises:
        ArgumentError: If a choice is unknown, windows is not positive, or the task is not one that
            the corpus has, or that other choices go with.

    Attributes:
        has_references: Whether there are captions that others can be compared with.
        writes: Whether the head is scored by the captions that it writes.
    """

    has_references = True

    def __init__(
        self,
        root: Path,
        *,
        videos: Path | None = None,
        windows: int = 4,
        pooling: Pooling = "head",
        mode: Mode = "exact",
        task: Task = "retrieval",
        kitchen: bool = False,
        allow_test_selection: bool = False,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        require_positive(windows=windows)
        if pooling not in ("head", "raw", "unit") or mode not in ("exact", "reference"):
            message = (
                f"expected pooling head, raw or unit, got {pooling!r}; and mode exact or "
                f"reference, got {mode!r}"
            )
            raise ArgumentError(message)
        self.writes = writes(task)
        if self.writes:
            self._require_captioning(pooling, mode)
            self.take_whole_clips()
        self.root, self.videos_root = Path(root), videos and Path(videos)
        self.windows, self.pooling, self.mode = windows, pooling, mode
        self.kitchen, self.allow_test_selection = kitchen, allow_test_selection

    def _require_captioning(self, pooling: Pooling, mode: Mode) -> None:
        """Refuse to score captions where there are no others, or as vectors are compared."""
        if not self.has_references:
            message = (
                f"{type(self).__name__} has no captions that others are compared with: leave "
                "task=captioning out"
            )
            raise ArgumentError(message)
        if pooling != "head" or mode != "exact":
            message = (
                f"pooling={pooling} and mode={mode} say how vectors are compared, and "
                "task=captioning compares none: leave them out"
            )
            raise ArgumentError(message)

    def prepare_data(self) -> None:
        """Render what is missing, if that is wanted; a training forgets what was unreadable."""
        if self.kitchen and not (self.root.is_dir() and any(self.root.iterdir())):
            self.render()
        super().prepare_data()

    @abstractmethod
    def video_files(self) -> Mapping[str, Path]:
        """Return the files of all splits' videos, by id."""

    def files_of(self, splits: Sequence[str]) -> dict[str, Path]:
        """Return the files of some splits' videos, by id.

        Args:
            splits: Their names.
        """
        return {clip.video: clip.path for split in splits for clip in self.clips(split)}

    def videos(self) -> VideoList:
        """List the files of all splits, to make features of.

        Raises:
            ArgumentError: If the corpus is set to read features itself.
        """
        require_pixels(self.reading.features)
        files = self.video_files()
        return self._listed(list(files), [str(path) for path in files.values()])

    @abstractmethod
    def render(self) -> None:
        """Render Kitchen in this corpus's layout."""

    def tasks(self, stage: Stage) -> list[EvaluationTask]:
        """Return what a stage is scored by.

        Args:
            stage: Which split.

        Raises:
            ArgumentError: If validation and test share ids.
        """
        if stage == "test" or self.allow_test_selection:
            return self.test_tasks()
        return self.validation_tasks()

    @abstractmethod
    def test_tasks(self) -> list[EvaluationTask]:
        """Return what the test split is scored by."""

    def validation_tasks(self) -> list[EvaluationTask]:
        """Return what the authors' validation split is scored by; nothing where there is none."""
        return []

    def annotated(self, task: EvaluationTask, split: str, files: Sequence[Path]) -> EvaluationTask:
        """Note which split is scored, and which files said what there is.

        Args:
            task: What is scored.
            split: The split's name.
            files: The files.

        Returns:
            The same task.
        """
        annotations = Annotations(hash_annotations(files), are_published(files))
        for protocol in task.protocols:
            protocol.annotations = annotations
            protocol.settings = {**protocol.settings, "split": split}
        return task


def require_apart(corpus: str, validation: Collection[str], test: Collection[str]) -> None:
    """Refuse a validation split that has ids of the test.

    Args:
        corpus: The corpus's name.
        validation: Its validation ids.
        test: Its test ids.

    Raises:
        ArgumentError: If they share any.

    Example:
        >>> require_apart("MSR-VTT", ["video1"], ["video2"])
    """
    shared = sorted(set(validation) & set(test))
    if shared:
        message = (
            f"{corpus}: {len(shared)} of {len(validation)} validation ids are those of the test "
            f"(first: {shared[0]}), and a model chosen by them would be scored too high; correct "
            "the lists, or set data.init_args.allow_test_selection=true, which results then say"
        )
        raise ArgumentError(message)
