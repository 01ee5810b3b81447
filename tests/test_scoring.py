from collections.abc import Sequence

import pytest
from pytorch_lightning import Trainer
from torch import Tensor

from tests.models import tiny_learner
from vtlearn.errors import ArgumentError
from vtlearn.evaluation import EvaluationTask, Retrieval
from vtlearn.heads import MILNCE
from vtlearn.scoring import encoded_for, is_partial, make_evaluator


def test_vectors_are_compared_as_the_head_compares_them() -> None:
    learner = tiny_learner(MILNCE(normalize=False))
    pairs = Retrieval("pairs", 1, ["v"], {"t": ["v"]}, windows="whole")
    task = EvaluationTask([pairs], [], batch_size=1)
    head, encoder = learner.head, learner.video_encoder

    def encode(texts: Sequence[str], max_words: int | None) -> Tensor:
        assert max_words is None
        return learner.encode_text(texts)

    assert make_evaluator([task], head, encoder, encode, 0).similarity == "dot"
    with pytest.raises(ArgumentError, match=r"Retrieval \(pairs@1\) needs the items' texts"):
        make_evaluator([task], head, encoder, None, 0)


def test_only_what_protocols_need_is_encoded() -> None:
    assert encoded_for(frozenset({"caption"})) == frozenset()
    assert encoded_for(frozenset({"features"})) == {"video_tokens"}
    assert encoded_for(frozenset({"match"})) == {"video_pooled", "text_pooled"}


@pytest.mark.parametrize(("limit", "part"), [(1.0, False), (0.5, True), (1, True), (3, True)])
def test_one_batch_is_a_part_and_a_whole_share_is_not(limit: float, part: bool) -> None:
    trainer = Trainer(accelerator="cpu", logger=False, limit_val_batches=limit)
    assert is_partial(trainer) is part
