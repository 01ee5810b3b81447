"""Open checkpoints without running anything that they name, and say what does not fit.

A checkpoint opens with ``weights_only=True`` and says how its model is built; ``class_paths`` looks
the classes up that it names.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jsonargparse import ArgumentParser
from torch import Tensor

from vtlearn.class_paths import ClassFinder, resolve_arguments
from vtlearn.errors import CheckpointError
from vtlearn.model_folder import read_folder
from vtlearn.parameters import weights_follow

if TYPE_CHECKING:
    from vtlearn.learner import VideoTextLearner

__all__ = ["describe_mismatch", "fit_names", "hyperparameters", "load_learner", "read_checkpoint"]

_TRAINING = ("optimizer", "scheduler")  # what only training has a use for
_PUBLISHED = "Weights that others published are read by vtlearn convert, and by --weights"
_COMPILED = "_orig_mod."  # what torch.compile puts into the names of weights


def load_learner(
    path: Path | str, *, trust: bool = False, device: str | torch.device = "cpu"
) -> "VideoTextLearner":
    """Build the model of a checkpoint, with its weights and vocabulary, ready to encode.

    Args:
        path: A checkpoint that ``vtlearn fit`` or a Trainer wrote, or a folder that
            ``save_pretrained`` or ``vtlearn convert`` did.
        trust: Whether to import classes that the checkpoint names and this process does not know,
            which may run any code. The class of an encoder of your own is known once its module is
            imported.
        device: Where the model goes.

    Returns:
        The learner, in evaluation mode. It needs no datamodule to encode.

    Raises:
        CheckpointError: If it is not a vtlearn checkpoint, its model cannot be built, or it names a
            class that is not known.

    Example:
        >>> load_learner("absent.ckpt")
        Traceback (most recent call last):
            ...
        vtlearn.errors.CheckpointError: absent.ckpt: No such file or directory
    """
    from vtlearn.learner import VideoTextLearner  # it imports this module

    path = Path(path)
    content = read_checkpoint(path)
    arguments = _resolved(path, content, trust=trust)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(VideoTextLearner, "model")
    # renamed in jsonargparse 4.49
    instantiate = getattr(parser, "instantiate", None) or parser.instantiate_classes
    try:
        with weights_follow(not content.get("origins")):
            learner: VideoTextLearner = instantiate(parser.parse_object({"model": arguments})).model
    except Exception as error:  # a constructor may raise anything for arguments not its own
        message = f"{path}: its model cannot be built: {error}"
        raise CheckpointError(message) from error
    learner.on_load_checkpoint(content)
    learner.load_state_dict(content["state_dict"])
    return learner.to(device).eval()


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint's content; tensors stay on disk until they are used.

    Args:
        path: The file, or a folder of :mod:`vtlearn.model_folder`.

    Returns:
        What it holds: ``hyper_parameters`` and ``state_dict`` at least, on the CPU.

    Raises:
        CheckpointError: If it cannot be read, or is not a vtlearn checkpoint.
    """
    if path.is_dir():
        return read_folder(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except OSError as error:
        message = f"{path}: {error.strerror or error}"
        raise CheckpointError(message) from error
    except Exception as error:  # torch raises many kinds for a file that is not a checkpoint
        message = (
            f"{path} is not a vtlearn checkpoint: it cannot be read as weights and plain values "
            f"({type(error).__name__}). {_PUBLISHED}"
        )
        raise CheckpointError(message) from error
    for key in ("hyper_parameters", "state_dict"):
        part = content.get(key) if isinstance(content, Mapping) else None
        if not isinstance(part, Mapping) or not all(isinstance(name, str) for name in part):
            message = f"{path} is not a vtlearn checkpoint: it has no {key} by name. {_PUBLISHED}"
            raise CheckpointError(message)
    return dict(content)


def hyperparameters(
    path: Path, *, trust: bool = False, named: Iterable[str] = (), training: bool = False
) -> dict[str, Any]:
    """Read how a checkpoint's model is built, with every class name resolved.

    Args:
        path: The checkpoint.
        trust: Whether to import classes that are not known otherwise.
        named: Class paths that the user names; these may be imported.
        training: Whether optimiser and scheduler are wanted as well.

    Returns:
        The learner's arguments in plain values; each class path in it is safe to import.

    Raises:
        CheckpointError: If it is not a vtlearn checkpoint, or names a class that is not known.
    """
    content = read_checkpoint(path)
    return _resolved(path, content, trust=trust, named=named, training=training)


def _resolved(
    path: Path,
    content: Mapping[str, Any],
    *,
    trust: bool,
    named: Iterable[str] = (),
    training: bool = False,
) -> dict[str, Any]:
    from vtlearn.learner import VideoTextLearner  # it imports this module

    left_out = {"_instantiator", *(() if training else _TRAINING)}
    given = {k: v for k, v in content["hyper_parameters"].items() if k not in left_out}
    finder = ClassFinder(path, trust=trust, named=named)
    return resolve_arguments(VideoTextLearner, given, finder)


def fit_names(own: Iterable[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Rename weights where either model was compiled and the other not.

    Args:
        own: The names of the model's weights.
        given: Weights by name.

    Returns:
        The weights, under the model's names where these differ by compilation only.

    Example:
        >>> fit_names(["head.scale"], {"head._orig_mod.scale": 1})
        {'head.scale': 1}
    """
    names = {name.replace(_COMPILED, ""): name for name in own}
    plain = ((name.replace(_COMPILED, ""), name, value) for name, value in given.items())
    return {names.get(short, name): value for short, name, value in plain}


def describe_mismatch(own: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """Say how the weights of a checkpoint differ from those of a model, and what to do about it.

    Args:
        own: The model's weights and vocabularies by name.
        given: The checkpoint's.

    Returns:
        A sentence, with the first name of each kind of difference.
    """
    reshaped = [
        f"{name}, {tuple(given[name].shape)} there and {tuple(own[name].shape)} here"
        for name in own
        if not name.endswith("_extra_state")  # a vocabulary may be of any size
        and isinstance(given.get(name), Tensor)
        and given[name].shape != own[name].shape
    ]
    differences = {
        "missing in the checkpoint": [name for name in own if name not in given],
        "unknown to the model": [name for name in given if name not in own],
        "of another shape": reshaped,
    }
    lines = [
        f"  {len(names)} {what}, for example {names[0]}"
        for what, names in differences.items()
        if names
    ]
    return "\n".join(
        [
            "the checkpoint is one of another model:",
            *lines,
            "Leave the model's options out to take them from the checkpoint, or give those it was "
            "trained with.",
        ]
    )
