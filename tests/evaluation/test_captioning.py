import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.processes import Pool
from vtlearn.batch import EncodedBatch, Own
from vtlearn.distributed import process
from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation import captioning
from vtlearn.evaluation.captioning import Captioning
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.evaluator import EvaluationTask, Evaluator
from vtlearn.evaluation.metrics.bleu import bleu_counts, bleu_of
from vtlearn.evaluation.metrics.cider import cider_d
from vtlearn.evaluation.metrics.ptb import tokenize
from vtlearn.evaluation.metrics.rouge import rouge_l
from vtlearn.evaluation.result import Result
from vtlearn.evaluation.results import publish, remarks, results_table

FOODS = ("carrot", "onion", "egg", "cake", "fish", "apple")
DONE = ("chops", "fries", "bakes")
REFERENCES = {
    f"{food}:{number}": [f"a person {does} the {food}", f"a cook {does} some {food}, slowly"]
    for food in FOODS
    for number, does in enumerate(DONE)
}


@pytest.fixture(autouse=True)
def no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captioning, "why_no_meteor", lambda: "there is no Java")


def protocol(references: Mapping[str, Sequence[str]] = REFERENCES) -> Captioning:
    return Captioning("few-caption", 1, references, windows="one")


def score(
    captions: Mapping[str, str], references: Mapping[str, Sequence[str]] = REFERENCES
) -> Result:
    one = protocol(references)
    one.begin()
    for item, caption in captions.items():
        one.add(EncodedItem(item, captions=[caption]))
    return one.result()


def of_another_food(seed: int = 0) -> dict[str, str]:
    """Right of what is done; of the food right only now and then."""
    rng = np.random.default_rng(seed)
    return {
        item: f"A person {DONE[int(item[-1])]} the {FOODS[rng.integers(len(FOODS))]}."
        for item in REFERENCES
    }


def test_figures_are_those_of_the_metrics_in_the_order_of_papers() -> None:
    captions = of_another_food()
    result = score(dict(reversed(captions.items())))
    words = [tokenize(captions[item]) for item in sorted(captions)]
    references = [[tokenize(text) for text in REFERENCES[item]] for item in sorted(captions)]
    assert list(result.metrics) == ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr"]
    counts = bleu_counts(words, references)
    for order in (1, 2, 3, 4):
        assert result.metrics[f"BLEU-{order}"] == bleu_of(counts, axis=0, order=order)
    assert result.metrics["ROUGE-L"] == rouge_l(words, references).mean()
    assert result.metrics["CIDEr"] == cider_d(words, references).mean()
    assert (result.primary, result.similarity) == ("CIDEr", "none")
    assert result.settings == {"references": 36}  # and no pooling: nothing is compared
    for metric, (low, high) in result.intervals.items():
        assert low < result.metrics[metric] < high
    assert list(result.captions) == sorted(captions)


def test_bleu_is_resampled_by_sums_and_not_by_means() -> None:
    captions = of_another_food()
    low, high = score(captions).intervals["BLEU-4"]
    counts = bleu_counts(
        [tokenize(captions[item]) for item in sorted(captions)],
        [[tokenize(text) for text in REFERENCES[item]] for item in sorted(captions)],
    )
    draws = np.random.default_rng(0)
    figures = [bleu_of(counts[draws.integers(18, size=18)], axis=0) for _ in range(1000)]
    assert (low, high) == pytest.approx(tuple(np.percentile(figures, [2.5, 97.5])), abs=1.5)


def test_who_writes_without_looking_is_at_chance() -> None:
    chance = score(of_another_food()).chance["CIDEr"]
    rng = np.random.default_rng(1)
    items = list(REFERENCES)
    blind = [
        score({item: REFERENCES[items[rng.integers(len(items))]][0] for item in items})
        for _ in range(4)
    ]
    assert sum(result.at_chance for result in blind) >= 3
    assert chance.low < chance.value < chance.high
    assert not score({item: texts[0] for item, texts in REFERENCES.items()}).at_chance
    assert set(blind[0].chance) == {"CIDEr"}
    assert blind[0].ceiling == {}


def test_captions_without_words_are_noted_and_below_chance() -> None:
    silent = score(dict.fromkeys(REFERENCES, " ."))
    assert silent.notes == ["not scored: there is no Java", "no caption has a word"]
    assert remarks(silent)[2].startswith("model below chance: CIDEr 0.00, and blind models' lie in")


def test_one_item_alone_has_no_chance() -> None:
    result = score({"v": "a cat"}, {"v": ["a cat", "the cat"]})
    assert result.chance == {}
    assert result.metrics["CIDEr"] == 0.0  # as published: nothing is rare among one item's words
    assert not result.at_chance


def test_an_empty_caption_counts() -> None:
    captions = {item: texts[0] for item, texts in REFERENCES.items()}
    best, worse = score(captions), score(captions | {"egg:0": ""})
    assert all(worse.metrics[metric] < best.metrics[metric] for metric in best.metrics)
    assert worse.coverage.complete


def test_meteor_stands_where_papers_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def metric(
        candidates: Sequence[str], references: Sequence[Sequence[str]]
    ) -> tuple[float, NDArray[np.float64]]:
        assert candidates[0].endswith(DONE[0] + " the " + candidates[0].split()[-1])  # no full stop
        assert references[-1][1] == "a cook bakes some onion slowly"
        return 25.0, np.linspace(0.0, 40.0, len(candidates))

    monkeypatch.setattr(captioning, "why_no_meteor", lambda: None)
    monkeypatch.setattr(captioning, "meteor", metric)
    result = score(of_another_food())
    assert list(result.metrics)[3:] == ["BLEU-4", "METEOR", "ROUGE-L", "CIDEr"]
    assert list(result.intervals) == list(result.metrics)
    low, high = result.intervals["METEOR"]
    assert result.metrics["METEOR"] == 25.0
    assert 15 < low < 25 < high < 35
    assert protocol().left_out() == ()


def test_what_cannot_run_is_told_once_and_before_anything_is_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    task = EvaluationTask([protocol()], [], 1)
    evaluator = Evaluator([task], embed=None, generate=write)
    evaluator.begin()
    assert [record.getMessage() for record in caplog.records] == [
        "not scored: METEOR of few-caption@1: there is no Java"
    ]
    evaluator.begin()
    evaluator.update(0, [EncodedItem("egg:0", captions=["an egg"])])
    evaluator.compute()
    assert len(caplog.records) == 1


def test_ids_that_are_not_expected_or_come_twice() -> None:
    with pytest.raises(EvaluationError, match="'w' is not one of the 18 that few-caption expects"):
        score({"w": "a cat"})
    one = protocol()
    one.begin()
    one.add(EncodedItem("egg:0", captions=["an egg"]))
    with pytest.raises(EvaluationError, match="'egg:0' came twice"):
        one.add(EncodedItem("egg:0", captions=["an egg"]))
    assert len(one.result().coverage.missing) == 17
    with pytest.raises(EvaluationError, match="'egg:1' has 2 windows with a caption each"):
        one.add(EncodedItem("egg:1", captions=["an egg", "another"]))


@pytest.mark.parametrize(
    ("references", "message"),
    [
        ({}, "few-caption has no items"),
        ({"v": ["a"], "w": []}, r"1 of 2 items have no list of references \(first: 'w'\)"),
        ({"v": "a cat"}, r"1 of 1 items have no list of references"),
    ],
)
def test_items_need_references(references: dict[str, list[str]], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        protocol(references)


def test_the_table_says_what_is_shown() -> None:
    title = str(results_table(score(of_another_food())).title)
    assert title == "few-caption@1  18/18 items\ntimes 100, as papers print them"


def write(batch: EncodedBatch) -> list[str]:
    captions = of_another_food()
    return [captions[item] for item in batch.own.ids]  # type: ignore[union-attr]


@patch.object(captioning, "why_no_meteor", new=lambda: "there is no Java")
def published(folder: Path, world: int) -> list[Result]:
    """Score every world-th pair of items in this process, and publish in the first."""
    evaluator = Evaluator([EvaluationTask([protocol()], [], 2)], embed=None, generate=write)
    evaluator.begin()
    items = list(REFERENCES)
    for start in range(2 * process().rank, len(items), 2 * world):
        own = items[start : start + 2]
        batch = EncodedBatch.of(
            torch.zeros(2, 1, 0),
            torch.zeros(2, 0, 0),
            own=Own(own, None, None, None, None, [[]] * 2, [[]] * 2),
        )
        evaluator.update_batch(0, batch, [(0, 1)] * 2)
    results = evaluator.compute()
    if process().rank == 0:
        publish(folder, results, checkpoint=None, precision="32-true", world_size=1)
    return results


@pytest.mark.ddp
def test_two_processes_write_what_one_does(two_processes: Pool, tmp_path: Path) -> None:
    alone = published(tmp_path / "one", 1)
    for results in two_processes.run(published, tmp_path / "two", 2):
        assert results == alone
    for name in ("results.json", "captions.json"):
        one, two = ((tmp_path / folder / name).read_text() for folder in ("one", "two"))
        assert one == two.replace(str(tmp_path / "two"), str(tmp_path / "one"))
    captions = of_another_food()
    assert json.loads((tmp_path / "one" / "captions.json").read_text()) == [
        {"image_id": item, "caption": captions[item]} for item in sorted(captions)
    ]
    assert (
        "captions" not in json.loads((tmp_path / "one" / "results.json").read_text())[0]["settings"]
    )
