import json
import logging
import multiprocessing
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.damage import cut_off, lose_index
from tests.pseudolabel.models import Brightness
from tests.pseudolabel.walking import files, first_videos, label, list_videos
from vtlearn.datasets.extraction import Part
from vtlearn.errors import ArgumentError, TooManyUnreadableError
from vtlearn.media.captions import open_captions
from vtlearn.media.video.reader import VideoReader
from vtlearn.pseudolabel import Labelling, labelling
from vtlearn.pseudolabel.labelling import _Said
from vtlearn.pseudolabel.shards import WindowResult
from vtlearn.pseudolabel.windows import FixedWindows, Scenes, Span, SpokenWindows


@pytest.fixture(scope="session")
def whole(kitchen_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process writes that is never interrupted; tests only read it."""
    folder = tmp_path_factory.mktemp("labels") / "whole"
    label(folder, list_videos(kitchen_root))
    return folder


def lines(folder: Path) -> list[dict[str, Any]]:
    shards = sorted(path for path in folder.glob("*.jsonl") if path.stem.isdecimal())
    return [json.loads(line) for shard in shards for line in shard.read_text().splitlines()]


def test_each_window_has_the_best_caption_of_its_frames(kitchen_root: Path, whole: Path) -> None:
    record = lines(whole)[1]
    path = kitchen_root / "videos" / f"{record['video']}.mp4"
    assert (record["start"], record["end"]) == (2.0, 4.0)
    assert record["frames"] == [2.3333, 3.0, 3.6667]
    times = [2 + 1 / 3, 3.0, 4 - 1 / 3]
    frames = VideoReader().clips(path, times, num_frames=1, fps=1, size=8).frames[:, 0]
    assert record["candidates"] == Brightness().captions(frames)
    assert record["caption"] in record["candidates"]


def test_all_windows_of_all_videos_are_there(kitchen_root: Path, whole: Path) -> None:
    videos = list_videos(kitchen_root)
    found = lines(whole)
    assert list(dict.fromkeys(record["video"] for record in found)) == videos.ids
    for video_id, path in zip(videos.ids, videos.paths, strict=True):
        duration = VideoReader().probe(path).duration
        starts = [record["start"] for record in found if record["video"] == video_id]
        assert starts == [2.0 * k for k in range(max(1, int(duration / 2 + 0.5)))]


def _label_and_die(folder: Path, root: Path) -> None:
    torch.set_num_threads(1)
    label(folder, list_videos(root), stopped=2, kills=True)


@pytest.mark.slow
def test_killed_half_way_and_resumed_it_writes_the_same_files(
    kitchen_root: Path, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "labels"
    process = multiprocessing.get_context("spawn").Process(
        target=_label_and_die, args=(folder, kitchen_root)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    resume(folder, kitchen_root, whole)


def test_interrupted_half_way_and_resumed_it_writes_the_same_files(
    kitchen_root: Path, whole: Path, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        label(tmp_path / "labels", list_videos(kitchen_root), stopped=2)
    resume(tmp_path / "labels", kitchen_root, whole)


def resume(folder: Path, root: Path, whole: Path) -> None:
    """Go on where two of five shards are there, and write the others alone."""
    begun = files(folder)
    assert {name for name in begun if name.endswith(".jsonl")} == {"00000.jsonl", "00001.jsonl"}
    written = {path: path.stat().st_mtime_ns for path in folder.glob("0000[01].*")}
    figures, line = label(folder, list_videos(root))
    assert 0 < figures.windows < len(lines(whole))
    assert str(line).startswith(f"pseudolabels: captions of {len(lines(whole))} of ")
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert files(folder) == files(whole)


def test_three_parts_write_the_same_files(kitchen_root: Path, whole: Path, tmp_path: Path) -> None:
    videos, folder = list_videos(kitchen_root), tmp_path / "labels"
    said = {k: label(folder, videos, part=Part(k, 3))[1] for k in (3, 1, 2)}
    assert "part 3/3 is whole; 4 of 5 shards are not in" in str(said[3])
    assert str(said[2]).startswith("pseudolabels: captions of ")
    assert files(folder) == files(whole)


@pytest.mark.parametrize("time_budget", [None, 60.0])
def test_workers_change_nothing(
    kitchen_root: Path, tmp_path: Path, time_budget: float | None
) -> None:
    videos = first_videos(kitchen_root, 3)._replace(time_budget=time_budget)
    for workers in (0, 2):
        label(tmp_path / str(workers), videos, workers=workers)
    assert files(tmp_path / "2") == files(tmp_path / "0")


def test_nothing_is_left_to_do(kitchen_root: Path, whole: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole, tmp_path / "labels"))
    figures, _ = label(folder, list_videos(kitchen_root))
    assert str(figures) == "no window was left to caption"


def test_damaged_videos_are_named_and_counted(kitchen_root: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(kitchen_root, tmp_path / "kitchen"))
    videos = list_videos(root, max_unreadable_fraction=0.2)
    lose_index(Path(videos.paths[1]))
    cut_off(Path(videos.paths[2]))
    _, line = label(tmp_path / "labels", videos)
    assert f"1 cannot be read: {videos.ids[1]}" in str(line)
    assert "dropped: " in str(line)
    assert "windows without a frame" in str(line)
    record = json.loads((tmp_path / "labels" / "00000.json").read_text())
    assert set(record["unreadable"]) == {videos.ids[1]}
    cut = record["videos"][videos.ids[2]]
    assert 0 < cut["captions"] < cut["windows"]
    with pytest.raises(TooManyUnreadableError):
        label(tmp_path / "strict", list_videos(root, max_unreadable_fraction=0.0))


def test_windows_of_a_transcript_and_of_scenes(kitchen_root: Path, tmp_path: Path) -> None:
    videos = first_videos(kitchen_root, 2)
    captions = open_captions(kitchen_root / "captions", cache=tmp_path / "cache", progress=False)
    spoken = SpokenWindows(captions, {one: one for one in videos.ids})
    label(tmp_path / "asr", videos, windows=spoken)
    first = [record for record in lines(tmp_path / "asr") if record["video"] == videos.ids[0]]
    assert [record["start"] for record in first] == [
        round(caption.start, 4) for caption in captions[videos.ids[0]]
    ]
    label(tmp_path / "scenes", videos, windows=Scenes(0.1), frames=1)
    for record in lines(tmp_path / "scenes"):
        assert record["frames"] == pytest.approx([(record["start"] + record["end"]) / 2], abs=1e-3)


class Stubborn(Brightness):
    """Says one thing, whatever it sees."""

    said = "a man is cooking"

    def captions(self, frames: Tensor) -> list[str]:
        return [self.said] * len(frames)

    def log_likelihood(self, frames: Tensor, texts: Sequence[str]) -> Tensor:
        return torch.zeros(len(frames), len(texts))


class Looping(Stubborn):
    said = "an egg an egg an egg"


class Mute(Stubborn):
    said = ""


class Sure(Stubborn):
    """Gives no finite score."""

    def log_likelihood(self, frames: Tensor, texts: Sequence[str]) -> Tensor:
        return torch.full((len(frames), len(texts)), -torch.inf)


@pytest.mark.parametrize(
    ("captioner", "warning"),
    [
        (Stubborn(), "brightness says the same of {0} of {0} windows: 'a man is cooking'"),
        (Looping(), "brightness says the same of {0} of {0} windows: 'an egg an egg an egg'"),
        (Mute(), "brightness writes nothing of {0} of {0} windows"),
    ],
)
def test_a_captioner_that_says_one_thing_is_warned_of_once(
    kitchen_root: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    captioner: Stubborn,
    warning: str,
) -> None:
    with caplog.at_level(logging.WARNING):
        label(tmp_path / "labels", first_videos(kitchen_root, 4), captioner)
    records = [json.loads((tmp_path / "labels" / f"0000{k}.json").read_text()) for k in (0, 1)]
    count = sum(video["windows"] for one in records for video in one["videos"].values())
    assert caplog.messages == [warning.format(count)]


def test_it_is_judged_over_a_run_whose_shards_have_few_windows(
    kitchen_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        label(tmp_path, first_videos(kitchen_root, 4), Mute(), windows=FixedWindows(60.0))
    assert caplog.messages == ["brightness writes nothing of 4 of 4 windows"]


def test_a_captioner_that_says_one_thing_at_first_is_not_warned_of(
    kitchen_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Warming(Stubborn):
        """Says one thing of the first shard, of 15 windows with 3 frames each."""

        written = 0

        def captions(self, frames: Tensor) -> list[str]:
            self.written += len(frames)
            return [f"a man is cooking {max(0, self.written - 45)}"] * len(frames)

    with caplog.at_level(logging.WARNING):
        label(tmp_path, first_videos(kitchen_root, 6), Warming())
    assert caplog.messages == []


def test_a_long_run_is_warned_of_before_its_end(
    kitchen_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    windows = FixedWindows(0.2)
    with caplog.at_level(logging.WARNING), pytest.raises(KeyboardInterrupt):
        label(tmp_path, first_videos(kitchen_root, 6), Mute(), windows=windows, stopped=1)
    assert len(caplog.messages) == 1


def test_windows_without_a_frame_do_not_count_as_written_nothing_of() -> None:
    said, span = _Said(), Span(0.0, 2.0)
    said.add([WindowResult(span, [], [], None, 0.0, [])] * 20)
    assert said.most_common() == ("", 0, 0)
    said.add([WindowResult(span, [1.0], ["", "pan"], None, 0.0, ["empty", "under 3 words"])])
    assert said.most_common() == ("pan", 1, 1)


def test_of_very_many_sentences_the_frequent_ones_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(labelling, "_REMEMBERED", 10)
    said = _Said()
    for number in range(100):
        texts = ["again", f"text {number}"]
        said.add(WindowResult(Span(0.0, 2.0), [1.0], [one], one, 0.0, []) for one in texts)
    assert said.most_common() == ("again", 100, 200)
    assert len(said._counts) <= 10


@pytest.mark.parametrize(
    ("captioner", "dropped"),
    [
        (Looping(), "sentences looping"),
        (Mute(), "sentences empty"),
        (Sure(), "sentences without a finite score"),
    ],
)
def test_what_is_no_caption_is_not_written(
    kitchen_root: Path, tmp_path: Path, captioner: Stubborn, dropped: str
) -> None:
    _, line = label(tmp_path / "labels", first_videos(kitchen_root, 2), captioner)
    assert lines(tmp_path / "labels") == []
    assert "captions of 0 of " in str(line)
    assert str(line).endswith(dropped)


class Mistaken(Brightness):
    """Returns what it is told to."""

    def __init__(self, **returned: Any) -> None:
        self.returned = returned
        self.size = returned.get("size", 8)

    def encode(self, frames: Tensor) -> Any:
        return self.returned.get("encode", frames)

    def captions(self, frames: Tensor) -> Any:
        return self.returned.get("captions", super().captions(frames))

    def log_likelihood(self, frames: Tensor, texts: Sequence[str]) -> Any:
        return self.returned.get("likelihood", super().log_likelihood(frames, texts))


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ({"captions": None}, r"captions\(\): expected a list of one string per frame, got None"),
        ({"captions": ["one"]}, ".* one string per frame, got 1 of 15"),
        ({"captions": "a" * 15}, ".* one string per frame, got 'aaa"),
        ({"captions": [3] * 15}, ".* one string per frame, got a list with 3"),
        ({"encode": None}, r"encode\(\) returned None"),
        ({"likelihood": [0.0]}, r"log_likelihood\(\): expected a tensor .* got \[0\.0\]"),
        ({"likelihood": torch.zeros(2)}, r"log_likelihood\(\): .* got shape \(2,\)"),
    ],
)
def test_what_a_captioner_may_not_return_is_told_with_its_class(
    kitchen_root: Path, tmp_path: Path, returned: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArgumentError, match=rf"Mistaken\.{message}"):
        label(tmp_path / "labels", first_videos(kitchen_root, 3), Mistaken(**returned))


def test_a_captioner_has_to_describe_itself() -> None:
    with pytest.raises(
        ArgumentError, match=r"Mistaken\.size: expected a positive int, .*got '224'"
    ):
        Labelling(Mistaken(size="224"), None, FixedWindows(2.0))  # type: ignore[arg-type]
