"""What a rendered corpus says of itself, so that another one is never mistaken for it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vtlearn.errors import ArgumentError
from vtlearn.kitchen.plan import VideoPlan
from vtlearn.kitchen.truth import encode_truth
from vtlearn.storage.atomic import replace_text

__all__ = ["Rendered", "make_manifest", "read_manifest"]

FORMAT = 2  # raised whenever the same parameters come to give other videos, captions or steps
NAME = "manifest.json"
_LAYOUT = "howto100m"  # of a corpus whose parameters name none


class Rendered(NamedTuple):
    """What became of a corpus' videos when they were encoded, for ``vtlearn data check``.

    Another release of PyAV may encode the same frames in another way, so this identifies nothing.

    Attributes:
        av: The release of PyAV that ended the rendering.
        frames: SHA-256 of each video's frames as they are decoded, by id.
    """

    av: str
    frames: Mapping[str, str]


class Manifest(NamedTuple):
    """What identifies a corpus, and what became of it.

    Attributes:
        format: The version of the layout and of the pictures.
        parameters: What the corpus was made from, the seed among them; ``layout`` where it is not
            HowTo100M's.
        videos: How many there are.
        sha256: Of all captions, of the ground truth, and of what a layout has beside them.
        rendered: What was found when rendering ended; None before, and in format 1.
    """

    format: int
    parameters: Mapping[str, int | float | str]
    videos: int
    sha256: str
    rendered: Rendered | None = None

    @property
    def identity(self) -> "Manifest":
        """The manifest as it was before rendering: what decides which corpus it is."""
        return self._replace(rendered=None)


def make_manifest(
    parameters: Mapping[str, int | float | str],
    plans: Sequence[VideoPlan],
    texts: Mapping[str, str] | None = None,
) -> Manifest:
    """Describe a corpus before it is rendered.

    Args:
        parameters: What it is made from.
        plans: Its videos.
        texts: Its files of text by path, where they hold more than the plans do.

    Returns:
        The manifest.
    """
    content: dict[str, Any] = {
        plan.id: [plan.transcript, encode_truth(plan.truth)] for plan in plans
    }
    content |= texts or {}
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
        content = {"rendered": None, **json.loads(text)}
        if content["rendered"] is not None:
            content["rendered"] = Rendered(**content["rendered"])
        return Manifest(**content)
    except (TypeError, ValueError) as error:
        message = f"{path} is not Kitchen's; choose another root, or delete the folder"
        raise ArgumentError(message) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a folder's manifest.

    Args:
        folder: The folder.
        manifest: What it shall say.
    """
    content = manifest.identity._asdict()
    content["rendered"] = manifest.rendered and manifest.rendered._asdict()
    replace_text(folder / NAME, json.dumps(content, indent=2) + "\n")


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
Choose another root, or delete that folder to render it again
    """
    differences = _differences(found, wanted)
    if differences:
        message = (
            f"{folder} holds another Kitchen: {', '.join(differences)}. "
            "Choose another root, or delete that folder to render it again"
        )
        if found.format != wanted.format:
            message += "; features and figures of one format do not hold for another"
        raise ArgumentError(message)


def _differences(found: Manifest, wanted: Manifest) -> list[str]:
    layouts = [one.parameters.get("layout", _LAYOUT) for one in (found, wanted)]
    if layouts[0] != layouts[1]:
        return [f"layout was {layouts[0]}, wanted {layouts[1]}"]
    names = sorted({*found.parameters, *wanted.parameters})
    pairs = [(name, found.parameters.get(name), wanted.parameters.get(name)) for name in names]
    pairs.append(("format", found.format, wanted.format))
    differences = [f"{name} was {old}, wanted {new}" for name, old, new in pairs if old != new]
    if not differences and found.identity != wanted.identity:
        return ["the same parameters gave other captions to another version of vtlearn or NumPy"]
    return differences
