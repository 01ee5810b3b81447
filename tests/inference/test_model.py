from pathlib import Path

import pytest
import torch

from tests.inference.models import CLIPS, WORDS, tiny_aligner, tiny_writer
from tests.media.video.writing import write_video
from vtlearn.batch import Sample, collate
from vtlearn.datasets.reading import ClipSampling, Pixels, Reading
from vtlearn.errors import ArgumentError, UnreadableVideoError
from vtlearn.inference import Model
from vtlearn.media.video.reader import VideoReader


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("videos")
    levels = [[10 * number for number in range(21)], [200 - 10 * n for n in range(10)]]
    pairs = zip("ab", levels, strict=True)
    return [write_video(folder / f"{name}.mp4", some, rate=4) for name, some in pairs]


def test_five_lines(videos: list[Path]) -> None:
    model = tiny_aligner()
    video = model.encode_video(str(videos[0]))
    texts = model.encode_text(WORDS)
    assert (video @ texts.T).shape == (6, 3)
    assert video.spans[1].tolist() == [1.0, 1.5]
    assert video.path == videos[0]


def test_similarities_are_those_of_alignment(videos: list[Path]) -> None:
    model = tiny_aligner()
    clips = VideoReader().clips(videos[0], [0.0, 1.0, 2.0], num_frames=2, fps=4.0, size=16)
    sample = Sample.of("a", clips.frames, [0.0, 1.0, 2.0], 4.0, texts=WORDS)
    cost = model.learner.align(sample).cost
    found = model.encode_video(videos[0]) @ model.encode_text(WORDS).T
    torch.testing.assert_close(-found[:3], cost, atol=1e-5, rtol=0)


@pytest.mark.parametrize("windows_per_batch", [1, 4, 16])
def test_how_many_windows_at_once_changes_nothing(
    videos: list[Path], windows_per_batch: int
) -> None:
    model = tiny_aligner()
    wanted = model.encode_video(videos[0], stride=0.25)
    other = Model(model.learner, windows_per_batch=windows_per_batch)
    found = other.encode_video(videos[0], stride=0.25)
    torch.testing.assert_close(found.vectors, wanted.vectors, atol=1e-6, rtol=0)
    assert torch.equal(found.spans, wanted.spans)


def test_several_videos(videos: list[Path]) -> None:
    model = tiny_aligner()
    several = model.encode_video(videos)
    assert [len(one.vectors) for one in several] == [6, 3]
    assert torch.equal(several[1].vectors, model.encode_video(videos[1]).vectors)
    assert model.encode_video([]) == []
    with pytest.raises(ArgumentError, match="spans are of one video"):
        model.encode_video(videos, [(0.0, 1.0)])  # type: ignore[call-overload]


def test_spans(videos: list[Path]) -> None:
    model = tiny_aligner()
    found = model.encode_video(videos[0], [(2.0, 2.5), (0.0, 4.0)])
    assert found.spans.tolist() == [[2.0, 2.5], [0.0, 4.0]]
    window = model.encode_video(videos[0]).vectors[2]
    torch.testing.assert_close(found.vectors[0], window, atol=1e-6, rtol=0)
    assert found.vectors.norm(dim=1).tolist() == pytest.approx([1.0, 1.0])


def test_captions_of_windows_and_of_spans(videos: list[Path], tmp_path: Path) -> None:
    model = tiny_writer(tmp_path)
    written = model.caption(videos[0])
    assert [(start, end) for start, end, _ in written[:2]] == [(0.0, 0.5), (0.5, 1.0)]
    assert len(written) == 11
    [one, two] = model.caption(videos[0], [(1.0, 1.5), (0.0, 4.0)])
    assert (one.text, one.start, one.end) == (written[2].text, 1.0, 1.5)
    assert (two.start, two.end) == (0.0, 4.0)
    clips = VideoReader().clips(videos[0], [1.75], num_frames=2, fps=4.0, size=16)
    batch = collate([Sample.of("a", clips.frames, [1.75], 4.0)])
    writer = model.learner.head.captioner
    assert writer is not None
    with torch.no_grad():
        assert [two.text] == writer.generate(model.learner.encode(batch))


def test_a_model_that_cannot_says_so(videos: list[Path], tmp_path: Path) -> None:
    writer = tiny_writer(tmp_path)
    for use in (lambda: writer.encode_video(videos[0]), lambda: writer.encode_text(WORDS)):
        with pytest.raises(ArgumentError, match="CaptioningDecoder"):
            use()
    with pytest.raises(ArgumentError, match="tiny is a model with the head S2DTW"):
        tiny_aligner().caption(videos[0])
    with pytest.raises(ArgumentError, match="list of strings"):
        tiny_aligner().encode_text("chop")


def test_an_unreadable_video_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableVideoError, match="No such file"):
        tiny_aligner().encode_video(tmp_path / "absent.mp4")


def test_how_clips_are_read_may_be_given(videos: list[Path]) -> None:
    model = tiny_aligner()
    model.learner.clips = None
    with pytest.raises(ArgumentError, match="does not say how its clips were read"):
        Model(model.learner).encode_video(videos[0])
    reading = Reading(sampling=ClipSampling(fps=2.0), pixels=Pixels(pad="black"))
    given = Model(model.learner, reading=reading)
    assert given.reading.clip_settings() == CLIPS | {"fps": 2.0, "pad": "black"}
    assert given.encode_video(videos[0]).spans[0].tolist() == [0.0, 1.0]


def test_its_hash_tells_models_apart() -> None:
    model, other = tiny_aligner(), tiny_aligner()
    assert model.sha256 == other.sha256
    next(other.learner.parameters()).data += 1
    assert Model(other.learner).sha256 != model.sha256


def test_windows_at_once_are_positive() -> None:
    with pytest.raises(ArgumentError, match="windows_per_batch"):
        Model(tiny_aligner().learner, windows_per_batch=0)
