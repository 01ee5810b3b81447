"""Train the layer norms alone of a model whose other weights are good already."""

from pytorch_lightning import Callback, LightningModule, Trainer
from typing_extensions import override

from vtlearn.errors import ArgumentError

__all__ = ["TrainNorms"]


class TrainNorms(Callback):
    """Train only what is in modules named ``LayerNorm``, as those of BERT and VideoCLIP are.

    Everything else keeps its weights, and its dropout.

    Raises:
        ArgumentError: When a training begins, if the model has no such module.

    Source:
        Y. Yang et al., "TempCLR: Temporal Alignment Representation with Contrastive Learning", ICLR
        2023, its published code, which goes by this name too: 39 modules of VideoCLIP's with 59,904
        parameters.
    """

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Take all other parameters out of training, before there is an optimiser."""
        del trainer
        if stage != "fit":
            return
        norms = [
            name for name, _ in pl_module.named_modules() if name.rpartition(".")[2] == "LayerNorm"
        ]
        if not norms:
            message = (
                "TrainNorms trains modules named LayerNorm, and the model has none: leave it out "
                "of trainer.callbacks, or choose VideoCLIP and Bert as encoders"
            )
            raise ArgumentError(message)
        for name, parameter in pl_module.named_parameters():
            if name.rpartition(".")[0] not in norms:
                parameter.requires_grad = False
