from pathlib import Path

import av
import pytest

from tests.media.video.videos import NUMBERED
from tests.media.video.writing import write_video
from vtlearn.media.clips import VideoBytes
from vtlearn.media.video.opening import error_text, logged, open_container, open_raw


def test_a_file_and_its_bytes_are_opened(tmp_path: Path) -> None:
    path = write_video(tmp_path / "%d.mp4", NUMBERED)
    for source in (path, VideoBytes("a", path.read_bytes())):
        with open_raw(source) as raw, open_container(raw) as container:
            assert container.streams.video[0].frames == 50


def test_errors_have_the_words_of_ffmpeg(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", NUMBERED)
    with open_raw(VideoBytes("a", path.read_bytes()[:1500])) as raw:
        with pytest.raises(av.FFmpegError) as caught:
            open_container(raw)
        assert error_text(caught.value) == "Invalid data found when processing input"
        assert "moov atom not found" in logged(raw)
