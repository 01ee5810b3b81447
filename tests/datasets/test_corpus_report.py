import json
from pathlib import Path

import pytest

from vtlearn.datasets.checking import check_corpus
from vtlearn.datasets.corpus_report import DurationMismatch
from vtlearn.datasets.kitchen import Kitchen


@pytest.mark.parametrize(
    ("declared", "captions_end", "exceeds"),
    [
        (None, None, False),
        (12.0, None, False),
        (13.1, None, True),
        (6.9, 1.0, True),
        (10.0, 13.1, True),
    ],
)
def test_a_mismatch_is_of_either_kind(
    declared: float | None, captions_end: float | None, exceeds: bool
) -> None:
    found = DurationMismatch("v", 10.0, declared, captions_end)
    assert found.exceeds(3.0) == exceeds


def test_a_report_is_plain_and_counts_what_is_usable(kitchen_root: Path) -> None:
    report = check_corpus(Kitchen.expectations(kitchen_root), workers=1)
    plain = json.loads(json.dumps(report.as_json()))
    assert plain["coverage"] == report.coverage
    assert plain["usable"] == report.usable
    assert set(plain) == {*report._fields, "coverage"}
