from pathlib import Path

import pytest
import yaml

from vtlearn.cli.logger_folder import RunsFolder, runs_folder


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    logger = {"class_path": "TensorBoardLogger", "init_args": {"save_dir": "runs", "name": "a"}}
    Path("a.yaml").write_text(yaml.safe_dump({"trainer": {"logger": logger}}))
    Path("none.yaml").write_text("trainer: {logger: false}")


@pytest.mark.parametrize(
    ("words", "parent", "version"),
    [
        ("", "runs/vtlearn", None),
        ("--config a.yaml", "runs/a", None),
        ("--config a.yaml --trainer.logger.name exp2", "runs/exp2", None),
        ("--config a.yaml --trainer.logger.init_args.name exp2", "runs/exp2", None),
        ("--config a.yaml --trainer.logger.save_dir elsewhere", "elsewhere/a", None),
        ("--config a.yaml --trainer.logger.version 3", "runs/a", "version_3"),
        ("--config a.yaml --trainer.logger.version mine", "runs/a", "mine"),
        ("--trainer.logger.name exp2 --config a.yaml", "runs/a", None),
        ("--config a.yaml --config none.yaml", "runs/vtlearn", None),
        ("--config a.yaml --trainer.logger false", "runs/vtlearn", None),
        ("--trainer.logger false --trainer.default_root_dir mine", "mine", None),
        ("--config a.yaml --trainer.logger CSVLogger --trainer.logger.save_dir x", "x/a", None),
        ("--trainer.logger CSVLogger --trainer.logger.save_dir x", "x/vtlearn", None),
        (
            '--trainer.logger [{"class_path":"CSVLogger","init_args":{"save_dir":"x","name":"y"}},'
            '{"class_path":"TensorBoardLogger","init_args":{"save_dir":"z"}}]',
            "x/y",
            None,
        ),
        ('--trainer {"logger":false,"default_root_dir":"x"}', "x", None),
        ("--config a.yaml --trainer.logger.nonsense 3", "runs/vtlearn", None),  # said elsewhere
    ],
)
def test_the_folder_is_the_one_that_the_parser_would_give(
    words: str, parent: str, version: str | None
) -> None:
    assert runs_folder(["fit", *words.split()]) == RunsFolder(Path(parent), version)
