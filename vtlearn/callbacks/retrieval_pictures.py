"""Draw now and then which validation clips some texts find."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from pytorch_lightning import Trainer
from torch import Tensor
from typing_extensions import override

from vtlearn.batch import collate
from vtlearn.callbacks.pictures import ValidationPictures, keep_picture
from vtlearn.checks import require_positive
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datamodules.retrieval import RetrievalExample, retrieval_examples
from vtlearn.heads.base import Aligner
from vtlearn.learner import VideoTextLearner
from vtlearn.plotting import draw_retrieval_matrix

__all__ = ["RetrievalPictures"]

_LOG = logging.getLogger(__name__)


class RetrievalPictures(ValidationPictures):
    """Draw how well some validation texts fit some clips, and which each finds, after validation.

    Pictures go to ``retrieval/`` in the run's folder and, where there is one, to TensorBoard: a
    matrix of texts and clips, with the right clips, wrong ones that are found first, and ranks
    among the clips shown. These are a function of the data's seed, the same in each picture, and
    read anew for it. A head that compares no texts, or data whose retrieval is not validated, have
    none.

    Args:
        every_n_validations: How many validations lie between two pictures; 0 for none.
        num_pairs: How many texts and clips are shown.

    Raises:
        ArgumentError: If ``num_pairs`` is not positive.
    """

    folder = "retrieval"

    def __init__(self, every_n_validations: int = 1, num_pairs: int = 24) -> None:
        require_positive(num_pairs=num_pairs)
        super().__init__(every_n_validations)
        self.num_pairs = num_pairs

    @override
    def _draw(
        self, trainer: Trainer, learner: VideoTextLearner, data: VideoTextData, path: Path
    ) -> None:
        aligner = learner.head.aligner
        compares = aligner is not None and learner.text_encoder is not None
        examples = retrieval_examples(data, self.num_pairs) if compares else []
        if aligner is None or not examples:
            if self._validations == 0:
                _LOG.info("no pictures of retrieval: no texts are compared, or find clips")
            return
        ids = [example.sample.id for example in examples]
        figure = draw_retrieval_matrix(
            _similarity(learner, aligner, examples),
            [example.sample.texts[0] for example in examples],
            relevant=_positions(ids, [example.right for example in examples]),
            clips=ids,
            title=f"validation, epoch {trainer.current_epoch}",
        )
        keep_picture(trainer, figure, path, "retrieval")


def _similarity(
    learner: VideoTextLearner, aligner: Aligner, examples: Sequence[RetrievalExample]
) -> Tensor:
    """Match each clip with the texts of all: (texts, clips)."""
    texts = learner.encode_text([example.sample.texts[0] for example in examples])
    columns = []
    for example in examples:  # one by one, which takes little memory
        windows = aligner.embed(learner.predict_step(collate([example.sample]), 0))
        columns.append(aligner.match(aligner.embed(windows.mean(0)), texts))
    return torch.stack(columns, 1)


def _positions(ids: Sequence[str], right: Sequence[frozenset[str]]) -> Tensor:
    """Find the columns of the clips that each text may find, padded with -1."""
    rows = [[column for column, clip in enumerate(ids) if clip in found] for found in right]
    most = max(map(len, rows))
    return torch.tensor([row + [-1] * (most - len(row)) for row in rows])
