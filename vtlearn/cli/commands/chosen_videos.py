"""The videos that a command works on: those of a folder, or of them those of a list."""

from collections.abc import Container
from pathlib import Path
from typing import NamedTuple

from vtlearn.datasets.files import find_videos, video_names
from vtlearn.datasets.video_list import read_video_list
from vtlearn.errors import ArgumentError
from vtlearn.media.ids import VideoNames

__all__ = ["ChosenVideos", "choose_videos"]

_SHOWN = 5  # ids of missing videos that a message names


class ChosenVideos(NamedTuple):
    """Videos of a folder.

    Attributes:
        paths: The files of those that were chosen, by id, in the order of the list.
        names: What all videos of the folder may be called.
    """

    paths: dict[str, Path]
    names: VideoNames


def choose_videos(folder: Path, listed: Path | None = None) -> ChosenVideos:
    """Find the videos that a command is to work on.

    Args:
        folder: Where videos are, nested or not.
        listed: A csv with a column ``video_path`` or ``video_id``; None for all videos.

    Returns:
        The videos; one at least.

    Raises:
        ArgumentError: If the folder is not there, or a listed video is not in it, or there is none.
    """
    if not folder.is_dir():
        message = f"{folder} is not a directory; VIDEOS is where the videos are"
        raise ArgumentError(message)
    found = find_videos(folder)
    names = video_names(folder, found)
    ids = list(found) if listed is None else read_video_list(listed, names)
    _require_there(folder, listed, ids, found)
    return ChosenVideos({video_id: found[video_id] for video_id in ids}, names)


def _require_there(
    folder: Path, listed: Path | None, ids: list[str], found: Container[str]
) -> None:
    missing = [video_id for video_id in ids if video_id not in found]
    if missing:
        first = ", ".join(missing[:_SHOWN]) + (", ..." if len(missing) > _SHOWN else "")
        message = (
            f"{len(missing)} of {len(ids)} videos of {listed} are not in {folder}: {first}. "
            "Download them, or remove them from the list"
        )
        raise ArgumentError(message)
    if not ids:
        where = folder if listed is None else listed
        message = f"no video is in {where}; give a folder of videos, or a list of some"
        raise ArgumentError(message)
