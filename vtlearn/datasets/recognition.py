"""What corpora of recognised actions share: a class for each video, and the uses of three splits.

Their authors publish a list per split; VT-TWINS and MIL-NCE one csv of all.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vtlearn.datasets.captioned import CaptionedClip
from vtlearn.datasets.files import locate_videos
from vtlearn.datasets.lists import Row, read_table
from vtlearn.datasets.texts import read_text
from vtlearn.errors import ArgumentError
from vtlearn.media.ids import video_stem

__all__ = ["ActionClip", "class_words"]

SPLITS = 3

#: What a split does with a video.
Use = Literal["train", "test"]

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_USES: dict[str, Use | None] = {"0": None, "1": "train", "2": "test"}


@dataclass(frozen=True, slots=True)
class ActionClip(CaptionedClip):
    """A video of one action; its text is the name of its class in words.

    Attributes:
        label: Its class, as the corpus calls it.
        uses: What each split does with it; None where it leaves it out.

    Example:
        >>> where = ("v_Archery_g01_c01", "v_Archery_g01_c01", Path("v_Archery_g01_c01.avi"))
        >>> names = (("archery",), ("v_Archery_g01_c01#0",))
        >>> ActionClip(*where, 0.0, None, *names, "Archery", ("test", "train", "train")).uses
        ('test', 'train', 'train')
    """

    label: str
    uses: tuple[Use | None, ...]


def class_words(label: str) -> str:
    """Write the name of a class as words.

    Args:
        label: The name, as corpora write it.

    Example:
        >>> class_words("ApplyEyeMakeup"), class_words("brush_hair"), class_words("YoYo")
        ('apply eye makeup', 'brush hair', 'yo yo')
    """
    return " ".join(_WORD.findall(label)).lower()


class ActionList:
    """Collects what annotation files say of videos, and refuses what contradicts itself."""

    def __init__(self) -> None:
        self._labels: dict[str, str] = {}
        self._uses: dict[str, list[Use | None]] = {}

    def add(self, name: str, label: str, split: int, use: Use | None, where: str) -> None:
        """Note what a split does with a video.

        Args:
            name: The video's file, with folders or without.
            label: Its class.
            split: Which split, from 0.
            use: What it does with the video.
            where: The file and line that say so, for what errors say.

        Raises:
            ArgumentError: If the video is of another class, or the split has another use for it.
        """
        video = video_stem(Path(name).name)
        known = self._labels.setdefault(video, label)
        if known != label:
            message = (
                f"{where}: {video} is of the class {label}, and elsewhere of {known}; correct one "
                "of the two"
            )
            raise ArgumentError(message)
        uses = self._uses.setdefault(video, [None] * SPLITS)
        if use is not None and uses[split] not in (None, use):
            message = (
                f"{where}: {video} is listed to {use} by split {split + 1}, which lists it to "
                f"{uses[split]} as well; remove one of the two"
            )
            raise ArgumentError(message)
        uses[split] = use or uses[split]

    def clips(self, videos: Path) -> list[ActionClip]:
        """List the videos that any split uses, wherever their files are below a folder.

        Args:
            videos: The folder.

        Returns:
            The videos in the order in which they were noted. A file may not be there.

        Raises:
            ArgumentError: If several files have the name of one video.
        """
        used = {video: tuple(uses) for video, uses in self._uses.items() if any(uses)}
        paths = locate_videos(videos, list(used))
        return [
            ActionClip(
                *(video, video, paths[video], 0.0, None),
                *((class_words(self._labels[video]),), (f"{video}#0",)),
                *(self._labels[video], uses),
            )
            for video, uses in used.items()
        ]


def read_merged(path: Path, label_of: Callable[[Row], str]) -> ActionList:
    """Read the csv that VT-TWINS and MIL-NCE publish of a corpus.

    Args:
        path: A csv with the columns ``video_id``, ``label`` and ``split1`` to ``split3``, which
            hold 1 for a video that is trained on, 2 for one that is tested, and 0 for another.
        label_of: Says which class a row is of.

    Returns:
        What it says.

    Raises:
        ArgumentError: If it cannot be read, or a row holds anything else.
    """
    columns = [f"split{number}" for number in range(1, SPLITS + 1)]
    listed = ActionList()
    for row in read_table(path, ["video_id", "label", *columns], unique="video_id"):
        where = f"{path}, line {row.line}"
        label = label_of(row)
        for split, column in enumerate(columns):
            use = use_of(row.cells[column], where)
            listed.add(row.cells["video_id"], label, split, use, where)
    return listed


def use_of(code: str, where: str) -> Use | None:
    """Say what the number means that a list has beside a video.

    Args:
        code: The number.
        where: The file and line, for what errors say.

    Raises:
        ArgumentError: If it is none of 0, 1 and 2.

    Example:
        >>> [use_of(code, "list.txt, line 1") for code in "012"]
        [None, 'train', 'test']
    """
    if code not in _USES:
        message = f"{where}: expected 1 (to train), 2 (to test) or 0 (neither), got {code!r}"
        raise ArgumentError(message)
    return _USES[code]


def split_code(line: str) -> tuple[str, str]:
    """Split a line into a video, whose name may have spaces, and what follows the last of these.

    Args:
        line: A line of a list, less outer spaces.

    Example:
        >>> split_code("Goal! [3] (a).avi 2"), split_code("a.avi")
        (('Goal! [3] (a).avi', '2'), ('a.avi', ''))
    """
    name, *code = line.rsplit(maxsplit=1)
    return name, "".join(code)


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    r"""Read the lines of a list that are not blank, less outer spaces.

    Args:
        path: The file; its lines may end as on Windows.

    Yields:
        The number of each, from 1, and the line.

    Raises:
        ArgumentError: If the file cannot be read.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "list.txt")
        ...     _ = file.write_bytes(b"a.avi 1 \r\n\r\nb c.avi 2\r\n")
        ...     list(numbered_lines(file))
        [(1, 'a.avi 1'), (3, 'b c.avi 2')]
    """
    for number, line in enumerate(read_text(path, "a list of videos").split("\n"), 1):
        if line.strip():
            yield number, line.strip()
