from pathlib import Path

import pytest

from vtlearn.errors import ArgumentError
from vtlearn.media.features.shard import ShardRecord
from vtlearn.media.video_shards import VideoShards, describe_differences, hash_ids


class Names(VideoShards):
    """Keeps nothing but which shards were said to be whole, and what they were made of."""

    kept, error = "names", ArgumentError

    def __init__(self, folder: Path, records: dict[int, ShardRecord]) -> None:
        super().__init__(folder, ["a", "b", "c"], videos_per_shard=2)
        self.records = records

    def record(self, shard: int) -> ShardRecord:
        return self.records[shard]

    def is_whole(self, shard: int) -> bool:
        return shard in self.records


def test_shards_are_ranges_of_the_list(tmp_path: Path) -> None:
    names = Names(tmp_path, {1: ShardRecord({}, {})})
    assert (names.num_shards, names.shard_ids(0), names.shard_ids(1)) == (2, ["a", "b"], ["c"])
    assert names.pending() == [0]


def test_of_many_entries_that_differ_the_first_are_named() -> None:
    there = {"{a}": 1, "b": 1, "c": 1, "d": 1, "e": 1}
    assert describe_differences({"files": there}, {"files": {"b": 1}, "dim": 2}) == (
        "files[{a}]: 1 there, None now; files[c]: 1 there, None now; files[d]: 1 there, None now; "
        "1 more of files; dim: None there, 2 now"
    )


def test_a_replaced_file_is_told_from_one_that_was_mended(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("a", "b", "c")]
    for path in paths:
        Path(path).write_text(path)
    names = Names(tmp_path, {})
    known = names.sources(0, paths)
    lost = {"b": {"stage": "open", "reason": "no video"}}
    names.records[0] = ShardRecord({"a": None}, lost, known)  # type: ignore[dict-item]
    assert names.stale([0], paths) == ([], {})
    Path(paths[1]).write_text("mended")
    assert names.stale([0], paths) == ([0], {})
    Path(paths[0]).write_text("another")
    again, replaced = names.stale([0], paths)
    assert (again, replaced) == ([0], {"a": 0})
    with pytest.raises(ArgumentError, match=r"holds names of: a\. .* remove 00000\.json"):
        names.require_unreplaced(replaced)


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    names = Names(tmp_path, {})
    names.require_settings({"frames": 3}, {"frames": 3})
    with pytest.raises(ArgumentError, match="frames: 3 there, 5 now; size: None there, 8 now"):
        names.require_settings({"frames": 3}, {"frames": 5, "size": 8})


@pytest.mark.parametrize(
    ("name", "taken"),
    [("00000.txt", True), ("00000.json", True), ("a.json", False), ("00000.tar", False)],
)
def test_what_would_be_replaced_is_told(tmp_path: Path, name: str, taken: bool) -> None:
    names = Names(tmp_path, {})
    assert not names.holds_others("names.json", ".txt")
    (tmp_path / name).touch()
    assert names.holds_others("names.json", ".txt") == taken
    (tmp_path / "names.json").touch()
    assert not names.holds_others("names.json", ".txt")


def test_an_id_need_not_be_utf8() -> None:
    assert hash_ids(["\udcff"]) != hash_ids(["\udcfe"])


def test_the_order_of_ids_counts() -> None:
    assert hash_ids(["a", "b"]) != hash_ids(["b", "a"])
