import json
from pathlib import Path

import pytest

from vtlearn.datasets.base import (
    SampleKey,
    UnreadableLog,
    UnreadableRecord,
    find_videos,
    first_readable,
    forget_unreadable,
    generator,
    require_paths,
    video_names,
)
from vtlearn.errors import (
    ArgumentError,
    CorpusNotFoundError,
    LostClipsError,
    TooManyUnreadableError,
    TranscriptError,
    UnreadableVideoError,
)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_videos_are_found_however_deep_and_named_less_their_suffix(tmp_path: Path) -> None:
    touch(
        tmp_path, "b/x/-_id.f137.MP4", "a/other.webm", "notes.txt", "1. Intro.mp4", "1. Outro.mp4"
    )
    found = find_videos(tmp_path)
    assert list(found) == ["-_id.f137", "1. Intro", "1. Outro", "other"]
    assert found["other"] == tmp_path / "a/other.webm"


def test_videos_of_one_name_are_told_apart_by_their_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "b/part1.mp4", "a/x/part1.webm", "part1.mkv", "a/part2.mp4", "b/part2.txt")
    paths = {"a/x/part1": "a/x/part1.webm", "b/part1": "b/part1.mp4", "part1": "part1.mkv"}
    expected = {**paths, "part2": "a/part2.mp4"}
    assert find_videos(tmp_path) == {key: tmp_path / path for key, path in expected.items()}
    monkeypatch.chdir(tmp_path)
    found = find_videos(Path())
    assert found == {key: Path(path) for key, path in expected.items()}
    assert video_names(Path(), found).paths == {**{key: key for key in paths}, "part2": "a/part2"}


def test_a_link_to_a_video_is_no_other_video(tmp_path: Path) -> None:
    touch(tmp_path, "b/v.mp4", "c/gone.mp4")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "v.mp4").symlink_to(tmp_path / "b" / "v.mp4")
    (tmp_path / "a" / "gone.mp4").symlink_to(tmp_path / "absent.mp4")
    found = find_videos(tmp_path)
    assert list(found) == ["a/gone", "c/gone", "v"]
    assert found["v"] == tmp_path / "a/v.mp4"


def test_odd_folders(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a").mkdir()
    touch(tmp_path, "a/v.mp4", "a/v.avi", "a/._w.mp4", "a/x.mp4")
    (tmp_path / "a" / "again").symlink_to(tmp_path)  # a circle
    (tmp_path / "a" / "too").symlink_to(tmp_path)
    assert find_videos(tmp_path) == {
        "v": tmp_path / "a/v.avi",
        "x": tmp_path / "a/x.mp4",
    }
    assert "1 files have the id of another" in caplog.text
    with pytest.raises(ArgumentError, match=r"nowhere cannot be listed: No such file"):
        find_videos(tmp_path / "nowhere")


def test_what_is_missing_is_listed_with_where_to_get_it(tmp_path: Path) -> None:
    expected = {tmp_path: "videos", tmp_path / "caption.json": "captions"}
    with pytest.raises(
        CorpusNotFoundError, match=r"caption.json: captions  \(not there\)\n.*example.org"
    ):
        require_paths("Corpus", expected, "https://example.org")


def test_draws_differ_by_epoch_index_and_seed() -> None:
    keys = [(0, SampleKey(0, 1)), (0, SampleKey(1, 0)), (0, SampleKey(1, 1)), (1, SampleKey(0, 1))]
    assert len({generator(seed, key).random() for seed, key in keys}) == 4


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


def test_an_unreadable_video_is_replaced_alike_everywhere(tmp_path: Path) -> None:
    def tried(number: int, key: SampleKey) -> str:
        quarantine = UnreadableLog(tmp_path / f"{number}.jsonl", IDS, 0.5)
        return first_readable(IDS, key, 3, quarantine, Reader("v4", "v7"))

    assert tried(0, SampleKey(2, 1)) == "v1"
    replaced = {tried(number, SampleKey(2, 4)) for number in range(3)}
    assert len(replaced) == 1
    assert not replaced & {"v4", "v7"}
    assert len({tried(0, SampleKey(epoch, 4)) for epoch in range(20)}) > 1


def test_the_quarantine_is_shared_and_counts_each_video_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "unreadable.jsonl"
    one, other = (UnreadableLog(path, "abcdefghij", 0.2) for _ in range(2))
    error = UnreadableVideoError("a.mp4", "empty")
    for quarantine in (one, one, other):
        quarantine.add("a", error)
    other.add("b", error)
    described = ("a.mp4", "open", "UnreadableVideoError", str(error))
    assert one.read() == {name: UnreadableRecord(name, *described) for name in "ab"}
    assert len(path.read_text().splitlines()) == 2
    with pytest.raises(
        TooManyUnreadableError, match=r"3 of 10 videos .*max_unreadable_fraction=0.2"
    ):
        one.add("c", error)


def test_a_corpus_without_a_readable_video_ends(tmp_path: Path) -> None:
    quarantine = UnreadableLog(tmp_path / "q.jsonl", IDS, 1.0)
    with pytest.raises(TooManyUnreadableError, match="10 of 10"):
        first_readable(IDS, SampleKey(0, 0), 0, quarantine, Reader(*IDS))


def test_other_corpora_and_a_line_cut_short_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    other = json.dumps(UnreadableRecord("another", "x.mp4", "open", "Error", "x")._asdict())
    path.write_text(f'{other}\n{{"id": "a", "rea')
    quarantine = UnreadableLog(path, "abcdefghij", 0.1)
    path.write_text(path.read_text() + "\n")
    quarantine.add("b", UnreadableVideoError("b.mp4", "empty"))
    assert quarantine.read().keys() == {"b"}
    path.write_text(path.read_text() + '{"id": "a", "rea')  # cut short, without its line's end
    with pytest.raises(TooManyUnreadableError, match="2 of 10"):
        quarantine.add("c", UnreadableVideoError("c.mp4", "empty"))
    assert UnreadableLog(path, "abcdefghij", 1.0).read().keys() == {"b", "c"}


@pytest.mark.parametrize("torn", ["", '{"id": "a", "rea', "{", '{"i\n'])
def test_the_report_of_an_earlier_training_is_forgotten(torn: str, tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    UnreadableLog(path, "ab", 1.0).add("a", UnreadableVideoError("a.mp4", "empty"))
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
    here.add("a", UnreadableVideoError("a.mp4", "a long story of what went wrong"))
    path.unlink()
    there.add("b", UnreadableVideoError("b.mp4", ""))
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
    quarantine = UnreadableLog(tmp_path / "q.jsonl", "ab", 1.0)
    quarantine.add("a", UnreadableVideoError("a.mp4", "its time budget is used up", "time"))
    quarantine.add("b", TranscriptError("b.json holds no caption"))
    records = [json.loads(line) for line in quarantine.path.read_text().splitlines()]
    assert [record["stage"] for record in records] == ["time", "captions"]
    assert [record["error"] for record in records] == ["UnreadableVideoError", "TranscriptError"]


def test_machines_that_share_no_disk_learn_of_each_other(tmp_path: Path) -> None:
    here, there = (UnreadableLog(tmp_path / name, "abcd", 0.5) for name in ("here", "there"))
    for quarantine, name in ((here, "a"), (there, "b")):
        quarantine.add(name, UnreadableVideoError(name, "empty"))
    here.add_all(there.read().values())
    assert here.read().keys() == {"a", "b"}
    there.add("c", UnreadableVideoError("c", "empty"))
    with pytest.raises(TooManyUnreadableError, match="3 of 4"):
        here.add_all(there.read().values())


def test_a_video_known_to_be_unreadable_is_not_tried_again(tmp_path: Path) -> None:
    quarantine = UnreadableLog(tmp_path / "q.jsonl", IDS, 0.5)
    reader = Reader("v4")
    chosen = [first_readable(IDS, SampleKey(0, 4), 0, quarantine, reader) for _ in range(2)]
    assert chosen[0] == chosen[1]
    assert reader.tried.count("v4") == 1


def test_a_damaged_clip_passes_a_video_over_and_leaves_it_in(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    quarantine = UnreadableLog(tmp_path / "q.jsonl", IDS, 0.0)

    def read(index: int) -> str:
        if IDS[index] == "v4":
            raise LostClipsError(IDS[index], [1.0])
        return IDS[index]

    chosen = {first_readable(IDS, SampleKey(0, 4), 0, quarantine, read) for _ in range(2)}
    assert len(chosen) == 1
    assert "v4" not in chosen
    assert "v4" not in quarantine
    assert [record.message.count("v4") for record in caplog.records] == [1]
