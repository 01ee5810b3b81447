"""Show now and then what the head writes of some validation clips."""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pytorch_lightning import Callback, LightningModule, Trainer
from typing_extensions import override

from vtlearn.batch import Sample, collate
from vtlearn.callbacks.pictures import keep_picture
from vtlearn.caption_plotting import CaptionedFrames, draw_captions
from vtlearn.checks import require_positive
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datamodules.captioning import caption_examples
from vtlearn.learner import VideoTextLearner
from vtlearn.run_folder import run_folder

__all__ = ["CaptionPictures"]

_LOG = logging.getLogger(__name__)


class CaptionPictures(Callback):
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

    def __init__(self, every_n_validations: int = 1, num_clips: int = 8) -> None:
        require_positive(num_clips=num_clips)
        self.every_n_validations = every_n_validations
        self.num_clips = num_clips
        self._validations = 0
        self._clips: list[tuple[Sample, str]] | None = None

    @override
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say so where there was no time to draw."""
        if self.every_n_validations and not self._validations:
            _LOG.info("no pictures of captions: nothing was validated")

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw, when it is time."""
        if trainer.sanity_checking or not self.every_n_validations:
            return
        if self._validations % self.every_n_validations == 0:
            # every process asks for the folder, because they agree on it by talking
            folder = run_folder(trainer) / "captions"
            if trainer.is_global_zero:
                self._draw(trainer, pl_module, folder)
        self._validations += 1

    def _draw(self, trainer: Trainer, learner: LightningModule, folder: Path) -> None:
        data = getattr(trainer, "datamodule", None)
        if not (isinstance(learner, VideoTextLearner) and isinstance(data, VideoTextData)):
            return
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
        path = folder / f"epoch-{trainer.current_epoch:03d}.png"
        keep_picture(trainer, figure, path, "captions")


def _frames(sample: Sample) -> list[NDArray[np.uint8]]:
    """Return the frames of a sample's clip, (height, width, 3); none of stored vectors."""
    if sample.clips.ndim != 5:
        return []
    return list(sample.clips[0].permute(0, 2, 3, 1).cpu().numpy())
