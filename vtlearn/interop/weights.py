"""Load weights and their vocabulary into a model that is built already, and nothing else."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from vtlearn.checkpoints import fit_names, read_checkpoint
from vtlearn.encoders.base import TextEncoder, VideoEncoder
from vtlearn.errors import CheckpointError
from vtlearn.heads import Head
from vtlearn.hyperparameters import factory_to_config, to_config
from vtlearn.interop.reading import find_weights, load_content
from vtlearn.interop.report import LoadReport, has_other_words, is_under, load_and_compare
from vtlearn.interop.sources import translate
from vtlearn.parameters import restore_kept_elsewhere

__all__ = ["Weights", "load_weights", "read_weights"]

_EXPECTED = """\
expected one of
  a checkpoint that vtlearn fit wrote (.ckpt)
  a folder that vtlearn convert wrote (model.safetensors, config.json, vocabulary.json)
  a published file of VT-TWINS, MIL-NCE, S3D_HowTo100M, VideoCLIP, TempCLR or Norton"""

_EXTRA = "_extra_state"
_PARTS = ("video_encoder", "text_encoder")


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of a whole model, and what it was.

    Attributes:
        path: The file or folder.
        kind: What it is, for a reader.
        state_dict: Weights and vocabularies by our names.
        model: How to build the encoders that they fit: ``class_path`` and ``init_args`` by part.
        dropped: Names of what the file has besides.
        origins: Which parts of a checkpoint read their weights elsewhere.
        vocabulary: The file that its words are in, where it brings none.
    """

    path: Path
    kind: str
    state_dict: dict[str, Any]
    model: dict[str, Any]
    dropped: list[str] = field(default_factory=list)
    origins: Mapping[str, Any] = field(default_factory=dict)
    vocabulary: str = ""


def read_weights(path: Path) -> Weights:
    """Read a checkpoint of vtlearn, a converted folder, or a published file.

    Args:
        path: The file or folder.

    Returns:
        What is in it.

    Raises:
        CheckpointError: If it is not there, cannot be read, or is none of these.
    """
    if not path.exists():
        message = f"--weights {path}: there is no such file or folder; {_EXPECTED}"
        raise CheckpointError(message)
    content = None if path.is_dir() else load_content(path)
    if content is None or _is_own(content):
        return _own_weights(path, read_checkpoint(path))
    published = translate(find_weights(path, content))
    return Weights(
        path,
        published.kind,
        dict(published.weights),
        {name: factory_to_config(getattr(published, name)) for name in _PARTS},
        published.dropped,
        vocabulary=published.vocabulary,
    )


def load_weights(
    weights: Weights,
    video_encoder: VideoEncoder,
    text_encoder: TextEncoder | None,
    head: Head,
    *,
    reads_texts: bool = True,
) -> tuple[LoadReport, list[str]]:
    """Load weights and vocabulary into the parts of a model.

    Args:
        weights: What was read.
        video_encoder: The model's.
        text_encoder: The model's; None where it has none, and the file's is left out.
        head: The model's. Its weights are loaded where the file has those of the same names and
            shapes; it begins as configured otherwise.
        reads_texts: Whether the model is to read texts, and needs a vocabulary.

    Returns:
        What became of each weight; and remarks, on the head and on what weights do not show.

    Raises:
        CheckpointError: If a weight of the encoders is missing, left over or of another shape; or
            if there is no vocabulary afterwards.
    """
    parts = {"video_encoder": video_encoder, "text_encoder": text_encoder, "head": head}
    model = nn.ModuleDict({name: part for name, part in parts.items() if part is not None})
    own = model.state_dict()
    given = fit_names(own, _with_kept_elsewhere(weights, model, parts))
    given = {name: value for name, value in given.items() if not _is_empty(name, value)}
    dropped = list(weights.dropped)
    if text_encoder is None:
        dropped += [name for name in given if is_under(name, ["text_encoder"])]
    takes_head, remark = _judge_head(own, given)
    left_out = [*([] if takes_head else ["head"]), *([] if text_encoder else ["text_encoder"])]
    loaded = {name: value for name, value in given.items() if not is_under(name, left_out)}
    if not takes_head:
        del model["head"]
    report = load_and_compare(weights.path, model, loaded, dropped)
    if not report.complete():
        hints = _hints(weights, parts, report)
        message = f"{weights.path} ({weights.kind}) does not fit the model:\n{report}{hints}"
        raise CheckpointError(message)
    if reads_texts and text_encoder is not None and text_encoder.needs_vocabulary:
        raise CheckpointError(_no_words(weights, text_encoder.missing_files))
    return report, [*remark, *_differences(weights, parts)]


def _is_own(content: Any) -> bool:
    return isinstance(content, Mapping) and {"hyper_parameters", "state_dict"} <= set(content)


def _own_weights(path: Path, content: Mapping[str, Any]) -> Weights:
    source = content.get("source") or {}
    return Weights(
        path,
        str(source.get("kind", "vtlearn")),
        dict(content["state_dict"]),
        dict(content["hyper_parameters"]),
        origins=content.get("origins") or {},
    )


def _with_kept_elsewhere(
    weights: Weights, model: nn.Module, parts: Mapping[str, Any]
) -> dict[str, Any]:
    """Complete a checkpoint by what parts of the same class have read from the same place."""
    origins = {
        name: record
        for name, record in weights.origins.items()
        if _is_same_class(parts.get(name.split(".")[0]), weights.model.get(name.split(".")[0]))
    }
    try:
        return restore_kept_elsewhere(model, origins, weights.state_dict)
    except CheckpointError as error:
        message = f"{weights.path}: {error}"
        raise CheckpointError(message) from error


def _is_empty(name: str, value: Any) -> bool:
    """Tell whether an entry is a vocabulary without words, which the model's own stands for."""
    size = value.numel() if isinstance(value, Tensor) else bool(value)
    return name.endswith(_EXTRA) and not size


def _judge_head(own: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[bool, list[str]]:
    """Decide whether the head's weights are loaded, and remark on it where they are not."""
    ours = {name: value for name, value in own.items() if is_under(name, ["head"])}
    theirs = {name: value for name, value in given.items() if is_under(name, ["head"])}
    grows = any(name.endswith(_EXTRA) for name in theirs)  # to the vocabulary that is loaded
    same = ours.keys() == theirs.keys() and (
        grows or all(theirs[name].shape == value.shape for name, value in ours.items())
    )
    if same:
        return True, []
    why = f"{len(theirs)} that do not fit it" if theirs else "none for it"
    return False, [f"head: its weights begin as configured; the file has {why}"]


def _hints(weights: Weights, parts: Mapping[str, Any], report: LoadReport) -> str:
    """Name the classes and arguments of encoders that would fit."""
    names = [*report.missing, *report.unexpected, *report.reshaped]
    lines = [
        f"  --model.{hint}"
        for part in _PARTS
        if parts[part] is not None and any(is_under(name.split(":")[0], [part]) for name in names)
        for hint in _part_hints(part, parts[part], weights.model.get(part))
    ]
    if has_other_words(report):
        words = weights.vocabulary or "the words that its vectors belong to"
        missing = ", ".join(parts["text_encoder"].missing_files)
        absent = f" ({missing} is not there)" if missing else ""
        lines.append(f"  --model.text_encoder.init_args.vocabulary FILE, {words}{absent}")
    if lines:
        return "\n".join(["\nIt fits a model with", *lines])
    return (
        "\nIt is damaged, or of another model; `vtlearn convert` takes a published file in spite "
        "of names that are missing or left over, by --allow-missing"
    )


def _part_hints(part: str, encoder: Any, given: Any) -> list[str]:
    """Name what an encoder would have to be built with."""
    if not _is_same_class(encoder, given):
        return [f"{part} {_class_name(given)}"] if isinstance(given, Mapping) else []
    return [
        f"{part}.init_args.{argument} {theirs}"
        for argument, (theirs, _) in _changed(encoder, given).items()
        if argument not in _plain(encoder).unseen_arguments
    ]


def _differences(weights: Weights, parts: Mapping[str, Any]) -> list[str]:
    """Say which arguments differ though all weights fit, and vectors depend on."""
    return [
        f"{part}: {argument} is {ours}, the weights were trained with {theirs}"
        for part in _PARTS
        if _is_same_class(parts[part], weights.model.get(part))
        for argument, (theirs, ours) in _changed(parts[part], weights.model[part]).items()
    ]


def _changed(encoder: Any, given: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Compare the arguments that vectors depend on with those in a configuration of the class."""
    encoder = _plain(encoder)
    theirs, ours = given.get("init_args") or {}, to_config(encoder)["init_args"]
    signature = inspect.signature(type(encoder).__init__).parameters
    defaults = {name: parameter.default for name, parameter in signature.items()}
    pairs = {
        name: (theirs.get(name, defaults.get(name)), ours.get(name, defaults.get(name)))
        for name in {**theirs, **ours}
        if name not in encoder.uncompared_arguments
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _is_same_class(encoder: Any, given: Any) -> bool:
    return isinstance(given, Mapping) and type(_plain(encoder)).__name__ == _class_name(given)


def _class_name(given: Mapping[str, Any]) -> str:
    return str(given["class_path"]).rpartition(".")[2]


def _plain(encoder: Any) -> Any:
    """Return what torch.compile wraps."""
    return getattr(encoder, "_orig_mod", encoder)


def _no_words(weights: Weights, missing: Sequence[str]) -> str:
    gone = ", ".join(missing)
    absent = f", and {gone}, which the model was to read, is not there" if missing else ""
    return (
        f"{weights.path} ({weights.kind}) brings no vocabulary{absent}. Its vectors are of no use "
        f"without the words they belong to: give {weights.vocabulary or 'their file'} by "
        "--model.text_encoder.init_args.vocabulary (with Word2Vec, also "
        "--model.text_encoder.init_args.embeddings null), or vtlearn convert it with --vocabulary"
    )
