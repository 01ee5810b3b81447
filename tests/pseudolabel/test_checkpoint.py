from pathlib import Path

import pytest
import torch

from tests.pseudolabel.models import aligner_checkpoint, captioner_checkpoint
from vtlearn.batch import Sample, collate
from vtlearn.checkpoints import load_learner
from vtlearn.encoders.video import CachedFeatures
from vtlearn.errors import ArgumentError
from vtlearn.heads import CaptioningDecoder, TextDecoder
from vtlearn.learner import VideoTextLearner
from vtlearn.pseudolabel.checkpoint import CheckpointCaptioner, as_clips

TEXTS = ["a person is chopping", "the pan"]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return captioner_checkpoint(tmp_path_factory.mktemp("checkpoint") / "c.ckpt")


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (5, 3, 16, 16), dtype=torch.uint8, generator=generator)


def test_it_writes_and_scores_what_the_learner_does(path: Path, frames: torch.Tensor) -> None:
    learner = load_learner(path)
    captioner = CheckpointCaptioner(learner, "c.ckpt")
    clips = [Sample.of(str(n), one[None, None], [0.0], 1.0) for n, one in enumerate(frames)]
    with torch.no_grad():
        batch = learner.encode(collate(clips))
    writer = learner.head.captioner
    assert writer is not None
    seen = captioner.encode(frames)
    assert captioner.captions(seen) == writer.generate(batch)
    wanted = writer.log_likelihood(batch, TEXTS)
    torch.testing.assert_close(captioner.log_likelihood(seen, TEXTS), wanted)
    torch.testing.assert_close(captioner.log_likelihood(seen[2:4], TEXTS), wanted[2:4])


def test_nothing_is_asked_of_no_text(path: Path, frames: torch.Tensor) -> None:
    captioner = CheckpointCaptioner(load_learner(path), "c.ckpt")
    assert captioner.log_likelihood(captioner.encode(frames), []).shape == (5, 0)


def test_its_name_changes_with_its_weights(path: Path) -> None:
    learner = load_learner(path)
    before = CheckpointCaptioner(learner, "c.ckpt").name
    assert before.startswith("c.ckpt:")
    assert CheckpointCaptioner(load_learner(path), "c.ckpt").name == before
    next(learner.parameters()).data += 1
    assert CheckpointCaptioner(learner, "c.ckpt").name != before


def test_an_encoder_that_takes_no_pictures_is_shown_one_several_times(
    path: Path, frames: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = load_learner(path)
    clips, length = as_clips(learner, frames)
    assert clips.shape == (5, 1, 3, 16, 16)
    monkeypatch.setattr(learner.video_encoder, "accepts", lambda num_frames, _: num_frames == 2)
    clips, length = as_clips(learner, frames)
    assert clips.shape == (5, 2, 3, 16, 16)
    assert length.tolist() == [2] * 5
    assert torch.equal(clips[:, 1], frames)


def test_a_model_that_does_not_write_is_refused(tmp_path: Path) -> None:
    learner = load_learner(aligner_checkpoint(tmp_path / "a.ckpt"))
    with pytest.raises(ArgumentError, match=r"a.ckpt is a model with the head S2DTW, which does n"):
        CheckpointCaptioner(learner, "a.ckpt")


def test_a_model_of_stored_features_is_refused() -> None:
    head = CaptioningDecoder(TextDecoder(width=8, heads=2))
    learner = VideoTextLearner(CachedFeatures(input_dim=4, dim=8), None, head)
    with pytest.raises(ArgumentError, match="reads stored features"):
        CheckpointCaptioner(learner, "c.ckpt")
