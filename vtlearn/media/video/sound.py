"""Decode what is heard in a video: pieces of one channel, each with the second it starts at.

Seconds count from when the file starts, as those of its frames do. faster-whisper's own decoder
counts from the first sound instead: speech that begins three seconds after the picture would be
written three seconds early.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from vtlearn.errors import UnreadableVideoError
from vtlearn.media.clips import Source, VideoBytes
from vtlearn.media.video.clock import start_time
from vtlearn.media.video.duration import tagged_end
from vtlearn.media.video.opening import (
    MATROSKA,
    MP4,
    PROGRAM_STREAM,
    TRANSPORT_STREAM,
    best_stream,
    open_named,
    read_packets,
)
from vtlearn.media.video.sound_clock import SoundClock

if TYPE_CHECKING:
    import av
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

    _Packet = av.Packet[AudioStream]

__all__ = ["SOUND_RATE", "SOUND_SUFFIXES", "SoundFile", "SoundPiece"]

SOUND_RATE = 16_000
"""Samples per second of what is decoded, which is what speech recognition reads."""

SOUND_SUFFIXES = frozenset(
    (".m4a", ".opus", ".ogg", ".oga", ".mp3", ".aac", ".weba", ".mka", ".wav", ".flac")
)
"""What the names of files without a picture end with, in lower case."""

_JITTER = 0.1  # seconds by which sound may be off its clock, whose times are rounded
_FILLED = 5.0  # seconds of a gap that is filled with silence; after a longer one, a piece begins
_OVERLAP = 1.0  # seconds by which sound may begin before the last has ended; then a piece begins
_LONGEST = 600.0  # seconds of a piece
_QUIET = 30.0  # seconds at the end of so long a piece, of which the quietest moment is looked for
_MOMENT = 0.1  # seconds of a moment
_CUT = 1.0  # seconds by which sound may end before the file says so, and still be whole

_Samples = NDArray[np.float32]


class SoundPiece(NamedTuple):
    """A stretch of a video's sound.

    Attributes:
        start: When it begins, in seconds from the start of the file.
        samples: (samples,), float32, from -1 to 1, one channel, :data:`SOUND_RATE` per second.
    """

    start: float
    samples: _Samples


class SoundFile:
    """The sound of one file: its best stream, decoded from the start to the end.

    Sound that was lost is silence, so that what follows keeps its time. Pieces are ten minutes long
    at most, and longer sound is cut where it is quietest: memory does not grow with the file, nor
    with a clock that jumps ahead by years.

    Args:
        source: The video.

    Attributes:
        damaged: In how many places sound was lost so far: packets that cannot be decoded, and an
            end before the one that the file states.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.path = source.name if isinstance(source, VideoBytes) else os.fspath(source)
        self.damaged = 0

    def pieces(self) -> Iterator[SoundPiece]:
        """Decode the sound.

        Yields:
            Its pieces; none where the file has no sound. They are in temporal order, unless the
            sound of an interrupted recording outlasted its picture.

        Raises:
            UnreadableVideoError: If the file cannot be opened, FFmpeg has no decoder for its sound,
                or there is sound and none of it can be decoded.
        """
        self.damaged = 0
        raw, container = open_named(self.source, self.path)
        with raw, container:
            yield from self._decoded(container)

    def _decoded(self, container: "InputContainer") -> Iterator[SoundPiece]:
        stream = _best_sound(container)
        if stream is None:
            return
        if stream.codec_context is None:
            raise UnreadableVideoError(self.path, "FFmpeg has no decoder for its sound")
        origin = start_time(container, best_stream(container) or stream)
        resampler, timeline = _Resampler(), _Timeline()
        for frame in self._frames(container, stream):
            time = None if frame.time is None else frame.time - origin
            for start, samples in resampler.add(frame, time):
                yield from timeline.add(start, samples)
        if not resampler.has_begun and self.damaged:
            raise UnreadableVideoError(self.path, "none of its sound can be decoded", "decode")
        for start, samples in resampler.rest():
            yield from timeline.add(start, samples)
        yield from timeline.rest()
        if timeline.end + _CUT < _stated_end(container, stream) - origin:  # it was cut off
            self.damaged += 1

    def _frames(
        self, container: "InputContainer", stream: "AudioStream"
    ) -> "Iterator[av.AudioFrame]":
        """Decode, and continue behind what cannot be decoded."""
        import av

        context = stream.codec_context
        for packet in self._packets(container, stream):
            try:
                yield from context.decode(packet)
            except av.FFmpegError:
                self.damaged += 1
                context.flush_buffers()

    def _packets(
        self, container: "InputContainer", stream: "AudioStream"
    ) -> "Iterator[_Packet | None]":
        """Read the stream to its end, then None, at which the decoder gives what it has left."""
        import av

        picture = best_stream(container)
        clock = _clock(container, stream, picture)
        try:
            for packet in read_packets(container, *([picture] if picture else []), stream):
                if packet.stream is picture:
                    clock.add_picture(packet)
                elif packet.is_corrupt:
                    self.damaged += 1
                elif packet.size:
                    clock.add_sound(packet)
                yield from clock.ready()
        except (av.FFmpegError, OSError):  # the file ends here, where it should not
            self.damaged += 1
        yield from clock.ready(is_end=True)
        yield None


def _best_sound(container: "InputContainer") -> "AudioStream | None":
    """Choose the stream to be heard; None where there is none."""
    best = cast("AudioStream | None", container.streams.best("audio"))
    # FFmpeg chooses none whose rate it does not know, as of sound that begins after some seconds.
    return best or next(iter(container.streams.audio), None)


def _clock(
    container: "InputContainer", stream: "AudioStream", picture: "VideoStream | None"
) -> SoundClock:
    """Make the clock by which a file's sound is heard."""
    tick = float((picture or stream).time_base or 1 / SOUND_RATE)
    by_position = container.format.name in (TRANSPORT_STREAM, PROGRAM_STREAM)
    return SoundClock(tick, is_alone=picture is None, by_position=by_position)


def _stated_end(container: "InputContainer", stream: "AudioStream") -> float:
    """Return when a file says that its sound ends, by its own clock; 0 where it does not."""
    if container.format.name == MATROSKA:
        tagged = tagged_end(stream.metadata) or 0.0  # a tag may be older than what it is about
        return min(tagged, (container.duration or 0) / 1e6)
    if container.format.name == MP4 and stream.duration and stream.time_base:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    return 0.0


class _Resampler:
    """Makes one channel of frames of any kind, and says when it is heard."""

    def __init__(self) -> None:
        self._resampler: av.AudioResampler | None = None
        self._kind: tuple[object, ...] = ()
        self._start = self._seconds = 0.0  # when this run of frames starts, and how long it is
        self._made = 0  # samples that were made of it

    @property
    def has_begun(self) -> bool:
        """Whether there was a frame."""
        return bool(self._kind)

    def add(self, frame: "av.AudioFrame", time: float | None) -> Iterator[tuple[float, _Samples]]:
        """Resample a frame; one of another kind, or away from the last one, begins a new run.

        Args:
            frame: The frame.
            time: When it starts, in seconds; None where the file does not say.

        Yields:
            Samples, and when the first of them is heard.
        """
        import av

        due = self._start + self._seconds
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._kind or (time is not None and abs(time - due) > _JITTER):
            yield from self.rest()
            # 16 bits and their scale are how Whisper's own tools mix and read sound
            self._resampler = av.AudioResampler("s16", "mono", SOUND_RATE)
            self._kind, self._made = kind, 0
            self._start, self._seconds = (due if time is None else time), 0.0
        self._seconds += frame.samples / frame.sample_rate
        yield from self._resampled(frame)

    def rest(self) -> Iterator[tuple[float, _Samples]]:
        """Yield what the resampler has held back, at the end of a run."""
        yield from self._resampled(None)
        self._resampler = None

    def _resampled(self, frame: "av.AudioFrame | None") -> Iterator[tuple[float, _Samples]]:
        for made in [] if self._resampler is None else self._resampler.resample(frame):
            samples = made.to_ndarray().reshape(-1).astype(np.float32) / np.float32(2**15)
            yield self._start + self._made / SOUND_RATE, samples
            self._made += len(samples)


class _Timeline:
    """Lays sound where it is heard, and cuts it into pieces."""

    def __init__(self) -> None:
        self._begin = self._end = 0  # of the piece, in samples from the start of the file
        self._blocks: list[_Samples] = []

    @property
    def end(self) -> float:
        """When the sound so far ends, in seconds."""
        return self._end / SOUND_RATE

    def add(self, start: float, samples: _Samples) -> Iterator[SoundPiece]:
        """Take sound.

        What is heard before the last, or before the start, is left out, unless it is much earlier:
        where a clock started again, one part's sound may have outlasted its picture, and the next
        part's begins a piece of its own.

        Args:
            start: When it begins, in seconds.
            samples: It.

        Yields:
            Pieces that are complete.
        """
        place = round(start * SOUND_RATE)
        gap = place - self._end
        if gap > _FILLED * SOUND_RATE or gap < -_OVERLAP * SOUND_RATE:
            yield from self.rest()
            self._begin = self._end = max(0, place)
        samples = samples[max(0, self._end - place) :]
        gap = place - self._end
        if gap > 0 and len(samples):
            self._append(np.zeros(gap, np.float32))
        self._append(samples)
        if self._end - self._begin > _LONGEST * SOUND_RATE:
            yield self._cut()

    def rest(self) -> Iterator[SoundPiece]:
        """Yield the piece that is not complete, if there is any."""
        if self._blocks:
            yield self._piece(np.concatenate(self._blocks))
        self._blocks = []

    def _append(self, samples: _Samples) -> None:
        if len(samples):
            self._blocks.append(samples)
            self._end += len(samples)

    def _cut(self) -> SoundPiece:
        """Take off what comes before the quietest moment of the last seconds."""
        samples = np.concatenate(self._blocks)
        moment, moments = round(_MOMENT * SOUND_RATE), round(_QUIET / _MOMENT)
        last = samples[len(samples) - moments * moment :].reshape(moments, moment)
        quietest = int((last**2).sum(axis=1).argmin())
        cut = len(samples) - (moments - quietest) * moment + moment // 2
        piece = self._piece(samples[:cut])
        self._begin += cut
        self._blocks = [samples[cut:]]
        return piece

    def _piece(self, samples: _Samples) -> SoundPiece:
        return SoundPiece(self._begin / SOUND_RATE, samples)
