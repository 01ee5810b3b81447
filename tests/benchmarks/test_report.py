"""The methods report: what it trains on, what it keeps, and what it makes of its runs."""

import importlib
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.conftest import SMALL
from vtlearn.kitchen import Narrator, read_truth
from vtlearn.media.features.reader import FeatureReader
from vtlearn.media.features.shard import StoredVideo
from vtlearn.media.features.spec import FeatureSpec
from vtlearn.media.features.store import FeatureStore

CLEAR = Narrator(shift=0.0, omitted=0.0, chatter=0.0, swapped=0.0, word_errors=0.0)


def module(name: str) -> Any:
    return importlib.import_module(name)


def outcome(hits: Sequence[float], videos: Sequence[Sequence[float]] = ((1.0, 0.0),)) -> Any:
    units = module("report_runs").Units
    alignment = units([sum(told) for told in videos], [len(told) for told in videos])
    retrieval = units(list(hits), [1] * len(hits))
    return module("report_runs").Outcome(retrieval, alignment, (0.5, 9.0), (1.0, 2.0), 3.0, 4.0)


def all_outcomes() -> dict[tuple[str, str], list[Any]]:
    arms = module("report_arms")
    keys = [*product(arms.HEADS, arms.NARRATORS), *product(arms.PARTS, arms.PARTS_AT)]
    draws = np.random.default_rng(0)
    return {key: [outcome(draws.integers(0, 2, 30).tolist()) for _ in range(2)] for key in keys}


@pytest.mark.usefixtures("scripts")
def test_another_narrator_tells_of_the_same_videos(kitchen_root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "captions"
    module("report_data").write_captions(kitchen_root, CLEAR, folder)
    truth = {key: one for key, one in read_truth(kitchen_root).items() if "_train_" in key}
    assert {path.stem for path in folder.iterdir()} == truth.keys()
    for video, known in truth.items():
        told = json.loads((folder / f"{video}.json").read_text())
        assert told["start"] == pytest.approx([step.start for step in known.steps], abs=1e-3)
        for step, text in zip(known.steps, told["text"], strict=True):
            assert step.action in text
            assert step.ingredient in text


@pytest.mark.usefixtures("scripts")
def test_a_kitchen_of_another_seed_is_refused(kitchen_root: Path, tmp_path: Path) -> None:
    content = json.loads((kitchen_root / "steps.json").read_text())
    content["kitchen_train_0003"]["steps"][0]["action"] = "juggle"
    (tmp_path / "steps.json").write_text(json.dumps(content))
    with pytest.raises(RuntimeError, match="other steps in kitchen_train_0003"):
        module("report_data").write_captions(tmp_path, CLEAR, tmp_path / "captions")
    assert not (tmp_path / "captions").exists()


@pytest.mark.usefixtures("scripts")
def test_narrators_are_trained_on_and_not_tested_on(kitchen_root: Path, tmp_path: Path) -> None:
    data, folder = module("report_data"), tmp_path / "captions"
    data.write_captions(kitchen_root, CLEAR, folder)
    opened = data.NarratedKitchen(kitchen_root, narration=folder, **SMALL)
    opened.reading = opened.reading.completed(num_frames=8, size=32)
    trained = list(opened.train_dataset().texts())
    steps = [len(one.steps) for key, one in read_truth(kitchen_root).items() if "_train_" in key]
    assert len(trained) == sum(steps)  # nothing is left out, and nothing is chatter
    asked = [text for item in opened.tasks("test")[1].items.items for text in item.texts]
    said = [
        text
        for path in sorted((kitchen_root / "captions").glob("kitchen_test_*.json"))
        for text in json.loads(path.read_text())["text"]
    ]
    assert set(asked) <= set(said)
    assert opened.tasks("test")[1].protocols[0] is opened.tasks("test")[1].protocols[0]


@pytest.mark.usefixtures("scripts")
def test_vectors_in_memory_are_those_of_the_store(tmp_path: Path) -> None:
    spec = FeatureSpec(
        *("S3D", "0" * 64, 3, 2.0, 0.5, 2.0, 8, None, 64, (0, 0, 0), (1, 1, 1)),
        l2_norm=False,
        dtype="float32",
    )
    store = FeatureStore(tmp_path, spec, ["a", "b"])
    stored = {name: StoredVideo(torch.randn(9, 3), 4.4) for name in "ab"}
    store.write(0, stored, {})
    starts = np.array([0.0, 0.26, 1.9, 4.2, 11.0])
    for name in ("a", "b.mp4"):
        expected, found = (
            reader.clips(name, starts, num_frames=4, fps=2.0, size=3)
            for reader in (FeatureReader(tmp_path), module("report_data").MemoryReader(tmp_path))
        )
        assert torch.equal(found.frames, expected.frames)
        assert torch.equal(found.valid, expected.valid)


@pytest.mark.usefixtures("scripts")
def test_an_interrupted_report_resumes(tmp_path: Path) -> None:
    runs, path = module("report_runs"), tmp_path / "runs" / "runs.jsonl"
    jobs = [runs.Job("S2DTW", "shift 4", 0.1, seed, "test", 216, "abc") for seed in range(3)]
    log = runs.Log(path)
    log.add_stage("encoder", 120.0, 60.0)
    for job in jobs[:2]:
        log.add(job, outcome([1.0, 0.0]))
    whole = path.read_text()
    path.write_text(whole[:-20])  # cut off within the second run
    resumed = runs.Log(path)
    assert resumed.stages == [("encoder", 120.0, 60.0)]
    assert resumed.outcomes == {jobs[0]: outcome([1.0, 0.0])}
    resumed.add(jobs[2], outcome([1.0, 1.0]))
    again = runs.Log(path)
    assert list(again.outcomes) == [jobs[0], jobs[2]]
    assert again.outcomes[jobs[2]].retrieval.percent == 100.0


@pytest.mark.usefixtures("scripts")
def test_what_was_done_is_not_done_again(tmp_path: Path) -> None:
    runs = module("report_runs")
    job = runs.Job("S2DTW", "shift 4", 0.1, 0, "test", 216, "abc")
    log = runs.Log(tmp_path / "runs.jsonl")
    log.add(job, outcome([1.0]))
    runs.run_all([job], None, log, 1, "Training")  # nothing is trained: there are no places


@pytest.mark.usefixtures("scripts")
def test_pairs_are_counted_as_the_protocol_counts_them() -> None:
    scores = torch.tensor([[1.0, 1.0, 0.0], [0.0, 2.0, 1.0], [3.0, 0.0, 1.0]])
    units = module("report_runs").pair_units(scores)
    assert units.hits == pytest.approx([0.5, 1.0, 0.0])  # two tie for the first
    assert units.percent == pytest.approx(50.0)


@pytest.mark.usefixtures("scripts")
def test_intervals_are_of_queries_and_seeds() -> None:
    figures = module("report_figures")
    one = [outcome([1.0, 0.0] * 50), outcome([1.0, 0.0] * 50)]
    found = figures.estimate(one, "retrieval")
    assert found.value == 50.0
    assert found.low == pytest.approx(40.0, abs=2)
    assert found.high == pytest.approx(60.0, abs=2)
    seeds = [outcome([1.0] * 100), outcome([0.0] * 100)]
    assert figures.estimate(seeds, "retrieval") == (50.0, 0.0, 100.0)


@pytest.mark.usefixtures("scripts")
def test_captions_of_a_video_are_resampled_together() -> None:
    figures = module("report_figures")
    alike = [outcome([1.0], [[1.0] * 10, [0.0] * 10] * 5)]
    apart = [outcome([1.0], [[1.0, 0.0] * 5, [0.0, 1.0] * 5] * 5)]
    assert figures.estimate(alike, "alignment").value == 50.0
    assert figures.estimate(alike, "alignment").low < 35
    assert figures.estimate(apart, "alignment") == (50.0, 50.0, 50.0)


@pytest.mark.usefixtures("scripts")
def test_heads_are_compared_on_the_same_queries() -> None:
    figures = module("report_figures")
    better = [outcome([1.0, 0.0] * 50)] * 3
    worse = [outcome([1.0, 0.0, 0.0, 0.0] * 25)] * 3  # what it finds, the other finds as well
    found = figures.difference(better, worse, "retrieval")
    assert found.value == 25.0
    assert found.sign == 1
    assert figures.difference(worse, better, "retrieval").sign == -1
    assert figures.difference(better, better, "retrieval") == (0.0, 0.0, 0.0)
    runs = {("a", "x"): worse, ("b", "x"): better, ("c", "x"): better}
    assert figures.leaders(runs, ["a", "b", "c"], "x", "retrieval") == ["b", "c"]


@pytest.mark.usefixtures("scripts")
def test_the_tables_name_all_and_say_where_the_method_loses() -> None:
    arms, tables = module("report_arms"), module("report_tables")
    runs = all_outcomes()
    for narrator in arms.NARRATORS:
        runs["S2DTW", narrator] = [outcome([1.0] * 10 + [0.0] * 20)] * 2
        runs["MIL-NCE", narrator] = [outcome([1.0] * 30)] * 2
    pixels = {key: [outcome([1.0, 0.0])] for key in product(arms.PIXEL_HEADS, arms.PIXELS_AT)}
    temperatures = dict.fromkeys(arms.ARMS, 0.1)
    costs = tables.Costs(10, {"encoder": 2.0, "trainings": 3.0}, 4.0, 2)
    text = "\n\n".join(tables.tables(runs, pixels, temperatures, costs))
    assert all(f"| {name} |" in text for name in (*arms.HEADS, *arms.PARTS))
    (verdict,) = (line for line in text.splitlines() if line.startswith("- R@1"))
    assert "MIL-NCE (everywhere)" in verdict.partition("Worse than")[2].partition(". Not")[0]
    assert "**100.0 (100-100)**" in text
    (fall,) = (
        line
        for line in text.splitlines()
        if line.startswith("| MIL-NCE | +0.0 [+0.0, +0.0] |")  # from one narrator to another
    )
    assert fall.count("|") == 2 + 2 * len(arms.SERIES)
    assert "Chance: R@1 0.5, alignment hit 9.0" in text
    assert "Processor time: 5 minutes" in text


@pytest.mark.usefixtures("scripts")
def test_the_plot_shows_every_head_in_every_panel(tmp_path: Path) -> None:
    arms, plot = module("report_arms"), module("report_plot")
    figure = plot.draw(all_outcomes())
    assert len(figure.axes) == 2 * len(arms.SERIES)
    assert all(len(axes.containers) == len(arms.HEADS) for axes in figure.axes)
    colours = {axes.containers[0].lines[0].get_color() for axes in figure.axes}
    assert colours == {plot.STYLES["S2DTW"][0]}
    figure.savefig(tmp_path / "results.png", dpi=100)
    assert (tmp_path / "results.png").stat().st_size < 200_000
