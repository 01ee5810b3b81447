"""The models of the shipped configurations, built without data."""

from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser

import vtlearn.encoders.text
import vtlearn.encoders.video
import vtlearn.heads
import vtlearn.schedule  # noqa: F401 - a configuration names their classes without a path
from vtlearn.learner import VideoTextLearner


def shipped_learner(config: str, **parts: Any) -> VideoTextLearner:
    """Build the model of a configuration.

    Args:
        config: Its file.
        parts: What is there instead of parts that it names, such as ``video_encoder``.

    Returns:
        The model, in training mode.
    """
    model = yaml.safe_load(Path(config).read_text())["model"] | parts
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(VideoTextLearner, "model")
    built = parser.instantiate_classes(parser.parse_object({"model": model}))
    learner: VideoTextLearner = built.model
    return learner.train()
