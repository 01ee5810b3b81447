"""Files that say what is written of pictures: JSON, tables, and the folders that img2dataset makes.

CC3M's table has the caption before the url and CC12M's after it: the first row that leaves no doubt
says which column has the urls.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from vtlearn.datasets.caption_files import read_json
from vtlearn.datasets.files import why_unreadable
from vtlearn.datasets.img2dataset import pictures_of_urls, read_samples
from vtlearn.datasets.lists import iterate_table
from vtlearn.errors import ArgumentError
from vtlearn.storage.utf8 import read_lines
from vtlearn.unicode import escape_bytes, replace_surrogates

__all__: list[str] = []

_LOG = logging.getLogger(__name__)
_URL = re.compile(r"https?:\S+", re.IGNORECASE)
_TRAINING = ("train", "restval")  # Karpathy's splits that are trained on
_HEADERS = ("url", "thumbnailurl")  # what the column of urls is called where it has a name
_COLUMNS = "filepath and title, url and caption, or thumbnailUrl and caption, in any case"


class PictureCaption(NamedTuple):
    """A caption of a picture, which may have several.

    Attributes:
        id: The picture's id.
        path: Its file, below the folder of pictures.
        caption: What is written of it, less outer spaces; blank where nothing is, or it cannot be
            used.
        reason: Why it cannot be used; empty where nothing is wrong.
    """

    id: str
    path: str
    caption: str
    reason: str = ""


def read_picture_list(listed: Path, pictures: Path) -> Iterator[PictureCaption]:
    r"""Read which captions pictures have.

    Args:
        listed: A ``.json``: COCO's captions (``images`` and ``annotations``), Karpathy's splits of
            them (of which ``train`` and ``restval`` are read), or a list of ``image`` and
            ``caption``, one or several, as LAVIS has them. Or a table: a url and a caption,
            separated by a tab, in either order and with a header or without (CC3M, CC12M); a csv
            with the columns ``thumbnailUrl`` or ``url``, and ``caption``; or one with the columns
            ``filepath`` and ``title``, as open_clip takes, all in upper or lower case. Or the
            folder that ``img2dataset --output_format files`` wrote.
        pictures: The folder of the pictures. Those of a url are called as its crc32 in decimal,
            without a suffix; or they are as img2dataset wrote them there.

    Yields:
        The captions in the order of the file. Those of urls that share their crc32 cannot be used,
        since a file may be of any of them, nor those that img2dataset's files do not tell; how many
        there are is logged.

    Raises:
        ArgumentError: If a file cannot be read or is of another kind, or names a picture outside
            the folder.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "cc12m.tsv")
        ...     _ = file.write_text("http://a.org/b.jpg\ttwo apples\n")
        ...     list(read_picture_list(file, Path(folder)))
        [PictureCaption(id='88111529', path='88111529', caption='two apples', reason='')]
    """
    if listed.is_dir():
        return (PictureCaption(*sample) for sample in read_samples(listed))
    if listed.suffix.lower() == ".json":
        return _json(listed)
    return _table(listed, pictures)


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
        header = re.split(r"[\t,;]", next(read_lines(path), ""))
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read as a table of captions: {why_unreadable(error)}"
        raise ArgumentError(message) from error
    named = {name.lower(): name for name in (cell.strip().strip('"') for cell in header)}
    if {"filepath", "title"} <= named.keys():
        return _open_clip(path, named["filepath"], named["title"])
    url = next((named[name] for name in _HEADERS if name in named and "caption" in named), None)
    if url is None or path.suffix.lower() == ".tsv":
        return _of_urls(path, pictures, None)
    return _of_urls(path, pictures, (url, named["caption"]))


def _open_clip(path: Path, file: str, title: str) -> Iterator[PictureCaption]:
    for line, cells in iterate_table(path, [file], may_be_blank=title, named=file):
        name = cells[file]
        if not name.startswith("/"):  # a whole path is that
            _below(f"{path}, line {line}", name)
        yield PictureCaption(escape_bytes(name), name, cells[title])


def _of_urls(
    path: Path, pictures: Path, columns: tuple[str, str] | None
) -> Iterator[PictureCaption]:
    """Find the pictures of urls, by the names of both columns where they are in a csv."""
    downloaded = pictures_of_urls(pictures)
    collided = frozenset[int]() if downloaded else _collisions(_pairs(path, columns))
    left_out = 0
    for url, caption in _pairs(path, columns):
        place, name = downloaded.get(url), crc32(url.encode())
        if name in collided:
            left_out += 1
            yield PictureCaption(str(name), str(name), "", f"another url shares the crc32 of {url}")
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


def _pairs(path: Path, columns: tuple[str, str] | None) -> Iterator[tuple[str, str]]:
    """Yield each url and its caption."""
    if columns is None:
        yield from _tab_separated(path)
        return
    url, caption = columns
    for _, cells in iterate_table(path, [url], may_be_blank=caption):
        yield cells[url], cells[caption]


def _tab_separated(path: Path) -> Iterator[tuple[str, str]]:
    """Read a table without quotes, in which captions may have any."""
    place = _url_place(path)
    for line, cells in _lines(path):
        is_pair = len(cells) == 2
        if line == 1 and is_pair and not any(map(_URL.match, cells)):  # the columns' names
            continue
        if not is_pair or not _URL.match(cells[place]):
            message = (
                f"{path}, line {line}: expected a url and a caption, separated by a tab, got "
                f"{_shown(cells)}"
            )
            raise ArgumentError(message)
        yield cells[place], cells[1 - place]


def _url_place(path: Path) -> int:
    """Tell which of two columns has the urls; a caption may begin as one, or be one."""
    unclear: tuple[int, list[str]] | None = None
    for line, cells in _lines(path):
        are_urls = _are_urls(cells)
        if len(cells) == 2 and sum(are_urls) == 1:
            return are_urls.index(True)
        if len(cells) == 2 and all(are_urls):
            unclear = unclear or (line, cells)
        elif len(cells) != 2 or line > 1:  # no names of columns either
            unclear = line, cells
            break
    if unclear is None:  # there is no row
        return 0
    line, cells = unclear
    message = (
        f"{path}, line {line}: expected a url and a caption, separated by a tab, or a first line "
        f"with the columns {_COLUMNS}; got {_shown(cells)}"
    )
    raise ArgumentError(message)


def _are_urls(cells: Sequence[str]) -> list[bool]:
    """Tell which cells are urls, or where none is, begin as one: a url may have a space."""
    whole = [bool(_URL.fullmatch(cell)) for cell in cells]
    return whole if any(whole) else [bool(_URL.match(cell)) for cell in cells]


def _shown(cells: Sequence[str]) -> str:
    return repr("    ".join(cells)[:80])


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        for line, row in enumerate(map(replace_surrogates, read_lines(path, "\n")), 1):
            if row.strip():
                yield line, [cell.strip() for cell in row.rstrip("\r\n").split("\t")]
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read as a table of captions: {why_unreadable(error)}"
        raise ArgumentError(message) from error


def _collisions(pairs: Iterable[tuple[str, str]]) -> frozenset[int]:
    """Find what several urls have as their crc32: of millions, a few thousand have."""
    found = np.fromiter(
        ((crc32(url.encode()), hash(url)) for url, _ in pairs),
        np.dtype([("crc", np.uint32), ("url", np.int64)]),
    )
    crcs, counts = np.unique(np.unique(found)["crc"], return_counts=True)
    return frozenset(crcs[counts > 1].tolist())
