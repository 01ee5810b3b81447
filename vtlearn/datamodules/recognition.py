"""What datamodules of recognised actions share: three protocols of the same windows."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NoReturn, cast

from vtlearn.datamodules.benchmark import BenchmarkData
from vtlearn.datasets.annotations import are_published, hash_annotations
from vtlearn.datasets.evaluation import EvaluationItem
from vtlearn.datasets.recognition import ActionClip, class_words
from vtlearn.datasets.sampling.windows import FrameWindows
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.evaluator import EvaluationTask
from vtlearn.evaluation.labelled import LabelledProtocol, LabelledSplits
from vtlearn.evaluation.neighbours import NeighbourRetrieval
from vtlearn.evaluation.probing import LinearProbe
from vtlearn.evaluation.result import Annotations
from vtlearn.evaluation.zero_shot import ZeroShotRecognition

__all__ = ["RecognitionData"]

#: How actions are recognised.
Probe = Literal["linear", "nn", "zeroshot"]

_PROBES: tuple[Probe, ...] = ("linear", "nn", "zeroshot")
_ALL = "all"  # the one split that is listed: which of the three a video is of is known of each


class RecognitionData(BenchmarkData):
    """Score how a trained model recognises actions; it is not trained on them.

    A corpus's own module lists its videos.

    Args:
        root: The folder of videos and annotations, in any of the layouts that circulate.
        protocols: What is scored, in one pass: ``linear`` for linear classifiers of the video
            encoder's features, ``nn`` for the nearest training videos, ``zeroshot`` for the names
            of classes. Left out, all three.
        prompts: Sentences in each of which ``{}`` stands for a class, for ``zeroshot``; left out,
            the name alone.
        windows: Windows of a video, spread evenly over it. Where features are read, a video is one
            window of its own vectors.
        benchmark: How it is scored. ``sampling.fps``, left out, is ``native``: a window is
            consecutive frames of the video.

    Raises:
        ArgumentError: If a choice is unknown, or nothing is scored.
    """

    has_references = False

    def __init__(
        self,
        root: Path,
        *,
        protocols: list[Probe] | None = None,
        prompts: list[str] | None = None,
        windows: int = 10,
        **benchmark: Any,
    ) -> None:
        super().__init__(root, windows=windows, **benchmark)
        if self.mode == "reference":
            message = f"{type(self).__name__} has one way of scoring: leave mode=reference out"
            raise ArgumentError(message)
        self.protocols: Sequence[Probe] = _PROBES if protocols is None else protocols
        self.prompts: Sequence[str] = ("{}",) if prompts is None else prompts
        _require_known(self.protocols)
        if self.reading.sampling.fps is None:
            sampling = replace(self.reading.sampling, fps="native")
            self.reading = self._asked = replace(self.reading, sampling=sampling)

    @abstractmethod
    def list_videos(self, max_missing: float | None) -> list[ActionClip]:
        """List the videos that any split uses.

        Args:
            max_missing: How many of them may lack their files; None for any number.
        """

    @abstractmethod
    def annotation_files(self) -> list[Path]:
        """Return the files that say which videos there are."""

    def list_split(self, split: str, max_missing: float | None) -> list[ActionClip]:
        """List the videos of all splits.

        Args:
            split: Not used: a video says itself which splits use it.
            max_missing: How many of the videos may lack their files; None for any number.
        """
        del split
        return self.list_videos(max_missing)

    def train_dataset(self) -> NoReturn:
        """Refuse to train.

        Raises:
            ArgumentError: Always.
        """
        name = type(self).__name__
        message = (
            f"{name} is scored, and not trained on: how published models were fine-tuned on it is "
            "not known. Train on other data, and then `vtlearn test --ckpt_path ... --data "
            f"configs/data/{name.lower()}.yaml`"
        )
        raise ArgumentError(message)

    def video_files(self) -> dict[str, Path]:
        """Return the files of all videos that any split uses."""
        return self.files_of([_ALL])

    def test_tasks(self) -> list[EvaluationTask]:
        """Return what is scored, all of it in one pass over the videos.

        Raises:
            MissingPackageError: If classifiers are to be fitted without scikit-learn.
        """
        clips = cast("Sequence[ActionClip]", self.clips(_ALL))
        protocols = self._protocols(clips)
        read = {one for protocol in protocols for one in protocol.expected}
        items = [
            EvaluationItem(clip.id, clip.path, FrameWindows(self.windows), [], [])
            for clip in clips
            if clip.id in read
        ]
        files = self.annotation_files()
        annotations = Annotations(hash_annotations(files), are_published(files))
        for protocol in protocols:
            protocol.annotations = annotations
        return [self.task(protocols, items)]

    def describe_windows(self, windows: int) -> str:
        """Say how the windows of a video are chosen.

        Args:
            windows: How many are asked for.
        """
        if self.reading.features is not None:
            return super().describe_windows(windows)
        return f"{windows}, each from a frame on, spread evenly over a video"

    def _protocols(self, clips: Sequence[ActionClip]) -> list[LabelledProtocol]:
        videos = _labelled(clips)
        windows = self.describe_windows(self.windows)
        made: dict[Probe, LabelledProtocol] = {}
        for probe in self.protocols:
            name = f"{type(self).__name__.lower()}-{probe}"
            if probe == "linear":
                made[probe] = LinearProbe(name, 1, videos, windows=windows)
            elif probe == "nn":
                made[probe] = NeighbourRetrieval(name, 1, videos, windows=windows)
            else:
                names = {label: class_words(label) for label in videos.classes}
                made[probe] = ZeroShotRecognition(
                    *(name, 1, videos, names),
                    prompts=self.prompts,
                    windows=windows,
                    pooling=self.pooling,
                )
        for probe, protocol in made.items():
            others = [one for one in _PROBES if (one == "zeroshot") != (probe == "zeroshot")]
            protocol.left_out_by = f"data.init_args.protocols=[{', '.join(others)}]"
        return list(made.values())


def _labelled(clips: Sequence[ActionClip]) -> LabelledSplits:
    """Tell protocols which class a video is of, and what each split does with it."""
    splits = range(len(clips[0].uses))
    train, test = (
        [frozenset(clip.id for clip in clips if clip.uses[split] == use) for split in splits]
        for use in ("train", "test")
    )
    return LabelledSplits({clip.id: clip.label for clip in clips}, train, test)


def _require_known(protocols: Sequence[Probe]) -> None:
    unknown = [one for one in protocols if one not in _PROBES]
    if unknown or not protocols:
        got = repr(unknown[0]) if unknown else "none"
        message = f"expected protocols of {', '.join(_PROBES)}, got {got}"
        raise ArgumentError(message)
