from pathlib import Path

import pytest

from vtlearn.cli.lightning import VTLearnCLI
from vtlearn.cli.messages import explain

CONFIG = ["fit", "--config", "configs/vttwins.yaml"]


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (
            ["--trainer.max_epoch", "4"],
            "no option trainer.max_epoch; did you mean trainer.max_epochs?",
        ),
        (["--trainr.max_epochs", "4"], "no option trainr.max_epochs; did you mean trainer?"),
        (["--config", "{modle: {head: 1}}"], "no option modle.head; did you mean model?"),
        (["--config", "{model: {haed: 1}}"], "no option model.haed; did you mean model.head?"),
        (["--model.head.init_args.gama", "1"], "S2DTW has no option gama; did you mean gamma?"),
        (["--config", "{model: {head: {init_args: {gama: 1}}}}"], "S2DTW has no option gama"),
        (["--data.init_args.shfit", "1"], "Kitchen has no option shfit; did you mean shift?"),
        (
            ["--data.init_args.sampling.num_clip", "1"],
            "no option num_clip; did you mean num_clips?",
        ),
        (["--model.optimizer.init_args.lrr", "1"], "AdamW has no option lrr; did you mean lr?"),
        (["--model.head", "S2DTV"], "model.head: there is no class S2DTV; did you mean S2DTW?"),
        (["--model.head", "s2dtw"], "there is no class s2dtw; did you mean S2DTW?"),
        (["--model.head", "mine.Head"], "there is no module 'mine'; `python -m vtlearn` in place"),
        (["--data", "Kitchn"], "data: there is no class Kitchn; did you mean Kitchen?"),
        (["--model.head.init_args.gamma", "abc"], "model.head.gamma: expected a float, got 'abc'"),
        (["--trainer.max_epochs", "1.5"], "trainer.max_epochs: expected an int, got '1.5'"),
        (
            ["--data.init_args.sampling.fps", "own"],
            "data.sampling.fps: expected a float or 'native', got 'own'",
        ),
        (["--data.init_args.sampling.num_frames", "x"], "num_frames: expected an int, got 'x'"),
        (
            ["--model.head.init_args.direction", "x"],
            "expected one of 'both', 'text_to_video', 'video_to_text', got 'x'",
        ),
        (
            ["--model.video_encoder", "vtlearn.heads.S2DTW"],
            "model.video_encoder: S2DTW is not a subclass of VideoEncoder; did you mean S3D?",
        ),
        (["--model.video_encoder", "S2DTW"], "S2DTW derives from Head, which does not fit here"),
        (["--model.scheduler", "vtlearn.heads.S2DTW"], "S2DTW is not a subclass of LRScheduler"),
        (["--model.head", "vtlearn.heads.Grid"], "vtlearn.heads.Grid is now vtlearn.batch.Rows"),
    ],
)
def test_a_typo_gets_the_nearest_valid_name(
    typed: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        VTLearnCLI([*CONFIG, *typed])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_a_bare_command_is_told_of_configurations(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        VTLearnCLI(["fit"])
    assert "vtlearn fit --config configs/vttwins.yaml" in capsys.readouterr().err


def test_unknown_words_lose_only_their_noise() -> None:
    message = 'Parser key "a":\n  Does not validate against any of the Union subtypes\n  It is odd'
    assert explain(message, []) == 'Parser key "a":\n  It is odd'


def test_a_module_that_needs_what_vtlearn_has_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "outdated.py").write_text("from vtlearn.heads.absent import S2DTW as Mine\n")
    with pytest.raises(SystemExit):
        VTLearnCLI([*CONFIG, "--model.head", "outdated.Mine"])
    assert capsys.readouterr().err == (
        "vtlearn: error: model.head: outdated.Mine needs another version of vtlearn: "
        "No module named 'vtlearn.heads.absent'\n"
    )
