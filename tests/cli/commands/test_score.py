import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file
from torch import Tensor

from tests.models import LOADING, quiet_trainer, tiny_kitchen, tiny_learner
from vtlearn.__main__ import main
from vtlearn.cli.commands import score
from vtlearn.cli.commands.vector_tasks import vector_tasks
from vtlearn.datamodules import MSRVTT, CrossTask, VideoTextData, YouCook2
from vtlearn.evaluation.encoded_item import EncodedItem, encoded_items
from vtlearn.evaluation.result import Result
from vtlearn.learner import VideoTextLearner

SAMPLING = {"num_clips": 3, "num_frames": 2, "fps": 4.0}
Record = dict[str, Any]


class Made(NamedTuple):
    """What a learner made of a test split, and the figures that `vtlearn test` has of it."""

    video: dict[str, Tensor]
    text: dict[str, Tensor]
    results: list[Result]
    similarity: str


def encoded_by(learner: VideoTextLearner, data: VideoTextData, folder: Path) -> Made:
    data.prepare_data()
    learner.text_encoder.build(data.captions())  # type: ignore[union-attr]
    quiet_trainer(folder).test(learner, datamodule=data, verbose=False)
    learner.eval()
    made = Made({}, {}, list(learner.results), learner.head.similarity)  # type: ignore[arg-type]
    tasks = vector_tasks(data, "test")
    for task, loader in zip(tasks, data.test_dataloader(), strict=True):
        parts: dict[str, list[EncodedItem]] = {}
        for batch in loader:
            with torch.no_grad():
                encoded = learner.encode(batch)
            for part in encoded_items(encoded, frozenset({"windows"})):
                parts.setdefault(part.id, []).append(part)
        for wanted in task.items:
            item = EncodedItem.joined(parts[wanted.id], embed=learner.head.embed)  # type: ignore[arg-type]
            several = len(wanted.spans) > 1
            rows = item.embedded(item.windows, "head") if several else item.clip("head")[None]
            made.video.update(zip(wanted.vector_ids, rows.detach(), strict=True))
            texts = item.embedded(item.texts, "head").detach()
            made.text.update(zip(item.text_ids, texts, strict=True))
    own = dict(text for task in tasks for one in task.protocols for text in one.texts.items())
    new = {one: text for one, text in own.items() if one not in made.text}
    if new:
        made.text.update(zip(new, learner.encode_text(list(new.values())), strict=True))
    return made


def save_npz(path: Path, video: Mapping[str, Tensor], text: Mapping[str, Tensor]) -> str:
    arrays = {
        kind: np.stack([vector.numpy() for vector in vectors.values()])
        for kind, vectors in (("video", video), ("text", text))
    }
    np.savez(path, **arrays, video_ids=list(video), text_ids=list(text))  # type: ignore[arg-type]
    return str(path)


def save_safetensors(path: Path, video: Mapping[str, Tensor], text: Mapping[str, Tensor]) -> str:
    tensors = {"video": torch.stack(list(video.values())), "text": torch.stack(list(text.values()))}
    ids = {"video_ids": json.dumps(list(video)), "text_ids": json.dumps(list(text))}
    save_file(tensors, path, metadata=ids)
    return str(path)


def save_similarity(path: Path, video: Mapping[str, Tensor], text: Mapping[str, Tensor]) -> str:
    vectors = [torch.stack(list(one.values())).double() for one in (text, video)]
    matrix = (vectors[0] @ vectors[1].T).float().numpy()
    np.savez(path, similarity=matrix, video_ids=list(video), text_ids=list(text))
    return str(path)


SAVERS: Sequence[Callable[..., str]] = (save_npz, save_safetensors, save_similarity)


@pytest.fixture(scope="session")
def msrvtt_made(msrvtt_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made")
    log = folder / "unreadable.jsonl"
    data = MSRVTT(msrvtt_root, **LOADING, batch_size=4, windows=2, unreadable_log=log)
    return encoded_by(tiny_learner(), data, folder)


@pytest.fixture(scope="session")
def kitchen_made(kitchen_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    small = {"train": 8, "validation": 2, "test": 3, "size": 32}
    return encoded_by(
        tiny_learner(), tiny_kitchen(kitchen_root, small), tmp_path_factory.mktemp("made")
    )


@pytest.fixture
def msrvtt_yaml(msrvtt_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    arguments = {"root": str(msrvtt_root), "windows": 2}
    Path("msrvtt.yaml").write_text(yaml.safe_dump({"class_path": "MSRVTT", "init_args": arguments}))
    return "msrvtt.yaml"


@pytest.fixture
def kitchen_yaml(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A whole configuration, of which the data section counts."""
    monkeypatch.chdir(tmp_path)
    arguments = {"root": str(kitchen_root), "sampling": SAMPLING, **small}
    data = {"class_path": "vtlearn.datamodules.Kitchen", "init_args": arguments}
    Path("whole.yaml").write_text(yaml.safe_dump({"trainer": {"max_epochs": 1}, "data": data}))
    return "whole.yaml"


def scored(*argv: str) -> list[Record]:
    assert main(["score", *argv, "--output", "out/results.json"]) == 0
    records: list[Record] = json.loads(Path("out/results.json").read_text())
    return records


def refusal(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    capsys.readouterr()
    assert main(["score", *argv]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("vtlearn: error: ")
    assert output.err.count("\n") == 1
    return output.err


def same_figures(records: Sequence[Record], results: Sequence[Result]) -> bool:
    return [
        (record["protocol"], record["metrics"], record["chance"], record["coverage"])
        for record in records
    ] == [
        (
            result.protocol,
            result.metrics,
            {name: chance._asdict() for name, chance in result.chance.items()},
            result.coverage._asdict(),
        )
        for result in results
    ]


@pytest.mark.parametrize("save", SAVERS)
def test_msrvtt_has_the_figures_of_the_model(
    save: Callable[..., str], msrvtt_yaml: str, msrvtt_made: Made
) -> None:
    path = save(Path("vectors"), msrvtt_made.video, msrvtt_made.text)
    path = next(str(found) for found in Path().glob("vectors*"))
    similarity = "dot" if save is save_similarity else msrvtt_made.similarity
    records = scored("--data", msrvtt_yaml, "--vectors", path, "--similarity", similarity)
    assert same_figures(records, msrvtt_made.results)
    (record,) = records
    assert record["checkpoint"] == {"path": None, "sha256": None}
    assert record["vectors"]["path"] == path
    assert len(record["vectors"]["sha256"]) == 64
    assert record["dtype"] == "float32"


@pytest.mark.parametrize("save", SAVERS)
def test_kitchen_has_the_figures_of_the_model(
    save: Callable[..., str], kitchen_yaml: str, kitchen_made: Made
) -> None:
    save(Path("vectors"), kitchen_made.video, kitchen_made.text)
    path = next(str(found) for found in Path().glob("vectors*"))
    similarity = "dot" if save is save_similarity else kitchen_made.similarity
    records = scored("--data", kitchen_yaml, "--vectors", path, "--similarity", similarity)
    assert [record["protocol"] for record in records] == ["kitchen-retrieval", "kitchen-alignment"]
    assert same_figures(records, kitchen_made.results)
    (alone,) = scored(
        *("--data", kitchen_yaml, "--vectors", path, "--similarity", similarity),
        *("--protocol", "kitchen-alignment@1"),
    )
    assert alone["metrics"] == records[1]["metrics"]


@pytest.mark.parametrize("kind", [YouCook2, CrossTask])
@pytest.mark.parametrize("save", [save_npz, save_similarity])
def test_benchmarks_have_the_figures_of_the_model(
    kind: type[YouCook2 | CrossTask],
    save: Callable[..., str],
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    root: Path = request.getfixturevalue(f"{kind.__name__.lower()}_root")
    own = {"train_per_task": 2} if kind is CrossTask else {"order": True}
    log = tmp_path / "unreadable.jsonl"
    made = encoded_by(tiny_learner(), kind(root, **LOADING, unreadable_log=log, **own), tmp_path)
    arguments = {"root": str(root), "sampling": SAMPLING, **own}
    data = {"class_path": kind.__name__, "init_args": arguments}
    Path("data.yaml").write_text(yaml.safe_dump(data))
    vectors = save(Path("vectors.npz"), made.video, made.text)
    similarity = "dot" if save is save_similarity else made.similarity
    records = scored("--data", "data.yaml", "--vectors", vectors, "--similarity", similarity)
    assert len(records) > 1
    assert same_figures(records, made.results)


def pairs_of(path: str) -> dict[str, str]:
    """Write what is to be embedded, and return the item of each text."""
    assert main(["score", "--data", path, "--list", "items.csv"]) == 0
    with Path("items.csv").open(encoding="utf-8") as file:
        return {row["text_id"]: row["item"] for row in csv.DictReader(file)}


def test_predictors_that_know_all_nothing_and_chance(
    msrvtt_yaml: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = pairs_of(msrvtt_yaml)
    rows = torch.eye(len(pairs))
    items = dict(zip(pairs.values(), rows, strict=True))
    perfect = save_npz(Path("perfect.npz"), items, {one: items[pairs[one]] for one in pairs})
    (record,) = scored("--data", msrvtt_yaml, "--vectors", perfect)
    assert all(value in (1.0, 100.0) for value in record["metrics"].values())
    assert "model at chance" not in capsys.readouterr().out

    blind = dict.fromkeys(pairs, torch.ones(3))
    constant = save_npz(Path("constant.npz"), dict.fromkeys(items, torch.ones(3)), blind)
    (record,) = scored("--data", msrvtt_yaml, "--vectors", constant)
    for k in (1, 5, 10):
        expected = pytest.approx(100 * k / 16)
        assert record["metrics"][f"t2v_R@{k}"] == record["metrics"][f"v2t_R@{k}"] == expected
    assert "model at chance" in capsys.readouterr().out

    generator = torch.Generator().manual_seed(0)
    noise = dict(zip(pairs, torch.randn(16, 64, generator=generator), strict=True))
    random = save_npz(Path("random.npz"), items | noise_of(items), noise)
    (record,) = scored("--data", msrvtt_yaml, "--vectors", random, "--similarity", "cosine")
    chance = record["chance"]["t2v_R@5"]
    assert chance["low"] <= record["metrics"]["t2v_R@5"] <= chance["high"]


def noise_of(items: Mapping[str, Tensor]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return dict(zip(items, torch.randn(len(items), 64, generator=generator), strict=True))


def test_what_is_listed_is_all_that_has_to_be_embedded(
    kitchen_yaml: str, kitchen_made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", "--data", kitchen_yaml, "--list", "lists/items.csv"]) == 0
    with Path("lists/items.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["item", "path", "start", "end", "text_id", "caption"]
    assert {row["item"] for row in rows} == set(kitchen_made.video)
    assert {row["text_id"] for row in rows} == set(kitchen_made.text)
    assert all(Path(row["path"]).is_file() for row in rows)
    assert all(float(row["end"]) - float(row["start"]) == 0.5 for row in rows)
    counts = f"{len(kitchen_made.video)} videos or windows and {len(kitchen_made.text)} texts"
    assert capsys.readouterr().out == f"lists/items.csv: {counts}\n"
    alignment = ["--protocol", "kitchen-alignment", "--list", "some.csv"]
    assert main(["score", "--data", kitchen_yaml, *alignment]) == 0
    with Path("some.csv").open(encoding="utf-8") as file:
        assert {row["item"] for row in csv.DictReader(file)} < set(kitchen_made.video)


def test_neither_videos_nor_a_length_of_windows_are_needed_to_score_clips(
    msrvtt_root: Path, tmp_path: Path, msrvtt_made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root, report = tmp_path / "lists", tmp_path / "runs" / "unreadable.jsonl"
    root.mkdir()
    for file in msrvtt_root.glob("*.csv"):
        (root / file.name).write_bytes(file.read_bytes())
    report.parent.mkdir()
    report.write_text("{}\n")
    Path("lists.yaml").write_text("class_path: MSRVTT\ninit_args: {root: lists}\n")
    vectors = save_npz(Path("vectors.npz"), msrvtt_made.video, msrvtt_made.text)
    (record,) = scored("--data", "lists.yaml", "--vectors", vectors)
    assert record["coverage"]["missing"] == []
    assert report.read_text() == "{}\n"


def test_a_length_of_windows_that_counts_has_to_be_given(
    kitchen_root: Path,
    small: dict[str, int],
    tmp_path: Path,
    kitchen_made: Made,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = {"root": str(kitchen_root), **small}
    data = {"class_path": "Kitchen", "init_args": arguments}
    Path("open.yaml").write_text(yaml.safe_dump(data))
    vectors = save_npz(Path("vectors.npz"), kitchen_made.video, kitchen_made.text)
    argv = ["--data", "open.yaml", "--vectors", vectors]
    assert "sampling.num_frames is left to the video encoder" in refusal(capsys, *argv)
    records = scored(*argv, "--num-frames", "2", "--similarity", kitchen_made.similarity)
    assert same_figures(records, kitchen_made.results)


def test_ids_of_ones_own_need_no_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pairs.csv").write_text("text,item\na,v\na,w\nb,w\nc,x\n")
    video = dict(zip("vwx", torch.eye(3), strict=True))
    text = {"a": video["v"], "b": video["w"], "c": video["v"]}
    path = save_npz(Path("vectors.npz"), video, text)
    (record,) = scored("--pairs", "pairs.csv", "--vectors", path)
    assert (record["protocol"], record["coverage"]["expected"]) == ("pairs", 3)
    assert record["metrics"]["t2v_R@1"] == pytest.approx(100 * 2 / 3)
    assert "results: out/results.json" in capsys.readouterr().out
    assert main(["score", "--pairs", "pairs.csv", "--vectors", path]) == 0
    assert "results:" not in capsys.readouterr().out
    error = refusal(capsys, "--pairs", "pairs.csv", "--vectors", path, "--protocol", "pairs")
    assert "--protocol has no meaning beside --pairs" in error
    assert "give --vectors" in refusal(capsys, "--pairs", "pairs.csv")


def test_ids_that_are_not_those_of_the_stage(
    kitchen_yaml: str, kitchen_made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    made = kitchen_made
    vectors = save_npz(Path("vectors.npz"), made.video, made.text)
    error = refusal(
        capsys,
        *("--data", kitchen_yaml, "--vectors", vectors),
        *("--stage", "validate", "--protocol", "kitchen-alignment"),
    )
    assert error.endswith("; they are those of --stage test\n")
    assert f"of {len(made.video)} video ids are unknown to kitchen-alignment@1 (first: " in error
    strange = {f"x{number}": torch.ones(8) for number in range(4)}
    vectors = save_npz(Path("vectors.npz"), {**made.video, **strange}, made.text)
    error = refusal(capsys, "--data", kitchen_yaml, "--vectors", vectors)
    assert f"4 of {len(made.video) + 4} video ids are unknown to kitchen-retrieval@1 and " in error
    assert error.endswith("kitchen-alignment@1 (first: x0, x1, x2)\n")


def test_captions_need_no_frames(kitchen_yaml: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("none.json").write_text("[]")
    text = Path(kitchen_yaml).read_text()
    Path("left.yaml").write_text(text.replace("num_frames: 2", "num_frames:"))
    argv = ["--data", "left.yaml", "--captions", "none.json"]
    assert "kitchen-retrieval@1 scores no captions: give" in refusal(capsys, *argv)
    task = ["--set", "task=captioning"]
    assert "items of kitchen-caption@1 have no caption" in refusal(capsys, *argv, *task)
    assert main(["score", *argv[:2], *task, "--list", "items.csv"]) == 0
    assert re.search(r"items.csv: \d+ videos or windows$", capsys.readouterr().out.strip())


def test_ids_that_have_no_vector(
    msrvtt_yaml: str, msrvtt_made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    video, text = dict(msrvtt_made.video), dict(msrvtt_made.text)
    absent = [video.popitem()[0], video.popitem()[0]]
    text.popitem()
    vectors = save_npz(Path("vectors.npz"), video, text)
    argv = ["--data", msrvtt_yaml, "--vectors", vectors]
    error = refusal(capsys, *argv, "--max-missing", "2")
    assert "2 of 16 video ids of msrvtt-1kA@1 have no vector (first: " in error
    assert "1 of 16 text ids of msrvtt-1kA@1 have no vector (first: " in error
    assert "or pass --max-missing 3 for figures that are comparable with no others" in error
    (record,) = scored(*argv, "--max-missing", "3")
    assert set(absent) <= set(record["coverage"]["missing"])
    assert "NOT COMPARABLE" in capsys.readouterr().out


def test_a_protocol_can_be_scored_without_the_vectors_of_others(
    kitchen_yaml: str, kitchen_made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    video = {one: vector for one, vector in kitchen_made.video.items() if "@" not in one}
    text = {one: vector for one, vector in kitchen_made.text.items() if "#" not in one}
    vectors = save_npz(Path("vectors.npz"), video, text)
    argv = ["--data", kitchen_yaml, "--vectors", vectors]
    error = refusal(capsys, *argv)
    assert ", or score by --protocol kitchen-retrieval@1 alone" in error
    (record,) = scored(*argv, "--protocol", "kitchen-retrieval@1")
    assert record["coverage"]["missing"] == []


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ((), "give either --data, a corpus's configuration, or --pairs"),
        (("--data", "msrvtt.yaml"), "give either --vectors or --captions, to score them, or"),
        (
            ("--data", "msrvtt.yaml", "--captions", "none.json"),
            "msrvtt-1kA@1 scores no captions: give",
        ),
        (("--data", "Kitchen", "--captions", "absent.json"), "absent.json: No such file"),
        (("--data", "Kitchen", "--vectors", "v.npz"), "v.npz: No such file"),
        (
            ("--data", "msrvtt.yaml", "--set", "task=captioning", "--vectors", "vectors.npz"),
            "msrvtt-caption@1 scores captions: give --captions in place of --vectors, or --set",
        ),
        (
            ("--data", "msrvtt.yaml", "--set", "task=captioning", "--captions", "c.json"),
            "c.json is not valid JSON",
        ),
        (
            ("--data", "msrvtt.yaml", "--captions", "c.json", "--similarity", "dot"),
            "--similarity has no meaning beside --captions",
        ),
        (
            ("--pairs", "pairs.csv", "--vectors", "v.npz", "--captions", "c.json"),
            "--captions has no meaning beside --pairs",
        ),
        (
            ("--data", "msrvtt.yaml", "--captions", "c.json", "--output", "c.json"),
            "is read by this",
        ),
        (("--data", "absent.yaml", "--vectors", "v.npz"), "there is no file absent.yaml"),
        (("--data", "msrvtt.yaml", "--vectors", "v.npz"), "v.npz: No such file or directory"),
        (
            ("--data", "msrvtt.yaml", "--list", "a.csv", "--protocol", "msrvtt-1k"),
            "there is no protocol msrvtt-1k; did you mean msrvtt-1kA@1? there are msrvtt-1kA@1",
        ),
        (
            ("--data", "msrvtt.yaml", "--list", "a.csv", "--stage", "validate"),
            "MSRVTT has no protocol for --stage validate; give --stage test",
        ),
        (("--data", "msrvtt.yaml", "--list", "msrvtt.yaml"), "is read by this command"),
        (("--data", "msrvtt.yaml", "--list", "."), "--list . is a directory"),
        (
            ("--data", "msrvtt.yaml", "--list", "a.csv", "--output", "r.json"),
            "--output has no meaning beside --list",
        ),
        (
            ("--data", "msrvtt.yaml", "--list", "a.csv", "--num-frames", "0"),
            "--num-frames is 0; it has to be 1 or more",
        ),
        (("--data", "empty.yaml", "--list", "a.csv"), "empty.yaml has no data section"),
        (("--data", "broken.yaml", "--list", "a.csv"), "broken.yaml is not valid YAML"),
    ],
)
@pytest.mark.usefixtures("msrvtt_yaml")
def test_what_makes_no_sense(
    argv: Sequence[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty.yaml").write_text("model: {}\n")
    Path("broken.yaml").write_text("a: [\n")
    Path("c.json").write_text("[{]")
    Path("none.json").write_text("[]")
    one = {"one": torch.ones(2)}
    save_npz(Path("vectors.npz"), one, one)
    assert words in refusal(capsys, *argv)
    assert not Path("data").exists()


def test_a_mistake_in_the_configuration(
    msrvtt_yaml: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(msrvtt_yaml).write_text("class_path: MSRVT\n")
    with pytest.raises(SystemExit, match="2"):
        main(["score", "--data", msrvtt_yaml, "--list", "a.csv"])
    assert "there is no class MSRVT; did you mean MSRVTT?" in capsys.readouterr().err
    Path(msrvtt_yaml).write_text("class_path: MSRVTT\ninit_args: {windows: 0}\n")
    assert "windows must be positive" in refusal(capsys, "--data", msrvtt_yaml, "--list", "a.csv")


def test_what_takes_more_than_vectors_is_left_out(
    kitchen_yaml: str,
    kitchen_made: Made,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("vtlearn.evaluation.localization.NarrationAlignment.needs", {"match"})
    vectors = save_npz(Path("vectors.npz"), kitchen_made.video, kitchen_made.text)
    argv = ["--data", kitchen_yaml, "--vectors", vectors]
    (record,) = scored(*argv)
    assert record["protocol"] == "kitchen-retrieval"
    sentence = "kitchen-alignment@1 needs match of a model, not vectors alone"
    assert f"not scored: {sentence}\n" in capsys.readouterr().err
    assert sentence in refusal(capsys, *argv, "--protocol", "kitchen-alignment")


def test_help_says_what_the_files_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert score.__doc__
    with pytest.raises(SystemExit):
        main(["score", "--help"])
    shown = capsys.readouterr().out
    for word in ("video_ids", "text_ids", "similarity", "<item>@0", "text_id and caption"):
        assert word in shown
