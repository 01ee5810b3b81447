"""What a rendered corpus says of itself, so that another one is never mistaken for it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from vtlearn.atomic import replace_text
from vtlearn.datasets.kitchen.plan import VideoPlan
from vtlearn.datasets.kitchen.truth import encode_truth
from vtlearn.errors import ArgumentError

__all__ = ["FORMAT", "Manifest", "make_manifest", "read_manifest", "refuse_other", "write_manifest"]

FORMAT = 1  # raised whenever the same parameters come to give other files
NAME = "manifest.json"


class Manifest(NamedTuple):
    """What identifies a corpus.

    Attributes:
        format: The version of the layout and of the pictures.
        parameters: What the corpus was made from, the seed among them.
        videos: How many there are.
        sha256: Of all captions and of the ground truth.
    """

    format: int
    parameters: Mapping[str, int | float]
    videos: int
    sha256: str


def make_manifest(parameters: Mapping[str, int | float], plans: Sequence[VideoPlan]) -> Manifest:
    """Describe a corpus before it is rendered.

    Args:
        parameters: What it is made from.
        plans: Its videos.

    Returns:
        The manifest.
    """
    content = {plan.id: [plan.transcript, encode_truth(plan.truth)] for plan in plans}
    canonical = json.dumps(content, sort_keys=True).encode()
    return Manifest(FORMAT, parameters, len(plans), hashlib.sha256(canonical).hexdigest())


def read_manifest(folder: Path) -> Manifest | None:
    """Read a folder's manifest.

    Args:
        folder: The folder.

    Returns:
        The manifest, or None where there is none.

    Raises:
        ArgumentError: If there is one that Kitchen did not write.
    """
    path = folder / NAME
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return Manifest(**json.loads(text))
    except (TypeError, ValueError) as error:
        message = f"{path} is not Kitchen's; choose another root, or delete the folder"
        raise ArgumentError(message) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a folder's manifest.

    Args:
        folder: The folder.
        manifest: What it shall say.
    """
    replace_text(folder / NAME, json.dumps(manifest._asdict(), indent=2) + "\n")


def refuse_other(folder: Path, found: Manifest, wanted: Manifest) -> None:
    """Refuse a folder that holds another corpus than the wanted one.

    Args:
        folder: The folder.
        found: Its manifest.
        wanted: What it should be.

    Raises:
        ArgumentError: If they differ; it names each parameter that does.

    Example:
        >>> old, new = (Manifest(1, {"seed": seed}, 4, "") for seed in (0, 1))
        >>> refuse_other(Path("data/kitchen"), old, new)
        Traceback (most recent call last):
        vtlearn.errors.ArgumentError: data/kitchen holds another Kitchen: seed was 0, wanted 1. \
Choose another root, or delete that folder to have it rendered anew
    """
    differences = _differences(found, wanted)
    if differences:
        message = (
            f"{folder} holds another Kitchen: {', '.join(differences)}. "
            "Choose another root, or delete that folder to have it rendered anew"
        )
        raise ArgumentError(message)


def _differences(found: Manifest, wanted: Manifest) -> list[str]:
    names = sorted({*found.parameters, *wanted.parameters})
    pairs = [(name, found.parameters.get(name), wanted.parameters.get(name)) for name in names]
    pairs.append(("format", found.format, wanted.format))
    differences = [f"{name} was {old}, wanted {new}" for name, old, new in pairs if old != new]
    if not differences and found != wanted:
        return ["the same parameters gave other captions to another version of vtlearn or NumPy"]
    return differences
