from pathlib import Path

import pytest

from vtlearn.errors import ArgumentError
from vtlearn.kitchen import plan_video
from vtlearn.kitchen.manifest import (
    Manifest,
    Rendered,
    make_manifest,
    read_manifest,
    refuse_other,
    write_manifest,
)


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    manifest = make_manifest({"seed": 0, "shift": 3.0}, [plan_video(0, "train", 0)])
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest
    rendered = manifest._replace(rendered=Rendered("18.1.0", {"kitchen_train_0000": "ab"}))
    write_manifest(tmp_path, rendered)
    assert read_manifest(tmp_path) == rendered
    assert read_manifest(tmp_path / "elsewhere") is None


def test_the_hash_follows_captions_and_truth() -> None:
    plan = plan_video(0, "train", 0)
    said = plan._replace(lines=[line._replace(text="oh") for line in plan.lines])
    done = plan._replace(steps=[step._replace(action="fry") for step in plan.steps])
    seen = plan._replace(scenery=(1, 2, 3))
    hashes = [make_manifest({}, [one]).sha256 for one in (plan, said, done, seen)]
    assert len(set(hashes)) == 3
    assert hashes[0] == hashes[3]


def test_each_difference_is_named() -> None:
    found = Manifest(1, {"seed": 0, "size": 64, "fps": 8}, 4, "a")
    wanted = Manifest(2, {"seed": 1, "size": 64, "fps": 4}, 4, "b")
    with pytest.raises(ArgumentError) as caught:
        refuse_other(Path("kitchen"), found, wanted)
    assert "fps was 8, wanted 4, seed was 0, wanted 1, format was 1, wanted 2" in str(caught.value)
    assert "Choose another root, or delete that folder" in str(caught.value)
    assert "size" not in str(caught.value)


def test_equal_parameters_with_other_captions_are_another_corpus() -> None:
    one, two = (Manifest(1, {"seed": 0}, 4, sha256) for sha256 in "ab")
    with pytest.raises(ArgumentError, match="another version of vtlearn or NumPy"):
        refuse_other(Path("kitchen"), one, two)


def test_what_became_of_the_frames_does_not_decide_which_corpus_it_is() -> None:
    wanted = Manifest(2, {"seed": 0}, 4, "a")
    refuse_other(Path("kitchen"), wanted._replace(rendered=Rendered("18.1.0", {"x": "y"})), wanted)


@pytest.mark.parametrize(
    "text", ["", "[]", "7", '{"rendered": {"gpu": 1}}', '{"name": "somebody else"}']
)
def test_somebody_elses_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ArgumentError, match=r"manifest\.json is not Kitchen's"):
        read_manifest(tmp_path)


def test_the_hash_follows_what_a_layout_writes() -> None:
    plan = plan_video(0, "train", 0)
    manifests = [make_manifest({}, [plan], texts) for texts in (None, {"a": "x"}, {"a": "y"})]
    assert len({manifest.sha256 for manifest in manifests}) == 3


def test_another_layout_is_the_only_difference_that_is_named() -> None:
    found = Manifest(2, {"layout": "msrvtt", "seed": 0, "size": 32}, 4, "a")
    wanted = Manifest(2, {"seed": 0, "size": 64, "free": 0.5}, 4, "b")
    with pytest.raises(ArgumentError) as caught:
        refuse_other(Path("kitchen"), found, wanted)
    assert "holds another Kitchen: layout was msrvtt, wanted howto100m. " in str(caught.value)
