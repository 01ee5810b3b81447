"""Draw now and then how well training captions match their clips, by the head."""

import logging
from itertools import islice
from pathlib import Path

from pytorch_lightning import Trainer
from typing_extensions import override

from vtlearn.callbacks.matched_pairs import score_pairs, write_pairs
from vtlearn.callbacks.pictures import ValidationPictures, keep_picture
from vtlearn.checks import require_positive
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datasets.base import Corpus
from vtlearn.learner import VideoTextLearner
from vtlearn.plotting import draw_match_histogram, draw_pairs

__all__ = ["CorrespondencePictures"]

_LOG = logging.getLogger(__name__)
_SHOWN = 16  # best pairs, and worst ones


class CorrespondencePictures(ValidationPictures):
    """Draw how well some training captions match their clips, after validation.

    A histogram of p, the sigmoid of the head's ``match``, and the best and the worst pairs, go to
    ``correspondence/`` in the run's folder and, where there is one, to TensorBoard; all pairs, the
    worst first, to a csv beside them (``id``, ``caption``, ``p``, ``matches``). Where the data know
    which captions are about their clips, these are told apart. The pairs and their moments are a
    function of the data's seed, the same in each picture, and shown as they are trained on, cropped
    and mirrored. Stored features cannot be shown.

    Args:
        every_n_validations: How many validations lie between two pictures; 0 for none.
        num_pairs: How many pairs are scored.

    Raises:
        ArgumentError: If ``num_pairs`` is not positive.
    """

    folder = "correspondence"

    def __init__(self, every_n_validations: int = 1, num_pairs: int = 512) -> None:
        require_positive(num_pairs=num_pairs)
        super().__init__(every_n_validations)
        self.num_pairs = num_pairs

    @override
    def _draw(
        self, trainer: Trainer, learner: VideoTextLearner, data: VideoTextData, path: Path
    ) -> None:
        aligner, corpus = learner.head.aligner, data.train_dataset()
        if aligner is None or learner.text_encoder is None or not isinstance(corpus, Corpus):
            if self._validations == 0:
                _LOG.info("no pictures of correspondence: no texts are compared, or data streamed")
            return
        scored = score_pairs(learner, aligner, corpus, data.matches(), data.evaluation_chunk)
        pairs = sorted(islice(scored, self.num_pairs), key=lambda pair: pair.match)
        if not pairs:
            return
        title = f"{len(pairs)} training pairs, epoch {trainer.current_epoch}"
        drawn = {"histogram": draw_match_histogram(pairs, title=title)}
        if pairs[0].frame is not None:
            shown = min(_SHOWN, max(1, len(pairs) // 2))  # none twice
            groups = {"best": pairs[: -shown - 1 : -1], "worst": pairs[:shown]}
            drawn["pairs"] = draw_pairs(groups, title=title)
        for kind, figure in drawn.items():
            file = path.with_stem(f"{path.stem}-{kind}")
            keep_picture(trainer, figure, file, f"correspondence/{kind}")
        write_pairs(path.with_name(f"{path.stem}-pairs.csv"), pairs)
