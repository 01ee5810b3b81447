"""Files of captions: which clip each is of, whatever the file's shape."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from vtlearn.datasets.texts import read_text
from vtlearn.errors import ArgumentError
from vtlearn.unicode import parse_json

__all__: list[str] = []

_LOG = logging.getLogger(__name__)
_ID_KEYS = {"sentences": "video_id", "annotations": "image_id"}


def read_captions(
    paths: Sequence[Path], wanted: Sequence[str], listed: Path
) -> dict[str, dict[str, str]]:
    """Read the captions of some clips out of JSON files.

    Args:
        paths: The files: ``sentences`` with ``video_id`` and ``caption``, as MSR-VTT's have them,
            or ``annotations`` with ``image_id`` and ``caption``, as COCO's.
        wanted: The clips, each once.
        listed: The file that lists them, for what errors say.

    Returns:
        For each clip its captions, by ``<clip>#<k>`` with k the caption's number among the clip's.
        Blank ones are left out, which is logged.

    Raises:
        ArgumentError: If a file cannot be read, or a clip has no caption.
    """
    pairs = chain.from_iterable(map(_captions, paths))
    return collect_captions(pairs, wanted, listed, " and ".join(map(str, paths)))


def collect_captions(
    pairs: Iterable[tuple[str, str]], wanted: Sequence[str], listed: Path, where: str
) -> dict[str, dict[str, str]]:
    """Collect the captions of some clips.

    Args:
        pairs: The id of a clip and a caption of it, less outer spaces, for each caption there is.
        wanted: The clips, each once.
        listed: The file that lists them, for what errors say.
        where: What the captions come from, likewise.

    Returns:
        As :func:`read_captions`.

    Raises:
        ArgumentError: If a clip has no caption.

    Example:
        >>> pairs = [("a", "a dog"), ("b", "a cat"), ("a", ""), ("a", "the dog")]
        >>> collect_captions(pairs, ["a"], Path("list.txt"), "captions.txt")
        {'a': {'a#0': 'a dog', 'a#2': 'the dog'}}
    """
    captions: dict[str, dict[str, str]] = {clip_id: {} for clip_id in wanted}
    counts = dict.fromkeys(wanted, 0)
    blank = 0
    for clip_id, caption in pairs:
        if clip_id not in captions:
            continue
        if caption:
            captions[clip_id][f"{clip_id}#{counts[clip_id]}"] = caption
        blank += not caption
        counts[clip_id] += 1
    if blank:
        _LOG.warning("%d captions in %s are blank and left out", blank, where)
    silent = [clip_id for clip_id, texts in captions.items() if not texts]
    if silent:
        message = (
            f"{len(silent)} of {len(captions)} videos listed in {listed} have no captions in "
            f"{where} (first: {silent[0]}); add the file that has them, or remove them from the "
            "list"
        )
        raise ArgumentError(message)
    return captions


def read_json(path: Path) -> Any:
    """Read a file of annotations.

    Args:
        path: The file.

    Raises:
        ArgumentError: If it cannot be read, or is not valid JSON.
    """
    text = read_text(path, "JSON")
    try:
        return parse_json(text)
    except (ValueError, RecursionError) as error:
        message = f"{path} cannot be read as JSON: {error}"
        raise ArgumentError(message) from error


def _captions(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each caption of a file, after the id of its clip."""
    content: Any = read_json(path)
    name = next((name for name in _ID_KEYS if _has_list(content, name)), None)
    if name is None:
        message = f"{path} has neither sentences nor annotations: it is not a file of captions"
        raise ArgumentError(message)
    for index, record in enumerate(content[name]):
        clip_id, caption = _strings(record, (_ID_KEYS[name], "caption"))
        if clip_id is None or caption is None:
            message = (
                f"{path} has no strings {_ID_KEYS[name]} and caption in {name}[{index}]; "
                "download it again"
            )
            raise ArgumentError(message)
        yield clip_id, caption.strip()


def _has_list(content: object, name: str) -> bool:
    return isinstance(content, dict) and isinstance(content.get(name), list)


def _strings(record: object, keys: Sequence[str]) -> list[str | None]:
    values = [record.get(key) for key in keys] if isinstance(record, dict) else [None] * len(keys)
    return [value if isinstance(value, str) else None for value in values]
