import inspect
from pathlib import Path

import pytest

from tests.datasets.extraction.walking import ColourWriter, list_videos
from vtlearn.datasets.extraction import FeatureShards, ShardWriter


def test_a_writer_says_all_that_a_walk_asks() -> None:
    with pytest.raises(TypeError, match=r"abstract methods.* pending.* write"):
        ShardWriter()  # type: ignore[abstract]
    for kind in (FeatureShards, ColourWriter):
        assert not inspect.isabstract(kind)


def test_by_default_records_are_numbered_and_nothing_is_left_over(
    kitchen_root: Path, tmp_path: Path
) -> None:
    class Plain(ColourWriter):
        record_name = ShardWriter.record_name
        remove_leftovers = ShardWriter.remove_leftovers

    writer = Plain(tmp_path, list_videos(kitchen_root))
    assert writer.record_name(7) == "00007.json"
    (tmp_path / ".a.unfinished").write_text("")
    writer.remove_leftovers()
    assert (tmp_path / ".a.unfinished").exists()
