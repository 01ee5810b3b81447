from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.media.features.stores import fill_store
from tests.media.video.writing import write_video
from vtlearn.batch import Sample
from vtlearn.datasets.base import SampleKey
from vtlearn.datasets.episodes import (
    Draw,
    EpisodeCorpus,
    EpisodeVideo,
    by_label,
    episode_items,
    read_labels,
    recipe_videos,
    require_classes,
)
from vtlearn.datasets.evaluation import EvaluationItems
from vtlearn.datasets.reading import ClipSampling, Pixels, Reading
from vtlearn.errors import (
    ArgumentError,
    CorpusNotFoundError,
    LostClipsError,
    TooManyUnreadableError,
)
from vtlearn.kitchen.recipes import FAMILIES
from vtlearn.kitchen.truth import VideoTruth
from vtlearn.media.clips import Clips

LIST = """video_path, label, split, group
run/1.mp4, run, train, legs
run/2.mp4, run, train, legs
jump/1.mp4, jump, train, legs
wave/3.mp4, wave, test,
"""


def labels(folder: Path, text: str = LIST) -> list[EpisodeVideo]:
    path = folder / "labels.csv"
    path.write_text(text)
    return read_labels(path, folder / "videos")


def test_a_list_says_classes_splits_and_groups(tmp_path: Path) -> None:
    videos = labels(tmp_path)
    assert [video.id for video in videos] == ["run/1", "2", "jump/1", "3"]
    assert videos[0].path == tmp_path / "videos" / "run" / "1.mp4"
    assert [video.label for video in videos] == ["run", "run", "jump", "wave"]
    assert [video.split for video in videos] == ["train"] * 3 + ["test"]
    assert [video.group for video in videos] == ["legs"] * 3 + [None]
    counts = {label: len(of) for label, of in by_label(videos).items()}
    assert counts == {"jump": 1, "run": 2, "wave": 1}
    without = labels(tmp_path, "video_path,label,split\n1.mp4,run,val\n")
    assert [video.group for video in without] == [None]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("video_path,label\n1.mp4,run\n", "has no column split"),
        (f"{LIST}4.mp4,run,test,legs\n", "label run is in the split 'train' in line 2 and in the "),
        (f"{LIST}4.mp4,run,train,arms\n", "run is in the group 'legs' in line 2 and in the group "),
        (f"{LIST}4.mp4,sit,dev,\n", "line 6: expected the split train, val or test, got 'dev'"),
        (f"{LIST}run/1.mp4,run,train,legs\n", r"has the video_path run/1.mp4 in lines 2 and 6"),
        (f"{LIST}run/1.avi,run,train,legs\n", "files of the name run/1 in lines 2 and 6"),
        (f"{LIST}5.mp4,,train,\n", "has no label in line 6"),
    ],
)
def test_a_list_that_makes_no_sense(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=words):
        labels(tmp_path, text)


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CorpusNotFoundError, match=r"labels.csv: a csv with the columns video_path"):
        read_labels(tmp_path / "labels.csv", tmp_path)


def test_classes_that_no_episode_can_be_drawn_of(tmp_path: Path) -> None:
    classes = by_label([video for video in labels(tmp_path) if video.split == "train"])
    require_classes("train", {"run": classes["run"]}, ways=1, shots=1, queries=1)
    with pytest.raises(ArgumentError, match=r"split train needs 2 videos.* and jump has 1: add"):
        require_classes("train", classes, ways=2, shots=1, queries=1)
    with pytest.raises(ArgumentError, match=r"split train has 2 classes, and .* ways=3"):
        require_classes("train", classes, ways=3, shots=1, queries=1)


@pytest.mark.parametrize("draw", [0, 1, 2])
def test_kitchens_recipes_are_classes(draw: Draw, kitchen_root: Path) -> None:
    videos = recipe_videos(kitchen_root, draw)
    assert videos
    tested = {video.group for video in videos if video.split == "test"}
    trained = {video.group for video in videos if video.split == "train"}
    assert not tested & trained
    assert all(video.path.is_file() for video in videos)
    family = {"-".join(family): family for family in FAMILIES}
    assert all(video.label in family[str(video.group)] for video in videos)


def test_two_families_are_tested_others_in_each_draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = {recipe: VideoTruth(1.0, recipe, [], []) for family in FAMILIES for recipe in family}
    truth["free"] = VideoTruth(1.0, None, [], [])
    monkeypatch.setattr("vtlearn.datasets.episodes.read_truth", lambda _: truth)
    draws: list[Draw] = [0, 1, 2]
    tested = [
        {video.group for video in recipe_videos(tmp_path, draw) if video.split == "test"}
        for draw in draws
    ]
    assert [len(groups) for groups in tested] == [2, 2, 2]
    assert len(tested[0] | tested[1] | tested[2]) == 5
    assert len(recipe_videos(tmp_path)) == 18
    with pytest.raises(ArgumentError, match="draw: expected one of 0, 1, 2, got '3'"):
        recipe_videos(tmp_path, 3)  # type: ignore[arg-type]


# Samples


@pytest.fixture
def videos(tmp_path: Path) -> list[EpisodeVideo]:
    """Two classes of three videos of four seconds, whose grey level grows by 10 per second."""
    found = []
    for number in range(6):
        path = tmp_path / f"{number}.mp4"
        write_video(path, [40 + 5 * n for n in range(8)], rate=2)
        found.append(EpisodeVideo(str(number), path, "ab"[number % 2], "train"))
    return found


def reading(folder: Path) -> Reading:
    sampling = ClipSampling(num_frames=2, fps=2.0)
    log = folder / "unreadable.jsonl"
    return Reading(
        sampling, Pixels(size=16, flip=0.0), unreadable_log=log, max_unreadable_fraction=1.0
    )


def test_training_and_scoring_take_the_same_windows(
    videos: list[EpisodeVideo], tmp_path: Path
) -> None:
    corpus = EpisodeCorpus(videos, reading(tmp_path), windows=3)
    items = EvaluationItems(episode_items(videos, 3), corpus.reading)
    drawn, scored = corpus[0], items[0]
    assert isinstance(scored, Sample)
    assert torch.equal(drawn.clips, scored.clips)
    assert torch.equal(drawn.clip_spans, scored.clip_spans)
    assert drawn.clips.shape == (3, 2, 3, 16, 16)
    assert drawn.clip_spans[:, 0].tolist() == pytest.approx([0.0, 1.3, 2.6])
    assert drawn.texts == scored.texts == []


def test_of_stored_features_as_well(tmp_path: Path) -> None:
    vectors = fill_store(tmp_path / "store", {"v": 10.2, "w": 1.5})
    videos = [EpisodeVideo(one, Path(f"{one}.mp4"), "a", "train") for one in "vw"]
    of_store = Reading(ClipSampling(num_frames=2), features=tmp_path / "store")
    corpus = EpisodeCorpus(videos, of_store, windows=4)
    items = EvaluationItems(episode_items(videos, 4), of_store)
    assert items.part_counts == [1, 1]
    for number in (0, 1):
        drawn, scored = corpus[number], items[number]
        assert isinstance(scored, Sample)
        for name in ("clips", "clip_spans", "frame_length"):
            assert torch.equal(getattr(drawn, name), getattr(scored, name))
    starts = np.floor(np.linspace(0, 10.2 - 2 - 0.4, 4)).astype(int)
    assert torch.equal(corpus[0].clips[:, 0], vectors["v"][torch.from_numpy(starts)])


def test_an_unreadable_video_is_replaced_by_one_of_its_class(
    videos: list[EpisodeVideo], tmp_path: Path
) -> None:
    videos[0].path.write_bytes(b"")
    corpus = EpisodeCorpus(videos, reading(tmp_path), windows=2)
    replaced = {corpus[SampleKey(epoch, 0)].id for epoch in range(6)}
    assert replaced == {"2", "4"}
    assert corpus[SampleKey(0, 1)].id == "1"
    for number in (2, 4):
        videos[number].path.write_bytes(b"")
    alone = r"none of the 3 videos of the class .* can be read, .*unreadable.* names them"
    with pytest.raises(ArgumentError, match=alone):
        EpisodeCorpus(videos, reading(tmp_path), windows=2)[0]
    few = replace(reading(tmp_path / "few"), max_unreadable_fraction=0.4)
    with pytest.raises(TooManyUnreadableError, match="3 of 6 videos cannot be read"):
        EpisodeCorpus(videos, few, windows=2)[0]


def test_a_video_that_lost_a_window_is_not_read(tmp_path: Path) -> None:
    store = tmp_path / "store"
    fill_store(store, {"v": 10.0})
    corpus = EpisodeCorpus(
        [EpisodeVideo("v", Path("v.mp4"), "a", "train")],
        Reading(ClipSampling(num_frames=1), features=store),
        windows=2,
    )
    lost = Clips(torch.zeros(2, 1, 4), torch.tensor([[True], [False]]))
    corpus._loader.draw = lambda *_: lost  # type: ignore[method-assign]
    with pytest.raises(LostClipsError, match=r"v has no frame in the clips drawn at 0.0"):
        corpus.draw(0, np.random.default_rng(0))


def test_settings_of_captions_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"^sampling.candidates, sampling.whole: these are ab"):
        EpisodeCorpus([], Reading(ClipSampling(candidates=2, whole=True)))
