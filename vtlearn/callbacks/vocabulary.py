"""Build vocabularies before other callbacks copy the model."""

from pytorch_lightning import Callback, LightningModule, Trainer
from typing_extensions import override

from vtlearn.learner import VideoTextLearner

__all__ = ["BuildVocabulary"]


class BuildVocabulary(Callback):
    """Build what a model makes of the training captions, before later callbacks are set up.

    Lightning sets callbacks up before the model. One that copies the model then, such as
    ``EMAWeightAveraging``, would copy it without the embeddings of its words. The command line has
    this callback first in every run; a ``Trainer`` of one's own needs it before such a callback.
    """

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        del trainer
        if stage == "fit" and isinstance(pl_module, VideoTextLearner):
            pl_module.build_vocabularies()
