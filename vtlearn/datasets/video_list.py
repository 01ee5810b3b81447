"""Write which videos a corpus has, for others to read."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from vtlearn.storage.atomic import replace_text

__all__ = ["write_video_list"]


def write_video_list(path: Path, ids: Iterable[str]) -> None:
    """Write a list of videos: a csv with the column ``video_id``.

    :func:`~vtlearn.datasets.lists.read_video_list` reads it. Ids that begin or end with a space
    are read back where the videos are known.

    Args:
        path: The file, which is whole or not there.
        ids: The videos.

    Raises:
        OSError: If it cannot be written.

    Example:
        >>> import tempfile
        >>> from vtlearn.datasets.lists import read_video_list
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "list.csv")
        ...     write_video_list(file, ["lesson1/1. Intro", "salt, pepper"])
        ...     read_video_list(file)
        ['lesson1/1. Intro', 'salt, pepper']
    """
    file = io.StringIO()
    rows = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
    rows.writerow(["video_id"])
    rows.writerows([video_id] for video_id in ids)
    replace_text(path, file.getvalue())
