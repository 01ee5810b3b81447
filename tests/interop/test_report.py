from pathlib import Path

import pytest
import torch
from torch import nn

from vtlearn.errors import CheckpointError
from vtlearn.interop.report import LoadReport, compare, is_under, load_and_compare


def test_what_is_loaded_is_what_matches() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    given = {
        "0.weight": torch.ones(3, 2),
        "0.bias": torch.ones(4),
        "1.weight": torch.ones(1, 3),
        "2.weight": torch.ones(1),
    }
    report = load_and_compare(Path("x.pt"), model, given, ["position_ids"])
    assert report == LoadReport(
        matched=["0.weight", "1.weight"],
        missing=["1.bias"],
        unexpected=["2.weight"],
        reshaped=["0.bias: (4,) in the file, (3,) in the model"],
        dropped=["position_ids"],
    )
    weights = model.state_dict()
    assert all(bool((weights[name] == 1).all()) for name in report.matched)


def test_counters_may_be_missing_and_vocabularies_do_not_count() -> None:
    norm = nn.BatchNorm1d(2).state_dict()
    given = {name: value for name, value in norm.items() if "num" not in name}
    report = compare({**norm, "_extra_state": []}, {**given, "t._extra_state": ["a"]})
    assert report.complete()
    assert len(report.matched) == 4


@pytest.mark.parametrize(
    ("report", "allowed", "complete"),
    [
        (LoadReport(["a"], [], [], [], ["d"]), [], True),
        (LoadReport([], ["v.fc.weight"], [], [], []), [], False),
        (LoadReport([], ["v.fc.weight"], ["w.x"], [], []), ["v.fc"], False),
        (LoadReport([], ["v.fc.weight"], ["w.x"], [], []), ["v.fc.", "w"], True),
        (LoadReport([], ["v.fc1.weight"], [], [], []), ["v.fc"], False),
        (LoadReport([], [], [], ["v.fc: (1,) in the file, (2,) in the model"], []), ["v"], False),
    ],
)
def test_prefixes_allow_what_is_missing_or_left_over(
    report: LoadReport, allowed: list[str], complete: bool
) -> None:
    assert report.complete(allowed) is complete


def test_three_names_are_shown() -> None:
    text = str(LoadReport(list("abcde"), [], ["x"], [], []))
    assert "5 matched: a, b, c and 2 more\n0 missing\n1 unexpected: x\n" in text


def test_a_name_is_under_itself() -> None:
    assert is_under("fc", ["fc"])
    assert not is_under("fc", [])


def test_what_cannot_be_copied_is_not_matched() -> None:
    given = {"weight": torch.ones(3, 2), "bias": torch.ones(3).to_sparse()}
    with pytest.raises(CheckpointError, match=r"^x\.pt: .*\"bias\"") as caught:
        load_and_compare(Path("x.pt"), nn.Linear(2, 3), given)
    assert "\n" not in str(caught.value)
