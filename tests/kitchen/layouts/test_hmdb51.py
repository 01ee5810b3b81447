from pathlib import Path

from vtlearn.kitchen.layouts import KitchenHMDB51
from vtlearn.kitchen.recipes import ACTIONS


def test_the_files_are_hmdb51s(hmdb51_root: Path) -> None:
    lists = hmdb51_root / "testTrainMulti_7030_splits"
    names = [f"{name}_test_split{split}.txt" for name in ACTIONS for split in (1, 2, 3)]
    assert sorted(path.name for path in lists.iterdir()) == sorted(names)
    for name in ACTIONS:
        videos = {path.name for path in (hmdb51_root / "hmdb51_org" / name).iterdir()}
        for split in (1, 2, 3):
            lines = (lists / f"{name}_test_split{split}.txt").read_text().split("\n")
            assert {line[:-3] for line in lines[:-1]} == videos
            assert sorted(line[-3:] for line in lines[:-1]) == [" 1 ", " 1 ", " 2 "]


def test_names_are_awkward() -> None:
    names = "".join(plan.id for plan in KitchenHMDB51().plans())
    assert set(" []()!;&_") <= set(names)
