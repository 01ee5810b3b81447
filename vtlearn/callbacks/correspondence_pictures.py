"""Draw now and then how well training captions match their clips, by the head."""

import logging
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from typing_extensions import override

from vtlearn.batch import collate
from vtlearn.callbacks.pictures import keep_picture
from vtlearn.checks import require_positive
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datasets.base import Corpus
from vtlearn.datasets.fixed_samples import fixed_samples
from vtlearn.heads.base import Aligner
from vtlearn.learner import VideoTextLearner
from vtlearn.plotting import MatchedPair, draw_match_histogram, draw_pairs
from vtlearn.run_folder import run_folder

__all__ = ["CorrespondencePictures"]

_LOG = logging.getLogger(__name__)
_SHOWN = 16  # best pairs, and worst ones
_TOGETHER = 16  # samples that are read at once


class CorrespondencePictures(Callback):
    """Draw how well some training captions match their clips, after validation.

    A histogram of the sigmoid of the head's ``match``, and the best and the worst pairs, go to
    ``correspondence/`` in the run's folder and, where there is one, to TensorBoard. Where the data
    know which captions are about their clips, these are told apart. The pairs and their moments are
    a function of the data's seed, the same in each picture.

    Args:
        every_n_validations: How many validations lie between two pictures; 0 for none.
        num_pairs: Pairs in the histogram.

    Raises:
        ArgumentError: If ``num_pairs`` is not positive.
    """

    def __init__(self, every_n_validations: int = 1, num_pairs: int = 512) -> None:
        require_positive(num_pairs=num_pairs)
        self.every_n_validations = every_n_validations
        self.num_pairs = num_pairs
        self._validations = 0

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw, when it is time."""
        if trainer.sanity_checking or not self.every_n_validations:
            return
        if self._validations % self.every_n_validations == 0:
            # every process asks for the folder, because they agree on it by talking
            folder = run_folder(trainer) / "correspondence"
            if trainer.is_global_zero:
                self._draw(trainer, pl_module, folder)
        self._validations += 1

    def _draw(self, trainer: Trainer, learner: LightningModule, folder: Path) -> None:
        data = getattr(trainer, "datamodule", None)
        if not (isinstance(learner, VideoTextLearner) and isinstance(data, VideoTextData)):
            return
        aligner, corpus = learner.head.aligner, data.train_dataset()
        if aligner is None or learner.text_encoder is None or not isinstance(corpus, Corpus):
            if self._validations == 0:
                _LOG.info("no pictures of correspondence: no texts are compared, or data streamed")
            return
        scored = _pairs(learner, aligner, corpus, data.matches(), data.evaluation_chunk)
        pairs = sorted(islice(scored, self.num_pairs), key=lambda pair: pair.match)
        if not pairs:
            return
        title = f"{len(pairs)} training pairs, epoch {trainer.current_epoch}"
        shown = min(_SHOWN, max(1, len(pairs) // 2))  # none twice
        groups = {"best": pairs[: -shown - 1 : -1], "worst": pairs[:shown]}
        drawn = {
            "histogram": draw_match_histogram(pairs, title=title),
            "pairs": draw_pairs(groups, title=title),
        }
        for kind, figure in drawn.items():
            path = folder / f"epoch-{trainer.current_epoch:03d}-{kind}.png"
            keep_picture(trainer, figure, path, f"correspondence/{kind}")


def _pairs(
    learner: VideoTextLearner,
    aligner: Aligner,
    corpus: Corpus,
    matches: Mapping[str, bool],
    chunk: int,
) -> Iterator[MatchedPair]:
    """Score the clips of samples with their texts, in validation: without gradients."""
    samples = fixed_samples(corpus)
    while some := list(islice(samples, _TOGETHER)):
        batch = collate(some)
        parts = zip(batch.clips.split(chunk), batch.frame_length.split(chunk), strict=True)
        encoded = [
            learner.predict_step(batch._replace(clips=clips, frame_length=length), 0)
            for clips, length in parts
        ]
        clips = iter(aligner.embed(torch.cat(encoded)))
        texts = iter(learner.encode_text(batch.texts))
        for sample in some:
            own_clips = list(islice(clips, len(sample.clips)))
            own_texts = list(islice(texts, len(sample.texts)))[:: sample.candidates]
            captions = sample.texts[:: sample.candidates]
            middle = (sample.frame_length // 2).tolist()
            paired = zip(sample.clips, middle, captions, own_clips, own_texts, strict=False)
            for frames, frame, caption, clip, text in paired:
                logit = aligner.match(clip, text[None])
                # a copy, or all frames of all clips are kept
                shown = frames[frame].clone() if frames.ndim == 4 else None
                p, known = logit.sigmoid().item(), matches.get(sample.id)
                yield MatchedPair(caption, p, shown, known)
