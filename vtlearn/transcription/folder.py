"""A folder of transcripts, one file per video, which is whole or not there."""

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vtlearn.errors import ArgumentError
from vtlearn.media.captions.transcripts import SUFFIXES
from vtlearn.media.video_shards import describe_differences
from vtlearn.storage.atomic import remove_leftovers, replace_text
from vtlearn.transcription.recognizer import Speech

__all__ = ["TranscriptFolder"]

_SETTINGS = ".transcribe.json"  # readers of captions skip what begins with a dot
_ABANDONED = 3600.0  # seconds after which an unfinished file is; writing one takes less than one


class TranscriptFolder:
    """Transcripts as WhisperX writes them, ``<id>.json``, and the settings they were made with.

    Any number of processes may write to it, on several machines. What is there is kept, whatever
    wrote it.

    Args:
        folder: Where it is; it is created if it is not there.
        settings: What the transcripts depend on, as JSON has it.

    Raises:
        ArgumentError: If the folder was created with other settings, or cannot be one.
        OSError: If it cannot be written to.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     transcripts = TranscriptFolder(Path(folder), {"model": "tiny.en"})
        ...     transcripts.write("lesson1/part1", Speech([], None))
        ...     transcripts.has("lesson1/part1"), transcripts.has("lesson1/part2")
        (True, False)
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        if folder.exists() and not folder.is_dir():
            message = f"{folder} is not a directory; give a folder to write transcripts to"
            raise ArgumentError(message)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / _SETTINGS
        if not path.exists():
            replace_text(path, json.dumps(settings, indent=1) + "\n")
        there = _read_settings(path)
        if differences := describe_differences(there, settings):
            message = (
                f"{folder} was created with other settings: {differences}. Resume with the same "
                "settings, or give another folder"
            )
            raise ArgumentError(message)
        remove_leftovers(folder, unused_for=_ABANDONED)

    def path(self, video_id: str) -> Path:
        """Return the file of a video's transcript.

        Args:
            video_id: The video; a ``/`` in its id is a folder.
        """
        return self.folder / f"{video_id}.json"

    def has(self, video_id: str) -> bool:
        """Tell whether a video's transcript is there, in any format that corpora read.

        Args:
            video_id: The video.
        """
        place = os.fspath(self.folder / video_id)
        # Path raises where a name is too long
        return any(os.path.exists(f"{place}{suffix}") for suffix in SUFFIXES)  # noqa: PTH110

    def fits(self, video_id: str) -> bool:
        """Tell whether the disk allows a transcript's name, which may be longer than the video's.

        Args:
            video_id: The video.

        Raises:
            OSError: If its folder cannot be created for another reason.
        """
        path = self.path(video_id)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.lstat()
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return False
            raise
        return True

    def write(self, video_id: str, speech: Speech) -> None:
        """Write a transcript, unless there is one by now.

        Args:
            video_id: The video.
            speech: What is said in it.

        Raises:
            OSError: If it cannot be written.
        """
        path = self.path(video_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            replace_text(path, json.dumps(_as_whisperx(speech)) + "\n")


def _as_whisperx(speech: Speech) -> dict[str, Any]:
    segments = [
        {**segment._asdict(), "words": [word._asdict() for word in segment.words]}
        for segment in speech.segments
    ]
    return {"segments": segments, "language": speech.language}


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        message = f"{path} is not valid JSON ({error}); remove it, or give another folder"
        raise ArgumentError(message) from error
    if not isinstance(content, dict):
        message = f"{path} holds no settings of vtlearn transcribe; give another folder"
        raise ArgumentError(message)
    return content
