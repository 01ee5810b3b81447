import os
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.media.video.films import make_film
from vtlearn.media.clips import Source, VideoBytes
from vtlearn.media.video import survey as module
from vtlearn.media.video.opening import open_container, open_raw
from vtlearn.media.video.reader import VideoReader
from vtlearn.media.video.survey import Survey, has_index, survey


def noted(monkeypatch: pytest.MonkeyPatch) -> list[Source]:
    """Note of what files is looked, which is done all the same."""
    looked: list[Source] = []
    look = module._look

    def note(source: Source, *given: Any, **options: Any) -> Survey:
        looked.append(source)
        return look(source, *given, **options)

    monkeypatch.setattr(module, "_look", note)
    return looked


@pytest.mark.parametrize(
    ("name", "indexed", "can_seek", "lacks_order", "delay"),
    [
        ("clock_reset.ts", False, False, False, 0),
        ("plain.ts", False, True, False, 0),
        ("b_frames_without_order.mp4", True, False, True, 0),
        ("b_frames_later_without_order.avi", True, False, True, 0),
        ("b_frames_mpeg4.avi", True, True, False, 0.04),
        ("palette_raw.avi", True, False, False, 0),
        ("mpeg2.mpg", False, False, False, 0),
        ("fragmented.mp4", False, True, False, 0),
        ("open_gop.mkv", True, True, False, 0),
        ("raw.h264", False, True, False, 0),
    ],
)
def test_what_is_found_out(
    name: str, indexed: bool, can_seek: bool, lacks_order: bool, delay: float, tmp_path: Path
) -> None:
    path = make_film(tmp_path, name)
    with open_raw(path) as raw, open_container(raw) as container:
        stream = container.streams.video[0]
        assert has_index(path, container, stream) == indexed
        found = survey(path, (name, tmp_path), container, stream, is_indexed=indexed)
    assert (found.can_seek, found.lacks_order) == (can_seek, lacks_order)
    assert found.delay == pytest.approx(delay)
    assert (found.packets is None) == (indexed or name == "raw.h264")


@pytest.mark.parametrize(
    "name", ["clock_reset.ts", "without_index.mkv", "b_frames_without_order.avi", "variable.mkv"]
)
def test_a_file_is_surveyed_once_in_a_process(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    surveys = noted(monkeypatch)
    path = make_film(tmp_path, name)
    starts = [1.0, 5.3, 0.2, 2.6]
    asked: dict[str, Any] = {"num_frames": 3, "fps": 8, "size": 32}
    before = VideoReader().clips(path, starts, **asked)
    info = VideoReader().probe(path)
    assert len(surveys) == 1
    anew = VideoReader().clips(path, starts, **asked)
    assert torch.equal(anew.frames, before.frames)
    assert torch.equal(anew.valid, before.valid)
    assert VideoReader().probe(path) == info
    assert len(surveys) == 1
    data = path.read_bytes()
    for _ in range(2):  # the next ones of that name may be others
        clips = VideoReader().clips(VideoBytes(path.name, bytes(data)), starts, **asked)
        assert torch.equal(clips.frames, before.frames)
    assert len(surveys) == 3
    os.utime(path, ns=(0, 0))
    VideoReader().probe(path)
    assert len(surveys) == 4
