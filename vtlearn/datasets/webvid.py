"""WebVid: millions of stock videos, each with the sentence that stands beside it on its page."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, overload

from vtlearn.datasets.base import Expectations
from vtlearn.datasets.captioned import CaptionedClip, CaptionedCorpus, require_clips
from vtlearn.datasets.files import first_file, require_paths
from vtlearn.datasets.lists import iterate_table
from vtlearn.errors import ArgumentError
from vtlearn.kitchen.layouts.webvid import TRUTH
from vtlearn.storage.strings import Strings

__all__ = ["WebVid", "read_matches", "read_webvid"]

_LOG = logging.getLogger(__name__)

_NAME = "WebVid"
_SOURCE = (
    "https://github.com/m-bain/webvid, withdrawn by its author in 2024. "
    "`vtlearn data kitchen --layout webvid` renders a small corpus in this layout"
)
_LISTS = tuple(
    f"results_{size}_{split}.csv" for size in ("2M", "10M") for split in ("train", "val", "test")
)
_LONGEST = 350  # characters of a caption, as frozen-in-time reads
_MISSING = frozenset(  # what pandas, which the released loaders read with, takes for no name at all
    [
        *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND"),
        *("1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    ]
)


class WebVid(CaptionedCorpus):
    """The clips of a list, each with its alt text; see :func:`read_webvid` for the files."""

    @classmethod
    def expectations(cls, root: Path, *, listed: Path | None = None) -> Expectations:
        """Say what a list names, or the published lists that are there together, of 2M and 10M.

        Args:
            root: The corpus's folder.
            listed: The list: a path, or a name in ``root``; None for the published ones.

        Raises:
            CorpusNotFoundError: If there is no list.
            ArgumentError: If one cannot be read.
        """
        lists = [name for name in _LISTS if _list_file(root, name).is_file()] or [_LISTS[0]]
        if listed is not None:
            lists = [str(listed.absolute() if listed.is_file() else listed)]
        clips = [clip for name in lists for clip in read_webvid(root, name, max_missing=None)]
        ids = list(dict.fromkeys(clip.id for clip in clips))
        return Expectations(_NAME, root / "videos", captions=ids, listed=ids)


def read_webvid(
    root: Path, name: str, *, videos: Path | None = None, max_missing: float | None = 0
) -> Sequence[CaptionedClip]:
    r"""List the videos of a list with their alt text.

    A caption is of its whole video. What is after its 350th character is cut off; videos whose name
    is empty or NaN are left out, which is logged.

    Args:
        root: The corpus's folder. Lists are looked for in its folder ``metadata`` and in it; video
            ``<videoid>`` is ``videos/<page_dir>/<videoid>.mp4``.
        name: The list's file: a csv with the columns ``videoid``, ``name`` and ``page_dir``.
        videos: The folder of the folders ``<page_dir>``, in place of ``videos`` in ``root``.
        max_missing: How many of the videos may lack their files (a share of them, if a float);
            these are listed all the same, so that they are counted where they are read. None for
            any number, where features are read and videos need not be there.

    Returns:
        The videos in the list's order; what is kept of them takes a few bytes more than the list.

    Raises:
        CorpusNotFoundError: If no list, the videos' folder, or every listed video is not there.
        ArgumentError: If there are other lists alone, or the list lacks a column, names a video
            twice, outside the videos' folder or none at all, or more than may lack their files.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     root = Path(folder)
        ...     (root / "videos" / "000001_000050").mkdir(parents=True)
        ...     _ = (root / "videos" / "000001_000050" / "1066.mp4").touch()
        ...     _ = (root / "list.csv").write_text(
        ...         "videoid,name,page_dir\n1066,Chopping a carrot,000001_000050\n"
        ...     )
        ...     clip, = read_webvid(root, "list.csv")
        >>> clip.id, clip.path.name, clip.texts, clip.text_ids
        ('1066', '1066.mp4', ('Chopping a carrot',), ('1066#0',))
    """
    listed, folder = _list_file(root, name), videos or root / "videos"
    _require_list(root, listed)
    expected = {listed: "a csv with the columns videoid, name and page_dir"}
    if max_missing is not None:
        expected[folder] = "videos, <page_dir>/<videoid>.mp4"
    require_paths(_NAME, expected, _SOURCE)
    clips = _Listing(folder, _read_rows(listed))
    if not clips:
        message = f"{listed} lists no videos with a name; download it again"
        raise ArgumentError(message)
    if max_missing is not None:
        check = f"{root} --data {_NAME} --list {listed}"
        require_clips(_NAME, clips, listed, _SOURCE, max_missing, check)
    return clips


def read_matches(root: Path, name: str) -> dict[str, bool]:
    """Read which captions of a list are about their videos.

    Args:
        root: The corpus's folder.
        name: The list's file.

    Returns:
        Whether a video's caption is about it, by id, out of ``<list>_truth.csv`` (columns
        ``videoid`` and ``matches``, 1 or 0), which Kitchen writes; empty where that is not there.

    Raises:
        ArgumentError: If it cannot be read.

    Example:
        >>> read_matches(Path("nowhere"), "results_2M_train.csv")
        {}
    """
    path = _truth_file(root, name)
    if not path.is_file():
        return {}
    matches: dict[str, bool] = {}
    for line, cells in iterate_table(path, ["videoid", "matches"], unique="videoid"):
        if cells["matches"] not in ("0", "1"):
            message = f"{path}, line {line}: expected 0 or 1 for matches, got {cells['matches']!r}"
            raise ArgumentError(message)
        matches[cells["videoid"]] = cells["matches"] == "1"
    return matches


def annotation_files(root: Path, name: str) -> list[Path]:
    """Return the files that say what there is in a list.

    Args:
        root: The corpus's folder.
        name: The list's file.
    """
    truth = _truth_file(root, name)
    return [_list_file(root, name), *([truth] if truth.is_file() else [])]


class _Row(NamedTuple):
    video: str
    name: str
    page: str


class _Listing(Sequence[CaptionedClip]):
    """Clips that are made when they are asked for: millions of them are a burden on every worker.

    Args:
        videos: The folder of the folders they are in.
        rows: What is listed.
    """

    def __init__(self, videos: Path, rows: Iterable[_Row]) -> None:
        self._videos = videos
        columns = list(zip(*rows, strict=True)) or [()] * len(_Row._fields)
        self._ids, self._names, self._pages = map(Strings.of, columns)

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, index: int) -> CaptionedClip: ...

    @overload
    def __getitem__(self, index: slice) -> list[CaptionedClip]: ...

    def __getitem__(self, index: int | slice) -> CaptionedClip | list[CaptionedClip]:
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        one, name, page = self._ids[index], self._names[index], self._pages[index]
        path = self._videos / page / f"{one}.mp4"
        return CaptionedClip(one, one, path, 0.0, None, (name,), (f"{one}#0",))


def _read_rows(listed: Path) -> list[_Row]:
    """Read a list, less the videos without a name."""
    table = iterate_table(listed, ["videoid", "page_dir"], unique="videoid", may_be_blank="name")
    rows, nameless = [], 0
    for line, cells in table:
        _require_below(listed, line, cells)
        if cells["name"] in _MISSING:
            nameless += 1
        else:
            name = cells["name"][:_LONGEST].rstrip()
            rows.append(_Row(cells["videoid"], name, cells["page_dir"]))
    if nameless:
        _LOG.warning(
            "%d of %d videos in %s have an empty or NaN name and are left out",
            *(nameless, nameless + len(rows), listed),
        )
    return rows


def _require_below(listed: Path, line: int, cells: Mapping[str, str]) -> None:
    """Refuse a video that would be looked for outside the folder of videos."""
    for column in ("videoid", "page_dir"):
        cell = cells[column]
        if cell.startswith("/") or ".." in cell.split("/"):
            message = (
                f"{listed}, line {line}: expected a name below the folder of videos for {column}, "
                f"got {cell!r}; correct it"
            )
            raise ArgumentError(message)


def _require_list(root: Path, listed: Path) -> None:
    """Refuse a list that is not there where others are, by their names."""
    if listed.is_file():
        return
    files = [
        path for folder in (root / "metadata", root) for path in sorted(folder.glob("[!.]*.csv"))
    ]
    others = [path.name for path in files if not path.name.endswith(TRUTH)]
    if others:
        message = f"there is no list {listed}; those in {root} are {', '.join(others)}: name one"
        raise ArgumentError(message)


def _list_file(root: Path, name: str) -> Path:
    return first_file(root, [name], ("metadata", ""))


def _truth_file(root: Path, name: str) -> Path:
    listed = _list_file(root, name)
    return listed.with_name(listed.name.removesuffix(".csv") + TRUTH)
