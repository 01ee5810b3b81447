import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch.utils.data import DataLoader

from tests import captioning
from tests.captioning import LetterCaptioner
from tests.models import LOADING, quiet_trainer, tiny_kitchen, tiny_learner
from vtlearn.batch import Batch, Encoded, EncodedBatch, Rows, Sample, collate
from vtlearn.callbacks import BestCheckpoint
from vtlearn.checkpoints import load_learner
from vtlearn.datamodules import HowTo100M
from vtlearn.encoders.text import TinyText
from vtlearn.encoders.video import TinyVideo
from vtlearn.errors import ArgumentError
from vtlearn.heads import MILNCE, S2DTW, Aligner, Head, HeadOutput, InfoNCE, LossTerm, TempCLR
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


def test_samples_of_different_lengths_are_encoded_together(
    kitchen_root: Path, small: dict[str, int]
) -> None:
    data = tiny_kitchen(kitchen_root, small).train_dataset()
    whole = data[0]
    short = whole._replace(
        clips=whole.clips[:1],
        clip_spans=whole.clip_spans[:1],
        frame_length=whole.frame_length[:1],
        texts=whole.texts[:2],
        text_spans=whole.text_spans[:2],
    )
    learner = tiny_learner().eval()
    learner.text_encoder.build(data.texts())  # type: ignore[union-attr]
    encoded = learner.encode(collate([whole, short]))
    assert encoded.video.pooled.shape == (2, 3, 8)
    assert encoded.text.pooled.shape == (2, 3, 1, 8)
    assert encoded.video.length.tolist() == [3, 1]
    assert encoded.text.length.tolist() == [3, 2]
    torch.testing.assert_close(encoded.video.pooled[0, 0], encoded.video.pooled[1, 0])
    torch.testing.assert_close(encoded.text.pooled[0, :2], encoded.text.pooled[1, :2])


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
    assert isinstance(learner.text_encoder, TinyText)
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
    torch.testing.assert_close(fresh.encode_text(captions), learner.eval().encode_text(captions))


def test_encoders_and_data_have_to_fit(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match=r"TinyVideo gives .*dim=8 .*TinyText of dim=16"):
        VideoTextLearner(TinyVideo(dim=8), TinyText(dim=16), S2DTW())
    learner = VideoTextLearner(TinyVideo(dim=8, num_frames=4), TinyText(dim=8), S2DTW())
    with pytest.raises(ArgumentError, match=r"2 frames of size 16 .*TinyVideo was made for 4"):
        quiet_trainer(tmp_path).fit(learner, datamodule=tiny_kitchen(kitchen_root, small))


def test_a_head_is_told_how_long_the_training_is(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    class Told(InfoNCE):
        steps = 0.0

        def begin(self, steps: float) -> None:
            self.steps = steps

    trainer = quiet_trainer(tmp_path, max_epochs=2, limit_val_batches=0, limit_train_batches=1)
    trainer.fit(tiny_learner(head := Told()), datamodule=tiny_kitchen(kitchen_root, small))
    assert head.steps == 2


class Seen(TinyVideo):
    """Keeps what it is shown in training."""

    shown: list[torch.Tensor]

    def forward(self, frames: torch.Tensor, frame_length: torch.Tensor | None = None) -> Encoded:
        self.__dict__.setdefault("shown", []).append(frames)
        return super().forward(frames, frame_length)


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
    data = HowTo100M(kitchen_root / "captions", videos=kitchen_root / "videos", **LOADING)
    with pytest.raises(ArgumentError, match="HowTo100M has no protocol to test a model by"):
        quiet_trainer(tmp_path).test(tiny_learner(), datamodule=data)


def plain_batches() -> list[Batch]:
    generator = torch.Generator().manual_seed(0)
    clips = torch.randint(0, 256, (8, 3, 2, 3, 16, 16), dtype=torch.uint8, generator=generator)
    words = ["chop the carrot", "stir the soup", "fry the egg"]
    samples = [Sample.of(str(i), clips[i], [0.0, 1.0, 2.0], 4.0, texts=words) for i in range(8)]
    return [collate(samples[:4]), collate(samples[4:])]


def test_any_loader_of_batches_will_do(tmp_path: Path) -> None:
    loader: DataLoader[Batch] = DataLoader(plain_batches(), batch_size=None)  # type: ignore[arg-type]
    learner = tiny_learner(InfoNCE())
    assert isinstance(learner.text_encoder, TinyText)
    learner.text_encoder.build(["chop the carrot", "stir the soup", "fry the egg"] * 4)
    best = BestCheckpoint()
    trainer = quiet_trainer(tmp_path, max_epochs=3, enable_checkpointing=True, callbacks=[best])
    trainer.fit(learner, loader, loader)
    loss = trainer.callback_metrics["val/loss"]
    assert torch.isfinite(loss)
    assert "val/primary" not in trainer.callback_metrics
    assert best.best_model_score is not None
    assert best.best_model_score <= loss
    assert Path(best.best_model_path).is_file()
    learner.eval()
    with torch.no_grad():
        wanted = [learner.head(learner.encode(batch)).loss for batch in plain_batches()]
    torch.testing.assert_close(loss, torch.stack(wanted).mean(), rtol=1e-5, atol=1e-6)


def test_a_part_of_the_items_can_be_scored(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    learner = trained(kitchen_root, small, tmp_path, limit_val_batches=1)
    data = tiny_kitchen(kitchen_root, small)
    for limits in ({"limit_test_batches": 1}, {"fast_dev_run": True}):
        quiet_trainer(tmp_path, **limits).test(learner, datamodule=data, verbose=False)


def test_without_texts_or_a_head_that_compares_there_is_no_alignment(
    kitchen_root: Path, small: dict[str, int]
) -> None:
    example = tiny_kitchen(kitchen_root, small).example()
    assert example is not None
    video_encoder, text_encoder = tiny_learner().video_encoder, tiny_learner().text_encoder
    assert text_encoder is not None
    text_encoder.build(example.sample.texts * 4)
    watching = VideoTextLearner(video_encoder, text_encoder, Watching())
    before = watching.state_dict()["video_encoder.norm.running_mean"].clone()
    shape = (len(example.sample.clips), len(example.sample.texts))
    assert watching.align(example.sample).cost.shape == shape  # whatever the head trains by
    assert watching.training
    assert torch.equal(watching.state_dict()["video_encoder.norm.running_mean"], before)
    for learner in (
        VideoTextLearner(video_encoder, None, LetterCaptioner()),
        VideoTextLearner(video_encoder, None, Watching()),
    ):
        with pytest.raises(ArgumentError, match="compares no texts here"):
            learner.align(example.sample)
        with pytest.raises(ArgumentError, match="compares no texts here"):
            learner.encode_text(["chop"])


def test_a_head_that_is_not_scored_trains_where_nothing_is(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    data = tiny_kitchen(kitchen_root, small)
    for head in (LetterCaptioner(), Watching()):
        learner = VideoTextLearner(tiny_learner().video_encoder, None, head)
        with pytest.raises(ArgumentError, match=r"kitchen-retrieval@1.*(does not embed|no text)"):
            quiet_trainer(tmp_path).fit(learner, datamodule=data)
    learner = VideoTextLearner(tiny_learner().video_encoder, None, Watching())
    quiet_trainer(tmp_path, limit_val_batches=0).fit(learner, datamodule=data)


def test_nothing_left_to_train_is_an_error(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    made = tiny_learner()
    learner = VideoTextLearner(
        made.video_encoder, made.text_encoder, S2DTW(), frozen=["video_encoder", "text_encoder"]
    )
    with pytest.raises(ArgumentError, match=r"nothing is left to train: model\.frozen="):
        quiet_trainer(tmp_path).fit(learner, datamodule=tiny_kitchen(kitchen_root, small))


class Watching(Aligner):
    """Trains by clips alone."""

    needs = frozenset({"video_pooled"})

    def forward(self, batch: EncodedBatch, rows: Rows | None = None) -> HeadOutput:
        own = batch.local(rows or batch.all_rows())
        return HeadOutput({"norm": LossTerm(own.video.pooled.square().mean((1, 2)))}, {})


def test_frozen_parts_and_rates(kitchen_root: Path, small: dict[str, int], tmp_path: Path) -> None:
    made = tiny_learner()
    learner = VideoTextLearner(
        made.video_encoder,
        made.text_encoder,
        InfoNCE(learn_temperature=True),
        optimizer=partial(torch.optim.SGD, lr=0.1),
        learning_rates={"head": 0.5, "text_encoder.fc": 0.25},
        frozen=["video_encoder"],
    )
    before = {name: value.clone() for name, value in made.video_encoder.state_dict().items()}
    trainer = quiet_trainer(tmp_path)
    trainer.fit(learner, datamodule=tiny_kitchen(kitchen_root, small))
    (optimizer,) = trainer.optimizers
    assert [group["initial_lr"] for group in optimizer.param_groups] == [0.1, 0.5, 0.25]
    for name, value in learner.video_encoder.state_dict().items():
        assert torch.equal(value, before[name])  # statistics as well
    assert not learner.train().video_encoder.training
    trainer.save_checkpoint(tmp_path / "x.ckpt")
    content = torch.load(tmp_path / "x.ckpt", weights_only=True)
    assert content["hyper_parameters"]["frozen"] == ["video_encoder"]
    assert content["hyper_parameters"]["learning_rates"] == {"head": 0.5, "text_encoder.fc": 0.25}
    assert "video_encoder.fc.weight" in content["state_dict"]  # it names no origin
    opened = load_learner(tmp_path / "x.ckpt")
    assert not opened.train().video_encoder.training
    with pytest.raises(ArgumentError, match=r"frozen names vidoe_encoder.*did you mean video"):
        VideoTextLearner(made.video_encoder, made.text_encoder, S2DTW(), frozen=["vidoe_encoder"])


class Silent(Head):
    """Needs nothing that is pooled."""

    needs = frozenset({"video_tokens"})

    def forward(self, batch: EncodedBatch, rows: Rows | None = None) -> HeadOutput:
        raise NotImplementedError


def test_layers_that_nothing_reads_are_not_trained() -> None:
    learner = VideoTextLearner(tiny_learner().video_encoder, tiny_learner().text_encoder, Silent())
    trained = {name for name, p in learner.named_parameters() if p.requires_grad}
    assert trained
    assert not any(name.startswith(("text_encoder", "video_encoder.fc")) for name in trained)


def test_a_head_that_writes_cannot_retrieve(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    learner = VideoTextLearner(tiny_learner().video_encoder, None, LetterCaptioner())
    with pytest.raises(ArgumentError, match=r"kitchen-retrieval@1.*LetterCaptioner does not embed"):
        quiet_trainer(tmp_path).fit(learner, datamodule=tiny_kitchen(kitchen_root, small))
    with pytest.raises(ArgumentError, match=r"InfoNCE needs a text encoder, and model\.text"):
        VideoTextLearner(tiny_learner().video_encoder, None, InfoNCE())


@pytest.mark.ddp
@pytest.mark.slow
@pytest.mark.parametrize("name", captioning.MODELS)
def test_two_processes_train_as_one_though_one_has_no_texts(name: str, tmp_path: Path) -> None:
    captioning.train(name, str(tmp_path / "one.pt"))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone"]
    subprocess.run(
        [*launcher, "-m", "tests.captioning", name, str(tmp_path / "two.pt")],
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
    )
    one, two = (torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("one", "two"))
    torch.manual_seed(0)
    fresh = captioning.Colours().double()
    assert not torch.equal(one["video_encoder.fc.weight"], fresh.fc.weight)  # it has moved
    for name, value in one.items():
        if isinstance(value, torch.Tensor):
            torch.testing.assert_close(two[name], value, rtol=0, atol=1e-9)


def test_an_epoch_in_which_a_loss_is_computed_of_nothing_is_an_error(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    learner = tiny_learner(TempCLR(chain="all", sequence=4))  # samples have 3 clips
    trainer = quiet_trainer(tmp_path, limit_val_batches=0)
    message = r"no sample of the epoch has a chain of sequence=4 .* the longest so far has 3\."
    with pytest.raises(ArgumentError, match=message):
        trainer.fit(learner, datamodule=tiny_kitchen(kitchen_root, small))


def test_an_epoch_is_counted_by_itself(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    head = TempCLR(chain="all", sequence=3)
    learner = tiny_learner(head)

    class Longer(Callback):
        def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            del pl_module
            head.sequence += trainer.current_epoch  # of the second epoch none counts

    trainer = quiet_trainer(tmp_path, limit_val_batches=0, max_epochs=3, callbacks=[Longer()])
    with pytest.raises(ArgumentError, match="sequence=4"):
        trainer.fit(learner, datamodule=tiny_kitchen(kitchen_root, small))
    assert trainer.current_epoch == 1
