"""Show now and then what the head writes of some validation clips."""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pytorch_lightning import LightningModule, Trainer
from typing_extensions import override

from vtlearn.batch import Sample, collate
from vtlearn.callbacks.pictures import ValidationPictures, keep_picture
from vtlearn.checks import require_positive
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datamodules.captioning import caption_examples
from vtlearn.learner import VideoTextLearner
from vtlearn.plotting import CaptionedFrames, draw_captions

__all__ = ["CaptionPictures"]

_LOG = logging.getLogger(__name__)


class CaptionPictures(ValidationPictures):
    """Show some validation clips with what the head writes of them, after validation.

    Pictures go to ``captions/`` in the run's folder and, where there is one, to TensorBoard: for
    each clip its frames, what the head writes, and one of the references. The clips are a function
    of the data's seed, the same in each picture. A head that does not write, or data that are not
    validated by captions, have none.

    Args:
        every_n_validations: How many validations lie between two pictures; 0 for none.
        num_clips: How many clips are shown.

    Raises:
        ArgumentError: If ``num_clips`` is not positive.
    """

    folder = "captions"

    def __init__(self, every_n_validations: int = 1, num_clips: int = 8) -> None:
        require_positive(num_clips=num_clips)
        super().__init__(every_n_validations)
        self.num_clips = num_clips
        self._clips: list[tuple[Sample, str]] | None = None

    @override
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say so where there was no time to draw."""
        if self.every_n_validations and not self._validations:
            _LOG.info("no pictures of captions: nothing was validated")

    @override
    def _draw(
        self, trainer: Trainer, learner: VideoTextLearner, data: VideoTextData, path: Path
    ) -> None:
        if self._clips is None:
            self._clips = caption_examples(data, self.num_clips)
        captioner = learner.head.captioner
        if captioner is None or not self._clips:
            if self._validations == 0:
                _LOG.info("no pictures of captions: none are written, or validated")
            return
        written: list[str] = []
        for sample, _ in self._clips:  # one by one, which takes little memory
            written += captioner.generate(learner.encode(collate([sample])))
        shown = [
            CaptionedFrames(sample.id, text, reference, _frames(sample))
            for text, (sample, reference) in zip(written, self._clips, strict=True)
        ]
        figure = draw_captions(shown, title=f"validation clips, epoch {trainer.current_epoch}")
        keep_picture(trainer, figure, path, "captions")


def _frames(sample: Sample) -> list[NDArray[np.uint8]]:
    """Return the frames of a sample's clip, (height, width, 3); none of stored vectors."""
    if sample.clips.ndim != 5:
        return []
    return list(sample.clips[0].permute(0, 2, 3, 1).cpu().numpy())
