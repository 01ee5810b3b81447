from pathlib import Path
from typing import Any

import pytest

from tests.models import tiny_kitchen
from vtlearn.datamodules.retrieval import retrieval_examples


def test_pairs_are_of_validation_and_the_same_each_time(
    kitchen_root: Path, small: dict[str, Any]
) -> None:
    data = tiny_kitchen(kitchen_root, small)
    examples = retrieval_examples(data, 5)
    items = {item.id: item for item in data.tasks("validate")[0].items.items}
    assert len(examples) == 5
    for sample, right in examples:
        assert sample.texts == list(items[sample.id].texts)
        assert right == {sample.id}
    again = [example.sample.id for example in retrieval_examples(data, 5)]
    assert again == [example.sample.id for example in examples]
    other = retrieval_examples(tiny_kitchen(kitchen_root, small, seed=1), 5)
    assert [example.sample.id for example in other] != again


def test_what_cannot_be_read_is_skipped(
    kitchen_root: Path, small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tiny_kitchen(kitchen_root, small)
    task = data.tasks("validate")[0]
    items = task.items.items
    absent = {item.id for item in items[::2]}
    task.items.items = [
        item._replace(source=tmp_path / "absent.mp4") if item.id in absent else item
        for item in items
    ]
    monkeypatch.setattr(data, "tasks", {"validate": [task]}.get)
    examples = retrieval_examples(data, 100)
    assert len(examples) == len(items) - len(absent)
    assert not absent & {example.sample.id for example in examples}


def test_captioning_has_no_pairs(kitchen_root: Path, small: dict[str, Any]) -> None:
    assert retrieval_examples(tiny_kitchen(kitchen_root, small, task="captioning"), 5) == []
