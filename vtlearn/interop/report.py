"""What became of each weight of a file: loaded, or not, and why."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from vtlearn.errors import CheckpointError

__all__ = ["LoadReport"]

_EXTRA = "_extra_state"  # a vocabulary
_COUNTER = "num_batches_tracked"  # which old files lack, and evaluation does not use
_NAMES = 3

#: Of Word2Vec and Bert: a row for each word.
_TABLES = ("text_encoder.word_embd", "text_encoder.bert.embeddings.word_embeddings")


class LoadReport(NamedTuple):
    """Names by what became of them.

    Attributes:
        matched: Weights of the model that the file has in the same shape.
        missing: Weights of the model that the file does not have.
        unexpected: Weights of the file that the model does not have.
        reshaped: Weights that both have, in different shapes, which are said.
        dropped: What the file has and no model needs.

    Example:
        >>> print(LoadReport(["a.weight"], [], [], ["b.weight: (2,) in the file, (3,) here"], []))
        1 matched: a.weight
        0 missing
        0 unexpected
        1 reshaped: b.weight: (2,) in the file, (3,) here
        0 dropped
    """

    matched: list[str]
    missing: list[str]
    unexpected: list[str]
    reshaped: list[str]
    dropped: list[str]

    def complete(self, allowed: Sequence[str] = ()) -> bool:
        """Tell whether all weights of the model were in the file, and the file had no others.

        Args:
            allowed: Prefixes of names that may be missing, or left over.

        Example:
            >>> LoadReport([], ["fc.weight"], [], [], []).complete(["fc"])
            True
        """
        others = [*self.missing, *self.unexpected]
        return not self.reshaped and all(is_under(name, allowed) for name in others)

    def __str__(self) -> str:
        """Give the counts, each with the first names."""
        return "\n".join(_line(what, names) for what, names in self._asdict().items())


def load_and_compare(
    path: Path, model: nn.Module, weights: dict[str, Any], dropped: Iterable[str] = ()
) -> LoadReport:
    """Load what fits, and say what became of each weight.

    Args:
        path: Where the weights are from, for what errors say.
        model: The model; it is as the file has it only where the report is complete.
        weights: Weights and vocabularies by its names.
        dropped: Names that were dropped before.

    Returns:
        The report.

    Raises:
        CheckpointError: If a weight or a vocabulary cannot be loaded for a reason that the report
            does not show.
    """
    failure: Exception | None = None
    try:
        model.load_state_dict(weights, strict=False)
    except (RuntimeError, CheckpointError) as error:  # of a weight, or of a vocabulary
        failure = error
    # compared afterwards: a table of words grows to the vocabulary that was loaded
    report = compare(model.state_dict(), weights, dropped)
    if failure is not None and not _explains(report, failure):
        message = f"{path}: {' '.join(str(failure).split())}"
        raise CheckpointError(message) from failure
    return report


def compare(
    own: Mapping[str, Any], given: Mapping[str, Any], dropped: Iterable[str] = ()
) -> LoadReport:
    """Compare the weights of a model with those of a file.

    Args:
        own: The model's weights by name.
        given: The file's, by the same names.
        dropped: Names that were dropped before.

    Returns:
        What became of each. Vocabularies do not count, and a BatchNorm's counter may be missing.

    Example:
        >>> import torch
        >>> compare({"a": torch.zeros(2), "b": torch.zeros(3)}, {"a": torch.ones(2)}).missing
        ['b']
    """
    ours = {name: value for name, value in own.items() if not name.endswith(_EXTRA)}
    theirs = {name: value for name, value in given.items() if not name.endswith(_EXTRA)}
    both = [name for name in ours if name in theirs]
    missing = [name for name in ours if name not in theirs and not name.endswith(_COUNTER)]
    shapes = {name: (_shape(theirs[name]), _shape(ours[name])) for name in both}
    return LoadReport(
        matched=[name for name in both if shapes[name][0] == shapes[name][1]],
        missing=missing,
        unexpected=[name for name in theirs if name not in ours],
        reshaped=[
            f"{name}: {there} in the file, {here} in the model"
            for name, (there, here) in shapes.items()
            if there != here
        ],
        dropped=list(dropped),
    )


def has_other_words(report: LoadReport) -> bool:
    """Tell whether the vectors of a file are of other words than the model's.

    Example:
        >>> reshaped = ["text_encoder.word_embd.weight: (6, 3) in the file, (4, 3) in the model"]
        >>> has_other_words(LoadReport([], [], [], reshaped, []))
        True
    """
    return any(is_under(line.partition(":")[0], _TABLES) for line in report.reshaped)


def is_under(name: str, prefixes: Iterable[str]) -> bool:
    """Tell whether a name is one of the prefixes, or below it.

    Example:
        >>> is_under("text_encoder.fc1.bias", ["text_encoder.fc"])
        False
        >>> is_under("text_encoder.fc1.bias", ["text_encoder.fc1"])
        True
    """
    return any(name == prefix or name.startswith(f"{prefix.rstrip('.')}.") for prefix in prefixes)


def first_names(names: Sequence[str]) -> str:
    """List the first of some names, and count the others.

    Example:
        >>> first_names(["a", "b", "c", "d", "e"])
        'a, b, c and 2 more'
    """
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more


def narrow_prefixes(names: Iterable[str], others: Iterable[str]) -> list[str]:
    """Find the shortest prefixes of names that are not those of other names as well.

    Args:
        names: What the prefixes should cover.
        others: What they should leave out.

    Example:
        >>> narrow_prefixes(["v.fc.bias", "v.gating.a", "v.gating.b"], ["v.fc.weight"])
        ['v.fc.bias', 'v.gating']
    """
    taken = {prefix for name in others for prefix in _prefixes(name)}
    free = (next((x for x in _prefixes(name) if x not in taken), name) for name in names)
    return list(dict.fromkeys(free))


def _prefixes(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def _explains(report: LoadReport, failure: Exception) -> bool:
    """Tell whether weights in other shapes, or a vocabulary of another class, made loading fail."""
    if isinstance(failure, CheckpointError):
        return bool(report.missing or report.unexpected)
    return bool(report.reshaped)


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(value.shape) if isinstance(value, Tensor) else ()


def _line(what: str, names: Sequence[str]) -> str:
    return f"{len(names)} {what}{': ' if names else ''}{first_names(names)}"
