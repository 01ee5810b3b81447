import logging
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.evaluation.videos import add_features, labelled, random_features
from tests.processes import Pool
from vtlearn.distributed import process
from vtlearn.errors import ArgumentError, EvaluationError, MissingPackageError
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.evaluator import EvaluationTask, Evaluator
from vtlearn.evaluation.labelled import LabelledSplits
from vtlearn.evaluation.neighbours import NeighbourRetrieval
from vtlearn.evaluation.probing import LinearProbe
from vtlearn.evaluation.result import Result
from vtlearn.evaluation.results import write_results

sklearn = pytest.importorskip("sklearn")


def probe(videos: LabelledSplits) -> LinearProbe:
    return LinearProbe("few-linear", 1, videos, windows="three")


def score(videos: LabelledSplits, features: Mapping[str, Tensor]) -> Result:
    one = probe(videos)
    add_features(one, features)
    return one.result()


def test_perfect_features_are_told_right_and_equal_ones_at_chance() -> None:
    videos = labelled()
    perfect = score(videos, random_features(videos, apart=100.0))
    assert set(perfect.metrics.values()) == {100.0}
    assert perfect.coverage.complete
    assert (perfect.similarity, perfect.notes) == ("none", [])
    assert perfect.settings["classifier"] == "LinearSVC(C=100, random_state=0)"
    assert "pooling" not in perfect.settings
    constant = score(videos, dict.fromkeys(videos.labels, torch.ones(3, 8)))
    assert constant.metrics["top1"] == pytest.approx(25.0)


def test_random_features_are_at_chance() -> None:
    videos = labelled(classes=4, each=60)
    result = score(videos, random_features(videos, apart=0.0, windows=1))
    chance = result.chance["top1"]
    assert chance.low <= result.metrics["top1"] <= chance.high


@pytest.mark.parametrize("classes", [2, 4])
def test_figures_are_those_of_scikit_learn(classes: int) -> None:
    from sklearn.svm import LinearSVC

    videos = labelled(classes)
    features = random_features(videos, apart=1.0)
    shares = []
    for train, test in zip(videos.train, videos.test, strict=True):
        rows = [(row, videos.labels[one]) for one in sorted(train) for row in features[one]]
        samples, labels = zip(*rows, strict=True)
        model = LinearSVC(C=100, random_state=0)
        model.fit(np.stack(samples).astype(np.float64), labels)
        hits = []
        for one in test:
            values = model.decision_function(features[one].numpy().astype(np.float64)).sum(0)
            best = int(values.argmax()) if classes > 2 else int(values > 0)
            hits.append(model.classes_[best] == videos.labels[one])
        shares.append(100 * np.mean(hits))
    metrics = score(videos, features).metrics
    assert [metrics[f"top1_split{n}"] for n in (1, 2, 3)] == pytest.approx(shares)
    assert metrics["top1"] == pytest.approx(np.mean(shares))
    assert 100 / classes < metrics["top1"] < 100


def test_each_fit_is_told_before_it_begins(caplog: pytest.LogCaptureFixture) -> None:
    videos = labelled()
    with caplog.at_level(logging.INFO, "vtlearn"):
        score(videos, random_features(videos, apart=100.0))
    assert caplog.messages == [f"few-linear: fitting split {n} of 3" for n in (1, 2, 3)]


def test_a_solver_that_does_not_converge_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Hasty(sklearn.svm.LinearSVC):  # type: ignore[misc,name-defined]
        def __init__(self, C: float = 1.0, random_state: int = 0) -> None:  # noqa: N803
            super().__init__(C=C, random_state=random_state, max_iter=1)

    monkeypatch.setattr("sklearn.svm.LinearSVC", Hasty)
    videos = labelled()
    result = score(videos, random_features(videos, apart=1.0))
    assert [note[:56] for note in result.notes] == [
        f"the classifier of split {n} did not converge in 1 iterations"[:56] for n in (1, 2, 3)
    ]
    assert "split 3 did not converge" in caplog.text


def test_what_is_kept_is_a_small_copy() -> None:
    videos = labelled()
    batch = torch.ones(100, 3, 8, dtype=torch.float64)
    kept = probe(videos).update(EncodedItem("0/0", features=batch[0]))
    assert kept.dtype == np.float32
    assert kept.shape == (3, 8)
    assert kept.base is None or kept.base.nbytes == kept.nbytes


def test_training_videos_of_one_class_are_refused() -> None:
    videos = labelled()
    features = random_features(videos, apart=1.0)
    one = probe(videos)
    one.begin()
    for video in ("0/0", "0/1", "0/2"):
        one.add(EncodedItem(video, features=features[video]))
    with pytest.raises(EvaluationError, match="split 1 that came are of 1 classes"):
        one.result()


def test_without_scikit_learn_the_extra_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingPackageError, match=r"A linear probe needs .*vtlearn\[eval\]"):
        probe(labelled())


def evaluator_of(*, tokens: bool = True) -> Evaluator:
    videos = labelled()
    protocols = [probe(videos), NeighbourRetrieval("few-nn", 1, videos, windows="three")]
    for protocol in protocols:
        protocol.left_out_by = "data.init_args.protocols=[zeroshot]"
    return Evaluator([EvaluationTask(protocols, [], 1)], embed=None, tokens=tokens)


def test_an_encoder_without_tokens_is_told_what_to_do() -> None:
    with pytest.raises(ArgumentError) as caught:
        evaluator_of(tokens=False)
    assert str(caught.value) == (
        "LinearProbe (few-linear@1) needs features, and the video encoder gives no tokens: choose "
        "another model.video_encoder, or leave it out: data.init_args.protocols=[zeroshot]"
    )


def dealt(folder: Path, world: int) -> None:
    evaluator = evaluator_of()
    features = random_features(labelled(), apart=1.0)
    evaluator.begin()
    for one in list(features)[process().rank :: world]:
        evaluator.update(0, [EncodedItem(one, features=features[one])])
    results = evaluator.compute()
    if process().rank == 0:
        path = folder / f"{world}.json"
        write_results(path, results, checkpoint=None, dtype=None, world_size=1)


@pytest.mark.ddp
def test_two_processes_write_the_results_of_one(two_processes: Pool, tmp_path: Path) -> None:
    dealt(tmp_path, 1)
    two_processes.run(dealt, tmp_path, 2)
    alone = (tmp_path / "1.json").read_bytes()
    assert b"few-linear" in alone
    assert (tmp_path / "2.json").read_bytes() == alone
