from collections.abc import Sequence

import pytest
from pytorch_lightning import Trainer
from torch import Tensor

from tests.models import tiny_learner
from vtlearn.errors import ArgumentError
from vtlearn.evaluation import EvaluationTask, Retrieval
from vtlearn.evaluation.result import Coverage, Result
from vtlearn.heads import MILNCE
from vtlearn.scoring import _is_partial, encoded_for, ids_of, make_evaluator, named_figures


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
    assert _is_partial(trainer) is part


def test_the_first_protocol_has_the_primary_figure() -> None:
    protocols = [Retrieval(name, 1, ["v"], {"t": ["v"]}, windows="whole") for name in ("a", "b")]
    tasks = [EvaluationTask(protocols, [], batch_size=1)]
    results = [
        Result(
            name, 1, "exact", "cosine", "whole", "R", {"R": value, "n": 1.0}, {},
            Coverage(1, 1, []), "x", expected_sha256=f"ids of {name}",
        )
        for name, value in (("b", 2.0), ("a", 3.0))
    ]  # fmt: skip
    figures, primary = named_figures(results, tasks, "val")
    assert figures == {"val/b/R": 2.0, "val/b/n": 1.0, "val/a/R": 3.0, "val/a/n": 1.0}
    assert primary == {"val/primary": 3.0}
    assert named_figures([], [], "val") == ({}, {})
    assert ids_of(results) == {"ids of a", "ids of b"}
