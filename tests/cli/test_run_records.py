from pathlib import Path

import pytest

from tests.cli.run_folders import set_time, write_config, write_results, write_training
from vtlearn.cli.run_records import ProtocolFigure, read_runs


def names(root: Path) -> list[str]:
    return [run.folder.name for run in read_runs(root)]


def test_a_training_is_read(tmp_path: Path) -> None:
    write_training(tmp_path / "a", 61.5)
    (run,) = read_runs(tmp_path)
    assert (run.head, run.data, run.remarks) == ("S2DTW", "Kitchen", [])
    assert (run.epochs, run.max_epochs, run.steps) == (2, 4, 20)
    assert (run.monitor, run.best) == ("val/primary", 61.5)
    assert run.checkpoint == tmp_path / "a" / "checkpoints" / "best.ckpt"
    assert run.written is not None
    assert run.written.tzinfo is not None


def test_the_best_comes_first_and_a_lower_loss_is_better(tmp_path: Path) -> None:
    write_training(tmp_path / "low", 12.0)
    write_training(tmp_path / "high", 70.0)
    write_training(tmp_path / "big", 3.0, monitor="val/loss")
    write_training(tmp_path / "small", 2.0, monitor="val/loss")
    write_results(tmp_path / "tested", 50.0)
    write_config(tmp_path / "begun")
    assert names(tmp_path) == ["high", "low", "small", "big", "tested", "begun"]


def test_a_test_is_told_with_the_run_whose_checkpoint_it_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_training(Path("runs", "a"), 61.5)
    write_config(Path("runs", "b"))
    write_results(Path("runs", "b"), 40.0, Path("runs", "a", "checkpoints", "best.ckpt"))
    (run,) = read_runs(Path("runs"))
    assert run.folder == Path("runs", "a")
    assert run.tested == (ProtocolFigure("kitchen-retrieval@1", "R@1", 40.0, True, False),)
    monkeypatch.chdir("/")
    (elsewhere,) = read_runs(tmp_path / "runs")
    assert elsewhere.tested == run.tested


def test_the_latest_test_of_a_protocol_counts(tmp_path: Path) -> None:
    write_training(tmp_path / "a", 61.5)
    checkpoint = tmp_path / "a" / "checkpoints" / "last.ckpt"
    set_time(write_results(tmp_path / "b", 40.0, checkpoint), 2e9)
    set_time(write_results(tmp_path / "c", 30.0, checkpoint), 1e9)
    write_results(tmp_path / "d", 20.0, checkpoint, mode="reference")
    (run,) = read_runs(tmp_path)
    assert {figure.protocol: figure.value for figure in run.tested} == {
        "kitchen-retrieval@1": 40.0,
        "kitchen-retrieval@1 (reference)": 20.0,
    }


def test_a_test_of_a_model_that_is_elsewhere_stands_by_itself(tmp_path: Path) -> None:
    write_results(tmp_path / "b", 40.0, "gone.ckpt")
    assert names(tmp_path) == ["b"]


def test_what_was_not_all_scored_or_chosen_by_the_test_is_marked(tmp_path: Path) -> None:
    write_results(
        tmp_path / "b",
        40.0,
        coverage={"evaluated": 7, "expected": 8, "missing": ["x"]},
        selected_on_test=True,
    )
    (run,) = read_runs(tmp_path)
    (figure,) = run.tested
    assert (figure.comparable, figure.selected_on_test) == (False, True)


def test_an_unfinished_run_says_how_far_it_is(tmp_path: Path) -> None:
    write_config(tmp_path / "a")
    write_training(tmp_path / "b", None, names=("last",))
    by_name = {run.folder.name: run for run in read_runs(tmp_path)}
    assert by_name["a"].remarks == ["no checkpoint: it ended before its first, or is still running"]
    assert by_name["b"].checkpoint == tmp_path / "b" / "checkpoints" / "last.ckpt"
    assert (by_name["b"].best, by_name["b"].epochs) == (None, 2)


@pytest.mark.parametrize("results", ["{", "{}", "[1]", '[{"protocol": "a"}]', "null"])
def test_what_is_damaged_is_listed_with_what_is_known(results: str, tmp_path: Path) -> None:
    write_training(tmp_path / "a", 61.5, names=("best",))
    (tmp_path / "a" / "checkpoints" / "last.ckpt").write_bytes(b"half")
    (tmp_path / "a" / "config.yaml").write_text("model: [")
    (tmp_path / "a" / "results.json").write_text(results)
    (run,) = read_runs(tmp_path)
    assert (run.head, run.data, run.best) == ("S2DTW", None, 61.5)
    assert [remark.split(" cannot ")[0].split(" is not ")[0] for remark in run.remarks] == [
        str(tmp_path / "a" / "config.yaml"),
        str(tmp_path / "a" / "checkpoints" / "last.ckpt"),
        *([] if results == "{}" else ["results.json"]),
    ]
