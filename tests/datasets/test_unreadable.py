import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from vtlearn.batch import Unreadable
from vtlearn.datasets.base import SampleKey, replacements
from vtlearn.datasets.unreadable import (
    UnreadableLog,
    forget_unreadable,
    read_or_record,
    read_or_replace,
)
from vtlearn.errors import (
    ArgumentError,
    LostClipsError,
    TooManyUnreadableError,
    TranscriptError,
    UnreadableVideoError,
)


class Reader:
    """Reads ids that are not among the broken ones."""

    def __init__(self, *broken: str) -> None:
        self.broken = broken
        self.tried: list[str] = []

    def __call__(self, index: int) -> str:
        video_id = IDS[index]
        self.tried.append(video_id)
        if video_id in self.broken:
            path = f"{video_id}.mp4"
            raise UnreadableVideoError(path, "truncated")
        return video_id


IDS = [f"v{index}" for index in range(10)]


def record(video_id: str, reason: str = "empty") -> Unreadable:
    return Unreadable(video_id, f"{video_id}.mp4", "open", reason)


def first_readable(
    key: SampleKey, seed: int, log: UnreadableLog, read: Callable[[int], str]
) -> str:
    order = replacements(len(IDS), key, seed)
    return next(read_or_replace(((IDS[index], partial(read, index)) for index in order), log))


def test_an_unreadable_video_is_replaced_alike_everywhere(tmp_path: Path) -> None:
    def tried(number: int, key: SampleKey) -> str:
        log = UnreadableLog(tmp_path / f"{number}.jsonl", IDS, 0.5)
        return first_readable(key, 3, log, Reader("v4", "v7"))

    assert tried(0, SampleKey(2, 1)) == "v1"
    replaced = {tried(number, SampleKey(2, 4)) for number in range(3)}
    assert len(replaced) == 1
    assert not replaced & {"v4", "v7"}
    assert len({tried(0, SampleKey(epoch, 4)) for epoch in range(20)}) > 1


def test_the_log_is_shared_and_counts_each_video_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "unreadable.jsonl"
    one, other = (UnreadableLog(path, "abcdefghij", 0.2) for _ in range(2))
    for log in (one, one, other):
        log.add(record("a"))
    other.add(record("b"))
    assert one.read() == {name: record(name) for name in "ab"}
    assert len(path.read_text().splitlines()) == 2
    with pytest.raises(
        TooManyUnreadableError, match=r"3 of 10 videos .*max_unreadable_fraction=0.2"
    ):
        one.add(record("c"))


def test_one_may_be_unreadable_of_fewer_than_a_hundred(tmp_path: Path) -> None:
    log = UnreadableLog(tmp_path / "q.jsonl", "abcdefghijklmnopqrst", 0.01)
    log.add(record("a"))
    with pytest.raises(TooManyUnreadableError, match=r"2 of 20 .* the 1 that .*=0\.01 allows"):
        log.add(record("b"))
    strict = UnreadableLog(tmp_path / "none.jsonl", "abcdefghijklmnopqrst", 0.0)
    with pytest.raises(TooManyUnreadableError, match=r"1 of 20 .* the 0 that .*=0\.0 allows"):
        strict.add(record("a"))


def test_a_corpus_without_a_readable_video_ends(tmp_path: Path) -> None:
    log = UnreadableLog(tmp_path / "q.jsonl", IDS, 1.0)
    with pytest.raises(TooManyUnreadableError, match="10 of 10"):
        first_readable(SampleKey(0, 0), 0, log, Reader(*IDS))


def test_other_corpora_and_a_line_cut_short_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    other = json.dumps(record("another")._asdict())
    path.write_text(f'{other}\n{{"id": "a", "rea')
    log = UnreadableLog(path, "abcdefghij", 0.1)
    path.write_text(path.read_text() + "\n")
    log.add(record("b", "empty"))
    assert log.read().keys() == {"b"}
    path.write_text(path.read_text() + '{"id": "a", "rea')  # cut short, without its line's end
    with pytest.raises(TooManyUnreadableError, match="2 of 10"):
        log.add(record("c", "empty"))
    assert UnreadableLog(path, "abcdefghij", 1.0).read().keys() == {"b", "c"}


@pytest.mark.parametrize("torn", ["", '{"id": "a", "rea', "{", '{"i\n'])
def test_the_report_of_an_earlier_training_is_forgotten(torn: str, tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    UnreadableLog(path, "ab", 1.0).add(record("a", "empty"))
    path.write_text(path.read_text() + torn)
    for _ in range(2):
        forget_unreadable(path)
        assert not path.exists()


@pytest.mark.parametrize(
    "text", ["years of work", '{"id": "a", "caption": "chop"}\n', "[1]\n", '{"a": 1}']
)
def test_a_users_file_is_not_taken_for_a_report(text: str, tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(text)
    with pytest.raises(ArgumentError, match=r"q\.jsonl is there, and is not a report"):
        forget_unreadable(path)
    assert path.read_text() == text
    with pytest.raises(ArgumentError, match="cannot be read"):
        forget_unreadable(tmp_path)


def test_a_report_begun_anew_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    here, there = (UnreadableLog(path, "abcd", 0.5) for _ in range(2))
    here.add(record("a", "a long story of what went wrong"))
    path.unlink()
    there.add(record("b", ""))
    assert here.read().keys() == {"a", "b"}


@pytest.mark.parametrize("share", [5.0, -0.1, float("nan")])
def test_a_fraction_is_a_share(share: float) -> None:
    with pytest.raises(ArgumentError, match="from 0 to 1"):
        UnreadableLog(Path("q.jsonl"), "ab", share)


def test_a_report_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    UnreadableLog(tmp_path / "new" / "q.jsonl", "ab", 0.5).require_writable()
    with pytest.raises(ArgumentError, match="cannot be written"):
        UnreadableLog(tmp_path, "ab", 0.5).require_writable()


def test_the_stage_is_written_down(tmp_path: Path) -> None:
    log = UnreadableLog(tmp_path / "q.jsonl", "ab", 1.0)
    late = UnreadableVideoError("a.mp4", "its time budget is used up", "time")
    log.add(Unreadable.of("a", late))
    log.add(Unreadable.of("b", TranscriptError("b.json holds no caption")))
    records = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert [each["stage"] for each in records] == ["time", "captions"]
    assert [each["reason"] for each in records] == [
        "its time budget is used up",
        "b.json holds no caption",
    ]


def test_machines_that_share_no_disk_learn_of_each_other(tmp_path: Path) -> None:
    here, there = (UnreadableLog(tmp_path / name, "abcd", 0.5) for name in ("here", "there"))
    for log, name in ((here, "a"), (there, "b")):
        log.add(record(name))
    here.add_all(there.read().values())
    assert here.read().keys() == {"a", "b"}
    there.add(record("c", "empty"))
    with pytest.raises(TooManyUnreadableError, match="3 of 4"):
        here.add_all(there.read().values())


def test_a_video_known_to_be_unreadable_is_not_tried_again(tmp_path: Path) -> None:
    log = UnreadableLog(tmp_path / "q.jsonl", IDS, 0.5)
    reader = Reader("v4")
    chosen = [first_readable(SampleKey(0, 4), 0, log, reader) for _ in range(2)]
    assert chosen[0] == chosen[1]
    assert reader.tried.count("v4") == 1


def test_a_damaged_clip_passes_a_video_over_and_leaves_it_in(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = UnreadableLog(tmp_path / "q.jsonl", IDS, 0.0)

    def read(index: int) -> str:
        if IDS[index] == "v4":
            raise LostClipsError(IDS[index], [1.0])
        return IDS[index]

    chosen = {first_readable(SampleKey(0, 4), 0, log, read) for _ in range(2)}
    assert len(chosen) == 1
    assert "v4" not in chosen
    assert "v4" not in log
    assert [each.message.count("v4") for each in caplog.records] == [1]


def test_a_stream_goes_on_behind_what_cannot_be_read(tmp_path: Path) -> None:
    log = UnreadableLog(tmp_path / "q.jsonl", IDS, 0.5)
    reader = Reader("v0", "v7")
    candidates = [(IDS[index], partial(reader, index)) for index in range(10)]
    wanted = [one for one in IDS if one not in ("v0", "v7")]
    assert list(read_or_replace(candidates, log)) == wanted
    assert list(read_or_replace(candidates, log)) == wanted
    assert reader.tried.count("v7") == 1


def test_reports_of_former_versions_are_read(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    former = {**record("a")._asdict(), "error": "UnreadableVideoError"}
    path.write_text(json.dumps(former) + "\n")
    assert UnreadableLog(path, "ab", 1.0).read() == {"a": record("a")}
    forget_unreadable(path)
    assert not path.exists()


def test_what_cannot_be_read_is_tried_once_where_that_is_remembered() -> None:
    known: dict[str, Unreadable] = {}
    reader = Reader("v4")
    for _ in range(2):
        found = read_or_record("v4", partial(reader, 4), known)
        assert found == Unreadable("v4", "v4.mp4", "open", "truncated")
    assert reader.tried == ["v4"]
    assert read_or_record("v5", partial(reader, 5), known) == "v5"
    assert known.keys() == {"v4"}
