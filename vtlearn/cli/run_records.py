"""Read what runs left in their folders: how they were configured, how far they came, how good."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from vtlearn.checkpoints import read_checkpoint
from vtlearn.cli.config_files import read_yaml
from vtlearn.errors import VTLearnError

__all__: list[str] = []

_CONFIG = "config.yaml"
_RESULTS = "results.json"
_CHECKPOINTS = "checkpoints"
_BEST, _LAST = "best.ckpt", "last.ckpt"


class ProtocolFigure(NamedTuple):
    """The primary figure of one protocol.

    Attributes:
        protocol: Its name and version, ``kitchen-retrieval@1``; with ``(reference)`` where it is
            scored as published code does.
        metric: What the figure is.
        value: The figure.
        comparable: Whether all was scored that the protocol expects.
        selected_on_test: Whether the model was chosen by what it is scored on.
    """

    protocol: str
    metric: str
    value: float
    comparable: bool
    selected_on_test: bool


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What is known of a run.

    Attributes:
        folder: Where it is.
        head: The class of the head; None where that is unknown, as below.
        data: The class of the data.
        written: When the run last wrote something, in local time.
        epochs: Whole epochs that it trained.
        max_epochs: How many it was to train.
        steps: Optimiser steps.
        monitor: By which figure the best model was chosen.
        best: That figure.
        checkpoint: The best model, or the last where none was chosen.
        tested: Figures of its tests: those in its own folder, and of runs that tested a checkpoint
            of it.
        remarks: What is missing or cannot be read.
    """

    folder: Path
    head: str | None = None
    data: str | None = None
    written: datetime | None = None
    epochs: int | None = None
    max_epochs: int | None = None
    steps: int | None = None
    monitor: str | None = None
    best: float | None = None
    checkpoint: Path | None = None
    tested: Sequence[ProtocolFigure] = ()
    remarks: list[str] = field(default_factory=list)


class _Results(NamedTuple):
    """The content of a ``results.json``, and what it is of."""

    figures: list[ProtocolFigure]
    checkpoint: str | None
    written: float


def read_runs(root: Path) -> list[RunRecord]:
    """Read the runs below a folder.

    A run that only tested another's checkpoint is not listed where that one is: its figures are.

    Args:
        root: The folder, however deep the runs lie in it.

    Returns:
        The best first: by the figure that models were chosen by, then by the first of a test. Runs
        whose models were chosen by their loss come after those, the lowest first, and those of
        which nothing is known last.

    Example:
        >>> read_runs(Path("absent"))
        []
    """
    found: dict[Path, RunRecord] = {}
    tests: dict[Path, _Results] = {}
    for folder in sorted(_run_folders(root)):
        found[folder], results = _read(folder)
        if results is not None:
            tests[folder] = results
    of = {_resolved(path): folder for folder in found for path in _checkpoint_files(folder)}
    for folder, results in sorted(tests.items(), key=lambda item: item[1].written):
        home = next(
            (of[each] for each in _places(results.checkpoint, folder) if each in of), folder
        )
        figures = {figure.protocol: figure for figure in (*found[home].tested, *results.figures)}
        found[home] = replace(found[home], tested=tuple(figures.values()))
        if home != folder and found[folder].checkpoint is None:
            del found[folder]
    return sorted(found.values(), key=_rank)


def _rank(run: RunRecord) -> tuple[int, float, float, str]:
    tested = -run.tested[0].value if run.tested else float("inf")
    if run.best is None:
        return (2 if run.tested else 3, 0.0, tested, str(run.folder))
    is_loss = run.monitor is not None and run.monitor.endswith("loss")
    return (1, run.best, tested, str(run.folder)) if is_loss else (0, -run.best, tested, "")


def _run_folders(root: Path) -> set[Path]:
    """Find the folders that a run wrote to."""
    found = {path.parent for name in (_CONFIG, _RESULTS) for path in root.rglob(name)}
    found |= {path.parent.parent for path in root.rglob(f"{_CHECKPOINTS}/*.ckpt")}
    return {folder for folder in found if folder.name != _CHECKPOINTS}


def _checkpoint_files(folder: Path) -> list[Path]:
    return sorted((folder / _CHECKPOINTS).glob("*.ckpt"))


def _read(folder: Path) -> tuple[RunRecord, _Results | None]:
    run, results = RunRecord(folder, written=_written(folder)), None
    run = _with_config(run)
    run = _with_checkpoints(run)
    path = folder / _RESULTS
    if path.exists():
        try:
            results = _read_results(path)
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            run.remarks.append(f"{_RESULTS} cannot be read: {type(error).__name__}: {error}")
    if run.checkpoint is None and not path.exists():
        run.remarks.append("no checkpoint: it ended before its first, or is still running")
    return run, results


def _written(folder: Path) -> datetime | None:
    files = [*folder.glob("*"), *_checkpoint_files(folder)]
    times = [path.stat().st_mtime for path in files if path.is_file()]
    return datetime.fromtimestamp(max(times), UTC).astimezone() if times else None


def _with_config(run: RunRecord) -> RunRecord:
    path = run.folder / _CONFIG
    if not path.exists():
        return run
    try:
        config = read_yaml(path)
    except VTLearnError as error:
        run.remarks.append(str(error))
        return run
    trainer = _mapping(_mapping(config).get("trainer"))
    epochs = trainer.get("max_epochs")
    return replace(
        run,
        head=_class_name(_mapping(_mapping(config).get("model")).get("head")),
        data=_class_name(_mapping(config).get("data")),
        max_epochs=epochs if isinstance(epochs, int) and epochs > 0 else None,
    )


def _with_checkpoints(run: RunRecord) -> RunRecord:
    """Say how far a run came and which model is its best, by what its checkpoints say."""
    contents: dict[Path, dict[str, Any]] = {}
    for path in _checkpoint_files(run.folder):
        try:
            contents[path] = read_checkpoint(path)
        except VTLearnError as error:
            run.remarks.append(str(error))
    if not contents:
        return run
    latest = max(contents.values(), key=lambda content: _whole(content.get("global_step")) or 0)
    best, last = (run.folder / _CHECKPOINTS / name for name in (_BEST, _LAST))
    monitor, score = _chosen_by(contents.get(best, latest))
    head = _class_name(_mapping(latest["hyper_parameters"]).get("head"))
    kept = next((path for path in (best, last) if path in contents), next(iter(contents)))
    return replace(
        run,
        head=run.head or head,
        epochs=_epochs(latest),
        steps=_whole(latest.get("global_step")),
        monitor=monitor,
        best=score,
        checkpoint=kept,
    )


def _chosen_by(content: Mapping[str, Any]) -> tuple[str | None, float | None]:
    """Return the figure that ``best.ckpt`` was chosen by, and what it was."""
    for name, state in _mapping(content.get("callbacks")).items():
        score = _mapping(state).get("best_model_score")
        if str(name).startswith("BestCheckpoint") and score is not None:
            return str(state.get("monitor")), float(score)
    return None, None


def _epochs(content: Mapping[str, Any]) -> int | None:
    """Count whole epochs; the one that a checkpoint ends is whole though it is not yet counted."""
    loop = _mapping(_mapping(content.get("loops")).get("fit_loop"))
    current = _mapping(_mapping(loop.get("epoch_progress")).get("current"))
    whole = _whole(current.get("processed"))
    if whole is None:
        return _whole(content.get("epoch"))
    at_end = _mapping(loop.get("epoch_loop.batch_progress")).get("is_last_batch") is True
    return whole + (at_end and (_whole(current.get("ready")) or 0) > whole)


def _read_results(path: Path) -> _Results:
    records = json.loads(path.read_text(encoding="utf-8"))
    checkpoints = [record["checkpoint"]["path"] for record in records]
    written = path.stat().st_mtime
    return _Results(list(_figures(records)), next(iter(checkpoints), None), written)


def _figures(records: Iterable[Mapping[str, Any]]) -> Iterator[ProtocolFigure]:
    for record in records:
        mode = " (reference)" if record.get("mode") == "reference" else ""
        coverage = record["coverage"]
        yield ProtocolFigure(
            f"{record['protocol']}@{record['version']}{mode}",
            record["primary"],
            float(record["metrics"][record["primary"]]),
            coverage["evaluated"] == coverage["expected"],
            bool(record.get("selected_on_test")),
        )


def _class_name(part: Any) -> str | None:
    path = _mapping(part).get("class_path", part)
    return path.rpartition(".")[2] if isinstance(path, str) else None


def _places(checkpoint: str | None, folder: Path) -> Iterator[str]:
    """Yield where a checkpoint may be that a test names from the folder it was started in."""
    if checkpoint is not None:
        starts = (Path(), *folder.absolute().parents)
        yield from (_resolved(start / checkpoint) for start in starts)


def _resolved(path: Path) -> str:
    return os.path.realpath(path)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}
