"""Files beside a video that may have its sound, as yt-dlp leaves formats that it has not merged."""

import os
from collections.abc import Mapping
from pathlib import Path

from vtlearn.media.ids import VIDEO_SUFFIXES, format_stem
from vtlearn.media.video.probing import has_picture
from vtlearn.media.video.sound import SOUND_SUFFIXES

__all__: list[str] = []


class SoundBeside:
    """Finds the files that may have the sound of a video; each folder is listed once.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("a.mp4", "a.m4a", "b.mp4"):
        ...         Path(folder, name).touch()
        ...     [path.name for path in SoundBeside().of(Path(folder, "a.mp4"))]
        ['a.m4a']
    """

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._names: Mapping[str, list[str]] = {}

    def of(self, video: Path) -> list[Path]:
        """Find the files for one video.

        Args:
            video: Its file, without sound.

        Returns:
            Files in the same folder: first those of the same name with another suffix, then other
            formats of the video, such as ``a.f251.webm`` beside ``a.f399.mp4``. One that has a
            picture is a video of its own, whose name happens to end like this.

        Raises:
            OSError: If the folder cannot be listed.
        """
        if video.parent != self._folder:
            self._folder, self._names = video.parent, _names_by_video(video.parent)
        beside = [
            video.with_name(name)
            for name in self._names.get(format_stem(video.stem), ())
            if name != video.name
        ]
        same = [path for path in beside if path.stem == video.stem]
        others = [path for path in beside if path.stem != video.stem]
        return same + [path for path in others if has_picture(path) is not True]


def _names_by_video(folder: Path) -> dict[str, list[str]]:
    """List the files of sound and video, by the name of the video of which they are formats."""
    found: dict[str, list[str]] = {}
    for name in sorted(os.listdir(folder)):  # noqa: PTH208 - there may be a million
        stem, suffix = os.path.splitext(name)  # noqa: PTH122 - likewise
        if suffix.lower() in SOUND_SUFFIXES or suffix.lower() in VIDEO_SUFFIXES:
            found.setdefault(format_stem(stem), []).append(name)
    return {video: names for video, names in found.items() if len(names) > 1}
