from pathlib import Path

import pytest

from vtlearn.datasets.hmdb51 import HMDB51, annotation_files, read_hmdb51
from vtlearn.errors import ArgumentError, CorpusNotFoundError

CLASSES = ("brush_hair", "climb_stairs")
CODES = ["0 1 2", "1 2 1", "2 0 1", "0 0 0"]


def names(label: str) -> list[str]:
    """Names with all that makes names awkward."""
    starts = ["April 09", "[joy] (1)", "a!;&b", "unused"]
    return [f"{start}_{label}_u_nm_np1_ba_goo_{n}.avi" for n, start in enumerate(starts)]


def write_lists(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for label in CLASSES:
        for split in range(3):
            lines = [
                f"{name} {codes.split()[split]} \n"
                for name, codes in zip(names(label), CODES, strict=True)
            ]
            (folder / f"{label}_test_split{split + 1}.txt").write_text("".join(lines))


def write_table(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    rows = [
        f"{name},{label}_test,{codes.replace(' ', ',')}\n"
        for label in CLASSES
        for name, codes in zip(names(label), CODES, strict=True)
    ]
    header = "video_id,label,split1,split2,split3\n"
    (root / "hmdb51.csv").write_text(header + "".join(rows))


def write_videos(folder: Path) -> None:
    for label in CLASSES:
        (folder / label).mkdir(parents=True, exist_ok=True)
        for name in names(label):
            (folder / label / name).touch()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A corpus as its authors publish it, whose videos are empty files."""
    write_lists(tmp_path / "testTrainMulti_7030_splits")
    write_videos(tmp_path / "hmdb51_org")
    return tmp_path


def test_the_lists_say_classes_and_splits(root: Path) -> None:
    clips = read_hmdb51(root)
    assert [clip.path.name for clip in clips] == [
        name for label in CLASSES for name in names(label)[:3]
    ]
    assert all(clip.path.parent == root / "hmdb51_org" / clip.label for clip in clips)
    assert [clip.uses for clip in clips[:3]] == [
        (None, "train", "test"),
        ("train", "test", "train"),
        ("test", None, "train"),
    ]
    assert clips[1].id == "[joy] (1)_brush_hair_u_nm_np1_ba_goo_1"
    assert clips[3].texts == ("climb stairs",)
    assert len(annotation_files(root)) == 6


def test_the_table_says_the_same(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_table(other)
    clips = read_hmdb51(other, videos=root / "hmdb51_org")
    assert clips == read_hmdb51(root)
    assert annotation_files(other) == [other / "hmdb51.csv"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.avi 3", r"brush_hair_test_split2.txt, line 1: expected 1 .* got '3'"),
        ("a b.avi", r"line 1: expected 1 .* got 'b.avi'"),
        ("a.avi", r"line 1: expected 1 .* got ''"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(line: str, message: str, root: Path) -> None:
    path = root / "testTrainMulti_7030_splits" / "brush_hair_test_split2.txt"
    path.write_text(f"{line}\n")
    with pytest.raises(ArgumentError, match=message):
        read_hmdb51(root)


def test_a_class_that_is_not_listed_is_named(root: Path) -> None:
    folder = root / "testTrainMulti_7030_splits"
    (folder / "class_list.txt").write_text("brush_hair  \nclimb_stairs\n")
    assert len(read_hmdb51(root)) == 6
    (folder / "class_list.txt").write_text("brush_hair  \n")
    with pytest.raises(ArgumentError, match=r"climb_stairs_test_split1.txt is of a class that"):
        read_hmdb51(root)


def test_a_video_of_two_classes_is_named(root: Path) -> None:
    path = root / "testTrainMulti_7030_splits" / "climb_stairs_test_split3.txt"
    path.write_text(f"{names('brush_hair')[0]} 1\n")
    with pytest.raises(ArgumentError, match=r"line 1: April 09_brush.* of the class climb_stairs"):
        read_hmdb51(root)


def test_what_is_not_there_is_listed(root: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusNotFoundError) as caught:
        read_hmdb51(tmp_path / "nowhere")
    for said in ("<class>_test_split1.txt", "hmdb51.csv", "--layout hmdb51"):
        assert said in str(caught.value)
    (root / "testTrainMulti_7030_splits" / "brush_hair_test_split3.txt").unlink()
    with pytest.raises(CorpusNotFoundError, match=r"brush_hair_test_split3.txt: .*not there"):
        read_hmdb51(root)
    for path in (root / "testTrainMulti_7030_splits").glob("*.txt"):
        path.write_text("")
    (root / "testTrainMulti_7030_splits" / "brush_hair_test_split3.txt").touch()
    with pytest.raises(ArgumentError, match="lists no videos to train on or to test"):
        read_hmdb51(root)


def test_missing_videos_are_counted(root: Path) -> None:
    (root / "hmdb51_org" / "brush_hair" / names("brush_hair")[0]).unlink()
    with pytest.raises(ArgumentError, match=r"1 of 6 videos listed in .*--data HMDB51"):
        read_hmdb51(root)


def test_it_says_what_there_should_be(root: Path) -> None:
    expected = HMDB51.expectations(root)
    assert (expected.corpus, expected.videos) == ("HMDB51", root)
    assert expected.listed == expected.captions == [clip.id for clip in read_hmdb51(root)]


def test_it_reads_what_kitchen_writes_in_this_layout(hmdb51_root: Path) -> None:
    clips = read_hmdb51(hmdb51_root)
    assert len(clips) == 24
    assert {clip.uses.count("test") for clip in clips} == {1}
    assert all(f"_{clip.label}_" in clip.id for clip in clips)
