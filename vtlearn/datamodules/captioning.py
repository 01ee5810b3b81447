"""What datamodules share whose clips captions are written of: how that is asked for, and scored."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Literal

import numpy as np

from vtlearn.batch import Sample
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datasets.captioned import CaptionedClip
from vtlearn.datasets.evaluation import EvaluationItems
from vtlearn.datasets.whole_clips import whole_items
from vtlearn.errors import ArgumentError, UnreadableVideoError
from vtlearn.evaluation.captioning import Captioning
from vtlearn.evaluation.evaluator import EvaluationTask

__all__ = ["caption_examples"]

#: What a corpus with written captions is scored by.
Task = Literal["retrieval", "captioning"]


def writes(task: Task) -> bool:
    """Tell whether captions are scored.

    Args:
        task: What a corpus is scored by.

    Raises:
        ArgumentError: If there is no such task.

    Example:
        >>> writes("captioning")
        True
    """
    if task not in ("retrieval", "captioning"):
        message = f"expected task retrieval or captioning, got {task!r}"
        raise ArgumentError(message)
    return task == "captioning"


def captioning_task(
    data: VideoTextData, name: str, version: int, clips: Sequence[CaptionedClip]
) -> EvaluationTask:
    """Make the task of writing a caption of each clip, scored by its texts.

    Args:
        data: How the clips are read.
        name: The protocol's name.
        version: Its version.
        clips: The clips, each with its references.

    Returns:
        The task.
    """
    windows = "one, frames from the middles of equal parts of a clip"
    if data.reading.features is not None:
        windows = "the stored vectors of a clip, as many as the video encoder takes"
    references = {clip.id: clip.texts for clip in clips}
    protocol = Captioning(name, version, references, windows=windows)
    items = EvaluationItems(whole_items(clips), data.reading, data.max_unreadable)
    return EvaluationTask([protocol], items, data.evaluation_batch_size)


def caption_examples(data: VideoTextData, count: int) -> list[tuple[Sample, str]]:
    """Read validation clips to look at during training, the same whenever they are asked for.

    Args:
        data: What is validated.
        count: How many clips; there may be fewer. One that cannot be read is skipped.

    Returns:
        Each clip with one of its references, in an order that is a function of the data's seed;
        nothing where no captions are validated.
    """
    for task in data.tasks("validate"):
        for protocol in task.protocols:
            if isinstance(protocol, Captioning):
                return list(islice(_examples(task, protocol, data.seed), count))
    return []


def _examples(
    task: EvaluationTask, protocol: Captioning, seed: int
) -> Iterator[tuple[Sample, str]]:
    items = task.items.items
    for number in np.random.default_rng(seed).permutation(len(items)).tolist():
        item = items[number]
        try:
            yield task.items.sample(item), protocol.references[item.id][0]
        except UnreadableVideoError:  # validation has its say about that
            continue
