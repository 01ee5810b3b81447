from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor

from tests.datasets.extraction.walking import ColourWriter, files
from tests.models import quiet_trainer, tiny_kitchen, tiny_learner
from vtlearn.batch import Batch
from vtlearn.callbacks import FeatureWriter
from vtlearn.callbacks.extraction import ExtractionCallback
from vtlearn.datamodules import Kitchen
from vtlearn.datasets.windows import VideoList
from vtlearn.errors import ArgumentError
from vtlearn.learner import VideoTextLearner


class Colours(ExtractionCallback[Tensor]):
    """Keeps something else than features; ``seen`` is what it was opened with."""

    kept = "colours"

    def __init__(self, folder: Path | None, part: str | None = None) -> None:
        super().__init__(folder, 1.0, 4, part)

    def open_writer(
        self, folder: Path, learner: VideoTextLearner, videos: VideoList, precision: str
    ) -> ColourWriter:
        self.seen = learner, precision, next(learner.video_encoder.parameters()).sum().item()
        return ColourWriter(folder, videos)

    def results(self, outputs: Any) -> Tensor:
        assert isinstance(outputs, Tensor)
        return outputs.double()[:, :3]


@pytest.fixture
def data(kitchen_root: Path, small: dict[str, int]) -> Kitchen:
    return tiny_kitchen(kitchen_root, small)


def test_another_output_takes_the_same_walk(
    data: Kitchen, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learner = tiny_learner()
    stores: dict[str, list[str | None]] = {"whole": [None], "parts": ["2/2", "1/2"]}
    for name, parts in stores.items():
        for part in parts:
            callback = Colours(tmp_path / name, part)
            # the command line's own is there as well, and was not asked for anything
            trainer = quiet_trainer(tmp_path, callbacks=[FeatureWriter(), callback])
            trainer.predict(learner, datamodule=data, return_predictions=False)
            assert callback.seen[:2] == (learner, "32-true")
    assert len(files(tmp_path / "whole")) == 5
    assert files(tmp_path / "whole") == files(tmp_path / "parts")
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == third == "colours: colours of 13"
    assert "part 2/2 is whole; 3 of 5 shards are not in" in second


def test_it_is_opened_with_the_checkpoints_weights(
    data: Kitchen, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trained = tiny_learner()
    trainer = quiet_trainer(tmp_path, max_steps=1, limit_val_batches=0)
    trainer.fit(trained, datamodule=data)
    trainer.save_checkpoint(tmp_path / "trained.ckpt")
    callback = Colours(tmp_path / "colours")
    quiet_trainer(tmp_path, callbacks=[callback]).predict(
        tiny_learner(), datamodule=data, ckpt_path=tmp_path / "trained.ckpt"
    )
    assert callback.seen[2] == next(trained.video_encoder.parameters()).sum().item()
    assert "no --ckpt_path" not in caplog.text
    quiet_trainer(tmp_path, callbacks=[callback]).predict(trained, datamodule=data)
    assert "no --ckpt_path: colours of the weights" in caplog.text


def test_only_predict_is_concerned(data: Kitchen, tmp_path: Path) -> None:
    trainer = quiet_trainer(tmp_path, callbacks=[Colours(None)], max_steps=1, limit_val_batches=0)
    learner = tiny_learner()
    trainer.fit(learner, datamodule=data)
    trainer.test(learner, datamodule=data, verbose=False)


class Other(LightningModule):
    """Not a learner of ours."""

    def forward(self, batch: Batch) -> Tensor:
        return batch.clips


def test_refusals(data: Kitchen, tmp_path: Path) -> None:
    def predict(*callbacks: ExtractionCallback[Tensor], learner: LightningModule) -> None:
        trainer: Trainer = quiet_trainer(tmp_path, callbacks=list(callbacks))
        trainer.predict(learner, datamodule=data)

    with pytest.raises(ArgumentError, match=r"predict writes colours .* give --colours\.folder"):
        predict(Colours(None), learner=tiny_learner())
    with pytest.raises(ArgumentError, match="Colours keeps what a VideoTextLearner makes"):
        predict(Colours(tmp_path / "a"), learner=Other())
    with pytest.raises(ArgumentError, match="one output at a time"):
        predict(Colours(tmp_path / "a"), FeatureWriter(tmp_path / "b"), learner=tiny_learner())
    with pytest.raises(ArgumentError, match="Colours chooses windows within trainer"):
        Colours(tmp_path / "a").chunks(data.videos(), workers=0)
    with pytest.raises(ArgumentError, match="part='0/4' is not K/N"):
        Colours(tmp_path / "a", "0/4")
    assert not (tmp_path / "a").exists()
