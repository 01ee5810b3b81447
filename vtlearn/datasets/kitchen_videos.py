"""Kitchen's videos step by step, or window by window, as retrieval and captioning take them."""

from collections.abc import Mapping, Sequence

from vtlearn.datasets.captioned import CaptionedClip
from vtlearn.datasets.evaluation import EvaluationItem
from vtlearn.datasets.kitchen import NarratedVideo, middle_start, text_id
from vtlearn.datasets.sampling.spans import UniformWindows, sliding_windows
from vtlearn.datasets.sampling.windows import TimedWindows
from vtlearn.kitchen.references import references_of

__all__ = [
    "caption_clips",
    "narration",
    "plain_captions",
    "step_items",
    "step_text_ids",
    "window_item",
    "window_item_id",
]

_STORED_SECONDS = 3.0  # of a window of stored features
_STRIDE = 2.0  # seconds from the start of a window to the start of the next


def step_items(
    videos: Sequence[NarratedVideo], clip_seconds: float, *, stored: bool
) -> list[EvaluationItem]:
    """List the steps of videos: what is left of these without their background.

    Args:
        videos: Those of a split.
        clip_seconds: How long a clip is.
        stored: Whether stored features are read; a step is then its own vectors, and otherwise one
            window from its middle.

    Returns:
        An item for each step, without texts, with the id of the step's plain caption.
    """
    return [
        EvaluationItem(
            step_id,
            video.path,
            UniformWindows(step.start, step.end, 1)
            if stored
            else [middle_start(step, clip_seconds)],
            [],
            [],
        )
        for video in videos
        for step_id, step in zip(step_text_ids(video), video.truth.steps, strict=True)
    ]


def caption_clips(videos: Sequence[NarratedVideo]) -> list[CaptionedClip]:
    """List the steps of videos with what people would write of them.

    Args:
        videos: Those of a split.

    Returns:
        A clip for each step, from its start to its end, with ten references.
    """
    clips: list[CaptionedClip] = []
    for video in videos:
        for step_id, step in zip(step_text_ids(video), video.truth.steps, strict=True):
            texts = references_of(step)
            ids = tuple(f"{step_id}#{number}" for number in range(len(texts)))
            span = step.start, step.end
            clips.append(CaptionedClip(step_id, video.id, video.path, *span, tuple(texts), ids))
    return clips


def window_item(video: NarratedVideo, clip_seconds: float, *, stored: bool) -> EvaluationItem:
    """Lay windows over a whole video, one every two seconds.

    Args:
        video: The video.
        clip_seconds: How long a clip is.
        stored: Whether stored features are read; a window is then three seconds, and one starts
            while more than a second is left. Otherwise it is a clip, and each has to fit.

    Returns:
        The item, without texts.
    """
    duration = video.truth.duration
    windows: Sequence[float]
    if stored:
        starts = sliding_windows(max(0.0, duration - 1.0), 0.0, stride=_STRIDE, partial=True)
        windows = TimedWindows(starts, duration, _STORED_SECONDS)
    else:
        windows = sliding_windows(duration, clip_seconds, stride=_STRIDE)
    return EvaluationItem(window_item_id(video), video.path, windows, [], [])


def window_item_id(video: NarratedVideo) -> str:
    """Name the windows of a whole video, which are others than those that narration is aligned by.

    Args:
        video: The video.
    """
    return f"{video.id}:windows"


def plain_captions(video: NarratedVideo) -> dict[str, str]:
    """Return the plain captions of a video's steps, "chop carrot", by text id, in their order.

    Args:
        video: The video.
    """
    captions = (step.caption for step in video.truth.steps)
    return dict(zip(step_text_ids(video), captions, strict=True))


def narration(video: NarratedVideo) -> Mapping[str, str]:
    """Return all captions of a video as they are said, chatter and all, by text id.

    Args:
        video: The video.
    """
    return {
        text_id(video.id, number): caption.text for number, caption in enumerate(video.captions)
    }


def step_text_ids(video: NarratedVideo) -> list[str]:
    """Name the steps of a video, and their plain captions.

    Args:
        video: The video.

    Returns:
        ``<video>:<k>``, k the step's number from 0.
    """
    return [f"{video.id}:{number}" for number in range(len(video.truth.steps))]
