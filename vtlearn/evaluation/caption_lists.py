"""Lists of captions, as COCO's results are: what was written of each item, by anything."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vtlearn.errors import ArgumentError
from vtlearn.evaluation.result import Result
from vtlearn.storage.atomic import replace_text
from vtlearn.unicode import parse_json

__all__ = ["read_caption_list", "write_caption_list"]


def write_caption_list(path: str | Path, captions: Mapping[str, str]) -> None:
    """Write captions as COCO's results list: ``[{"image_id": ..., "caption": ...}, ...]``.

    The file is replaced in one step, so that it is never seen half written.

    Args:
        path: Where to; missing folders are made.
        captions: What was written of each item, by id.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "captions.json")
        ...     write_caption_list(file, {"video7010": "a man cuts a carrot"})
        ...     read_caption_list(file)
        {'video7010': 'a man cuts a carrot'}
    """
    records = [{"image_id": item, "caption": caption} for item, caption in captions.items()]
    text = json.dumps(records, indent=2, ensure_ascii=False)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    replace_text(Path(path), f"{text}\n")


def read_caption_list(path: str | Path) -> dict[str, str]:
    """Read captions out of COCO's results list.

    Args:
        path: The file; other keys of its records are not read, and an id may be a whole number.

    Returns:
        The caption of each item, by id, in the file's order.

    Raises:
        ArgumentError: If it cannot be read, is no such list, or has an id twice.
    """
    path = Path(path)
    captions: dict[str, str] = {}
    for item, caption in _records(path, _content(path)):
        if item in captions:
            message = (
                f"{path} has two captions of {item!r}, and an item is scored by one; remove the "
                "other"
            )
            raise ArgumentError(message)
        captions[item] = caption
    return captions


def write_caption_lists(folder: Path, results: Sequence[Result]) -> dict[str, Path]:
    """Write what was written of each protocol's items, beside ``results.json``.

    Args:
        folder: Where to.
        results: What the protocols found; those that scored no captions are skipped.

    Returns:
        The file of each protocol that scored captions, by its name: ``captions.json``, or
        ``captions-<name>.json`` where there are several.
    """
    written = {result.protocol: result.captions for result in results if result.captions}
    paths = {
        name: folder / ("captions.json" if len(written) == 1 else f"captions-{name}.json")
        for name in written
    }
    for name, path in paths.items():
        write_caption_list(path, written[name])
    return paths


def _content(path: Path) -> Any:
    try:
        return parse_json(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        message = f"{path}: {error.strerror}; give a list of captions, such as captions.json"
        raise ArgumentError(message) from error
    except (ValueError, RecursionError) as error:  # a file of nothing but brackets
        message = f"{path} is not valid JSON ({error}); write it again"
        raise ArgumentError(message) from error


def _records(path: Path, content: Any) -> Iterator[tuple[str, str]]:
    expected = 'expected [{"image_id": "<item>", "caption": "<text>"}, ...], as in COCO\'s results'
    if not isinstance(content, list):
        message = f"{path} holds {type(content).__name__} in place of a list: {expected}"
        raise ArgumentError(message)
    for index, record in enumerate(content):
        item = record.get("image_id") if isinstance(record, dict) else None
        caption = record.get("caption") if isinstance(record, dict) else None
        if type(item) not in (str, int) or not isinstance(caption, str):
            message = f"{path} has {json.dumps(record)[:80]} as record {index}: {expected}"
            raise ArgumentError(message)
        yield str(item), caption
