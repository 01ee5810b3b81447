import logging
from pathlib import Path

import pytest

from tests.datasets.extraction.walking import ColourWriter, colour_walk, list_videos
from vtlearn.batch import Unreadable
from vtlearn.datasets.extraction.plan import (
    WHOLE,
    Part,
    log_unreadable,
    name_first,
    probe_videos,
    whole_shards,
)
from vtlearn.datasets.unreadable import UnreadableLog
from vtlearn.errors import ArgumentError, TooManyUnreadableError
from vtlearn.media.video.reader import VideoReader


@pytest.mark.parametrize("total", [1, 2, 3, 7])
def test_each_shard_is_of_one_part(total: int) -> None:
    shares = [Part(k, total).shards(5) for k in range(1, total + 1)]
    assert sorted(shard for share in shares for shard in share) == list(range(5))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_part_is_read_from_text() -> None:
    assert Part.parse(None) == WHOLE == Part.parse("1/1")
    part = Part.parse("2/4")
    assert part == (2, 4)
    assert (str(part), part.log_name) == ("2/4", "unreadable-2-of-4.jsonl")
    assert WHOLE.log_name == "unreadable.jsonl"


@pytest.mark.parametrize(
    "text",
    ["0/4", "5/4", "x", "", "2", "2/", "/4", "-1/4", "1/0", "0/0", "1.0/2", "1/2/3", "1/2\n"],
)
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(
        ArgumentError, match=r"part='.*' is not K/N with K from 1 to N: .* part=2/4"
    ):
        Part.parse(text)


def test_only_whole_shards_of_the_part_are_skipped(kitchen_root: Path, tmp_path: Path) -> None:
    videos = list_videos(kitchen_root)
    writer = ColourWriter(tmp_path, videos)
    colour_walk(tmp_path, videos, part=Part(1, 2))
    assert whole_shards(writer, videos.paths, WHOLE, show=False) == [0, 2, 4]
    assert whole_shards(writer, videos.paths, Part(1, 3), show=False) == [0]
    assert whole_shards(writer, videos.paths, Part(2, 2), show=False) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_videos_are_looked_up_where_they_stand(
    kitchen_root: Path, tmp_path: Path, workers: int
) -> None:
    videos = list_videos(kitchen_root)
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    videos = videos._replace(paths=[*videos.paths[:2], str(broken), *videos.paths[3:]])
    durations, firsts, unreadable = probe_videos(videos, [5, 2, 0], workers, show=False)
    reader = VideoReader()
    wanted = [reader.probe(Path(videos.paths[position])).duration for position in (5, 0)]
    assert durations.tolist() == [wanted[0], 0.0, wanted[1]]
    assert firsts.tolist() == [0.0, 0.0, 0.0]
    assert unreadable.keys() == {videos.ids[2]}
    assert unreadable[videos.ids[2]][:3] == (videos.ids[2], str(broken), "open")


def test_progress_is_shown_where_it_is_wanted(
    kitchen_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos = list_videos(kitchen_root)
    for show in (False, True):
        colour_walk(tmp_path, videos, show=show)  # the second time all is there
        colour_walk(tmp_path / str(show), videos, show=show)
        error = capsys.readouterr().err
        assert ("Comparing videos with whole shards" in error) == show
        assert ("Looking at videos" in error) == show


def test_what_whole_shards_say_is_unreadable_is_logged_too(
    kitchen_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    videos = list_videos(kitchen_root)
    writer = ColourWriter(tmp_path / "store", videos)
    lost = {videos.ids[0]: Unreadable(videos.ids[0], "then.mp4", "open", "no video")}
    writer.write(0, {}, lost, {})
    found = {videos.ids[9]: Unreadable(videos.ids[9], "now.mp4", "time", "too long")}
    log = UnreadableLog(tmp_path / "log.jsonl", frozenset(videos.ids), 0.2)
    with caplog.at_level(logging.WARNING, "vtlearn"):
        log_unreadable(log, writer, videos, found, [0])
    assert log.read() == {
        videos.ids[0]: Unreadable(videos.ids[0], videos.paths[0], "open", "no video"),
        **found,
    }
    assert f"to try them, remove colours-0.json in {tmp_path / 'store'}" in caplog.text
    strict = UnreadableLog(tmp_path / "strict.jsonl", frozenset(videos.ids), 0.1)
    with pytest.raises(TooManyUnreadableError, match="2 of 13"):
        log_unreadable(strict, writer, videos, found, [0])


def test_of_many_names_the_first_are_listed() -> None:
    assert name_first(["a", "b"]) == "a, b"
    assert name_first([str(number) for number in range(23)]).endswith("18, 19 and 3 more")


@pytest.mark.parametrize(
    ("environment", "part"),
    [
        ({}, "1/1"),
        ({"RANK": "0", "WORLD_SIZE": "3"}, "1/3"),
        ({"SLURM_PROCID": "2", "SLURM_NTASKS": "3"}, "3/3"),
        ({"RANK": "1", "WORLD_SIZE": "2", "SLURM_PROCID": "0", "SLURM_NTASKS": "9"}, "2/2"),
        ({"RANK": "1"}, "1/1"),
        ({"RANK": "one", "WORLD_SIZE": "two"}, "1/1"),
    ],
)
def test_a_rank_of_a_launcher_is_a_part(environment: dict[str, str], part: str) -> None:
    assert str(Part.of_rank(environment)) == part
