from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from jsonargparse import Namespace, dict_to_namespace

from vtlearn.cli.own_folder import folder_without_logger, named_versions, run_of
from vtlearn.run_folder import reserve_folder


def logger(folder: Path, version: Any = None, kind: str = "TensorBoardLogger") -> Namespace:
    named = {"save_dir": str(folder), "name": "a", "version": version}
    found: Namespace = dict_to_namespace(
        {"class_path": f"pytorch_lightning.loggers.{kind}", "init_args": named}
    )
    return found


def test_a_new_run_has_a_folder_of_its_own_at_once(tmp_path: Path) -> None:
    one = logger(tmp_path)
    with named_versions(one, None):
        assert one.init_args.version == "version_0"
        assert (tmp_path / "a" / "version_0").is_dir()
    assert one.init_args.version is None  # what is written down serves another run


def test_loggers_of_one_name_share_the_folder_of_a_run(tmp_path: Path) -> None:
    curves, table = logger(tmp_path), logger(tmp_path, kind="CSVLogger")
    elsewhere = logger(tmp_path / "other")
    for run in ("version_0", "version_1"):
        with named_versions([curves, table, elsewhere], None):
            assert {x.init_args.version for x in (curves, table, elsewhere)} == {run}
    assert len(list((tmp_path / "a").iterdir())) == 2


def test_a_run_goes_on_in_its_folder(tmp_path: Path) -> None:
    one, other = logger(tmp_path), logger(tmp_path / "other")
    with named_versions([one, other], tmp_path / "a" / "version_7"):
        assert (one.init_args.version, other.init_args.version) == ("version_7", "version_0")


def test_what_names_its_folder_or_has_none_is_left_alone(tmp_path: Path) -> None:
    named, others = logger(tmp_path, "mine"), logger(tmp_path, kind="WandbLogger")
    for given in (named, others, False, True, None):
        with named_versions(given, None):
            assert list(tmp_path.iterdir()) == []
    assert named.init_args.version == "mine"


def test_a_folder_of_what_cannot_be_built_is_not_left(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), named_versions(logger(tmp_path), None):
        raise RuntimeError
    assert list((tmp_path / "a").iterdir()) == []


def test_trainings_without_a_logger_have_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = [folder_without_logger(reserve=reserve).name for reserve in (True, True, False, False)]
    assert names == ["version_0", "version_1", "version_2", "version_2"]


def test_two_at_once_get_different_ones(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        names = [path.name for path in pool.map(reserve_folder, [tmp_path] * 40)]
    assert sorted(names) == sorted(f"version_{number}" for number in range(40))


@pytest.mark.parametrize("path", ["x/checkpoints/best.ckpt", "last.ckpt", "x/last.ckpt", None])
def test_from_other_checkpoints_another_run_begins(path: str | None) -> None:
    assert run_of(path) is None
    assert run_of("x/checkpoints/previous.ckpt") == Path("x")
