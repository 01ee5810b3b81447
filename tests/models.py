"""A learner small enough to be trained in a test."""

from functools import partial
from pathlib import Path
from typing import Any

from pytorch_lightning import Trainer
from torch.optim import AdamW

from vtlearn.datamodules import Kitchen
from vtlearn.datasets import ClipSampling, Pixels
from vtlearn.encoders.text import TinyText
from vtlearn.encoders.video import TinyVideo
from vtlearn.heads import S2DTW, Head
from vtlearn.learner import VideoTextLearner

#: The same encoders as a configuration has them.
TINY_ENCODERS = {
    "video_encoder": {
        "class_path": "TinyVideo",
        "init_args": {"dim": 8, "num_frames": 2, "size": 16, "width": 4},
    },
    "text_encoder": {
        "class_path": "TinyText",
        "init_args": {"width": 8, "hidden": 8, "vocab_size": 100},
    },
}

#: The same video encoder and a head that writes captions.
TINY_WRITER: dict[str, Any] = {
    "video_encoder": TINY_ENCODERS["video_encoder"],
    "text_encoder": None,
    "head": {
        "class_path": "CaptioningDecoder",
        "init_args": {
            "decoder": {"class_path": "TextDecoder", "init_args": {"width": 8, "heads": 2}},
            "beams": 2,
            "max_new": 4,
        },
    },
}

#: The same video encoder and a head that tells the class of a video.
TINY_MATCHER: dict[str, Any] = {
    "video_encoder": TINY_ENCODERS["video_encoder"],
    "text_encoder": None,
    "head": {"class_path": "FewShot", "init_args": {"queries": 2}},
}

#: Encoders of stored features, of the width that small stores have.
TINY_FEATURE_ENCODERS = {
    "video_encoder": {
        "class_path": "VideoCLIP",
        "init_args": {
            "width": 8,
            "input_dim": 4,
            "num_frames": 32,
            "layers": 1,
            "heads": 2,
            "feedforward": 8,
            "vocab_size": 2,
            "cls_id": 0,
            "sep_id": 1,
        },
    },
    "text_encoder": {
        "class_path": "Bert",
        "init_args": {
            "vocabulary": None,
            "width": 8,
            "layers": 1,
            "heads": 2,
            "feedforward": 8,
        },
    },
}

#: How tiny models read videos: arguments of a datamodule.
LOADING: dict[str, Any] = {
    "sampling": ClipSampling(num_clips=3, num_frames=2, fps=4.0),
    "pixels": Pixels(size=16),
}


def tiny_learner(head: Head | None = None, dim: int = 8) -> VideoTextLearner:
    return VideoTextLearner(
        TinyVideo(dim=dim, num_frames=2, size=16, width=4),
        TinyText(dim=dim, width=8, hidden=8, vocab_size=100),
        head or S2DTW(),
        optimizer=partial(AdamW, lr=1e-2),
    )


def tiny_kitchen(root: Path, small: dict[str, Any], **options: Any) -> Kitchen:
    options = {"batch_size": 4, "evaluation_batch_size": 2} | options
    return Kitchen(root, **LOADING, **options, **small)


def quiet_trainer(folder: Path, **options: Any) -> Trainer:
    defaults = {"max_epochs": 1, "logger": False, "enable_checkpointing": False}
    options = {**defaults, "log_every_n_steps": 1, **options}
    return Trainer(
        accelerator="cpu",
        devices=1,
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
        **options,
    )
