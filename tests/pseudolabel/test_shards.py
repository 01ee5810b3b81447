import json
from pathlib import Path

import pytest
import torch

from vtlearn.batch import Unreadable
from vtlearn.datasets.extraction import ChunkResults
from vtlearn.errors import ArgumentError
from vtlearn.media.captions import open_captions
from vtlearn.pseudolabel.shards import LabelledVideo, LabelStore, LabelWriter, WindowResult
from vtlearn.pseudolabel.windows import Span

IDS = ["a", "b", "c"]
SETTINGS = {"captioner": "c:1", "scorer": "lift", "frames": 3}
LOST = Unreadable("b", "b.mp4", "open", "no video")


def window(start: float, caption: str | None = "a man cooks", score: float = 0.5) -> WindowResult:
    dropped = [] if caption else ["empty", "empty"]
    span = Span(start, start + 2)
    return WindowResult(span, [start + 1 / 3], [caption or ""], caption, score, dropped)


def chunk(*windows: WindowResult) -> ChunkResults[list[WindowResult]]:
    return ChunkResults([0.0], torch.ones(1).bool(), list(windows))


def store(folder: Path, ids: list[str] = IDS, **settings: object) -> LabelStore:
    return LabelStore(folder, ids, SETTINGS | settings, videos_per_shard=2)


def filled(folder: Path) -> LabelWriter:
    writer = LabelWriter(store(folder))
    video = LabelledVideo(4.0, [window(0), window(2, None)], 0)
    writer.write(0, {"a": video}, {"b": LOST}, {"a": "f"})
    writer.write(1, {"c": LabelledVideo(2.0, [window(0, "an egg is fried", -0.00001)], 0)}, {}, {})
    return writer


def test_a_line_says_all_of_a_caption(tmp_path: Path) -> None:
    filled(tmp_path)
    (line,) = (tmp_path / "00000.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "video": "a",
        "start": 0.0,
        "end": 2.0,
        "caption": "a man cooks",
        "score": 0.5,
        "frames": [0.3333],
        "candidates": ["a man cooks"],
        "captioner": "c:1",
        "scorer": "lift",
    }
    assert '"score": 0.0,' in (tmp_path / "00001.jsonl").read_text()  # and not -0.0


def test_what_is_written_is_read_as_captions(tmp_path: Path) -> None:
    filled(tmp_path / "labels")
    index = open_captions(tmp_path / "labels", progress=False)
    assert {one: [caption.text for caption in index[one]] for one in index} == {
        "a": ["a man cooks"],
        "c": ["an egg is fried"],
    }


def test_a_record_says_what_became_of_each_video(tmp_path: Path) -> None:
    record = filled(tmp_path).store.record(0)
    assert record.videos == {
        "a": {"duration": 4.0, "windows": 2, "captions": 1, "dropped": {"sentences empty": 2}}
    }
    assert record.unreadable == {"b": {"stage": "open", "reason": "no video"}}
    assert record.sources == {"a": "f"}


def test_the_summary_counts_what_was_dropped_and_why(tmp_path: Path) -> None:
    assert filled(tmp_path).summary() == (
        f"captions of 2 of 3 windows of 2 videos in {tmp_path}; dropped: 2 sentences empty"
    )


def test_half_is_named_once_all_shards_are_there(tmp_path: Path) -> None:
    writer = LabelWriter(store(tmp_path))
    assert writer.half() is None
    filled(tmp_path)
    assert writer.half() == "half of them is kept at min_score=0.5 (or keep=0.5)"


def test_half_is_named_with_all_of_its_digits(tmp_path: Path) -> None:
    writer = LabelWriter(store(tmp_path))
    windows = [window(0, "an egg is fried", 1234.5678), window(2, "an egg is fried", 1.0)]
    writer.write(0, {"a": LabelledVideo(4.0, windows, 0)}, {"b": LOST}, {"a": "f"})
    writer.write(1, {}, {"c": LOST._replace(id="c")}, {})
    assert writer.half() == "half of them is kept at min_score=1234.5678 (or keep=0.5)"


def test_a_shard_is_whole_with_its_record_and_all_its_bytes(tmp_path: Path) -> None:
    writer = filled(tmp_path)
    assert writer.pending() == []
    (tmp_path / "00000.jsonl").write_text("")
    assert writer.pending() == [0]
    (tmp_path / "00001.json").unlink()
    assert writer.pending() == [0, 1]
    assert LabelWriter(store(tmp_path)).pending() == [0, 1]  # and begins again in the same folder


def test_a_video_without_a_frame_is_unreadable(tmp_path: Path) -> None:
    writer = LabelWriter(store(tmp_path))
    lost = WindowResult(Span(0, 2), [], [], None, 0.0, [])
    assert writer.video([chunk(lost), chunk(lost)], 4.0) is None
    video = writer.video([chunk(window(0)), chunk(lost)], 4.0)
    assert video is not None
    assert (len(video.windows), video.lost) == (2, 1)
    silent = writer.video([], 4.0)
    assert silent is not None
    assert silent.windows == []


def test_a_folder_of_other_settings_is_refused_by_their_names(tmp_path: Path) -> None:
    filled(tmp_path)
    with pytest.raises(ArgumentError, match=r"frames: 3 there, 5 now; videos: 3 there, 2 now"):
        store(tmp_path, ["a", "b"], frames=5)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "00000.jsonl").write_text("{}\n")
    with pytest.raises(ArgumentError, match=r"holds other files, but no pseudolabels\.json"):
        store(tmp_path)
    (tmp_path / "pseudolabels.json").write_text("[]")
    with pytest.raises(ArgumentError, match="does not say how the captions were made"):
        store(tmp_path)


def test_a_feature_store_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "features.json").write_text("{}")
    (tmp_path / "00000.json").write_text("vectors of shard 0")
    with pytest.raises(ArgumentError, match=r"holds other files, but no pseudolabels\.json"):
        store(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000.json", "features.json"]


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    writer = filled(tmp_path)
    (tmp_path / "00000.json").write_text("{}")
    with pytest.raises(ArgumentError, match=r"00000\.json is damaged .* remove it and resume"):
        writer.store.record(0)
