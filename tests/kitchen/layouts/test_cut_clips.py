from collections import Counter

import pytest

from vtlearn.kitchen.layouts.cut_clips import Pictures, draw_clips
from vtlearn.kitchen.plan import VideoPlan

COUNTS = {"train": 24, "val": 3, "test": 17}


def draw(counts: dict[str, int], seed: int = 0) -> list[VideoPlan]:
    return draw_clips((seed, 7), counts, Pictures(16, 2, 2), "{}_{}_{}".format)


def source(clip: VideoPlan) -> str:
    return clip.id.rsplit("_", 2)[0]


def test_each_split_has_its_clips_sorted_by_id() -> None:
    clips = draw(COUNTS)
    assert [clip.split for clip in clips] == ["train"] * 24 + ["val"] * 3 + ["test"] * 17
    ids = [clip.id for clip in clips]
    assert len(set(ids)) == 44
    assert ids == sorted(ids)
    assert len({clip.scenery for clip in clips}) == 44


def test_an_id_says_where_a_clip_was_cut_out_of_its_source() -> None:
    spans: dict[str, list[tuple[int, int]]] = {}
    for clip in draw(COUNTS):
        start, end = (int(part) for part in clip.id.split("_")[-2:])
        assert clip.duration <= end - start < clip.duration + 1
        spans.setdefault(source(clip), []).append((start, end))
    assert Counter(map(len, spans.values())) == {2: 21, 1: 2}
    for first, second in (sorted(one) for one in spans.values() if len(one) == 2):
        assert first[1] <= second[0]


def test_no_source_is_in_two_splits() -> None:
    splits: dict[str, set[str]] = {}
    for clip in draw(COUNTS):
        splits.setdefault(source(clip), set()).add(clip.split)
    assert all(len(found) == 1 for found in splits.values())


@pytest.mark.parametrize(("split", "times"), [("train", {1: 8, 2: 8}), ("test", {1: 15, 2: 1})])
def test_a_split_shows_the_pairs_equally_often(split: str, times: dict[int, int]) -> None:
    shown = Counter(clip.steps[0].caption for clip in draw(COUNTS) if clip.split == split)
    assert Counter(shown.values()) == times


def test_chances_are_the_keys() -> None:
    assert draw(COUNTS) == draw(COUNTS)
    one, other = ({clip.id for clip in draw(COUNTS, seed)} for seed in (0, 1))
    assert not one & other
