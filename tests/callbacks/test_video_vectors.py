from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.plugins import Precision

from tests.conftest import SMALL
from tests.models import tiny_kitchen, tiny_learner
from tests.processes import Pool
from vtlearn.batch import collate
from vtlearn.callbacks.video_vectors import SampleEncoder
from vtlearn.datasets.base import Corpus, SampleKey
from vtlearn.encoders.video import TinyVideo
from vtlearn.errors import ArgumentError
from vtlearn.heads import CaptioningDecoder, InfoNCE, TextDecoder
from vtlearn.learner import VideoTextLearner


def learner(*, normalize: bool = True) -> VideoTextLearner:
    torch.manual_seed(0)
    model = tiny_learner(InfoNCE(normalize=normalize))
    assert model.text_encoder is not None
    model.text_encoder.build(["chop the carrot", "stir the onion in the pan", "wash it"])
    return model


def encoded(model: LightningModule, root: Path, epoch: int, **options: Any) -> torch.Tensor:
    data = tiny_kitchen(root, SMALL, evaluation_batch_size=3, **options)
    corpus = data.train_dataset()
    assert isinstance(corpus, Corpus)
    return SampleEncoder(model, data, Precision()).encode(corpus, epoch)


@pytest.mark.parametrize("normalize", [True, False])
def test_a_vector_is_the_mean_over_clips_of_clip_and_text(
    normalize: bool, kitchen_root: Path
) -> None:
    model = learner(normalize=normalize)
    corpus = tiny_kitchen(kitchen_root, SMALL).train_dataset()
    assert isinstance(corpus, Corpus)
    vectors = encoded(model, kitchen_root, epoch=3)
    assert vectors.shape == (8, 8)
    for video, vector in enumerate(vectors):
        sample = corpus[SampleKey(3, video)]
        with torch.no_grad():
            clips = model.eval().predict_step(collate([sample]), 0)
            if normalize:
                clips = torch.nn.functional.normalize(clips, dim=-1)
            pairs = (clips + model.encode_text(sample.texts)) / 2
        torch.testing.assert_close(vector, pairs.mean(0))


def test_another_epoch_has_other_samples(kitchen_root: Path) -> None:
    assert not torch.equal(*(encoded(learner(), kitchen_root, epoch) for epoch in (0, 1)))


@pytest.mark.parametrize("training", [True, False])
def test_training_goes_on_as_if_nothing_had_been_encoded(
    training: bool, kitchen_root: Path
) -> None:
    model = learner().train(training)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    encoded(model, kitchen_root, epoch=0)
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training is training
    assert model.video_encoder.training is training
    assert torch.is_grad_enabled()


def test_workers_change_nothing(kitchen_root: Path) -> None:
    alone, helped = (encoded(learner(), kitchen_root, 0, num_workers=n) for n in (0, 1))
    assert torch.equal(alone, helped)


def encoded_by_process(root: str) -> torch.Tensor:
    return encoded(learner(), Path(root), epoch=0)


def test_processes_encode_together_what_one_encodes(
    kitchen_root: Path, two_processes: Pool
) -> None:
    alone = encoded_by_process(str(kitchen_root))
    for vectors in two_processes.run(encoded_by_process, str(kitchen_root)):
        # not to the last bit: a process may have another number of threads
        torch.testing.assert_close(vectors, alone)


def test_a_model_that_compares_no_texts_is_refused(kitchen_root: Path) -> None:
    video = TinyVideo(dim=8, num_frames=2, size=16, width=4, patches=True)
    head = CaptioningDecoder(TextDecoder(width=8, heads=2))
    for model in (VideoTextLearner(video, None, head), LightningModule()):
        with pytest.raises(ArgumentError, match="clips and texts that a head compares"):
            encoded(model, kitchen_root, epoch=0)
