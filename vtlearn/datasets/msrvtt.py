"""MSR-VTT: ten thousand clips of web videos, each of which 20 people described in a sentence.

Clips and sentences are as its authors published them; which are trained on and which sentence asks
for which clip is in lists that later papers published, the split 1k-A.
"""

import csv
import difflib
import io
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from vtlearn.datasets.base import find_videos, require_paths, video_names
from vtlearn.datasets.captioned import CaptionedClip
from vtlearn.errors import ArgumentError, CorpusNotFoundError

__all__ = ["PARTS", "read_msrvtt"]

_LOG = logging.getLogger(__name__)

PARTS = ("train-9k", "train-7k", "test-1k-A")
"""What can be read: two training lists, the longer of which contains the other, and the test."""

_LISTS: Mapping[str, Sequence[str]] = {
    "train-9k": ["MSRVTT_train.9k.csv"],
    "train-7k": ["MSRVTT_train.7k.csv"],
    "test-1k-A": ["MSRVTT_JSFUSION_test.csv", "msrvtt_test.csv"],
}
_CAPTIONS = (  # each of these is all captions
    ["MSRVTT_data.json"],
    ["train_val_videodatainfo.json", "test_videodatainfo.json"],
    ["MSR_VTT.json"],
)
_ALL_CAPTIONS = f"captions ({'; or '.join(' and '.join(names) for names in _CAPTIONS)})"
_FOLDERS = ("", "msrvtt_data", "annotation", "annotations")
_NAME = "MSR-VTT"
_SOURCE = (
    "http://ms-multimedia-challenge.com/2017/dataset; the lists are in "
    "https://github.com/ArrowLuo/CLIP4Clip/releases/download/v0.0/msrvtt_data.zip. "
    "`vtlearn data kitchen --layout msrvtt` renders a small corpus in this layout"
)


class _Row(NamedTuple):
    """A row of a table: the line that it ends in, and the cells that are read."""

    line: int
    cells: Mapping[str, str]


def read_msrvtt(
    root: Path,
    part: str,
    *,
    videos: Path | None = None,
    listed: Path | None = None,
    captions: Path | None = None,
    max_unreadable: int | None = 0,
) -> list[CaptionedClip]:
    r"""List the clips of a part of MSR-VTT with their captions.

    Each clip is a file of its own and is read from its beginning to its end: the times that the
    annotations give are those in the video that it was cut from.

    Args:
        root: The corpus's folder. Annotations are looked for in it and in its folders
            ``msrvtt_data``, ``annotation`` and ``annotations``, videos anywhere below it.
        part: ``train-9k`` or ``train-7k``, whose clips have all their captions (the ids of these
            are ``<video_id>#<k>``), or ``test-1k-A``, whose clips have the sentence that asks for
            them (``ret<k>``).
        videos: The folder of the videos, however deep, in place of ``root``.
        listed: The csv that lists the part's clips, in place of ``MSRVTT_train.9k.csv``,
            ``MSRVTT_train.7k.csv``, or ``MSRVTT_JSFUSION_test.csv`` or ``msrvtt_test.csv``.
        captions: The JSON file of all captions, in place of ``MSRVTT_data.json``,
            ``train_val_videodatainfo.json`` and ``test_videodatainfo.json``, or ``MSR_VTT.json``.
            The test does not read it.
        max_unreadable: How many of the clips may lack their files, which are then listed all the
            same, so that they are counted where they are read; None for any number of them, where
            features are read and videos need not be there.

    Returns:
        The clips in the list's order.

    Raises:
        CorpusNotFoundError: If the folder, an annotation file, or every listed video is not there.
        ArgumentError: If there is no such part, a file holds anything else, listed clips have no
            captions, or more of them than may lack their files, or have several.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     root = Path(folder)
        ...     _ = (root / "video9770.mp4").touch()
        ...     _ = (root / "msrvtt_test.csv").write_text(
        ...         "key,vid_key,video_id,sentence\nret0,msr9770,video9770,a boy is singing\n"
        ...     )
        ...     clip, = read_msrvtt(root, "test-1k-A")
        >>> clip.id, clip.path.name, clip.texts, clip.text_ids
        ('video9770', 'video9770.mp4', ('a boy is singing',), ('ret0',))
    """
    if part not in PARTS:
        raise ArgumentError(_no_such_part(part))
    videos = videos or root
    listed = listed or _first(root, _LISTS[part])
    is_test = part == "test-1k-A"
    sources = [] if is_test else [captions] if captions else _caption_files(root)
    expected = {listed: f"the list of {part} ({' or '.join(_LISTS[part])})"}
    expected |= dict.fromkeys(sources, _ALL_CAPTIONS)
    if max_unreadable is not None:
        expected[videos] = "videos, <id>.mp4, in it or in folders below it"
    require_paths(_NAME, expected, _SOURCE)
    texts = _read_questions(listed) if is_test else _read_captions(listed, sources)
    paths = _locate(videos, list(texts), listed, max_unreadable)
    return [
        CaptionedClip(
            video_id, paths[video_id], 0.0, None, tuple(of_video.values()), tuple(of_video)
        )
        for video_id, of_video in texts.items()
    ]


def _no_such_part(part: str) -> str:
    near = difflib.get_close_matches(part, PARTS, n=1, cutoff=0.4)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"{_NAME} has no part {part!r}; it has {', '.join(PARTS)}{meant}"


def _first(root: Path, names: Sequence[str]) -> Path:
    """Find a file under one of its names; the first of them, in the folder itself, if none is."""
    places = [root / folder / name for name in names for folder in _FOLDERS]
    return next((path for path in places if path.is_file()), places[0])


def _caption_files(root: Path) -> list[Path]:
    """Find the files that have all captions between them, or some of them."""
    for names in _CAPTIONS:
        found = [path for path in (_first(root, [name]) for name in names) if path.is_file()]
        if found:
            return found
    return [root / _CAPTIONS[0][0]]


def _read_questions(path: Path) -> dict[str, dict[str, str]]:
    """Return the sentences that ask for each clip, by their keys."""
    questions: dict[str, dict[str, str]] = {}
    lines: dict[str, int] = {}
    for line, cells in _read_table(path, ["key", "video_id", "sentence"]):
        key = cells["key"]
        if key in lines:
            message = f"{path} has the key {key} in lines {lines[key]} and {line}; remove one"
            raise ArgumentError(message)
        lines[key] = line
        questions.setdefault(cells["video_id"], {})[key] = cells["sentence"]
    return questions


def _read_captions(listed: Path, sources: Sequence[Path]) -> dict[str, dict[str, str]]:
    """Return the captions of each listed clip, by their ids."""
    captions: dict[str, dict[str, str]] = {
        row.cells["video_id"]: {} for row in _read_table(listed, ["video_id"])
    }
    blank = 0
    counts: dict[str, int] = {}
    for video_id, caption in (pair for path in sources for pair in _sentences(path)):
        if video_id not in captions:
            continue
        number = counts.get(video_id, 0)
        counts[video_id] = number + 1
        if caption:
            captions[video_id][f"{video_id}#{number}"] = caption
        else:
            blank += 1
    where = " and ".join(map(str, sources))
    if blank:
        _LOG.warning("%d captions in %s are blank and left out", blank, where)
    silent = [video_id for video_id, texts in captions.items() if not texts]
    if silent:
        message = (
            f"{len(silent)} of {len(captions)} videos listed in {listed} have no captions in "
            f"{where} (first: {silent[0]}); add the file that has them, or remove them from the "
            "list"
        )
        raise ArgumentError(message)
    return captions


def _sentences(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each caption of a file, after the id of its clip."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read as JSON: {error}"
        raise ArgumentError(message) from error
    keys = {"sentences": "video_id", "annotations": "image_id"}
    name = next((name for name in keys if _has_list(content, name)), None)
    if name is None:
        message = f"{path} has neither sentences nor annotations; it is not a file of MSR-VTT's"
        raise ArgumentError(message)
    for index, record in enumerate(content[name]):
        video_id, caption = _strings(record, (keys[name], "caption"))
        if video_id is None or caption is None:
            message = (
                f"{path} has no strings {keys[name]} and caption in {name}[{index}]; "
                "download it again"
            )
            raise ArgumentError(message)
        yield video_id, caption.strip()


def _has_list(content: object, name: str) -> bool:
    return isinstance(content, dict) and isinstance(content.get(name), list)


def _strings(record: object, keys: Sequence[str]) -> list[str | None]:
    values = [record.get(key) for key in keys] if isinstance(record, dict) else [None] * len(keys)
    return [value if isinstance(value, str) else None for value in values]


def _read_table(path: Path, columns: Sequence[str]) -> Iterator[_Row]:
    (_, names), *rows = _rows(path) or [(1, [])]
    absent = [column for column in columns if column not in names]
    if absent:
        message = f"{path} has no column {' or '.join(absent)}; its columns are {names}"
        raise ArgumentError(message)
    for line, row in rows:
        if len(row) != len(names):
            message = (
                f"{path} has {len(row)} cells in line {line} and {len(names)} in its header; "
                "complete the row, or put the cell that contains a separator in quotes"
            )
            raise ArgumentError(message)
        cells = dict(zip(names, row, strict=True))
        blank = [column for column in columns if not cells[column]]
        if blank:
            message = f"{path} has no {blank[0]} in line {line}; complete or remove the row"
            raise ArgumentError(message)
        yield _Row(line, cells)


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Read a csv's rows that are not blank; a copy of the test list has semicolons for commas."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        header = text.partition("\n")[0]
        delimiter = ";" if ";" in header and "," not in header else ","
        rows = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
        cells = [(rows.line_num, [cell.strip() for cell in row]) for row in rows]
    except (OSError, ValueError, csv.Error) as error:
        message = f"{path} cannot be read as a csv: {error}"
        raise ArgumentError(message) from error
    return [(line, row) for line, row in cells if any(row)]


def _locate(
    folder: Path, ids: Sequence[str], listed: Path, max_unreadable: int | None
) -> dict[str, Path]:
    """Find each clip's file; where it should be, if it is not there and need not be."""
    found = find_videos(folder) if folder.is_dir() else {}
    names = video_names(folder, found)
    files = {video_id: names.called(video_id) for video_id in ids}
    twins = next((called for called in files.values() if len(called) > 1), None)
    if twins is not None:
        places = " and ".join(str(found[one]) for one in twins)
        message = f"{places} have the same id; pass videos, the folder of those to be read"
        raise ArgumentError(message)
    missing = [video_id for video_id, called in files.items() if not called]
    if max_unreadable is not None and len(missing) == len(ids):
        lines = [f"{folder}: the videos listed in {listed}, <id>.mp4  (there are none)"]
        raise CorpusNotFoundError(_NAME, lines, _SOURCE)
    if max_unreadable is not None and len(missing) > max_unreadable:
        message = (
            f"{len(missing)} of {len(ids)} videos listed in {listed} are missing under {folder} "
            f"(first: {missing[0]}); download them, or pass max_unreadable={len(missing)} to go on "
            "without them"
        )
        raise ArgumentError(message)
    return {
        video_id: found[called[0]] if called else folder / f"{video_id}.mp4"
        for video_id, called in files.items()
    }
