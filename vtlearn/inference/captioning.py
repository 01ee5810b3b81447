"""Captions of a video's windows, by a model whose head writes."""

from collections.abc import Iterable, Iterator

import torch

from vtlearn.batch import Sample, collate
from vtlearn.errors import ArgumentError
from vtlearn.learner import VideoTextLearner
from vtlearn.media.captions.caption import Caption

__all__: list[str] = []


def write_captions(
    learner: VideoTextLearner, samples: Iterable[Sample], name: str
) -> Iterator[Caption]:
    """Write a text for each clip.

    Args:
        learner: In evaluation mode.
        samples: Clips without texts.
        name: What errors call the model.

    Yields:
        What was written, with the clip's time; of a clip of which nothing was, an empty text.

    Raises:
        ArgumentError: If the model's head does not write.
    """
    captioner = learner.head.captioner
    if captioner is None:
        message = (
            f"{name} is a model with the head {type(learner.head).__name__}, which does not write: "
            "load one with a captioner, such as CaptioningDecoder"
        )
        raise ArgumentError(message)
    for sample in samples:
        if len(sample.clips):
            with torch.no_grad():
                texts = captioner.generate(learner.encode(collate([sample])))
            spans = sample.clip_spans.tolist()
            for (start, end), text in zip(spans, texts, strict=True):
                yield Caption(start, end, text)
