"""Models small enough for a test, which know how their clips are read."""

from pathlib import Path
from typing import Any

import torch

from tests.models import tiny_learner
from tests.pseudolabel.models import captioner_checkpoint
from vtlearn.checkpoints import load_learner
from vtlearn.inference import Model
from vtlearn.learner import VideoTextLearner

#: Two frames, half a second.
CLIPS = {"num_frames": 2, "fps": 4.0, "size": 16, "crop": "center", "pad": "edge"}

WORDS = ["chop the carrot", "stir the soup", "the pan is hot"]


def tiny_aligner(**clips: Any) -> Model:
    """A model that compares, of untrained weights."""
    torch.manual_seed(0)
    learner = tiny_learner()
    assert learner.text_encoder is not None
    learner.text_encoder.build(WORDS * 5)
    learner.clips = CLIPS | clips
    return Model(learner, "tiny")


def tiny_writer(folder: Path, **clips: Any) -> Model:
    """A model that writes, of untrained weights."""
    learner = load_learner(captioner_checkpoint(folder / "c.ckpt"))
    learner.clips = CLIPS | clips
    return Model(learner, "writer")


def save_checkpoint(learner: VideoTextLearner, path: Path) -> Path:
    """Save what a Trainer keeps of a learner."""
    content = {"state_dict": learner.state_dict(), "hyper_parameters": dict(learner.hparams)}
    learner.on_save_checkpoint(content)
    torch.save(content, path)
    return path
