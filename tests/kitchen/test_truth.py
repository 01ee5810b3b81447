import json
from pathlib import Path

import pytest

from vtlearn.errors import CorpusNotFoundError
from vtlearn.kitchen import Step, VideoTruth, read_truth
from vtlearn.kitchen.truth import encode_truth


def test_reads_the_file_that_the_layout_describes(tmp_path: Path) -> None:
    step = {"start": 1.0, "end": 4.5, "action": "chop", "ingredient": "carrot"}
    entry = {"duration": 9.0, "recipe": "soup", "steps": [step], "narrated": [None, 0]}
    (tmp_path / "steps.json").write_text(json.dumps({"a": entry}))
    truth = read_truth(tmp_path)["a"]
    assert truth == VideoTruth(9.0, "soup", [Step(1.0, 4.5, "chop", "carrot")], [None, 0])
    assert truth.steps[0].caption == "chop carrot"
    assert encode_truth(truth) == entry


def test_a_folder_without_truth_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusNotFoundError, match=r"(?s)Kitchen was not found.*steps\.json"):
        read_truth(tmp_path)
