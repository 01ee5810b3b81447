"""UCF101: 13,320 videos of 101 actions, in three splits.

Its authors publish ``classInd.txt`` and a list of training and of test videos for each split.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from vtlearn.datasets.base import Expectations
from vtlearn.datasets.captioned import CaptionedCorpus, require_clips
from vtlearn.datasets.files import first_file, require_paths
from vtlearn.datasets.lists import Row
from vtlearn.datasets.recognition import (
    SPLITS,
    ActionClip,
    ActionList,
    Use,
    numbered_lines,
    read_merged,
    split_code,
)
from vtlearn.errors import ArgumentError

__all__ = ["UCF101"]

_CLASSES = "classInd.txt"
_LISTS: Mapping[str, tuple[int, Use]] = {
    f"{use}list{split + 1:02d}.txt": (split, use)
    for split in range(SPLITS)
    for use in ("train", "test")
}
_MERGED = ["ucf101.csv", "ucf.csv"]
_FOLDERS = ("", "ucfTrainTestlist", "ucf101_splits", "annotations")
_NAME = "UCF101"
_NUMBER = re.compile(r"[0-9]+")  # str.isdigit takes signs that are no numbers
_SOURCE = (
    "https://www.crcv.ucf.edu/data/UCF101.php (UCF101.rar and "
    "UCF101TrainTestSplits-RecognitionTask.zip). "
    "`vtlearn data kitchen --layout ucf101` renders a small corpus in this layout"
)


class UCF101(CaptionedCorpus):
    """The videos of all splits, each with the name of its class as its caption."""

    @classmethod
    def expectations(cls, root: Path) -> Expectations:
        """Say which videos the splits name together.

        Args:
            root: The corpus's folder.

        Raises:
            CorpusNotFoundError: If an annotation file is not there.
            ArgumentError: If one cannot be read.
        """
        ids = [clip.id for clip in read_ucf101(root, max_missing=None)]
        return Expectations(_NAME, root, captions=ids, listed=ids)


def read_ucf101(
    root: Path, *, videos: Path | None = None, max_missing: float | None = 0
) -> list[ActionClip]:
    r"""List the videos of UCF101 with their classes, and what each split does with them.

    Args:
        root: The corpus's folder. The authors' ``classInd.txt``, ``trainlist0{1,2,3}.txt`` and
            ``testlist0{1,2,3}.txt`` are looked for in it and in its folder ``ucfTrainTestlist``;
            or else ``ucf101.csv`` or ``ucf.csv``, the table that VT-TWINS publishes. Videos may be
            anywhere below it, and of any format, whatever suffix the lists have.
        videos: The folder of the videos, however deep, in place of ``root``.
        max_missing: How many of the videos may lack their files (a share of them, if less than 1);
            these are listed all the same, so that they are counted where they are read. None for
            any number, where features are read and videos need not be there.

    Returns:
        The videos in the order of the files; an id is the name of its file less the suffix.

    Raises:
        CorpusNotFoundError: If the folder, an annotation file, or every video is not there.
        ArgumentError: If a file holds anything else, a class that is not listed, a video twice or
            of two classes, or more videos than may lack their files, or have several.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     root = Path(folder)
        ...     _ = (root / "v_Archery_g01_c01.avi").touch()
        ...     _ = (root / "ucf101.csv").write_text(
        ...         "video_id,label,split1,split2,split3\n"
        ...         "Archery/v_Archery_g01_c01.mp4,3,2,1,1\n"
        ...     )
        ...     clip, = read_ucf101(root)
        >>> clip.label, clip.path.name, clip.texts, clip.uses
        ('Archery', 'v_Archery_g01_c01.avi', ('archery',), ('test', 'train', 'train'))
    """
    files = annotation_files(root)
    expected = dict.fromkeys(files, "the videos of a split")
    expected[files[0]] = (
        f"the classes (or {_MERGED[0]}: the classes and splits of all videos)"
        if files[0].name == _CLASSES
        else "the classes and splits of all videos"
    )
    if max_missing is not None:
        expected[videos or root] = "videos, <class>/<id>.avi, in it or in folders below it"
    require_paths(_NAME, expected, _SOURCE)
    listed = _read_lists(files) if files[0].name == _CLASSES else _read_table(files[0])
    clips = listed.clips(videos or root)
    if not clips:
        message = f"{files[-1]} lists no videos; download it again"
        raise ArgumentError(message)
    if max_missing is not None:
        check = f"{root} --data {_NAME}"
        require_clips(
            _NAME, clips, files[-1], _SOURCE, max_missing, check, named="<class>/<id>.avi"
        )
    return clips


def annotation_files(root: Path) -> list[Path]:
    """Return the files that say what there is: the authors' lists, or the table of all.

    Args:
        root: The corpus's folder.

    Returns:
        The classes, then the lists of the splits; or the table alone. They may not be there.
    """
    lists = [first_file(root, [name], _FOLDERS) for name in (_CLASSES, *_LISTS)]
    merged = first_file(root, _MERGED, _FOLDERS)
    return [merged] if merged.is_file() and not lists[1].is_file() else lists


def _read_lists(files: list[Path]) -> ActionList:
    """Read the authors' lists; those of the tests have no numbers of classes."""
    classes = _read_classes(files[0])
    known = {label.casefold(): label for label in classes.values()}
    listed = ActionList()
    for path in files[1:]:
        split, use = _LISTS[path.name]
        for number, line in numbered_lines(path):
            where = f"{path}, line {number}"
            name, code = split_code(line)
            if not _NUMBER.fullmatch(code):
                name, code = line, ""
            folder = Path(name).parent.name
            label = known.get(folder.casefold())
            if label is None or (code and classes.get(int(code)) != label):
                what = f"the class {folder!r}" + (f" with the number {code}" if code else "")
                message = f"{where}: {what} of {line!r} is not in {files[0]}; correct one of them"
                raise ArgumentError(message)
            listed.add(name, label, split, use, where)
    return listed


def _read_classes(path: Path) -> dict[int, str]:
    """Read the classes by their numbers."""
    classes: dict[int, str] = {}
    for number, line in numbered_lines(path):
        code, _, label = line.partition(" ")
        label = label.strip()
        known = {other.casefold() for other in classes.values()}
        is_new = _NUMBER.fullmatch(code) and int(code) not in classes
        if not is_new or not label or label.casefold() in known:
            message = (
                f"{path}, line {number}: expected a number and a class, each once, got {line!r}"
            )
            raise ArgumentError(message)
        classes[int(code)] = label
    return classes


def _read_table(path: Path) -> ActionList:
    """Read the table of all videos, whose classes are folders and numbers."""
    numbers: dict[str, str] = {}
    labels: dict[str, str] = {}

    def label_of(row: Row) -> str:
        name, code = row.cells["video_id"], row.cells["label"]
        label = Path(name).parent.name
        first = numbers.setdefault(label, code), labels.setdefault(code, label)
        if not label or first != (code, label):
            message = (
                f"{path}, line {row.line}: expected <class>/<name> with one number per class, and "
                f"one class per number, got {name!r} with {code!r}"
            )
            raise ArgumentError(message)
        return label

    return read_merged(path, label_of)
