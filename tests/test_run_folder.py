from pathlib import Path

import pytest
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger

from tests.models import quiet_trainer
from vtlearn.run_folder import fresh_folder, is_working_directory, run_folder


@pytest.mark.parametrize("kind", [CSVLogger, TensorBoardLogger])
def test_it_is_the_loggers_folder_but_for_the_working_directory(
    kind: type[CSVLogger | TensorBoardLogger], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    own = quiet_trainer(elsewhere, logger=kind("runs", name="a", version=3))
    assert run_folder(own) == Path("runs/a/version_3")
    assert run_folder(quiet_trainer(elsewhere, logger=False)) == elsewhere
    here = kind(str(tmp_path), name="", version="")
    assert run_folder(quiet_trainer(elsewhere, logger=here)) == elsewhere


def test_the_working_directory_has_several_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here" / "runs").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    for name in (".", "", "runs/..", "../link", str(tmp_path / "here")):
        assert is_working_directory(Path(name))
    for name in ("runs", "..", "absent"):
        assert not is_working_directory(Path(name))


def test_a_fresh_folder_is_one_that_is_not_there(tmp_path: Path) -> None:
    for name in ("version_0", "version_2"):
        (tmp_path / name).mkdir()
    assert fresh_folder(tmp_path) == tmp_path / "version_1"
    assert not fresh_folder(tmp_path).exists()
