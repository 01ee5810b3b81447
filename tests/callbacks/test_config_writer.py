from pathlib import Path

import pytest
from pytorch_lightning.cli import LightningArgumentParser
from pytorch_lightning.loggers import CSVLogger

from tests.models import quiet_trainer, tiny_learner
from vtlearn.callbacks import ConfigWriter


def save(folder: Path, epochs: int) -> None:
    """Do what a command does that logs to a folder."""
    parser = LightningArgumentParser(dump_header=["pytorch_lightning==2.6.6"])
    parser.add_argument("--epochs", type=int, default=epochs)
    writer = ConfigWriter(parser, parser.get_defaults(), overwrite=True)
    trainer = quiet_trainer(folder, logger=CSVLogger(str(folder), name="", version=""))
    writer.setup(trainer, tiny_learner(), "fit")


def test_what_a_run_wrote_is_replaced(tmp_path: Path) -> None:
    save(tmp_path, 1)
    save(tmp_path, 2)
    assert (tmp_path / "config.yaml").read_text().endswith("epochs: 2\n")


@pytest.mark.parametrize("content", [b"epochs: 9\n", b"", b"\xff\x00"])
def test_what_a_user_wrote_is_not(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(content)
    save(tmp_path, 1)
    assert (tmp_path / "config.yaml").read_bytes() == content


def test_in_the_working_directory_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path, 1)
    assert not (tmp_path / "config.yaml").exists()
