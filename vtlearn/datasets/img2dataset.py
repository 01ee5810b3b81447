"""Folders of pictures and captions that ``img2dataset --output_format files`` writes."""

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vtlearn.datasets.caption_files import read_json
from vtlearn.datasets.texts import read_text
from vtlearn.errors import ArgumentError
from vtlearn.media.webdataset.reader import PICTURES
from vtlearn.storage.progress import track

__all__: list[str] = []

_LOG = logging.getLogger(__name__)
_SHARD = re.compile(r"\d{5,}")  # a folder of img2dataset's


def shard_folders(folder: Path) -> list[Path]:
    """List the folders that img2dataset wrote pictures to.

    Args:
        folder: Its output folder.

    Returns:
        The folders with names of five digits or more, in their order.
    """
    if not folder.is_dir():
        return []
    return sorted(one for one in folder.iterdir() if _SHARD.fullmatch(one.name) and one.is_dir())


def require_no_tars(folder: Path) -> None:
    """Refuse a folder of tar shards, which img2dataset writes by default.

    Args:
        folder: Where no pictures were found.

    Raises:
        ArgumentError: If it holds tar shards; it names what reads them.
    """
    first = min(folder.glob("[!.]*.tar"), default=None)
    if first is not None:
        message = (
            f"{folder} holds tar shards ({first.name}, ...), img2dataset's default: train on them "
            "with --data Shards, or download the pictures with `img2dataset --output_format files`"
        )
        raise ArgumentError(message)


def read_samples(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """Read the captions of a download.

    Args:
        folder: img2dataset's output folder.

    Yields:
        Of each sample, whether its picture is there or not: its key; its picture's file, below the
        folder; its caption, blank where it has none; and why that cannot be read, empty where it
        can. How many cannot is logged.
    """
    shards, unreadable = shard_folders(folder), _Unreadable(folder)
    for shard in track(shards, "Reading captions", total=len(shards)):
        for key, files in _samples(shard).items():
            caption, why = "", ""
            try:
                caption = _caption(files)
            except ArgumentError as error:
                why = unreadable.add(error)
            yield key, f"{shard.name}/{_picture(key, files)}", caption, why
    unreadable.log()


def pictures_of_urls(folder: Path) -> dict[str, str]:
    """Tell which file a url was downloaded to.

    Args:
        folder: img2dataset's output folder, or any other.

    Returns:
        Files below the folder, by url; empty where img2dataset did not write it. Samples whose url
        cannot be read are left out, which is logged.
    """
    found: dict[str, str] = {}
    shards, unreadable = shard_folders(folder), _Unreadable(folder)
    for shard in track(shards, "Reading urls", total=len(shards)) if shards else ():
        for key, files in _samples(shard).items():
            record: Any = None
            try:
                record = read_json(files["json"]) if "json" in files else None
            except ArgumentError as error:
                unreadable.add(error)
            if isinstance(record, dict) and isinstance(record.get("url"), str):
                found[record["url"]] = f"{shard.name}/{_picture(key, files)}"
    unreadable.log()
    return found


class _Unreadable:
    """Counts files that say what a picture is of, and cannot be read, such as cut-off ones.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._count, self._first = folder, 0, ""

    def add(self, error: ArgumentError) -> str:
        """Count one that cannot be read; return why."""
        self._count += 1
        self._first = self._first or str(error)
        return str(error)

    def log(self) -> None:
        """Log how many were skipped, if any."""
        if self._count:
            _LOG.warning(
                "%d pictures in %s are left out, since what is kept of them cannot be read "
                "(first: %s)",
                *(self._count, self._folder, self._first),
            )


def _caption(files: Mapping[str, Path]) -> str:
    """Read a sample's caption; blank where it has none."""
    caption: object = None
    if "txt" in files:
        caption = read_text(files["txt"], "a caption")
    elif "json" in files:
        record: Any = read_json(files["json"])
        caption = record.get("caption") if isinstance(record, dict) else None
    return caption.strip() if isinstance(caption, str) else ""


def _samples(shard: Path) -> dict[str, dict[str, Path]]:
    """List the files of each sample by their suffixes, in the order of the samples."""
    samples: dict[str, dict[str, Path]] = {}
    for path in sorted(shard.iterdir()):
        kind = path.suffix.lower().removeprefix(".")
        if kind in (*PICTURES, "txt", "json") and not path.name.startswith("."):
            samples.setdefault(path.stem, {})[kind] = path
    return samples


def _picture(key: str, files: Mapping[str, Path]) -> str:
    """Return the name of a sample's picture; where there is none, what it would be."""
    return next((files[kind].name for kind in PICTURES if kind in files), f"{key}.jpg")
