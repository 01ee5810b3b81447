from pathlib import Path

import pytest

from vtlearn.errors import ShardError
from vtlearn.media.webdataset.parts import part_folders


def test_all_parts_are_found_in_their_order(tmp_path: Path) -> None:
    assert part_folders(tmp_path) == []
    for number in range(11, 0, -1):
        (tmp_path / f"part-{number}-of-11").mkdir()
    names = [f"part-{number}-of-11" for number in range(1, 12)]
    assert [folder.name for folder in part_folders(tmp_path)] == names
    (tmp_path / "part-10-of-11").rmdir()
    with pytest.raises(ShardError, match="part-10-of-11 is missing; pack all parts first"):
        part_folders(tmp_path)
    (tmp_path / "part-1-of-2").mkdir()
    with pytest.raises(ShardError, match="they are parts of several packings"):
        part_folders(tmp_path)
