from pathlib import Path
from typing import Any

import pytest
import torch

from tests.models import tiny_learner
from vtlearn.checkpoints import load_learner
from vtlearn.encoders.video import TinyVideo
from vtlearn.errors import CheckpointError
from vtlearn.heads import S2DTW, InfoNCE
from vtlearn.learner import VideoTextLearner


def test_weights_of_another_model_name_what_differs() -> None:
    other = tiny_learner(dim=16)
    with pytest.raises(CheckpointError, match=r"(?s)another model.*of another shape.*fc.weight"):
        tiny_learner(dim=8).load_state_dict(other.state_dict())
    with pytest.raises(
        CheckpointError, match=r"1 unknown to the model, for example head.log_scale"
    ):
        tiny_learner(InfoNCE()).load_state_dict(
            tiny_learner(InfoNCE(learn_temperature=True)).state_dict()
        )


class Pretrained(TinyVideo):
    """Reads its own weights when it is built."""

    origin = "hub/name"

    def __init__(self, seed: int = 0) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            super().__init__(dim=8, num_frames=2, size=16, width=4)


@pytest.mark.parametrize("keep", [False, True])
def test_frozen_weights_stay_where_they_came_from(keep: bool, tmp_path: Path) -> None:
    made = tiny_learner()
    learner = VideoTextLearner(
        Pretrained(), made.text_encoder, S2DTW(), frozen=["video_encoder"], keep_frozen=keep
    )
    content: dict[str, Any] = {
        "hyper_parameters": dict(learner.hparams),
        "state_dict": learner.state_dict(),
    }
    learner.on_save_checkpoint(content)
    assert any(name.startswith("video_encoder.") for name in content["state_dict"]) is keep
    torch.save(content, tmp_path / "x.ckpt")
    opened = load_learner(tmp_path / "x.ckpt")
    for name, value in opened.state_dict().items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, learner.state_dict()[name])
    if not keep:
        content["hyper_parameters"]["video_encoder"]["init_args"] = {"seed": 1}
        torch.save(content, tmp_path / "x.ckpt")
        with pytest.raises(CheckpointError, match=r"video_encoder .* came from hub/name"):
            load_learner(tmp_path / "x.ckpt")
