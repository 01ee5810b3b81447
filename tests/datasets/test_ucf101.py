from pathlib import Path

import pytest

from vtlearn.datasets.ucf101 import UCF101, annotation_files, read_ucf101
from vtlearn.errors import ArgumentError, CorpusNotFoundError

CLASSES = {1: "ApplyEyeMakeup", 2: "HandstandPushups"}
NAMES = [
    f"{label}/v_{label}_g0{group}_c0{clip}.avi"
    for label in CLASSES.values()
    for group in (1, 2, 3)
    for clip in (1, 2)
]


def group(name: str) -> int:
    return int(name.partition("_g0")[2][0])


def label(name: str) -> str:
    return name.partition("/")[0]


def write(root: Path, name: str, lines: list[str]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes("".join(f"{line}\r\n" for line in lines).encode())


def write_lists(folder: Path) -> None:
    write(folder, "classInd.txt", [f"{number} {name}" for number, name in CLASSES.items()])
    number = {name: code for code, name in CLASSES.items()}
    for split in (1, 2, 3):
        train = [f"{name} {number[label(name)]}" for name in NAMES if group(name) != split]
        write(folder, f"trainlist0{split}.txt", train)
        write(folder, f"testlist0{split}.txt", [name for name in NAMES if group(name) == split])


def write_table(root: Path, name: str = "ucf101.csv") -> None:
    number = {name: code for code, name in CLASSES.items()}
    rows = [
        f"{name.replace('.avi', '.mp4')},{number[label(name)]},"
        + ",".join("2" if group(name) == split else "1" for split in (1, 2, 3))
        for name in NAMES
    ]
    write(root, name, ["video_id,label,split1,split2,split3", *rows])


def write_videos(folder: Path, suffix: str = ".avi") -> None:
    for name in NAMES:
        path = folder / name.replace(".avi", suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A corpus as its authors publish it, whose videos are empty files."""
    write_lists(tmp_path / "ucfTrainTestlist")
    write_videos(tmp_path / "UCF-101")
    return tmp_path


def test_the_lists_say_classes_and_splits(root: Path) -> None:
    clips = {clip.id: clip for clip in read_ucf101(root)}
    assert clips.keys() == {Path(name).stem for name in NAMES}
    for name in NAMES:
        clip = clips[Path(name).stem]
        assert clip.label == label(name)
        assert clip.path == root / "UCF-101" / name
        assert clip.uses == tuple("test" if group(name) == n else "train" for n in (1, 2, 3))
    assert clips["v_ApplyEyeMakeup_g01_c01"].texts == ("apply eye makeup",)
    assert len(annotation_files(root)) == 7


@pytest.mark.parametrize("name", ["ucf101.csv", "ucf.csv"])
def test_the_table_says_the_same_of_other_files(name: str, root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write_table(other, name)
    write_videos(other / "ucf101", ".mp4")
    listed = {clip.id: (clip.label, clip.uses) for clip in read_ucf101(other)}
    assert listed == {
        clip.id: (clip.label, clip.uses) for clip in read_ucf101(root, videos=root / "UCF-101")
    }
    assert {clip.path.suffix for clip in read_ucf101(other)} == {".mp4"}
    assert annotation_files(other) == [other / name]
    write_lists(other)  # which are the authors' own
    assert len(annotation_files(other)) == 7


def test_a_list_of_tests_may_have_numbers_and_folders_other_capitals(root: Path) -> None:
    expected = [clip.label for clip in read_ucf101(root)]
    folder = root / "ucfTrainTestlist"
    tests = [f"{name} {1 if 'Apply' in name else 2}" for name in NAMES if group(name) == 1]
    write(folder, "testlist01.txt", [line.replace("stand", "Stand") for line in tests])
    for path in list((root / "UCF-101" / "HandstandPushups").iterdir()):
        path.rename(path.with_name(path.name.replace("Handstand", "HandStand")))
    write_lists(folder)
    for path in folder.glob("*list0*.txt"):
        path.write_bytes(path.read_bytes().replace(b"v_Handstand", b"v_HandStand"))
    assert [clip.label for clip in read_ucf101(root)] == expected


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        (
            "testlist02.txt",
            "Archery/v_Archery_g02_c01.avi",
            r"testlist02.txt, line 1: the class 'Archery' of .* is not in .*classInd.txt",
        ),
        (
            "trainlist03.txt",
            "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi 2",
            r"trainlist03.txt, line 1: the class 'ApplyEyeMakeup' with the number 2 of",
        ),
        ("testlist01.txt", "v_ApplyEyeMakeup_g01_c01.avi", r"line 1: the class '' of 'v_Apply"),
        (
            "testlist01.txt",
            "ApplyEyeMakeup/v_ApplyEyeMakeup_g02_c01.avi",
            r"line 1: v_ApplyEyeMakeup_g02_c01 is listed to test by split 1, .* to train as well",
        ),
        ("classInd.txt", "Archery", r"classInd.txt, line 1: expected a number .* got 'Archery'"),
        ("classInd.txt", "² Archery", r"classInd.txt, line 1: expected a number .* got '² Arch"),
        (
            "classInd.txt",
            "1 Archery\r\n2 archery",
            r"classInd.txt, line 2: expected a number and a class, each once, got '2 archery'",
        ),
        (
            "trainlist01.txt",
            "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi ²",
            r"1 of 13 videos .* are missing .*: v_ApplyEyeMakeup_g01_c01.avi ²",
        ),
    ],
)
def test_a_line_that_makes_no_sense_is_named(
    name: str, line: str, message: str, root: Path
) -> None:
    write(root / "ucfTrainTestlist", name, [line])
    with pytest.raises(ArgumentError, match=message):
        read_ucf101(root)


@pytest.mark.parametrize(
    "row", ["a.mp4,1,1,1,2", "ApplyEyeMakeup/a.mp4,7,1,1,2", "Archery/a.mp4,1,1,1,2"]
)
def test_a_row_that_makes_no_sense_is_named(row: str, tmp_path: Path) -> None:
    write_table(tmp_path)
    path = tmp_path / "ucf101.csv"
    path.write_text(path.read_text() + row)
    with pytest.raises(ArgumentError, match=r"line 14: expected <class>/<name> with one number"):
        read_ucf101(tmp_path, max_missing=None)


def test_missing_videos_are_counted(root: Path) -> None:
    (root / "UCF-101" / NAMES[0]).unlink()
    with pytest.raises(ArgumentError, match=r"1 of 12 videos listed in .*--data UCF101"):
        read_ucf101(root)
    assert len(read_ucf101(root, max_missing=1)) == 12


def test_what_is_not_there_is_listed(root: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusNotFoundError) as caught:
        read_ucf101(tmp_path / "nowhere")
    for said in ("classInd.txt", "testlist03.txt", "ucf101.csv", "--layout ucf101", "UCF101.php"):
        assert said in str(caught.value)
    (root / "ucfTrainTestlist" / "testlist03.txt").unlink()
    with pytest.raises(CorpusNotFoundError, match=r"testlist03.txt: .*not there"):
        read_ucf101(root)
    for path in (root / "ucfTrainTestlist").glob("*list*.txt"):
        path.write_text("")
    write(root / "ucfTrainTestlist", "testlist03.txt", [])
    with pytest.raises(ArgumentError, match=r"testlist03.txt lists no videos"):
        read_ucf101(root)


def test_it_says_what_there_should_be(root: Path) -> None:
    expected = UCF101.expectations(root)
    assert (expected.corpus, expected.videos) == ("UCF101", root)
    assert expected.listed == expected.captions == [clip.id for clip in read_ucf101(root)]


def test_it_reads_what_kitchen_writes_in_this_layout(ucf101_root: Path) -> None:
    clips = read_ucf101(ucf101_root)
    assert len(clips) == 24
    assert {clip.uses.count("test") for clip in clips} == {1}
    assert {clip.uses.count("train") for clip in clips} == {2}
    assert clips[0].texts == ("chop",)
