from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.pseudolabel.models import (
    TEXTS,
    Brightness,
    aligner_checkpoint,
    blip_folder,
    captioner_checkpoint,
    clip_folder,
)
from tests.pseudolabel.test_captioner import Mute
from vtlearn.batch import Sample, collate
from vtlearn.checkpoints import load_learner
from vtlearn.errors import ArgumentError
from vtlearn.pseudolabel.checkpoint import CheckpointCaptioner
from vtlearn.pseudolabel.scorers import (
    CaptionedWindow,
    LiftScorer,
    MatchScorer,
    References,
    open_clip,
    resized,
)

WINDOWS = [
    CaptionedWindow("a", slice(0, 3), TEXTS[:2]),
    CaptionedWindow("r3", slice(3, 4), [TEXTS[2]]),
    CaptionedWindow("b", slice(4, 6), []),
]


def pictures(count: int, size: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator)


def levels(*values: int) -> Tensor:
    return torch.stack([torch.full((3, 8, 8), 16 * value, dtype=torch.uint8) for value in values])


def test_lift_is_likelihood_here_less_that_elsewhere() -> None:
    references = References(["r", "s"], levels(2, 8))
    scorer = LiftScorer(Brightness(), references)
    texts = ["a room of brightness 5", "a room of brightness 2"]
    windows = [CaptionedWindow("v", slice(0, 2), texts), CaptionedWindow("r", slice(2, 3), texts)]
    frames = levels(5, 3, 2)
    found = scorer.scores(frames, Brightness().encode(frames), windows)
    # of 5 and 2 given 5, 3: -1 and -2; given the references 2 and 8: -3 and -3
    torch.testing.assert_close(found[0], torch.tensor([2.0, 1.0]).double())
    # of the video r itself, only s counts
    torch.testing.assert_close(found[1], torch.tensor([-3.0 + 3, 0.0 + 6]).double())


def test_lift_of_a_checkpoint_is_that_of_its_likelihoods(tmp_path: Path) -> None:
    captioner = CheckpointCaptioner(
        load_learner(captioner_checkpoint(tmp_path / "c.ckpt")), "c.ckpt"
    )
    references = References([f"r{k}" for k in range(17)], pictures(17, 16, seed=1))
    frames = pictures(6, 16)
    found = LiftScorer(captioner, references).scores(frames, captioner.encode(frames), WINDOWS)
    for (video_id, some, texts), scores in zip(WINDOWS, found, strict=True):
        assert scores.shape == (len(texts),)
        others = [k for k in range(17) if f"r{k}" != video_id][:16]
        for text, score in zip(texts, scores.tolist(), strict=True):
            here = captioner.log_likelihood(captioner.encode(frames[some]), [text])
            there = captioner.log_likelihood(captioner.encode(references.frames[others]), [text])
            assert score == pytest.approx(float(here.mean() - there.mean()), abs=1e-5)


def test_each_video_is_compared_with_16_others() -> None:
    references = References([f"r{k}" for k in range(17)], torch.zeros(17, 3, 8, 8))
    assert references.others("r3") == [*range(3), *range(4, 17)]
    assert references.others("another") == references.others("r16") == list(range(16))


def test_what_cannot_tell_how_likely_a_text_is_needs_another_scorer() -> None:
    with pytest.raises(ArgumentError, match=r"mute does not say how likely .* match:CHECKPOINT or"):
        LiftScorer(Mute(), References(["a", "b"], torch.zeros(2, 3, 4, 4, dtype=torch.uint8)))


class Sideways(Brightness):
    """Returns (texts, pictures)."""

    def log_likelihood(self, frames: Tensor, texts: Sequence[str]) -> Tensor:
        return super().log_likelihood(frames, texts).T


def test_likelihoods_of_another_shape_are_refused() -> None:
    scorer = LiftScorer(Sideways(), References(["r", "s", "t"], levels(2, 8, 9)))
    texts = ["a room of brightness 5", "a room of brightness 2"]
    with pytest.raises(
        ArgumentError, match=r"Sideways.log_likelihood.* here \(3, 2\), got shape \(2, 3\)"
    ):
        scorer.scores(levels(5), levels(5), [CaptionedWindow("v", slice(0, 1), texts)])


def test_one_video_cannot_be_compared_with_others() -> None:
    with pytest.raises(ArgumentError, match="fewer than two can be read: give more videos"):
        LiftScorer(Brightness(), References(["a"], levels(1)))


def test_match_is_that_of_the_aligner(tmp_path: Path) -> None:
    learner = load_learner(aligner_checkpoint(tmp_path / "a.ckpt"))
    scorer = MatchScorer(learner, "a.ckpt")
    frames = pictures(6, 16)
    found = scorer.scores(frames, None, WINDOWS)
    aligner = learner.head.aligner
    assert aligner is not None
    for (_, some, texts), scores in zip(WINDOWS, found, strict=True):
        clips = frames[some][:, None]
        sample = Sample.of("v", clips, [0.0] * len(clips), 1.0, texts=texts)
        with torch.no_grad():
            batch = learner.encode(collate([sample]))
            pooled, read = batch.video.pooled[0], batch.text.pooled[0, :, 0]
            wanted = [aligner.match(clip, read) for clip in pooled]
        torch.testing.assert_close(scores, torch.stack(wanted).mean(0))


def test_a_model_that_does_not_compare_cannot_match(tmp_path: Path) -> None:
    learner = load_learner(captioner_checkpoint(tmp_path / "c.ckpt"))
    with pytest.raises(ArgumentError, match=r"scorer=match:c.ckpt: CaptioningDecoder compares no"):
        MatchScorer(learner, "c.ckpt")


def test_clip_is_a_mean_of_cosines(tmp_path: Path) -> None:
    scorer = open_clip(str(clip_folder(tmp_path / "clip")), torch.device("cpu"))
    assert scorer.name.startswith("clip:clip:")
    frames = pictures(6, 32)
    found = scorer.scores(frames, None, WINDOWS)
    model, tokenizer = scorer._model, scorer._tokenizer
    for (_, some, texts), scores in zip(WINDOWS, found, strict=True):
        assert scores.shape == (len(texts),)
        for text, score in zip(texts, scores.tolist(), strict=True):
            ids = tokenizer([text], return_tensors="pt").input_ids
            with torch.no_grad():
                output = model(pixel_values=scorer._pixels(frames[some]), input_ids=ids)
            cosine = functional.cosine_similarity(output.image_embeds, output.text_embeds)
            assert score == pytest.approx(float(cosine.mean()), abs=1e-5)


def test_another_model_is_no_clip(tmp_path: Path) -> None:
    folder = blip_folder(tmp_path / "blip")
    with pytest.raises(ArgumentError, match=r"scorer: .* are of model type blip, expected clip"):
        open_clip(str(folder), torch.device("cpu"))
    with pytest.raises(
        ArgumentError, match=r"scorer: './no' is .*, preprocessor_config\.json, tok"
    ):
        open_clip("./no", torch.device("cpu"))


def test_frames_are_scaled_to_what_a_scorer_reads() -> None:
    frames = pictures(2, 32)
    assert resized(frames, 32) is frames
    assert resized(frames, 16).shape == (2, 3, 16, 16)
    assert resized(frames, 16).dtype == torch.uint8
