"""Draw one video's alignment now and then, to see what training changes."""

from pathlib import Path

from matplotlib.figure import Figure
from pytorch_lightning import LightningModule, Trainer
from typing_extensions import override

from vtlearn.callbacks.pictures import ValidationPictures, keep_picture
from vtlearn.datamodules.alignment_example import AlignmentExample
from vtlearn.datamodules.base import VideoTextData
from vtlearn.learner import VideoTextLearner
from vtlearn.plotting import draw_alignment

__all__ = ["AlignmentPictures"]


class AlignmentPictures(ValidationPictures):
    """Draw the alignment of the datamodule's example after validation and after testing.

    Pictures go to ``alignment/`` in the run's folder and, where there is one, to TensorBoard. A
    head that cannot align, such as one that only writes, has none.

    Args:
        every_n_validations: How many validations lie between two pictures; 0 for none.
    """

    folder = "alignment"

    def __init__(self, every_n_validations: int = 1) -> None:
        super().__init__(every_n_validations)
        self._example: AlignmentExample | None = None

    @override
    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.every_n_validations:
            self._draw_as(trainer, pl_module, "test")

    @override
    def _draw(
        self, trainer: Trainer, learner: VideoTextLearner, data: VideoTextData, path: Path
    ) -> None:
        if learner.head.aligner is None or learner.text_encoder is None:
            return
        if self._example is None:
            self._example = data.example()
        if self._example is not None:
            keep_picture(trainer, _picture(learner, self._example), path, "alignment")
            if path.stem == "test":
                trainer.print(f"alignment picture: {path}")


def _picture(learner: VideoTextLearner, example: AlignmentExample) -> Figure:
    sample = example.sample
    return draw_alignment(
        learner.align(sample),
        sample.clip_spans.mean(1).tolist(),
        sample.texts,
        spans=[(start, end) for start, end in sample.text_spans.tolist()],
        truth=example.truth,
        title=f"{sample.id} by {type(learner.head).__name__}",
    )
