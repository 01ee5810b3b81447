"""Kitchen as a corpus, and what it asks of a model: which clip a caption means, and when."""

from pathlib import Path
from typing import NamedTuple

from vtlearn.datasets.base import Expectations
from vtlearn.datasets.evaluation import EvaluationItem
from vtlearn.datasets.files import require_paths
from vtlearn.datasets.howto100m import HowTo100M
from vtlearn.datasets.reading import Reading
from vtlearn.datasets.sampling.spans import sliding_windows
from vtlearn.datasets.video_list import read_video_list
from vtlearn.kitchen.manifest import Rendered, read_manifest
from vtlearn.kitchen.plan import SPLITS
from vtlearn.kitchen.truth import Step, VideoTruth, read_truth
from vtlearn.media.captions.transcripts import Caption, read_transcript

__all__ = [
    "Kitchen",
    "NarratedVideo",
    "alignment_items",
    "narrated_videos",
    "retrieval_items",
    "text_id",
    "whole_video",
]


class Kitchen(HowTo100M):
    """The narrated videos of a split: a folder laid out like HowTo100M's.

    Args:
        root: The folder that was rendered.
        split: ``train``, ``val`` or ``test``.
        reading: How the videos are read.

    Raises:
        CorpusNotFoundError: If it is not there.
    """

    def __init__(self, root: Path, split: str = "train", reading: Reading | None = None) -> None:
        super().__init__(
            root / "captions",
            videos=root / "videos",
            video_list=root / "splits" / f"{split}.csv",
            max_missing_fraction=0.0,  # they are rendered, all of them
            reading=reading,
        )

    @classmethod
    def expectations(cls, root: Path) -> Expectations:  # type: ignore[override]
        """Say what a rendered folder should hold.

        Its splits say which videos there are, its ground truth how long they last, and its manifest
        what the frames were when they were rendered.

        Args:
            root: The folder.

        Raises:
            CorpusNotFoundError: If it is not there.
            ArgumentError: If its manifest is not one that Kitchen wrote.
        """
        durations = {video_id: truth.duration for video_id, truth in read_truth(root).items()}
        splits = {root / "splits" / f"{split}.csv": "the videos of a split" for split in SPLITS}
        expected = {root / "videos": "videos", root / "captions": "captions", **splits}
        require_paths("Kitchen", expected, "nowhere: `vtlearn data kitchen` renders it")
        listed = [video_id for split in splits for video_id in read_video_list(split)]
        manifest = read_manifest(root)
        rendered = (manifest and manifest.rendered) or Rendered("", {})
        return Expectations(
            "Kitchen", root / "videos", root / "captions", listed, durations, rendered
        )


class NarratedVideo(NamedTuple):
    """A video of a split with its captions and what is known of it.

    Attributes:
        id: The video's id.
        path: The file.
        captions: What is said, in temporal order.
        truth: What is on screen, and which caption tells of it.
    """

    id: str
    path: Path
    captions: list[Caption]
    truth: VideoTruth

    def told(self) -> dict[int, tuple[float, float]]:
        """Return when what a caption tells of is on screen, by the caption's number."""
        steps = self.truth.steps
        return {
            number: (steps[step].start, steps[step].end)
            for number, step in enumerate(self.truth.narrated)
            if step is not None
        }


def narrated_videos(root: Path, split: str) -> list[NarratedVideo]:
    """Read the captions and the truth of a split.

    Args:
        root: The corpus' folder.
        split: ``train``, ``val`` or ``test``.

    Returns:
        Its videos, sorted by id.
    """
    prefix = f"kitchen_{split}_"
    return [
        NarratedVideo(
            video_id,
            root / "videos" / f"{video_id}.mp4",
            read_transcript(root / "captions" / f"{video_id}.json"),
            truth,
        )
        for video_id, truth in sorted(read_truth(root).items())
        if video_id.startswith(prefix)
    ]


def retrieval_items(videos: list[NarratedVideo], clip_seconds: float) -> list[EvaluationItem]:
    """List one clip for each pair of action and ingredient: the middle of its first occurrence.

    Args:
        videos: Those of a split.
        clip_seconds: How long a clip is.

    Returns:
        Items of one window and one plain caption, "chop carrot", sorted by caption.
    """
    found: dict[str, EvaluationItem] = {}
    for video in videos:
        for step in video.truth.steps:
            start = middle_start(step, clip_seconds)
            item = EvaluationItem(step.caption, video.path, [start], [step.caption], [step.caption])
            found.setdefault(step.caption, item)
    return [found[caption] for caption in sorted(found)]


def middle_start(step: Step, clip_seconds: float) -> float:
    """Place a clip in the middle of a step.

    Args:
        step: The step.
        clip_seconds: How long the clip is.

    Returns:
        When the clip starts, in seconds, and not before 0.

    Example:
        >>> middle_start(Step(4.0, 10.0, "chop", "carrot"), 2.0)
        6.0
    """
    return max(0.0, (step.start + step.end - clip_seconds) / 2)


def alignment_items(videos: list[NarratedVideo], clip_seconds: float) -> list[EvaluationItem]:
    """List whole videos, a window every second, with the captions that tell of a step.

    Args:
        videos: Those of a split; one in which no caption tells of a step is left out.
        clip_seconds: How long a window is.

    Returns:
        An item a video; a text's id is the video's id and the caption's number.
    """
    return [
        whole_video(video, sorted(video.told()), clip_seconds) for video in videos if video.told()
    ]


def whole_video(video: NarratedVideo, numbers: list[int], clip_seconds: float) -> EvaluationItem:
    """Make an item of a whole video and some of its captions.

    Args:
        video: The video.
        numbers: Which captions.
        clip_seconds: How long a window is.

    Returns:
        The item, with a window every second.
    """
    return EvaluationItem(
        video.id,
        video.path,
        sliding_windows(video.truth.duration, clip_seconds),
        [video.captions[number].text for number in numbers],
        [text_id(video.id, number) for number in numbers],
        [(video.captions[number].start, video.captions[number].end) for number in numbers],
    )


def text_id(video_id: str, number: int) -> str:
    """Name a caption.

    Example:
        >>> text_id("kitchen_test_0001", 3)
        'kitchen_test_0001#3'
    """
    return f"{video_id}#{number}"
