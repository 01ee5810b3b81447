from pathlib import Path

from tests.kitchen.layouts.files import content
from vtlearn.kitchen.layouts import KitchenUCF101
from vtlearn.kitchen.recipes import ACTIONS

LISTS = [f"{use}list0{split}.txt" for use in ("train", "test") for split in (1, 2, 3)]


def test_the_files_are_ucf101s(ucf101_root: Path) -> None:
    lists = ucf101_root / "ucfTrainTestlist"
    assert sorted(path.name for path in lists.iterdir()) == sorted(["classInd.txt", *LISTS])
    classes = (lists / "classInd.txt").read_bytes().decode()
    wanted = "".join(f"{n} {name.capitalize()}\r\n" for n, name in enumerate(ACTIONS, 1))
    assert classes == wanted
    videos = {
        path.relative_to(ucf101_root / "UCF-101").as_posix()
        for path in (ucf101_root / "UCF-101").rglob("*.avi")
    }
    assert len(videos) == 24
    assert "Chop/v_Chop_g01_c01.avi" in videos
    for split in (1, 2, 3):
        train = (lists / f"trainlist0{split}.txt").read_bytes().decode().split("\r\n")
        test = (lists / f"testlist0{split}.txt").read_bytes().decode().split("\r\n")
        assert (len(train), len(test)) == (17, 9)
        assert train[0].split(" ")[1] == "1"
        assert {line.split(" ")[0] for line in train[:-1]} | set(test[:-1]) == videos


def test_the_same_seed_gives_the_same_files(ucf101_root: Path, tmp_path: Path) -> None:
    again = KitchenUCF101(tmp_path / "again", per_class=3, size=32, workers=1)
    assert content(again.prepare()) == content(ucf101_root)
