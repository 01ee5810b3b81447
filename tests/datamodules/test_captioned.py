from pathlib import Path

import pytest

from tests.media.features.stores import fill_store
from vtlearn.data_source import Stage
from vtlearn.datamodules.captioned import CaptionedData
from vtlearn.datasets.captioned import CaptionedClip
from vtlearn.errors import FeatureError
from vtlearn.evaluation.evaluator import EvaluationTask


class TwoClips(CaptionedData):
    def list_split(self, split: str, max_missing: float | None) -> list[CaptionedClip]:
        ASKED.append((split, max_missing))
        return CLIPS[:1] if split == "train" else CLIPS

    def tasks(self, stage: Stage) -> list[EvaluationTask]:
        return [self.retrieval("two", 3, self.clips(stage), windows=7)] if stage == "test" else []


ASKED: list[tuple[str, float | None]] = []
CLIPS = [
    CaptionedClip("a", "a", Path("a.mp4"), 0.0, None, ("a dog", "it barks"), ("a#0", "a#1")),
    CaptionedClip("b", "b", Path("b.mp4"), 3.0, 9.0, ("a dog",), ("b#0",)),
]


def test_each_text_counts_its_own_clip_alone() -> None:
    task = TwoClips(evaluation_batch_size=5).retrieval("two", 3, CLIPS, windows=7)
    (protocol,) = task.protocols
    assert (protocol.name, protocol.version, protocol.expected) == ("two", 3, ["a", "b"])
    assert vars(protocol)["relevance"] == {"a#0": ["a"], "a#1": ["a"], "b#0": ["b"]}
    assert protocol.windows.startswith("7, spread evenly")
    assert (task.batch_size, task.items.part_counts) == (5, [1, 1])


def test_a_split_is_listed_once_and_may_lack_as_much_as_it_may() -> None:
    ASKED.clear()
    data = TwoClips(max_unreadable=3, max_unreadable_fraction=0.25)
    for _ in range(2):
        assert list(data.train_dataset().ids) == ["a"]
        assert [item.id for item in data.tasks("test")[0].items.items] == ["a", "b"]
    assert ASKED == [("train", 0.25), ("test", 3.0)]


def test_features_are_made_of_all_clips_and_a_store_has_to_have_them(tmp_path: Path) -> None:
    assert list(TwoClips().videos().ids) == ["a", "b"]
    fill_store(tmp_path, {"a": 3.0})
    data = TwoClips(features=tmp_path)
    assert list(data.train_dataset().ids) == ["a"]
    with pytest.raises(FeatureError, match=r"no features of 1 of 2 videos \(first: b\)"):
        data.tasks("test")


def test_what_is_only_listed_need_not_be_there(tmp_path: Path) -> None:
    ASKED.clear()
    fill_store(tmp_path, {"a": 3.0})
    for options in ({}, {"features": tmp_path}):
        data = TwoClips(**options)
        data.list_only()
        assert [item.id for item in data.tasks("test")[0].items.items] == ["a", "b"]
    assert ASKED == [("test", None)] * 2
