import json
from pathlib import Path

import pytest

from tests.media.video.writing import write_video
from vtlearn.errors import ArgumentError, TranscriptError
from vtlearn.media.captions.index import open_captions
from vtlearn.media.video.reader import VideoReader
from vtlearn.pseudolabel.windows import (
    FixedWindows,
    Scenes,
    Span,
    SpokenWindows,
    frame_times,
    parse_windows,
)

READER = VideoReader()


@pytest.mark.parametrize(
    ("duration", "ends"),
    [
        (0.5, [0.5]),
        (2.0, [2.0]),
        (2.9, [2.0]),
        (3.0, [2.0, 3.0]),
        (4.0, [2.0, 4.0]),
        (5.5, [2.0, 4.0, 5.5]),
    ],
)
def test_fixed_windows_lie_side_by_side(duration: float, ends: list[float]) -> None:
    spans = FixedWindows(2.0).spans("v", "v.mp4", duration, READER)
    assert spans == [Span(2.0 * k, end) for k, end in enumerate(ends)]


def test_spoken_windows_are_those_of_captions(tmp_path: Path) -> None:
    said = {"start": [0, 1, 3, 9], "end": [1.5, 1, 8, 11], "text": ["a", "b", "c", "d"]}
    (tmp_path / "v.json").write_text(json.dumps(said))
    (tmp_path / "w.json").write_text("[]")
    windows = SpokenWindows(open_captions(tmp_path, progress=False), {"v": "v", "w": "w"})
    assert windows.spans("v", "v.mp4", 5.0, READER) == [Span(0, 1.5), Span(3, 5)]
    assert windows.spans("silent", "v.mp4", 5.0, READER) == []
    assert str(windows).startswith(f"asr:{tmp_path.name} (4 captions, ")
    with pytest.raises(TranscriptError):
        windows.spans("w", "w.mp4", 5.0, READER)


def test_captions_of_other_times_are_other_windows(tmp_path: Path) -> None:
    found = []
    for folder, start in (("a", 0), ("b", 1), ("c", 0)):
        place = tmp_path / folder / "captions"
        place.mkdir(parents=True)
        said = {"start": [start], "end": [9], "text": [folder]}
        (place / "v.json").write_text(json.dumps(said))
        found.append(str(SpokenWindows(open_captions(place, progress=False), {"v": "v"})))
    assert found[0] == found[2] != found[1]


@pytest.fixture(scope="module")
def cuts(tmp_path_factory: pytest.TempPathFactory) -> str:
    """8 frames per second: dark, bright from 2 s on, a flash at 4 s, grey from 5 s to 8 s."""
    levels = [20] * 16 + [220] * 16 + [20] * 2 + [220] * 6 + [120] * 24
    return str(write_video(tmp_path_factory.mktemp("cuts") / "v.mp4", levels, rate=8))


def test_scenes_end_where_frames_differ(cuts: str) -> None:
    spans = Scenes(0.2).spans("v", cuts, 8.0, READER)
    assert spans == [Span(0, 2), Span(2, 4), Span(4, 5), Span(5, 8)]


def test_a_higher_threshold_finds_fewer_cuts(cuts: str) -> None:
    assert Scenes(0.6).spans("v", cuts, 8.0, READER) == [Span(0, 2), Span(2, 4), Span(4, 8)]
    assert Scenes(0.95).spans("v", cuts, 8.0, READER) == [Span(0, 8)]


def test_scenes_are_the_same_however_many_frames_are_held(
    cuts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Scenes(0.2).spans("v", cuts, 8.0, READER)
    monkeypatch.setattr("vtlearn.pseudolabel.windows._SCENE_FRAMES", 5)
    assert Scenes(0.2).spans("v", cuts, 8.0, READER) == whole


def test_frames_are_in_the_middle_of_their_shares() -> None:
    assert frame_times([Span(0, 6)], 3) == [1.0, 3.0, 5.0]
    assert frame_times([Span(2, 4), Span(10, 14)], 1) == [3.0, 12.0]
    assert frame_times([], 3) == []


@pytest.mark.parametrize("text", ["fixed:2", "fixed:0.5", "scenes:0.3"])
def test_windows_are_what_they_are_called(text: str) -> None:
    assert str(parse_windows(text)) == text


def test_asr_names_a_folder() -> None:
    assert parse_windows("asr:a/b:c") == Path("a/b:c")


@pytest.mark.parametrize("text", ["", "fixed", "fixed:", "fixed:x", "fixed:-1", "asr:", "shots:1"])
def test_other_windows_are_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match="expected fixed:SECONDS, asr:FOLDER or scenes:"):
        parse_windows(text)


@pytest.mark.parametrize("text", ["scenes:0", "scenes:1", "scenes:30"])
def test_a_threshold_is_a_share(text: str) -> None:
    with pytest.raises(ArgumentError, match="has to be between 0 and 1"):
        parse_windows(text)
