import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

import vtlearn
from vtlearn.errors import CheckpointError
from vtlearn.evaluation.metrics.chance import Chance
from vtlearn.evaluation.result import Annotations, Coverage, Result
from vtlearn.evaluation.results import (
    checkpoint_sha256,
    publish,
    remarks,
    results_table,
    write_results,
)

KEYS = [
    "protocol",
    "version",
    "mode",
    "similarity",
    "windows",
    "primary",
    "metrics",
    "intervals",
    "coverage",
    "ids_sha256",
    "expected_sha256",
    "settings",
    "chance",
    "ceiling",
    "annotations",
    "notes",
    "selected_on_test",
    "checkpoint",
    "weights",
    "vectors",
    "captions",
    "code",
    "dtype",
    "world_size",
]


def result(missing: list[str] | None = None, value: float = 41.25) -> Result:
    return Result(
        protocol="pairs[1]",
        version=2,
        mode="exact",
        similarity="cosine",
        windows="whole",
        primary="t2v_R@1",
        metrics={"t2v_R@1": value, "t2v_median_rank": 3.0},
        intervals={"t2v_R@1": (39.5, 44.0), "t2v_median_rank": (2.0, 4.0)},
        coverage=Coverage(8 - len(missing or []), 8, missing or []),
        ids_sha256="0" * 64,
    )


def test_remarks_say_what_a_reader_has_to_know() -> None:
    plain = result()
    assert remarks(plain) == []
    low, high = Chance(0.5, 0.0, 41.25), Chance(0.5, 0.0, 41.2)
    assert remarks(replace(plain, chance={"t2v_R@1": high})) == []
    (at_chance,) = remarks(replace(plain, chance={"t2v_R@1": low}))
    assert at_chance.startswith("model at chance: t2v_R@1 41.25")
    assert remarks(replace(plain, notes=["two videos are short"])) == ["two videos are short"]
    assert "too high" in remarks(replace(plain, selected_on_test=True))[0]
    (above,) = remarks(replace(plain, ceiling={"t2v_R@1": 41.2}))
    assert above.startswith("t2v_R@1 41.25 is above the ceiling of 41.20: texts that say the same")
    assert remarks(replace(plain, ceiling={"t2v_R@1": 41.25})) == []
    for published, count in ((True, 0), (None, 1), (False, 1)):
        annotations = Annotations("0" * 64, published)
        assert len(remarks(replace(plain, annotations=annotations))) == count


def test_records_hold_exactly_the_promised_keys(tmp_path: Path) -> None:
    weights, path = tmp_path / "run.ckpt", tmp_path / "deep" / "results.json"
    weights.write_bytes(b"weights")
    write_results(
        path, [result(["v3"]), result()], checkpoint=weights, dtype="bfloat16", world_size=4
    )
    records = json.loads(path.read_text())
    assert [list(record) for record in records] == [KEYS, KEYS]
    first = records[0]
    assert first["intervals"] == {"t2v_R@1": [39.5, 44.0], "t2v_median_rank": [2.0, 4.0]}
    assert first["coverage"] == {"evaluated": 7, "expected": 8, "missing": ["v3"]}
    digest = hashlib.sha256(b"weights").hexdigest()
    assert first["checkpoint"] == {"path": str(weights), "sha256": digest}
    assert first["code"]["version"] == vtlearn.__version__
    assert set(first["code"]) == {"version", "commit"}
    assert (first["dtype"], first["world_size"]) == ("bfloat16", 4)


def test_a_model_that_was_never_saved_has_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(path, [result()], checkpoint=None, dtype="float32", world_size=1)
    assert json.loads(path.read_text())[0]["checkpoint"] == {"path": None, "sha256": None}


def test_vectors_that_no_model_of_ours_made_are_named_with_their_hash(tmp_path: Path) -> None:
    vectors, path = tmp_path / "vectors.npz", tmp_path / "results.json"
    vectors.write_bytes(b"vectors")
    for given, expected in (
        (vectors, {"path": str(vectors), "sha256": hashlib.sha256(b"vectors").hexdigest()}),
        (None, None),
    ):
        write_results(
            path, [result()], checkpoint=None, dtype="float16", world_size=1, vectors=given
        )
        record = json.loads(path.read_text())[0]
        assert record["vectors"] == expected
        assert record["checkpoint"] == {"path": None, "sha256": None}


def test_weights_that_a_model_began_with_are_named_beside_the_checkpoint(tmp_path: Path) -> None:
    weights = tmp_path / "pretrained.pth.tar"
    weights.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    for given, expected in ((weights, {"path": str(weights), "sha256": digest}), (None, None)):
        path = publish(
            tmp_path,
            [result()],
            checkpoint=None,
            weights=given,
            precision="32-true",
            world_size=1,
        )
        record = json.loads(path.read_text())[0]
        assert record["weights"] == expected
        assert record["checkpoint"] == {"path": None, "sha256": None}


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("32-true", "float32"), ("bf16-mixed", "bfloat16"), ("16-true", "float16"), ("fp8", "fp8")],
)
def test_publishing_writes_and_prints(
    precision: str, dtype: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    path = publish(folder, [result()], checkpoint=None, precision=precision, world_size=2)
    assert path == folder / "results.json"
    record = json.loads(path.read_text())[0]
    assert (record["dtype"], record["world_size"]) == (dtype, 2)
    shown = capsys.readouterr().out
    assert f"results: {path}" in shown  # on one line, however long
    assert "41.25" in shown


def test_a_failure_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "results.json"
    path.write_text("old")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_results(path, [result(value=float("nan"))], checkpoint=None, dtype="x", world_size=1)

    def full(path: Path, text: str, **_options: str) -> None:
        with path.open("w") as file:
            file.write(text[: len(text) // 2])
        message = f"no space left on device for {path}"
        raise OSError(message)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="no space left"):
        write_results(path, [result()], checkpoint=None, dtype="x", world_size=1)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_of_weights_is_hashed_whole(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "0").write_bytes(b"a")
    before = checkpoint_sha256(tmp_path)
    (tmp_path / "shards" / "1").write_bytes(b"b")
    assert checkpoint_sha256(tmp_path) != before


def test_a_missing_checkpoint_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.ckpt cannot be read \(No such file"):
        checkpoint_sha256(tmp_path / "none.ckpt")


def shown(*results: Result) -> str:
    console = Console(width=120, record=True, file=None, force_terminal=False)
    with console.capture() as capture:
        for one in results:
            console.print(results_table(one))
    return capture.get()


def test_table_shows_every_figure_with_its_interval() -> None:
    text = shown(result())
    for part in ("pairs[1]@2", "t2v_R@1", "41.25", "39.50 - 44.00", "8/8 items"):
        assert part in text
    assert "NOT COMPARABLE" not in text


def test_incomplete_coverage_is_not_comparable() -> None:
    text = shown(result(["v3"]))
    assert text.count("7/8 items NOT COMPARABLE") == 1


def test_a_table_fits_eighty_columns_and_says_what_was_compared() -> None:
    name = "youcook2-video-background"
    long = replace(
        result(["v3"]),
        protocol=name,
        mode="reference",
        metrics={"cap_avg_median_rank": 3.0},
        intervals={"cap_avg_median_rank": (100.0, 100.0)},
        chance={"cap_avg_median_rank": Chance(33.33, 0, 100)},
        ceiling={"cap_avg_median_rank": 33.33},
        settings={"pooling": "raw"},
    )
    console = Console(width=80)
    with console.capture() as capture:
        console.print(results_table(long))
    lines = capture.get().splitlines()
    assert any(f"{name}@2  7/8 items NOT COMPARABLE" in line for line in lines)
    assert any("as published code scores it (reference), cosine of raw" in line for line in lines)
    assert any("cap_avg_median_rank" in line and "33.33" in line for line in lines)


def test_what_compares_no_vectors_does_not_say_how() -> None:
    settings = {"pooling": "head"}
    assert "cosine of head vectors" in shown(replace(result(), settings=settings))
    text = shown(replace(result(), similarity="none", settings=settings))
    assert "vectors" not in text
    assert "none" not in text
    assert "shares in percent" in text


def test_only_the_primary_metric_is_highlighted() -> None:
    assert [row.style for row in results_table(result()).rows] == ["bold green", None]
