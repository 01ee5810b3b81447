"""Draw one video's alignment now and then, to see what training changes."""

from matplotlib.figure import Figure
from pytorch_lightning import Callback, LightningModule, Trainer

from vtlearn.callbacks.pictures import keep_picture
from vtlearn.datamodules.base import AlignmentExample, VideoTextData
from vtlearn.learner import VideoTextLearner
from vtlearn.plotting import draw_alignment
from vtlearn.run_folder import run_folder

__all__ = ["AlignmentPictures"]


class AlignmentPictures(Callback):
    """Draw the alignment of the datamodule's example after validation and after testing.

    Pictures go to ``alignment/`` in the run's folder and, where there is one, to TensorBoard. A
    head that cannot align, such as one that only writes, has none.

    Args:
        every_n_validations: How many validations lie between two pictures; 0 for none.
    """

    def __init__(self, every_n_validations: int = 1) -> None:
        self.every_n_validations = every_n_validations
        self._validations = 0
        self._example: AlignmentExample | None = None

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw, when it is time.

        Args:
            trainer: Knows the epoch, the data and the run's folder.
            pl_module: The learner.
        """
        if trainer.sanity_checking or not self.every_n_validations:
            return
        if self._validations % self.every_n_validations == 0:
            self._draw(trainer, pl_module, f"epoch-{trainer.current_epoch:03d}")
        self._validations += 1

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw what the tested model makes of the example.

        Args:
            trainer: Knows the data and the run's folder.
            pl_module: The learner.
        """
        if self.every_n_validations:
            self._draw(trainer, pl_module, "test")

    def _draw(self, trainer: Trainer, learner: LightningModule, name: str) -> None:
        data = getattr(trainer, "datamodule", None)
        # every process asks for the folder, because they agree on it by talking
        folder = run_folder(trainer) / "alignment"
        if not (
            trainer.is_global_zero
            and isinstance(learner, VideoTextLearner)
            and learner.head.aligner is not None
            and learner.text_encoder is not None
        ):
            return
        if self._example is None and isinstance(data, VideoTextData):
            self._example = data.example()
        if self._example is not None:
            path = folder / f"{name}.png"
            keep_picture(trainer, _picture(learner, self._example), path, "alignment")
            if name == "test":
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
