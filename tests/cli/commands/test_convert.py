from pathlib import Path

import pytest
import torch

from tests.interop import files
from vtlearn.__main__ import main
from vtlearn.checkpoints import load_learner


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with VT-TWINS's file, one that fairseq's options are pickled in, and their words."""
    root = tmp_path_factory.mktemp("published")
    files.write(root / "pretrained.pth.tar", files.vttwins())
    files.write(root / "pickled.pt", {"args": files.Options(), "state_dict": files.vttwins()})
    damaged = dict(files.s3d_weights())
    del damaged["gating.fc.bias"]
    files.write(root / "damaged.pth.tar", files.vttwins(damaged))
    files.write_words(root / "dict.npy")
    return root


def test_the_report_is_printed_and_the_folder_opens(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["convert", str(published / "pretrained.pth.tar"), "--to", str(tmp_path / "model")]
    assert main([*argv, "--vocabulary", str(published / "dict.npy")]) == 0
    output = capsys.readouterr().out
    assert "pretrained.pth.tar: vttwins\n537 matched: video_encoder.conv1.conv1.weight, " in output
    assert "\n0 missing\n0 unexpected\n0 reshaped\n0 dropped\n" in output
    assert "\nS3D's first layer: stem=plain\n" in output
    assert "no texts" not in output
    assert f"written to {tmp_path / 'model'}\n" in output
    assert load_learner(tmp_path / "model").encode_text(["chop"]).shape == (1, 8)
    assert main(argv) == 2
    assert "model exists already, and nothing in it is over" in capsys.readouterr().err


def test_what_is_left_to_give_is_said(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["convert", str(published / "damaged.pth.tar"), "--to", str(tmp_path / "model")]
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert "\n1 missing: video_encoder.gating.fc.bias\n" in error
    assert "left over: --allow-missing video_encoder.gating.fc.bias\n" in error
    argv += ["--allow-missing", "text_encoder", "video_encoder.gating", "--kind", "milnce"]
    assert main(argv) == 0
    output = capsys.readouterr().out
    assert "damaged.pth.tar: milnce\n" in output
    assert "what is missing begins at random\n" in output
    assert "reads no texts yet: give its words, its authors' dict.npy, by --vocabulary" in output


def test_a_pickle_has_to_be_trusted(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["convert", str(published / "pickled.pt"), "--to", str(tmp_path / "model")]
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert "holds more than weights: tests.interop.files.Options" in error
    assert "--trust-pickle" in error
    assert main([*argv, "--trust-pickle"]) == 0
    assert torch.equal(
        load_learner(tmp_path / "model").state_dict()["video_encoder.fc.weight"],
        files.s3d_weights()["fc.weight"],
    )


def test_a_kind_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["convert", "x", "--to", str(tmp_path / "model"), "--kind", "mil_nce"])
    assert left.value.code == 2
    assert "invalid choice: 'mil_nce'" in capsys.readouterr().err
