import json
from pathlib import Path

import pytest
import torch

from tests.models import SAMPLING, quiet_trainer, tiny_kitchen, tiny_learner
from vtlearn.batch import Encoded, collate_narrations
from vtlearn.datamodules import HowTo100M
from vtlearn.encoders.text import TinyText
from vtlearn.encoders.video import TinyVideo
from vtlearn.errors import ArgumentError, CheckpointError
from vtlearn.heads import MILNCE, S2DTW, InfoNCE
from vtlearn.learner import VideoTextLearner


def trained(root: Path, small: dict[str, int], folder: Path, **options: object) -> VideoTextLearner:
    learner = tiny_learner(InfoNCE(learn_temperature=True))
    quiet_trainer(folder, **options).fit(learner, datamodule=tiny_kitchen(root, small))
    return learner


def test_every_trainable_parameter_is_in_the_optimiser_and_moves(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    learner = tiny_learner(InfoNCE(learn_temperature=True))
    trainer = quiet_trainer(tmp_path, max_epochs=2)
    trainer.fit(learner, datamodule=tiny_kitchen(kitchen_root, small))
    trainable = {id(p) for p in learner.parameters() if p.requires_grad}
    (optimizer,) = trainer.optimizers
    assert trainable == {id(p) for group in optimizer.param_groups for p in group["params"]}
    moved = [optimizer.state[p]["exp_avg"].abs().sum() > 0 for p in learner.parameters()]
    assert all(moved)
    assert learner.text_encoder.embedding.num_embeddings > 10  # type: ignore[union-attr, operator]


def test_padding_is_never_encoded(kitchen_root: Path, small: dict[str, int]) -> None:
    data = tiny_kitchen(kitchen_root, small).train_dataset()
    narration = data[0]
    short = narration._replace(
        length=1, captions=narration.captions[:1], video=narration.video.clone()
    )
    short.video[1:] = 255
    learner = tiny_learner().eval()
    learner.text_encoder.build(data.texts())
    video, text = learner.encode(collate_narrations([narration, short]))
    assert video.pooled.shape == (2, 3, 8)
    assert text.pooled.shape == (2, 3, 1, 8)
    assert (video.pooled[1, 1:] == 0).all()
    torch.testing.assert_close(video.pooled[0, 0], video.pooled[1, 0])
    torch.testing.assert_close(text.pooled[0, 0], text.pooled[1, 0])


def test_testing_writes_results(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learner = trained(kitchen_root, small, tmp_path)
    trainer = quiet_trainer(tmp_path)
    trainer.test(learner, datamodule=tiny_kitchen(kitchen_root, small), verbose=False)
    records = json.loads((tmp_path / "results.json").read_text())
    assert [record["protocol"] for record in records] == ["kitchen-retrieval", "kitchen-alignment"]
    first = records[0]
    assert first["coverage"]["evaluated"] == first["coverage"]["expected"] > 0
    assert trainer.callback_metrics["test/primary"] == pytest.approx(first["metrics"]["t2v_R@1"])
    output = capsys.readouterr().out
    assert "kitchen-retrieval" in output
    assert "results.json" in output


def test_a_model_is_compared_as_its_head_was_trained(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    learner = tiny_learner(MILNCE(normalize=False))
    learner.text_encoder.build(["chop the carrot", "stir the soup"])
    quiet_trainer(tmp_path).validate(
        learner, datamodule=tiny_kitchen(kitchen_root, small), verbose=False
    )
    assert {result.similarity for result in learner.results} == {"dot"}


def test_a_checkpoint_of_a_learner_built_in_python(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    learner = tiny_learner(S2DTW(gamma=0.2))
    trainer = quiet_trainer(tmp_path)
    trainer.fit(learner, datamodule=tiny_kitchen(kitchen_root, small))
    path = tmp_path / "x.ckpt"
    trainer.save_checkpoint(path)
    content = torch.load(path, weights_only=True)
    head = content["hyper_parameters"]["head"]
    assert head == {"class_path": "vtlearn.heads.S2DTW", "init_args": {"gamma": 0.2}}
    json.dumps(dict(content["hyper_parameters"]))
    fresh = tiny_learner(S2DTW(gamma=0.2)).eval()
    fresh.load_state_dict(content["state_dict"])
    captions = ["chop the carrot", "never heard of"]
    torch.testing.assert_close(
        fresh.encode_captions(captions).pooled, learner.eval().encode_captions(captions).pooled
    )


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


def test_encoders_and_data_have_to_fit(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match=r"TinyVideo gives .*dim=8 .*TinyText of dim=16"):
        VideoTextLearner(TinyVideo(dim=8), TinyText(dim=16), S2DTW())
    learner = VideoTextLearner(TinyVideo(dim=8, num_frames=4), TinyText(dim=8), S2DTW())
    with pytest.raises(ArgumentError, match="clips of 2 frames of 16 px, TinyVideo was made for 4"):
        quiet_trainer(tmp_path).fit(learner, datamodule=tiny_kitchen(kitchen_root, small))


class Seen(TinyVideo):
    """Keeps what it is shown in training."""

    shown: list[torch.Tensor]

    def forward(self, frames: torch.Tensor) -> Encoded:
        self.__dict__.setdefault("shown", []).append(frames)
        return super().forward(frames)


def test_each_epoch_shows_other_clips(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    encoder = Seen(dim=8, num_frames=2, size=16, width=4)
    learner = VideoTextLearner(encoder, tiny_learner().text_encoder, S2DTW())
    trainer = quiet_trainer(tmp_path, max_epochs=2, limit_val_batches=0)
    trainer.fit(learner, datamodule=tiny_kitchen(kitchen_root, small))
    first, second = (torch.cat(encoder.shown[start : start + 2]) for start in (0, 2))
    clips = {clip.numpy().tobytes() for clip in first}
    assert sum(clip.numpy().tobytes() in clips for clip in second) < len(second) / 2


def test_data_without_a_protocol_cannot_be_tested(kitchen_root: Path, tmp_path: Path) -> None:
    data = HowTo100M(kitchen_root / "captions", videos=kitchen_root / "videos", sampling=SAMPLING)
    with pytest.raises(ArgumentError, match="HowTo100M has no protocol to test a model by"):
        quiet_trainer(tmp_path).test(tiny_learner(), datamodule=data)
