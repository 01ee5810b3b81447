"""Convert a published checkpoint into a folder that ``vtlearn.load`` opens."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from vtlearn.errors import ArgumentError, CheckpointError
from vtlearn.hyperparameters import factory_to_config, to_config
from vtlearn.interop.published import Published
from vtlearn.interop.reading import find_weights, load_content
from vtlearn.interop.report import LoadReport, has_other_words, load_and_compare, narrow_prefixes
from vtlearn.interop.sources import translate
from vtlearn.model_folder import require_new_folder, without_word_files, write_folder

__all__ = ["Conversion", "convert"]


class Conversion(NamedTuple):
    """What was converted.

    Attributes:
        published: The model under our names.
        report: What became of its weights.
        has_words: Whether its vocabulary was given, without which it reads no texts.
    """

    published: Published
    report: LoadReport
    has_words: bool


def convert(
    path: Path,
    folder: Path,
    *,
    kind: str | None = None,
    trust_pickle: bool = False,
    allow_missing: Sequence[str] = (),
    vocabulary: Path | None = None,
) -> Conversion:
    """Convert a published checkpoint.

    Args:
        path: The file.
        folder: Where the model is written; it must be new or empty.
        kind: Whose file it is; None to tell by where its weights are and what they are called.
        trust_pickle: Whether to load anything that is pickled in it, which may run code.
        allow_missing: Prefixes of our names; weights below them may be missing, and are then as
            the encoders begin, or be left over.
        vocabulary: The file of its words; without it the model does not read texts.

    Returns:
        What it is, and what became of its weights.

    Raises:
        CheckpointError: If it cannot be read, its kind cannot be told, or a weight of the encoders
            is missing, left over or of another shape.
        ArgumentError: If the folder is not empty, or the vocabulary is not a file.
    """
    require_new_folder(folder)
    if vocabulary is not None and not vocabulary.is_file():
        message = f"--vocabulary {vocabulary}: there is no such file"
        raise ArgumentError(message)
    content = load_content(path, trust_pickle=trust_pickle)
    if isinstance(content, Mapping) and "hyper_parameters" in content:
        message = (
            f"{path} is not a published file: it says itself how its model is built. vtlearn.load, "
            "--ckpt_path and --weights open checkpoints of vtlearn as they are"
        )
        raise CheckpointError(message)
    published = translate(find_weights(path, content), kind)
    words = {} if vocabulary is None else {"vocabulary": str(vocabulary)}
    text_encoder = published.text_encoder(**words)
    encoders = {"video_encoder": published.video_encoder(), "text_encoder": text_encoder}
    model = nn.ModuleDict(encoders)
    report = load_and_compare(path, model, published.weights, published.dropped)
    if not report.complete(allow_missing):
        message = f"{path} does not fit {published.kind}:\n{report}\n{_way_out(published, report)}"
        raise CheckpointError(message)
    configs = {name: without_word_files(to_config(part)) for name, part in encoders.items()}
    write_folder(
        folder,
        {**configs, "head": factory_to_config(published.head)},
        model.state_dict(),
        clips=published.clips,
        source=_source(path, published, report),
    )
    return Conversion(published, report, not text_encoder.needs_vocabulary)


def _source(path: Path, published: Published, report: LoadReport) -> dict[str, Any]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    record = {"kind": published.kind, "file": path.name, "sha256": sha256}
    return {**record, "missing": report.missing}


def _way_out(published: Published, report: LoadReport) -> str:
    if has_other_words(report):
        return f"Give the words that its vectors belong to, {published.vocabulary}, by --vocabulary"
    if report.reshaped:
        return "It is another model: --kind says whose, where that was told wrongly"
    names = narrow_prefixes([*report.missing, *report.unexpected], report.matched)
    return (
        "Download it again, or name its kind by --kind; to accept what is missing or left over: "
        f"--allow-missing {' '.join(names)}"
    )
