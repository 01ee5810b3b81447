import sys
from pathlib import Path

import pytest
import torch

from tests.inference.models import tiny_aligner, tiny_writer
from tests.inference.shades import SHADES, shade_model
from tests.media.video.writing import write_video
from vtlearn.alignment import dtw
from vtlearn.datasets.clips import ClipLoader
from vtlearn.errors import ArgumentError, TranscriptError, UnreadableVideoError
from vtlearn.heads import S2DTW
from vtlearn.inference.alignment import AlignedCaption, align
from vtlearn.media.captions import Caption
from vtlearn.media.captions.writing import format_webvtt
from vtlearn.media.clips import Clips

SAID = [
    Caption(1.0, 3.0, "now it gets bright"),
    Caption(4.0, 6.5, "do not forget to subscribe"),
    Caption(8.0, 10.0, "so dark"),
]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dark for 4 s, grey for 14, bright for 4."""
    levels = [SHADES["dark"]] * 16 + [SHADES["grey"]] * 56 + [SHADES["bright"]] * 16
    return write_video(tmp_path_factory.mktemp("shades") / "talk.mp4", levels, rate=4)


def test_captions_go_where_they_are_shown(video: Path) -> None:
    found = align(shade_model(), str(video), SAID)
    assert found.video == video
    assert found.duration == pytest.approx(22.0)
    bright, chatter, dark = found.captions
    assert (bright.matched, chatter.matched, dark.matched) == (True, False, True)
    assert (bright.start, bright.end) == pytest.approx((18.75, 20.75))
    assert (dark.start, dark.end) == pytest.approx((0.75, 2.75))
    assert chatter[1:5] == (4.0, 6.5, 4.0, 6.5)
    assert bright.shift == pytest.approx(17.75)
    assert [caption.text for caption in found.captions] == [each.text for each in SAID]
    assert found.spoken == SAID
    assert [each.text for each in found.retimed] == [SAID[n].text for n in (2, 1, 0)]


def test_a_file_is_read_as_its_captions(video: Path, tmp_path: Path) -> None:
    path = tmp_path / "talk.vtt"
    path.write_text(format_webvtt(SAID))
    model = shade_model()
    assert model.align(video, path).captions == model.align(video, SAID).captions


def test_a_terminal_shows_how_far_it_is(
    video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = shade_model()
    wanted = model.align(video, SAID)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert model.align(video, SAID).captions == wanted.captions
    assert "22/22" in capsys.readouterr().err


def test_matrices_are_those_of_the_head(video: Path) -> None:
    model = tiny_aligner()
    found = model.align(video, SAID, stride=0.5)
    assert found.cost.shape == found.expected.shape == (44, 3)
    assert found.window_spans[1].tolist() == [0.5, 1.0]
    vectors = model.encode_video(video, stride=0.5)
    texts = model.encode_text([caption.text for caption in SAID])
    torch.testing.assert_close(found.cost, -(vectors @ texts.T), atol=1e-5, rtol=0)
    assert float(found.expected.min()) >= 0
    assert float(found.expected.max()) <= 1 + 1e-5
    assert ((found.path >= 0) & (found.path < torch.tensor([44, 3]))).all()


def test_the_path_has_no_padding(video: Path) -> None:
    found = align(shade_model(), video, SAID)
    path = dtw(found.cost)
    assert torch.equal(found.path, path.cells[: path.length])
    skipping = align(shade_model(S2DTW()), video, SAID).path
    assert (skipping >= 0).all()


def test_a_spread_and_a_stride_are_the_users(video: Path) -> None:
    model = shade_model()
    assert not model.align(video, SAID, spread=5.0).captions[0].matched
    assert model.align(video, SAID, spread=None).captions[0].matched
    assert len(model.align(video, SAID, stride=2.0).window_spans) == 11


@pytest.mark.parametrize("lost", [2.5, 99.0])
def test_windows_that_lost_frames_are_left_out(
    video: Path, monkeypatch: pytest.MonkeyPatch, lost: float
) -> None:
    read = ClipLoader.read

    def losing(loader: ClipLoader, source: Path, starts: list[float]) -> Clips:
        clips = read(loader, source, starts)
        clips.valid[[start < lost for start in starts]] = False
        return clips

    monkeypatch.setattr(ClipLoader, "read", losing)
    if lost == 99.0:
        with pytest.raises(UnreadableVideoError, match="frames are lost in each of its windows"):
            align(shade_model(), video, SAID)
        return
    found = align(shade_model(), video, SAID)
    assert found.window_spans[0].tolist() == [3.0, 3.5]
    assert len(found.cost) == 19


def test_mistakes_are_told(video: Path, tmp_path: Path) -> None:
    model = shade_model()
    with pytest.raises(ArgumentError, match="there are no captions to align"):
        align(model, video, [])
    with pytest.raises(TranscriptError, match="No such file"):
        align(model, video, tmp_path / "absent.vtt")
    with pytest.raises(UnreadableVideoError, match="No such file"):
        align(model, tmp_path / "absent.mp4", SAID)
    with pytest.raises(ArgumentError, match="stride"):
        align(model, video, SAID, stride=0.0)
    with pytest.raises(ArgumentError, match="compares no"):
        align(tiny_writer(tmp_path), video, SAID)


def test_an_aligned_caption_is_plain_values() -> None:
    caption = AlignedCaption("so", 4.0, 5.0, 3.0, 4.0, True, 0.9)
    assert caption.shift == -1.0
    assert caption._asdict()["confidence"] == 0.9
