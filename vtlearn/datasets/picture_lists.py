"""Files that say what is written of pictures: JSON, tables, and the folders that img2dataset makes.

CC3M's table has the caption before the url and CC12M's after it: the column that begins with http
is the url.
"""

import csv
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from vtlearn.datasets.caption_files import read_json
from vtlearn.datasets.lists import iterate_table
from vtlearn.errors import ArgumentError
from vtlearn.media.webdataset.reader import PICTURES
from vtlearn.storage.progress import track

__all__: list[str] = []

_LOG = logging.getLogger(__name__)
_SHARD = re.compile(r"\d{5,}")  # a folder of img2dataset's
_URL = "http"  # how the column of urls begins
_TRAINING = ("train", "restval")  # Karpathy's splits that are trained on
_HEADERS = ("url", "thumbnailUrl", "URL")  # what the column of urls is called where it has a name


class PictureCaption(NamedTuple):
    """A caption of a picture, which may have several.

    Attributes:
        id: The picture's id.
        path: Its file, below the folder of pictures.
        caption: What is written of it, less outer spaces; blank where nothing is.
    """

    id: str
    path: str
    caption: str


def read_picture_list(listed: Path, pictures: Path) -> Iterator[PictureCaption]:
    r"""Read which captions pictures have.

    Args:
        listed: A ``.json``: COCO's captions (``images`` and ``annotations``), Karpathy's splits of
            them (of which ``train`` and ``restval`` are read), or a list of ``image`` and
            ``caption``, one or several, as LAVIS has them. Or a table: a url and a caption,
            separated by a tab, in either order and with a header or without (CC3M, CC12M); a csv
            with the columns ``thumbnailUrl`` or ``url``, and ``caption``; or one with the columns
            ``filepath`` and ``title``, as open_clip takes. Or the folder that ``img2dataset
            --output_format files`` wrote.
        pictures: The folder of the pictures. Those of a url are called as its crc32 in decimal,
            without a suffix; or they are as img2dataset wrote them there.

    Yields:
        The captions in the order of the file. Where several urls have one crc32, nobody knows which
        of them a file is of, and they are left out, which is logged.

    Raises:
        ArgumentError: If a file cannot be read or is of another kind, or names a picture outside
            the folder.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "cc12m.tsv")
        ...     _ = file.write_text("http://a.org/b.jpg\ttwo apples\n")
        ...     list(read_picture_list(file, Path(folder)))
        [PictureCaption(id='88111529', path='88111529', caption='two apples')]
    """
    if listed.is_dir():
        return _img2dataset(listed)
    if listed.suffix.lower() == ".json":
        return _json(listed)
    return _table(listed, pictures)


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


# JSON


def _json(path: Path) -> Iterator[PictureCaption]:
    content: Any = read_json(path)
    if isinstance(content, list):
        return _listed_images(path, content)
    images, annotations = (
        content.get(name) if isinstance(content, dict) else None
        for name in ("images", "annotations")
    )
    if isinstance(images, list) and isinstance(annotations, list):
        return _coco(path, images, annotations)
    if isinstance(images, list) and any(
        isinstance(one, dict) and "sentences" in one for one in images
    ):
        return _karpathy(path, images)
    message = (
        f"{path} has neither images with annotations or sentences, as COCO's captions have, nor is "
        "it a list of image and caption"
    )
    raise ArgumentError(message)


def _coco(path: Path, images: list[Any], annotations: list[Any]) -> Iterator[PictureCaption]:
    names: dict[str, str] = {}
    for index, image in enumerate(images):
        where = f"{path}, images[{index}]"
        one = _id(where, image, "id")
        names[one] = _below(where, _text(where, image, "file_name"))
    for index, annotation in enumerate(annotations):
        where = f"{path}, annotations[{index}]"
        one = _id(where, annotation, "image_id")
        if one not in names:
            message = f"{where}: expected the id of an image for image_id, got {one!r}"
            raise ArgumentError(message)
        yield PictureCaption(one, names[one], _text(where, annotation, "caption").strip())


def _karpathy(path: Path, images: list[Any]) -> Iterator[PictureCaption]:
    for index, image in enumerate(images):
        where = f"{path}, images[{index}]"
        name = _text(where, image, "filename")
        if image.get("split", "train") not in _TRAINING:
            continue
        place = _below(where, f"{image['filepath']}/{name}" if image.get("filepath") else name)
        sentences = image.get("sentences")
        for sentence in sentences if isinstance(sentences, list) else [None]:
            yield PictureCaption(place, place, _text(where, sentence, "raw").strip())


def _listed_images(path: Path, entries: list[Any]) -> Iterator[PictureCaption]:
    for index, entry in enumerate(entries):
        where = f"{path}, entry {index}"
        place = _below(where, _text(where, entry, "image"))
        captions = entry.get("caption")
        for caption in captions if isinstance(captions, list) else [captions]:
            text = _text(where, {"caption": caption}, "caption")
            yield PictureCaption(place, place, text.strip())


def _text(where: str, record: object, key: str) -> str:
    value = record.get(key) if isinstance(record, dict) else None
    if not isinstance(value, str):
        message = f"{where}: expected a string for {key}, got {value!r}"
        raise ArgumentError(message)
    return value


def _id(where: str, record: object, key: str) -> str:
    value = record.get(key) if isinstance(record, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | str):
        message = f"{where}: expected a number or a string for {key}, got {value!r}"
        raise ArgumentError(message)
    return str(value)


def _below(where: str, name: str) -> str:
    """Refuse a picture that would be looked for outside the folder of pictures."""
    if name.startswith("/") or not name or ".." in name.split("/"):
        message = f"{where}: expected a name below the folder of pictures, got {name!r}; correct it"
        raise ArgumentError(message)
    return name


# tables


def _table(path: Path, pictures: Path) -> Iterator[PictureCaption]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = re.split(r"[\t,;]", file.readline().strip())
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read as a table of captions: {error}"
        raise ArgumentError(message) from error
    if {"filepath", "title"} <= set(header):
        return _open_clip(path)
    url = next((name for name in _HEADERS if name in header and "caption" in header), None)
    tabs = url is None or path.suffix.lower() == ".tsv"
    return _of_urls(path, pictures, None if tabs else url)


def _open_clip(path: Path) -> Iterator[PictureCaption]:
    for line, cells in iterate_table(path, ["filepath"], may_be_blank="title"):
        name = cells["filepath"]
        if not name.startswith("/"):  # a whole path is that
            _below(f"{path}, line {line}", name)
        yield PictureCaption(name, name, cells["title"])


def _of_urls(path: Path, pictures: Path, column: str | None) -> Iterator[PictureCaption]:
    """Find the pictures of urls, by the column's name where they are in a csv."""
    downloaded = _downloaded(pictures)
    collided = frozenset[int]() if downloaded else _collisions(_pairs(path, column))
    left_out = 0
    for url, caption in _pairs(path, column):
        place, name = downloaded.get(url), crc32(url.encode())
        if name in collided:
            left_out += 1
        elif place is not None:
            yield PictureCaption(Path(place).stem, place, caption)
        else:
            called = str(name)
            yield PictureCaption(called, called, caption)
    if left_out:
        _LOG.warning(
            "%d captions in %s are left out: their urls share crc32, by which pictures are called, "
            "with other urls",
            *(left_out, path),
        )


def _pairs(path: Path, column: str | None) -> Iterator[tuple[str, str]]:
    """Yield each url and its caption."""
    if column is None:
        yield from _tab_separated(path)
        return
    for _, cells in iterate_table(path, [column], may_be_blank="caption"):
        yield cells[column], cells["caption"]


def _tab_separated(path: Path) -> Iterator[tuple[str, str]]:
    """Read a table without quotes, in which captions may have any."""
    place: int | None = None  # of the urls
    for line, cells in _lines(path):
        if place is None and len(cells) == 2:
            are_urls = [cell.startswith(_URL) for cell in cells]
            if not any(are_urls) and line == 1:  # the names of the columns
                continue
            place = are_urls.index(True) if sum(are_urls) == 1 else None
        if place is None or len(cells) != 2 or not cells[place].startswith(_URL):
            message = (
                f"{path}, line {line}: expected a url and a caption, separated by a tab, got "
                f"{'    '.join(cells)[:80]!r}; a table of files has a first line with the "
                "columns filepath and title"
            )
            raise ArgumentError(message)
        yield cells[place], cells[1 - place]


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            for line, row in enumerate(file, 1):
                if row.strip():
                    yield line, [cell.strip() for cell in row.rstrip("\r\n").split("\t")]
    except (OSError, ValueError, csv.Error) as error:
        message = f"{path} cannot be read as a table of captions: {error}"
        raise ArgumentError(message) from error


def _collisions(pairs: Iterable[tuple[str, str]]) -> frozenset[int]:
    """Find what several urls have as their crc32: of millions, a few thousand have."""
    found = np.fromiter(
        ((crc32(url.encode()), hash(url)) for url, _ in pairs),
        np.dtype([("crc", np.uint32), ("url", np.int64)]),
    )
    crcs, counts = np.unique(np.unique(found)["crc"], return_counts=True)
    return frozenset(crcs[counts > 1].tolist())


# img2dataset


def _img2dataset(folder: Path) -> Iterator[PictureCaption]:
    shards, unreadable = shard_folders(folder), _Unreadable(folder)
    for shard in track(shards, "Reading captions", total=len(shards)):
        for key, files in _samples(shard).items():
            caption: str | None = None
            with unreadable.skipped():
                caption = _caption(files)
            if caption is not None:
                yield PictureCaption(key, f"{shard.name}/{_picture(key, files)}", caption)
    unreadable.log()


def _downloaded(folder: Path) -> dict[str, str]:
    """Return the files of urls, below a folder that img2dataset wrote; empty for any other."""
    found: dict[str, str] = {}
    shards, unreadable = shard_folders(folder), _Unreadable(folder)
    for shard in track(shards, "Reading urls", total=len(shards)) if shards else ():
        for key, files in _samples(shard).items():
            record: Any = None
            with unreadable.skipped():
                record = read_json(files["json"]) if "json" in files else None
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

    @contextmanager
    def skipped(self) -> Iterator[None]:
        """Skip one that cannot be read."""
        try:
            yield
        except ArgumentError as error:
            self._count += 1
            self._first = self._first or str(error)

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
        caption = _read(files["txt"])
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


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read as a caption: {error}"
        raise ArgumentError(message) from error
