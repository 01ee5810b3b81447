from pathlib import Path
from typing import Any

import pytest
import torch

from tests.inference.models import CLIPS
from tests.media.video.writing import write_video
from vtlearn.datasets.clips import ClipLoader
from vtlearn.encoders.video import TinyVideo
from vtlearn.errors import ArgumentError, LostClipsError, UnreadableVideoError
from vtlearn.inference.reading import reading_of
from vtlearn.inference.windows import Span, read_spans, read_windows
from vtlearn.media.clips import Clips, Source
from vtlearn.media.video.reader import VideoReader

SECONDS = 5.25


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five seconds and a quarter, getting brighter."""
    path = tmp_path_factory.mktemp("video") / "x.mp4"
    return write_video(path, [10 * number for number in range(21)], rate=4)


def loader(**clips: Any) -> ClipLoader:
    encoder = TinyVideo(dim=8, num_frames=2, size=16, width=4)
    return ClipLoader(reading_of(CLIPS | clips, encoder, "tiny"))


def spans_of(video: Path, given: ClipLoader, **options: Any) -> list[list[float]]:
    return [x for one in read_windows(given, video, together=3, **options) for x in
            one.clip_spans.tolist()]  # fmt: skip


def test_each_window_starts_before_the_end(video: Path) -> None:
    spans = spans_of(video, loader(), stride=1.0)
    assert spans == [[float(start), start + 0.5] for start in range(6)]


def test_side_by_side_without_a_stride(video: Path) -> None:
    starts = [start for start, _ in spans_of(video, loader(), stride=None)]
    assert starts == [0.5 * number for number in range(11)]


def test_they_are_what_the_reader_shows_however_many_at_a_time(video: Path) -> None:
    wanted = VideoReader().clips(
        video, [float(s) for s in range(6)], num_frames=2, fps=4.0, size=16
    )
    for together in (1, 4, 16):
        samples = list(read_windows(loader(), video, stride=1.0, together=together))
        assert torch.equal(torch.cat([sample.clips for sample in samples]), wanted.frames)
        assert max(len(sample.clips) for sample in samples) <= together


def test_windows_at_the_files_own_rate(video: Path) -> None:
    assert spans_of(video, loader(fps="native"), stride=2.0)[1] == [2.0, 2.5]


def test_whole_clips_last_as_long_as_the_stride_or_four_seconds(video: Path) -> None:
    assert spans_of(video, loader(whole=True), stride=2.0) == [[0, 2], [2, 4], [4, 6]]
    assert spans_of(video, loader(whole=True), stride=None) == [[0, 4], [4, 8]]


@pytest.mark.parametrize(
    ("span", "starts"),
    [
        ((1.0, 1.2), [0.85]),  # about the middle
        ((0.0, 0.1), [0.0]),  # not before the start
        ((1.0, 1.5), [1.0]),
        ((1.0, 2.0), [1.0, 1.5]),
        ((1.0, 2.2), [1.0, 1.35, 1.7]),  # as many as cover it
    ],
)
def test_windows_of_a_span(video: Path, span: Span, starts: list[float]) -> None:
    [(sample, owners)] = read_spans(loader(), video, [span], together=9)
    assert sample.clip_spans[:, 0].tolist() == pytest.approx(starts)
    assert owners == [0] * len(starts)


def test_spans_keep_their_order_and_may_overlap(video: Path) -> None:
    spans = [(3.0, 4.0), (0.0, 0.5), (3.0, 3.5)]
    found = [n for _, owners in read_spans(loader(), video, spans, together=2) for n in owners]
    assert found == [0, 0, 1, 2]
    one = [n for _, some in read_spans(loader(), video, spans, together=2, one_each=True)
           for n in some]  # fmt: skip
    assert one == [0, 1, 2]


def test_whole_clips_are_the_spans(video: Path) -> None:
    [(sample, _)] = read_spans(loader(whole=True), video, [(0.0, 5.0)], together=9)
    assert sample.clip_spans.tolist() == [[0.0, 5.0]]
    levels = sample.clips[0].float().mean((1, 2, 3))
    assert levels.tolist() == pytest.approx([50, 150], abs=4)  # on screen at 1.25 and 3.75 s


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ((2.0, 1.0), "start first"),
        ((1.0, 1.0), "start first"),
        ((float("nan"), 1.0), "start first"),
        ((5.25, 6.0), "outside"),
        ((-2.0, 0.0), "outside"),
    ],
)
def test_what_is_no_span_is_refused(video: Path, span: Span, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        list(read_spans(loader(), video, [span], together=9))


@pytest.mark.parametrize("stride", [0.0, -1.0])
def test_a_stride_is_positive(video: Path, stride: float) -> None:
    with pytest.raises(ArgumentError, match="stride"):
        list(read_windows(loader(), video, stride=stride, together=9))


def test_an_unreadable_video_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"<html>")
    with pytest.raises(UnreadableVideoError):
        list(read_windows(loader(), tmp_path / "x.mp4", stride=1.0, together=9))


class Losing(VideoReader):
    """Loses what is shown from 2 to 3 seconds."""

    def clips(self, source: Source, starts: Any, **options: Any) -> Clips:
        clips = super().clips(source, starts, **options)
        for number, start in enumerate(starts):
            clips.valid[number] &= not 2 <= start < 3
        return clips


def test_windows_that_lost_frames_are_left_out(video: Path) -> None:
    given = ClipLoader(loader().reading, Losing())
    assert [start for start, _ in spans_of(video, given, stride=1.0)] == [0, 1, 3, 4, 5]
    [(sample, owners)] = read_spans(given, video, [(0.0, 0.5), (2.5, 3.5)], together=9)
    assert owners == [0, 1]
    assert sample.clip_spans[:, 0].tolist() == [0.0, 3.0]
    with pytest.raises(LostClipsError, match=r"2\.0 s: it is damaged there"):
        list(read_spans(given, video, [(0.0, 1.0), (2.0, 3.0)], together=9))
