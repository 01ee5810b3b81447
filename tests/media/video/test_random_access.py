import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.media.video.films import FILMS, make_film
from vtlearn.media.video.file import VideoFile
from vtlearn.media.video.timeline import TimedFrame

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "random_access.py"
SMALL = (
    *("clock_reset.ts", "b_frames_without_order.avi", "palette_changing_raw.avi"),
    *("two_streams.mp4", "late.mkv", "variable.mp4", "at_100.ts", "edit_list.mp4"),
    *("fragmented.mp4", "without_index.mkv", "open_gop.mp4", "hevc_open.mkv"),
    *("zeroed_payload.mp4", "flipped_payload.mkv", "random_payload.mov"),
)


def script() -> Any:
    spec = importlib.util.spec_from_file_location("benchmark_of_random_access", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def differences(path: Path, clips: int, seed: Sequence[int]) -> list[str]:
    module = script()
    outcome = module.compare(path, module.draw(path, clips, np.random.default_rng(seed)))
    assert outcome.clips >= clips
    assert outcome.valid >= (0.1 if "_payload" in path.name else 0.9) * outcome.frames
    found: list[str] = outcome.differences
    return found


@pytest.mark.parametrize("name", SMALL)
def test_clips_alone_among_others_and_in_one_pass_are_the_same(name: str, tmp_path: Path) -> None:
    path = make_film(tmp_path, name)
    assert differences(path, 8, [SMALL.index(name)]) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", FILMS)
def test_many_clips_of_each_kind_are_the_same(name: str, tmp_path: Path) -> None:
    path = make_film(tmp_path, name)
    assert differences(path, 24, [7, list(FILMS).index(name)]) == []


def test_a_seek_that_misleads_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seek = VideoFile.seek_keyframe

    def mislead(file: VideoFile, time: float) -> Iterator[TimedFrame[av.VideoFrame]]:
        return (timed._replace(start=timed.start - 0.1) for timed in seek(file, time))

    path = make_film(tmp_path, "at_100.mp4")
    assert differences(path, 16, [0]) == []
    monkeypatch.setattr(VideoFile, "seek_keyframe", mislead)
    assert differences(path, 16, [0]) != []
