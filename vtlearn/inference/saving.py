"""Write a model into a folder that holds all it needs, and nothing of the training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vtlearn.hyperparameters import to_config
from vtlearn.learner import VideoTextLearner
from vtlearn.model_folder import without_word_files, write_folder

__all__: list[str] = []


def model_configs(learner: VideoTextLearner) -> dict[str, Any]:
    """Describe how a learner's parts are built, without the files that their words came from.

    Args:
        learner: The model.

    Returns:
        ``video_encoder``, ``text_encoder`` and ``head``, each with ``class_path`` and
        ``init_args``, or None.
    """
    parts = {name: getattr(learner, name) for name in ("video_encoder", "text_encoder", "head")}
    configs = {name: to_config(part) for name, part in parts.items()}
    return {name: config and without_word_files(config) for name, config in configs.items()}


def save_learner(learner: VideoTextLearner, folder: Path, source: Mapping[str, Any]) -> None:
    """Write a learner's model into a folder, frozen weights included.

    Args:
        learner: The model.
        folder: Where to; it must be new or empty.
        source: Where the weights came from, in plain values.

    Raises:
        ArgumentError: If something is in the folder already.
    """
    write_folder(
        folder, model_configs(learner), learner.state_dict(), clips=learner.clips, source=source
    )
