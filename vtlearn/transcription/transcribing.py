"""Transcribe videos: decode what is heard, have it recognized, and keep what is missing."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from vtlearn.batch import Unreadable
from vtlearn.datasets.extraction import Part
from vtlearn.datasets.unreadable import UnreadableLog, read_or_record
from vtlearn.errors import UnreadableVideoError
from vtlearn.media.clips import Source
from vtlearn.media.video.sound import SOUND_RATE, SoundFile, SoundPiece
from vtlearn.storage.progress import count_up
from vtlearn.transcription.folder import TranscriptFolder
from vtlearn.transcription.formats import SoundBeside
from vtlearn.transcription.recognizer import Recognizer, Segment, Speech

__all__ = ["Figures", "Transcribed", "transcribe", "transcribe_all"]

_LOG = logging.getLogger(__name__)


class Transcribed(NamedTuple):
    """What became of one video.

    Attributes:
        speech: What is said, in seconds from the start of the file.
        seconds: How much sound there is.
        damaged: In how many places some of it was lost.
    """

    speech: Speech
    seconds: float
    damaged: int = 0


@dataclass(slots=True)
class Figures:
    """What a run did.

    Attributes:
        videos: How many it transcribed.
        there: How many had a transcript before.
        seconds: How much sound they have.
        elapsed: How long it took, in seconds of the clock.
        without_sound: How many of them have no sound.
        without_speech: How many have sound, and nothing is said.
        damaged: How many have sound of which a part was lost.
        unreadable: How many videos cannot be read, and have no transcript.
        report: The file that names these, and why.
    """

    videos: int = 0
    there: int = 0
    seconds: float = 0.0
    elapsed: float = 0.0
    without_sound: int = 0
    without_speech: int = 0
    damaged: int = 0
    unreadable: int = 0
    report: Path = Path()

    def add(self, video: Transcribed) -> None:
        """Count a video.

        Args:
            video: What became of it.
        """
        self.videos += 1
        self.seconds += video.seconds
        self.without_sound += not video.seconds
        self.without_speech += bool(video.seconds) and not video.speech.segments
        self.damaged += video.damaged > 0

    @property
    def speed(self) -> str:
        """How many seconds of sound are transcribed in one."""
        return f"{self.seconds / max(self.elapsed, 1e-9):.1f} x real time"

    def __str__(self) -> str:
        """Say it on one line."""
        done = (
            f"{self.videos} videos transcribed, {self.seconds / 3600:.2f} hours of sound in "
            f"{self.elapsed:.1f} s ({self.speed})"
        )
        if not self.videos and not self.unreadable:
            done = "no video was left to transcribe"
        counts = {
            "were there before": self.there,
            "without sound": self.without_sound,
            "without speech": self.without_speech,
            "with damaged sound": self.damaged,
            f"cannot be read (why: {self.report})": self.unreadable,
        }
        return "; ".join([done, *(f"{count} {what}" for what, count in counts.items() if count)])


def transcribe(source: Source, recognizer: Recognizer, language: str | None = None) -> Transcribed:
    """Write down what is said in one video.

    Args:
        source: The video.
        recognizer: Recognizes speech.
        language: The language that is spoken; None: that of the first speech in it.

    Returns:
        What is said, in seconds from the start of the file, as its frames are counted.

    Raises:
        UnreadableVideoError: If the file cannot be opened, or none of its sound can be decoded.
    """
    file = SoundFile(source)
    segments: list[Segment] = []
    seconds = 0.0
    for piece in file.pieces():
        speech = recognizer.recognize(piece.samples, language)
        language = language or speech.language
        seconds += len(piece.samples) / SOUND_RATE
        segments += [_placed(segment, piece) for segment in speech.segments]
    segments.sort(key=lambda segment: segment.start)  # pieces may overlap
    return Transcribed(Speech(segments, language), seconds, file.damaged)


def transcribe_all(
    videos: Mapping[str, Path],
    folder: TranscriptFolder,
    recognizer: Recognizer,
    *,
    language: str | None = None,
    part: Part | None = None,
    max_unreadable_fraction: float = 0.01,
    show: bool = False,
) -> Figures:
    """Transcribe what is missing of a corpus.

    The sound of a video without any may be in another file of the same name, or in another format
    that yt-dlp has not merged. A video without sound or speech has an empty transcript. One that
    cannot be read has none, is named in a report in the folder, and is tried again the next time.

    Args:
        videos: Files by id.
        folder: Where transcripts are kept, and may be already.
        recognizer: Recognizes speech.
        language: The language of all of them; None: each video's own.
        part: The share of this machine; None: everything.
        max_unreadable_fraction: Stop when more of the videos than this cannot be read.
        show: Whether to show progress on standard error.

    Returns:
        What was done.

    Raises:
        TooManyUnreadableError: If more videos are unreadable than may be.
        OSError: If a transcript cannot be written.
    """
    part = part or Part()
    ids = list(videos)
    own = [ids[number] for number in part.shards(len(ids))]
    missing = [video_id for video_id in own if not folder.has(video_id)]
    log = UnreadableLog(folder.folder / f".{part.log_name}", videos.keys(), max_unreadable_fraction)
    log.path.unlink(missing_ok=True)  # what could not be read is tried again
    figures = Figures(there=len(own) - len(missing), report=log.path)
    beside, begun = SoundBeside(), time.monotonic()
    with count_up("Transcribing", len(missing), show=show) as advance:
        for video_id in missing:
            read = _reading(video_id, videos[video_id], folder, beside, recognizer, language)
            found = read_or_record(video_id, read)
            figures.elapsed = time.monotonic() - begun
            if isinstance(found, Unreadable):
                figures.unreadable += 1
                log.add(found)
            else:
                if found.damaged:
                    _LOG.warning("%s: sound is lost in %d places", video_id, found.damaged)
                folder.write(video_id, found.speech)
                figures.add(found)
            advance(1, figures.speed)
    return figures


def _reading(
    video_id: str,
    path: Path,
    folder: TranscriptFolder,
    beside: SoundBeside,
    recognizer: Recognizer,
    language: str | None,
) -> Callable[[], Transcribed]:
    """Return what transcribes a video, and fails before it where that could not be kept."""

    def read() -> Transcribed:
        if not folder.fits(video_id):
            reason = "the name of its transcript is longer than the disk allows; rename the video"
            raise UnreadableVideoError(str(path), reason)
        found = transcribe(path, recognizer, language)
        others = () if found.seconds else beside.of(path)
        return _first_with_sound(others, recognizer, language) or found

    return read


def _first_with_sound(
    paths: Iterable[Path], recognizer: Recognizer, language: str | None
) -> Transcribed | None:
    """Transcribe the first of several files that has sound; None where all can be read without."""
    failure: UnreadableVideoError | None = None
    for path in paths:
        try:
            found = transcribe(path, recognizer, language)
        except UnreadableVideoError as error:
            failure = failure or error
            continue
        if found.seconds:
            return found
    if failure is not None:
        raise failure
    return None


def _placed(segment: Segment, piece: SoundPiece) -> Segment:
    """Put a segment of a piece where the file has it, and end it with the piece at the latest."""
    length = len(piece.samples) / SOUND_RATE

    def seconds(time: float) -> float:
        return round(piece.start + min(time, length), 3)

    words = [
        word._replace(start=seconds(word.start), end=seconds(word.end)) for word in segment.words
    ]
    return segment._replace(start=seconds(segment.start), end=seconds(segment.end), words=words)
