"""Open a trained model by its file, its folder or its name."""

from pathlib import Path

import torch

from vtlearn.checkpoints import load_learner
from vtlearn.inference.hub import find_model
from vtlearn.inference.model import Model

__all__ = ["load"]


def load(
    path_or_name: Path | str, *, trust: bool = False, device: str | torch.device | None = None
) -> Model:
    """Open a trained model, to use it on videos and texts.

    Args:
        path_or_name: A checkpoint that ``vtlearn fit`` or a Trainer wrote; a folder of
            ``save_pretrained``, ``vtlearn export`` or ``vtlearn convert``; or the name of such a
            folder on the Hugging Face hub, ``owner/name``, which is downloaded once.
        trust: Whether to import classes that a checkpoint names and this process does not know,
            which may run any code. The class of an encoder of your own is known once its module is
            imported.
        device: Where the model computes; None for the CPU.

    Returns:
        The model, with its weights, its words, and how its clips are read.

    Raises:
        CheckpointError: If there is no such file or name, it is not a vtlearn model, its model
            cannot be built, or it names a class that is not known.

    Example:
        >>> import vtlearn
        >>> vtlearn.load("absent.ckpt")
        Traceback (most recent call last):
            ...
        vtlearn.errors.CheckpointError: absent.ckpt: No such file or directory
    """
    path = find_model(str(path_or_name))
    learner = load_learner(path, trust=trust, device=device or "cpu")
    return Model(learner, str(path_or_name))
