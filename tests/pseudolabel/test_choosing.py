import json
from pathlib import Path

import pytest
import torch

from tests.pseudolabel.models import (
    Brightness,
    aligner_checkpoint,
    blip_folder,
    captioner_checkpoint,
    clip_folder,
)
from vtlearn.errors import ArgumentError, CheckpointError
from vtlearn.media.ids import VideoNames
from vtlearn.pseudolabel import References, choose_captioner, choose_scorer, choose_windows

CPU = torch.device("cpu")
NAMES = VideoNames({"a": "a", "b": "b"})


def references() -> References:
    return References(["a", "b"], torch.zeros(2, 3, 8, 8, dtype=torch.uint8))


def test_captioners_are_told_apart(tmp_path: Path) -> None:
    ours = captioner_checkpoint(tmp_path / "c.ckpt")
    assert choose_captioner(str(ours), CPU).name.startswith("c.ckpt:")
    blip = blip_folder(tmp_path / "blip.of.mine")
    assert choose_captioner(f"{blip}/", CPU).name.startswith("blip.of.mine:")
    told = choose_captioner("tests.pseudolabel.models.Brightness", CPU)
    assert type(told).__name__ == "Brightness"


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("tests.pseudolabel.models.TEXTS", "is not a FrameCaptioner"),
        ("tests.pseudolabel.models.Absent", r"tests\.pseudolabel\.models has no Absent$"),
        ("tests.pseudolabel.models.Brightnes", "has no Brightnes; did you mean Brightness?"),
        ("tests.pseudolabel.models.Particular", "cannot be built without arguments: .*where"),
        ("tests.pseudolabel.models.Unsized", "has no size: set it in the class"),
        (
            "tests.pseudolabel.models.WideAsText",
            r"models\.WideAsText\.size: expected a positive int",
        ),
        ("tests.pseudolabel.models.Numbered", r"models\.Numbered\.name: expected a string, got 7"),
        (
            "tests.pseudolabel.models.Failing",
            r"models\.Failing cannot be built .*: ValueError: no weights \(.*models\.py, line",
        ),
        ("absent_package.Captioner", "is not a file, and cannot be imported as a class: No module"),
        ("./absent", "captioner: './absent' is not a directory"),
    ],
)
def test_what_is_no_captioner_is_refused(named: str, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        choose_captioner(named, CPU)


def test_a_module_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "failing_captioner.py").write_text("weights = int('none')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        ArgumentError, match=r"failing_captioner cannot be imported: ValueError: .* 1"
    ):
        choose_captioner("failing_captioner.Captioner", CPU)


def test_a_checkpoint_that_is_not_there_is_not_looked_for_on_the_hub() -> None:
    with pytest.raises(CheckpointError, match=r"absent\.ckpt: No such file"):
        choose_captioner("absent.ckpt", CPU)


def test_scorers_are_told_apart(tmp_path: Path) -> None:
    captioner = Brightness()
    assert choose_scorer("lift", captioner, references, CPU).name == "lift"
    aligner = aligner_checkpoint(tmp_path / "a.ckpt")
    scorer = choose_scorer(f"match:{aligner}", captioner, references, CPU)
    assert scorer.name.startswith("match:a.ckpt:")
    clip = clip_folder(tmp_path / "clip")
    assert choose_scorer(f"clip:{clip}", captioner, references, CPU).name.startswith("clip:clip:")


@pytest.mark.parametrize("named", ["", "match", "match:", "likelihood", "lift:a"])
def test_other_scorers_are_refused(named: str) -> None:
    with pytest.raises(ArgumentError, match="scorer: expected lift, match:CHECKPOINT or clip:MOD"):
        choose_scorer(named, Brightness(), references, CPU)


def test_windows_are_read_and_transcripts_matched(tmp_path: Path) -> None:
    assert str(choose_windows("fixed:3", NAMES)) == "fixed:3"
    (tmp_path / "a.en.json").write_text(json.dumps({"start": [1], "end": [2], "text": ["chop"]}))
    windows = choose_windows(f"asr:{tmp_path}", NAMES, tmp_path / "cache")
    assert len(windows.spans("a", "a.mp4", 9.0, None)) == 1  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="has captions of none of the videos"):
        choose_windows(f"asr:{tmp_path}", VideoNames({"x": "x"}), tmp_path / "cache")
    twins = VideoNames({"1/a": "1/a", "2/a": "2/a"})
    with pytest.raises(ArgumentError, match="cannot be matched with videos"):
        choose_windows(f"asr:{tmp_path}", twins, tmp_path / "cache")
