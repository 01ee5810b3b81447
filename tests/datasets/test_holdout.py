import hashlib
import logging
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.media.video.writing import write_video
from vtlearn.datasets.base import VideoCorpus
from vtlearn.datasets.holdout import HeldOutCaption, held_out_captions, held_out_ids
from vtlearn.datasets.reading import Reading
from vtlearn.errors import ArgumentError, TranscriptError
from vtlearn.media.captions.caption import Caption

IDS = [f"video{number}" for number in range(400)]


def place(name: str) -> float:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) / 16**64


class Spoken(list[list[Caption]]):
    """Captions of videos; those of an empty list are damaged."""

    def __getitem__(self, index: int) -> list[Caption]:  # type: ignore[override]
        said = super().__getitem__(index)
        if not said:
            message = "a.srt: line 1 is bad"
            raise TranscriptError(message)
        return said


def corpus(ids: Sequence[str], paths: Sequence[Path], said: list[list[Caption]]) -> VideoCorpus:
    return VideoCorpus(ids, [str(path) for path in paths], Spoken(said), Reading())


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    write_video(path, [100] * 40, rate=4)  # 10 s
    return path


def test_videos_are_held_out_by_the_hash_of_their_ids() -> None:
    chosen = held_out_ids(IDS, 0.1)
    assert chosen == {video_id for video_id in IDS if place(video_id) < 0.1}
    assert 20 < len(chosen) < 60
    assert held_out_ids(IDS[::-1], 0.1) == chosen
    more = held_out_ids([*IDS, *(f"other{number}" for number in range(400))], 0.1)
    assert more & set(IDS) == chosen  # others that are added move none
    assert held_out_ids(IDS, 0.2) > chosen
    twins = [f"{folder}/{name}" for name in IDS[:50] for folder in "xy"]  # named by their folders
    assert held_out_ids(twins, 0.1) == {one for one in twins if one[2:] in chosen}
    assert held_out_ids(["lesson1/é"], 1.0) == {"lesson1/é"}


def test_at_least_one_is_held_out_the_smallest() -> None:
    assert held_out_ids(IDS[:5], 1e-9) == {min(IDS[:5], key=place)}
    first = min(IDS[:5], key=place)
    assert held_out_ids([*IDS[:5], "x/" + first], 1e-9) == {first, "x/" + first}
    assert held_out_ids(IDS, 0.0) == held_out_ids([], 0.5) == frozenset()


def test_captions_are_chosen_by_hash_and_at_most_a_thousand(film: Path) -> None:
    said = [[Caption(k / 100, k / 100 + 1, f"{v} {k}") for k in range(600)] for v in range(3)]
    chosen = held_out_captions(corpus("abc", [film] * 3, said))
    names = [f"{v}#{k}" for v in "abc" for k in range(600)]
    first = set(sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())[:1000])
    assert [each.id for each in chosen] == [name for name in names if name in first]
    assert {each.caption.text for each in chosen if each.id == chosen[7].id} == {
        f"{'abc'.index(chosen[7].id[0])} {chosen[7].id[2:]}"
    }
    backwards = held_out_captions(corpus("cba", [film] * 3, said[::-1]))
    assert sorted(backwards) == sorted(chosen)


def test_what_training_leaves_out_is_left_out_and_said(
    film: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "b.mp4").write_bytes(b"no video")
    said = [
        [
            Caption(0, 2, "in"),
            Caption(8, 14, "partly"),
            Caption(11, 12, "after"),
            Caption(1, 2, " "),
        ],
        [Caption(0, 2, "unseen")],
        [],
    ]
    videos = corpus("abc", [film, tmp_path / "b.mp4", film], said)
    with caplog.at_level(logging.WARNING):
        chosen = held_out_captions(videos)
    assert chosen == [
        HeldOutCaption("a#0", film, Caption(0, 2, "in"), 0.0, 10.0),
        HeldOutCaption("a#1", film, Caption(8, 10, "partly"), 0.0, 10.0),
        HeldOutCaption("b#0", tmp_path / "b.mp4", Caption(0, 2, "unseen"), -math.inf, math.inf),
    ]
    told = "\n".join(record.getMessage() for record in caplog.records)
    assert "1 of 4 held-out captions are outside their videos' frames" in told
    assert "captions of 1 of 3 held-out videos are damaged, and are left out (first: a.srt" in told
    with pytest.raises(ArgumentError, match="none of the 1 videos that are held out"):
        held_out_captions(corpus("a", [film], [[Caption(11, 12, "after")]]))


def test_a_window_is_in_the_middle_and_in_the_video() -> None:
    def middle(start: float, end: float, seconds: float, first: float = 0.0) -> float:
        caption = Caption(start, end, "stir")
        return HeldOutCaption("v#0", Path("v.mp4"), caption, first, 20.0).middle(seconds)

    assert middle(4.0, 10.0, 2.0) == 6.0
    assert middle(4.0, 5.0, 3.0) == 3.0  # a caption shorter than a window
    assert middle(0.0, 1.0, 3.0) == 0.0
    assert middle(19.0, 20.0, 3.0) == 17.0
    assert middle(5.0, 6.0, 3.0, first=5.0) == 5.0
    assert middle(5.0, 6.0, 30.0) == 0.0
    unknown = HeldOutCaption("v#0", Path("v.mp4"), Caption(1.0, 5.0, "a"), -math.inf, math.inf)
    assert (unknown.middle(2.0), unknown.middle(9.0)) == (2.0, 0.0)
