"""Results on disk and on screen."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vtlearn.errors import CheckpointError
from vtlearn.evaluation.caption_lists import write_caption_lists
from vtlearn.evaluation.provenance import code_version
from vtlearn.evaluation.result import Result
from vtlearn.storage.atomic import replace_text

__all__ = [
    "checkpoint_sha256",
    "print_results",
    "publish",
    "result_record",
    "results_table",
    "write_results",
]

_LEAST_WIDTH = 70  # of a table, so that its title fits

#: What a trainer's precision computes in.
_DTYPES = {"16": "float16", "bf16": "bfloat16", "32": "float32", "64": "float64"}


def publish(
    folder: str | Path,
    results: Sequence[Result],
    *,
    checkpoint: str | Path | None,
    precision: str,
    world_size: int,
    weights: str | Path | None = None,
) -> Path:
    """Write ``results.json``, and captions beside it, and print; one process alone does this.

    Args:
        folder: Where to; made if it is missing.
        results: What the protocols found.
        checkpoint: The file the weights came from; None for a model that was never saved.
        precision: As the trainer has it: ``32-true`` or ``bf16-mixed``, for example.
        world_size: How many processes took part.
        weights: The file or folder that the model's weights were read from in place of a
            checkpoint's.

    Returns:
        The file.

    Raises:
        CheckpointError: If there is no such checkpoint.
    """
    path = Path(folder) / "results.json"
    dtype = _DTYPES.get(precision.split("-")[0], precision)
    captions = write_caption_lists(Path(folder), results)
    write_results(
        path,
        results,
        checkpoint=checkpoint,
        weights=weights,
        dtype=dtype,
        world_size=world_size,
        captions=captions,
    )
    print_results(results, path, list(captions.values()))
    return path


def print_results(
    results: Sequence[Result], path: Path | None = None, captions: Sequence[Path] = ()
) -> None:
    """Print the figures, and what a reader of them has to know.

    Args:
        results: What the protocols found.
        path: The file that they were written to; None where they were not.
        captions: The files that captions were written to.
    """
    console = Console()
    said: dict[str, list[str]] = {}
    for result in results:
        console.print(results_table(result))
        for remark in remarks(result):
            said.setdefault(remark, []).append(f"{result.protocol}@{result.version}")
    for remark, protocols in said.items():
        console.print(Text(f"{', '.join(protocols)}: {remark}"))
    if path is not None:
        console.print(f"results: {path}", soft_wrap=True, highlight=False)
    for written in captions:
        console.print(f"captions: {written}", soft_wrap=True, highlight=False)


def write_results(
    path: str | Path,
    results: Sequence[Result],
    *,
    checkpoint: str | Path | None,
    dtype: str | None,
    world_size: int,
    weights: str | Path | None = None,
    vectors: str | Path | None = None,
    captions: Mapping[str, Path] = MappingProxyType({}),
) -> None:
    """Write ``results.json``: a list of one record per protocol.

    The file is replaced in one step, so that it is never seen half written.

    Args:
        path: Where to; missing folders are made.
        results: What the protocols found.
        checkpoint: The file the weights came from; None for a model that was never saved.
        dtype: What the model computed in, as ``float32`` or ``bfloat16``; None where that is not
            known.
        world_size: How many processes took part.
        weights: The file or folder that the model's weights were read from in place of a
            checkpoint's.
        vectors: The file of vectors that were scored in place of a model's.
        captions: The files of the captions that were scored, by the names of the protocols.

    Raises:
        CheckpointError: If there is no such checkpoint.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "results.json")
        ...     write_results(file, [], checkpoint=None, dtype="float32", world_size=1)
        ...     json.loads(file.read_text())
        []
    """
    saved, read = _checkpoint_record(checkpoint), _checkpoint_record(weights)
    given = None if vectors is None else _file_record(Path(vectors))
    written = {name: _file_record(file) for name, file in captions.items()}
    records = [
        result_record(
            result,
            checkpoint=saved,
            weights=None if weights is None else read,
            dtype=dtype,
            world_size=world_size,
            vectors=given,
            captions=written.get(result.protocol),
        )
        for result in results
    ]
    text = json.dumps(records, indent=2, ensure_ascii=False, allow_nan=False)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    replace_text(Path(path), f"{text}\n")


def result_record(
    result: Result,
    *,
    checkpoint: dict[str, str | None],
    dtype: str | None,
    world_size: int,
    weights: dict[str, str | None] | None = None,
    vectors: dict[str, str] | None = None,
    captions: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Lay out one protocol's result as ``results.json`` holds it.

    Args:
        result: What the protocol found.
        checkpoint: ``path`` and ``sha256`` of the weights; both None where they were never saved.
        dtype: What the model computed in; None where that is not known.
        world_size: How many processes took part.
        weights: ``path`` and ``sha256`` of the weights that were read in place of a checkpoint's.
        vectors: ``path`` and ``sha256`` of the vectors that were scored in place of a model's.
        captions: ``path`` and ``sha256`` of the captions that were scored.

    Returns:
        What JSON can hold; the result's captions are not in it.

    Example:
        >>> from vtlearn.evaluation import Coverage
        >>> result = Result(
        ...     "pairs", 1, "exact", "cosine", "whole", "R@1", {"R@1": 50.0}, {"R@1": (40.0, 60.0)},
        ...     Coverage.of(["a"], ["a"]), "0" * 64,
        ... )
        >>> record = result_record(
        ...     result, checkpoint={"path": None, "sha256": None}, dtype="float32", world_size=1
        ... )
        >>> record["intervals"], record["coverage"]["evaluated"]
        ({'R@1': [40.0, 60.0]}, 1)
    """
    record = asdict(result)
    del record["captions"]
    return {
        **record,
        "intervals": {name: list(interval) for name, interval in result.intervals.items()},
        "coverage": result.coverage._asdict(),
        "chance": {name: chance._asdict() for name, chance in result.chance.items()},
        "annotations": result.annotations and result.annotations._asdict(),
        "checkpoint": checkpoint,
        "weights": weights,
        "vectors": vectors,
        "captions": captions,
        "code": code_version()._asdict(),
        "dtype": dtype,
        "world_size": world_size,
    }


def results_table(result: Result) -> Table:
    """Lay a result out for a terminal, the primary metric highlighted.

    Args:
        result: What a protocol found.

    Returns:
        A table of metric, value, 95 % interval, chance and ceiling, the last where it is below 100.
        Its title says how much was scored, with NOT COMPARABLE where that is not all that the
        protocol expects, and what was compared.

    Example:
        >>> from vtlearn.evaluation import Coverage
        >>> result = Result(
        ...     "pairs", 1, "exact", "cosine", "whole", "R@1", {"R@1": 50.0}, {"R@1": (40.0, 60.0)},
        ...     Coverage.of(["a"], ["a"]), "0" * 64,
        ... )
        >>> results_table(result).columns[1].header
        'value'
    """
    table = Table(title=_title(result), title_justify="left", title_style="", box=SIMPLE_HEAD)
    table.min_width = _LEAST_WIDTH
    table.add_column("metric", overflow="fold")
    limited = any(most < 100 for most in result.ceiling.values())
    for column in ("value", "95 % interval", "chance", *(["ceiling"] if limited else [])):
        table.add_column(column, justify="right", no_wrap=True)
    for metric, value in result.metrics.items():
        low, high = result.intervals[metric]
        cells = [metric, f"{value:.2f}", f"{low:.2f} - {high:.2f}"]
        cells.append(f"{result.chance[metric].value:.2f}" if metric in result.chance else "")
        cells.append(_limit(result.ceiling.get(metric, 100.0)))
        style = "bold green" if metric == result.primary else None
        table.add_row(*map(Text, cells[: len(table.columns)]), style=style)
    return table


def remarks(result: Result) -> list[str]:
    """Say what a reader of the figures has to know of them.

    Args:
        result: What a protocol found.

    Returns:
        Sentences; none where there is nothing to say.

    Example:
        >>> from vtlearn.evaluation import Coverage
        >>> from vtlearn.evaluation.metrics import Chance
        >>> result = Result(
        ...     "pairs", 1, "exact", "cosine", "whole", "R@1", {"R@1": 1.0}, {"R@1": (0.0, 2.0)},
        ...     Coverage.of(["a"], ["a"]), "0" * 64, chance={"R@1": Chance(0.5, 0.0, 1.6)},
        ... )
        >>> remarks(result)
        ["model at chance: R@1 1.00, and blind models' lie in 0.00 - 1.60"]
    """
    said = list(result.notes)
    if result.at_chance:
        chance, value = result.chance[result.primary], result.metrics[result.primary]
        interval = f"{chance.low:.2f} - {chance.high:.2f}"
        where = "below" if value < chance.low else "at"
        said.append(
            f"model {where} chance: {result.primary} {value:.2f}, and blind models' lie in "
            f"{interval}"
        )
    above = [name for name, most in result.ceiling.items() if result.metrics[name] > most + 1e-9]
    if above:
        name = above[0]
        value, most = result.metrics[name], result.ceiling[name]
        said.append(
            f"{name} {value:.2f} is above the ceiling of {most:.2f}: texts that say the same have "
            "different vectors, which give their videos away"
        )
    if result.selected_on_test:
        said.append("the model was chosen by its figures on these ids: they are too high")
    if result.annotations is not None and result.annotations.published is False:
        said.append("the annotations are not the published files: compare with no published figure")
    if result.annotations is not None and result.annotations.published is None:
        said.append(
            "no hash of published annotations is known for these files: compare with published "
            "figures with care"
        )
    return said


def checkpoint_sha256(path: str | Path) -> str:
    """Hash a checkpoint, read piece by piece.

    Args:
        path: A file, or a folder as sharded strategies write: its files in the order of their
            names, each preceded by its name.

    Returns:
        SHA-256 in hexadecimal; a file's is what ``sha256sum`` prints.

    Raises:
        CheckpointError: If there is nothing there, or it cannot be read.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     checkpoint_sha256(file.name)[:16]
        'e3b0c44298fc1c14'
    """
    path = Path(path)
    try:
        if not path.is_dir():
            return _file_sha256(path)
        whole = hashlib.sha256()
        for part in sorted(part for part in path.rglob("*") if part.is_file()):
            whole.update(f"{part.relative_to(path).as_posix()}\n{_file_sha256(part)}\n".encode())
        return whole.hexdigest()
    except OSError as error:
        message = f"The checkpoint {path} cannot be read ({error.strerror}); give an existing file."
        raise CheckpointError(message) from error


def _checkpoint_record(path: str | Path | None) -> dict[str, str | None]:
    if path is None:
        return {"path": None, "sha256": None}
    return {"path": str(path), "sha256": checkpoint_sha256(path)}


def _file_record(path: Path) -> dict[str, str]:
    return {"path": str(path), "sha256": _file_sha256(path)}


def _file_sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _limit(ceiling: float) -> str:
    return f"{ceiling:.2f}" if ceiling < 100 else ""


def _title(result: Result) -> Text:
    """Name a result, and say what it is of."""
    coverage = result.coverage
    title = Text(f"{result.protocol}@{result.version}", style="bold")
    title.append(f"  {coverage.evaluated}/{coverage.expected} items", style="not bold")
    if not coverage.complete:
        title.append(" NOT COMPARABLE", style="bold red")
    published = "as published code scores it (reference), " if result.mode == "reference" else ""
    pooling = result.settings.get("pooling")
    of = f" of {pooling} vectors" if pooling is not None else ""
    compared = "" if result.similarity == "none" else f"{result.similarity}{of}; "
    scale = "times 100, as papers print them" if result.captions else "shares in percent"
    title.append(f"\n{published}{compared}{scale}", style="not bold dim")
    return title
