"""Pictures with captions: COCO, Conceptual Captions, and other lists of the same shapes."""

import logging
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

import numpy as np

from vtlearn.datasets.base import Expectations
from vtlearn.datasets.captioned import (
    CaptionedClip,
    CaptionedCorpus,
    common_folder,
    require_clips,
)
from vtlearn.datasets.files import require_paths
from vtlearn.datasets.img2dataset import require_no_tars, shard_folders
from vtlearn.datasets.picture_lists import PictureCaption, read_picture_list
from vtlearn.errors import ArgumentError, CorpusNotFoundError
from vtlearn.storage.strings import Strings

__all__ = ["ImageCaptions", "read_image_captions"]

_LOG = logging.getLogger(__name__)

_NAME = "ImageCaptions"
_SOURCE = (
    "https://cocodataset.org, https://github.com/google-research-datasets/conceptual-captions and "
    "conceptual-12m; img2dataset downloads what those list. `vtlearn data kitchen --layout coco`, "
    "`cc` or `img2dataset` renders small corpora in these layouts"
)
#: What there may be below a root: captions, and the folder of their pictures.
_USUAL = (
    ("annotations/captions_train2017.json", "train2017"),
    ("annotations/captions_val2017.json", "val2017"),
    ("annotations/captions_train2014.json", "train2014"),
    ("annotations/captions_val2014.json", "val2014"),
    ("Train_GCC-training.tsv", "training"),
    ("Validation_GCC-1.1.0-Validation.tsv", "validation"),
    ("cc12m.tsv", "cc12m"),
)


class ImageCaptions(CaptionedCorpus):
    """The pictures of a list, each a clip of one frame; see :func:`read_image_captions`.

    A sample is a picture and one of its captions, drawn anew in each epoch.
    """

    @classmethod
    def expectations(
        cls, root: Path, *, listed: Path | None = None, videos: Path | None = None
    ) -> Expectations:
        """Say what a list names, or all usual ones: those of COCO, CC3M, CC12M and img2dataset.

        Args:
            root: The corpus's folder: ``annotations/captions_{train,val}{2014,2017}.json`` with the
                pictures in ``{train,val}{2014,2017}``, ``Train_GCC-training.tsv`` with
                ``training``, ``cc12m.tsv`` with ``cc12m``, or img2dataset's files.
            listed: The list: a path, or a name in ``root``; None for the usual ones.
            videos: The folder of the pictures of ``listed``: a path, or a name in ``root``; None
                for ``root``.

        Raises:
            CorpusNotFoundError: If there is no list.
            ArgumentError: If one cannot be read, or pictures are named without a list.
        """
        if listed is None and videos is not None:
            message = f"--videos {videos}: say by --list which captions its pictures have"
            raise ArgumentError(message)
        if listed is None:
            lists = _usual_lists(root)
        else:
            lists = [(_in(root, listed), root if videos is None else _in(root, videos))]
        files: dict[str, Path] = {}
        told: dict[str, None] = {}
        damaged: dict[str, str] = {}
        for one, folder in lists:
            require_paths(_NAME, {one: "captions of pictures"}, _SOURCE)
            is_empty = True
            for row in read_picture_list(one, folder):
                is_empty = False
                files[row.id] = folder / row.path
                if row.caption:
                    told[row.id] = None
                elif row.reason:
                    damaged[row.id] = row.reason
            if is_empty:
                raise _no_captions(one)
        return Expectations(
            *(_NAME, root, list(told), list(files)),
            files=files,
            items="pictures",
            damaged={one: why for one, why in damaged.items() if one not in told},
        )


def read_image_captions(
    listed: Path, *, pictures: Path, max_missing: float | None = 0
) -> Sequence[CaptionedClip]:
    r"""List pictures with their captions.

    A picture is a clip of one moment. Blank captions are left out, which is logged.

    Args:
        listed: What says which captions there are: a file, or img2dataset's folder; see
            :func:`~vtlearn.datasets.picture_lists.read_picture_list`.
        pictures: The folder that the names of pictures are below.
        max_missing: How many of the pictures may lack their files (a share of them, if a float);
            these are listed all the same, so that they are counted where they are read. None for
            any number.

    Returns:
        The pictures in the order in which they are first named, each with all of its captions; what
        is kept of them takes a few bytes more than the list.

    Raises:
        CorpusNotFoundError: If the list, the pictures' folder, or every listed picture is not
            there.
        ArgumentError: If the list is of another kind, names a picture outside the folder, none at
            all, or more pictures than may lack their files; or if there are tar shards instead.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     root = Path(folder)
        ...     _ = (root / "a.jpg").touch()
        ...     _ = (root / "list.csv").write_text("filepath\ttitle\na.jpg\ttwo apples\n")
        ...     clip, = read_image_captions(root / "list.csv", pictures=root)
        >>> clip.id, clip.path.name, clip.texts, clip.text_ids
        ('a.jpg', 'a.jpg', ('two apples',), ('a.jpg#0',))
    """
    expected = {listed: "captions of pictures"}
    if max_missing is not None:
        expected[pictures] = "pictures"
    require_paths(_NAME, expected, _SOURCE)
    clips = _Listing(listed, pictures, read_picture_list(listed, pictures))
    if not clips:
        raise _no_captions(listed)
    if max_missing is not None:
        check = f"{common_folder([listed, pictures])} --data {_NAME}"
        check += "" if listed.is_dir() else f" --list {listed} --videos {pictures}"
        try:
            require_clips(
                *(_NAME, clips, listed, _SOURCE, max_missing, check),
                items="pictures",
                named="as it calls them",
            )
        except CorpusNotFoundError:
            require_no_tars(pictures)
            raise
    return clips


def _usual_lists(root: Path) -> list[tuple[Path, Path]]:
    """Find the lists that are there, each with the folder of its pictures; refuse none at all."""
    lists = [(root / listed, root / folder) for listed, folder in _USUAL]
    lists = [(listed, folder) for listed, folder in lists if listed.is_file()]
    lists += [(root, root)] if shard_folders(root) else []
    if lists:
        return lists
    require_no_tars(root)
    lines = [
        *(f"{root / one}: captions of the pictures in {folder}" for one, folder in _USUAL),
        f"{root}/00000: pictures, .txt and .json, as `img2dataset --output_format files`",
        "or a list of another name: give it by --list, and its pictures' folder by --videos",
    ]
    raise CorpusNotFoundError(_NAME, ["one of", *lines], _SOURCE)


def _in(root: Path, path: Path) -> Path:
    """Return a path as it is given, or where it is not there, in a folder."""
    return path if path.exists() else root / path


def _no_captions(listed: Path) -> ArgumentError:
    message = f"{listed} lists no pictures with captions; give another list"
    if listed.is_dir():
        require_no_tars(listed)
        message = (
            f"{listed} has no pictures with captions in folders 00000, 00001, ..., as `img2dataset "
            "--output_format files` writes them; where a file lists them, give it as "
            "data.init_args.annotations"
        )
    return ArgumentError(message)


class _Listing(Sequence[CaptionedClip]):
    """Pictures that are made when they are asked for: millions are a burden on every worker.

    Args:
        listed: What lists them, for the log.
        folder: The folder of the pictures.
        rows: What is listed; those of one picture need not follow each other.
    """

    def __init__(self, listed: Path, folder: Path, rows: Iterable[PictureCaption]) -> None:
        numbers: dict[str, int] = {}
        paths: list[str] = []
        captions: list[str] = []
        owners = array("q")
        blank = 0
        for row in rows:
            if not row.caption:
                blank += not row.reason
                continue
            number = numbers.setdefault(row.id, len(numbers))
            if number == len(paths):
                paths.append(row.path)
            owners.append(number)
            captions.append(row.caption)
        if blank:
            _LOG.warning("%d captions in %s are blank and left out", blank, listed)
        self._folder = folder
        counts = np.bincount(np.asarray(owners, np.int64), minlength=len(paths))
        self._firsts = np.concatenate([[0], np.cumsum(counts)])
        # millions of strings: each kind is freed before the next is packed
        self._ids = Strings.of(numbers)
        del numbers
        self._paths = Strings.of(paths)
        del paths
        order = np.argsort(np.asarray(owners, np.int64), kind="stable")
        self._captions = Strings.of(captions[place] for place in order)

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, index: int) -> CaptionedClip: ...

    @overload
    def __getitem__(self, index: slice) -> list[CaptionedClip]: ...

    def __getitem__(self, index: int | slice) -> CaptionedClip | list[CaptionedClip]:
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        place = range(len(self))[index]
        one, path = self._ids[place], self._folder / self._paths[place]
        first, last = self._firsts[place : place + 2].tolist()
        texts = tuple(self._captions[first:last])
        text_ids = tuple(f"{one}#{k}" for k in range(len(texts)))
        return CaptionedClip(one, one, path, 0.0, 0.0, texts, text_ids)
