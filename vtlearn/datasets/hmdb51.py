"""HMDB51: 6,766 videos of 51 actions, of which each of three splits uses 5,100.

Its authors publish a list per class and split.
"""

from collections.abc import Sequence
from pathlib import Path

from vtlearn.datasets.base import Expectations
from vtlearn.datasets.captioned import CaptionedCorpus, require_clips
from vtlearn.datasets.files import first_file, require_paths
from vtlearn.datasets.recognition import (
    SPLITS,
    ActionClip,
    ActionList,
    numbered_lines,
    read_merged,
    split_code,
    use_of,
)
from vtlearn.errors import ArgumentError

__all__ = ["HMDB51"]

_CLASSES = "class_list.txt"  # which not all copies have
_MERGED = ["hmdb51.csv", "hmdb.csv"]
_FOLDERS = ("", "testTrainMulti_7030_splits", "test_train_splits", "hmdb51_splits", "annotations")
_SUFFIX = "_test"  # of the labels of the table, which come from the names of the lists
_NAME = "HMDB51"
_SOURCE = (
    "https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database (hmdb51_org.rar "
    "and test_train_splits.rar). "
    "`vtlearn data kitchen --layout hmdb51` renders a small corpus in this layout"
)


class HMDB51(CaptionedCorpus):
    """The videos of all splits, each with the name of its class as its caption."""

    @classmethod
    def expectations(cls, root: Path) -> Expectations:
        """Say which videos the splits use together.

        Args:
            root: The corpus's folder.

        Raises:
            CorpusNotFoundError: If the annotation files are not there.
            ArgumentError: If one cannot be read.
        """
        ids = [clip.id for clip in read_hmdb51(root, max_missing=None)]
        return Expectations(_NAME, root, captions=ids, listed=ids)


def read_hmdb51(
    root: Path, *, videos: Path | None = None, max_missing: float | None = 0
) -> list[ActionClip]:
    r"""List the videos of HMDB51 with their classes, and what each split does with them.

    Args:
        root: The corpus's folder. The authors' ``<class>_test_split{1,2,3}.txt`` are looked for in
            it and in its folder ``testTrainMulti_7030_splits``; or else ``hmdb51.csv``, the table
            that MIL-NCE and VT-TWINS publish. Videos may be anywhere below it, and of any format,
            whatever suffix the lists have.
        videos: The folder of the videos, however deep, in place of ``root``.
        max_missing: How many of the videos may lack their files (a share of them, if less than 1);
            these are listed all the same, so that they are counted where they are read. None for
            any number, where features are read and videos need not be there.

    Returns:
        The videos that any split uses, in the order of the files; an id is the name of its file
        less the suffix.

    Raises:
        CorpusNotFoundError: If the folder, an annotation file, or every video is not there.
        ArgumentError: If a file holds anything else, or is of a class that ``class_list.txt``
            beside it does not list, a video is of two classes, or more videos than may lack their
            files, or have several.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     root = Path(folder)
        ...     _ = (root / "[joy] & (hair)_brush_hair_u_nm_np1_ba_goo_0.avi").touch()
        ...     for split in (1, 2, 3):
        ...         _ = (root / f"brush_hair_test_split{split}.txt").write_text(
        ...             f"[joy] & (hair)_brush_hair_u_nm_np1_ba_goo_0.avi {split - 1} \n"
        ...         )
        ...     clip, = read_hmdb51(root)
        >>> clip.label, clip.texts, clip.uses
        ('brush_hair', ('brush hair',), (None, 'train', 'test'))
    """
    files = annotation_files(root)
    expected = dict.fromkeys(files, f"videos of a class (or {_MERGED[0]}: those of all)")
    if files[0].suffix == ".csv":
        expected = {files[0]: "the classes and splits of all videos"}
    if max_missing is not None:
        expected[videos or root] = "videos, <class>/<id>.avi, in it or in folders below it"
    require_paths(_NAME, expected, _SOURCE)
    listed = _read_table(files[0]) if files[0].suffix == ".csv" else _read_lists(files)
    clips = listed.clips(videos or root)
    if not clips:
        message = f"{files[0]} lists no videos to train on or to test; download it again"
        raise ArgumentError(message)
    if max_missing is not None:
        check = f"{root} --data {_NAME}"
        require_clips(_NAME, clips, files[0], _SOURCE, max_missing, check, named="<class>/<id>.avi")
    return clips


def annotation_files(root: Path) -> list[Path]:
    """Return the files that say what there is: the authors' lists, or the table of all.

    Args:
        root: The corpus's folder.

    Returns:
        Three lists of each class that has one, or the table alone. They may not be there.
    """
    found = [sorted((root / folder).glob("[!.]*_test_split[1-3].txt")) for folder in _FOLDERS]
    lists = next((each for each in found if each), [])
    if not lists:
        merged = first_file(root, _MERGED, _FOLDERS)
        return [merged] if merged.is_file() else _lists_of(root, ["<class>"])
    return _lists_of(lists[0].parent, sorted({_class_of(path) for path in lists}))


def _lists_of(folder: Path, classes: Sequence[str]) -> list[Path]:
    numbers = range(1, SPLITS + 1)
    return [folder / f"{label}_test_split{n}.txt" for label in classes for n in numbers]


def _class_of(path: Path) -> str:
    return path.name.rpartition("_test_split")[0]


def _read_lists(files: Sequence[Path]) -> ActionList:
    """Read the authors' lists of each class."""
    _require_listed(files)
    listed = ActionList()
    for place, path in enumerate(files):
        for number, line in numbered_lines(path):
            where = f"{path}, line {number}"
            name, code = split_code(line)
            listed.add(name, _class_of(path), place % SPLITS, use_of(code, where), where)
    return listed


def _require_listed(files: Sequence[Path]) -> None:
    """Refuse lists of classes that the list of classes lacks, where there is one."""
    path = files[0].parent / _CLASSES
    known = {line for _, line in numbered_lines(path)} if path.is_file() else None
    for file in files:
        if known is not None and _class_of(file) not in known:
            message = f"{file} is of a class that {path} does not list; correct one of them"
            raise ArgumentError(message)


def _read_table(path: Path) -> ActionList:
    return read_merged(path, lambda row: row.cells["label"].removesuffix(_SUFFIX))
