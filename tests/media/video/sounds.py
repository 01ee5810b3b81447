"""Small files with sound for tests, whose tones tell at which second they are heard."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from numpy.typing import NDArray

from tests.media.video.writing import grey

__all__ = ["laid_out", "onsets", "scramble", "tone", "write_sound"]

_BLOCK = 1024  # samples of a frame


def tone(
    begin: float, end: float, seconds: float, rate: int = 16000, pitch: float = 440.0
) -> NDArray[np.float32]:
    """Silence of so many seconds in which a tone is heard, (samples,), half as loud as can be."""
    time = np.arange(round(seconds * rate)) / rate
    heard = (time >= begin) & (time < end)
    return (0.5 * np.sin(2 * np.pi * pitch * time) * heard).astype(np.float32)


def write_sound(
    path: Path,
    sound: NDArray[np.float32],
    *,
    rate: int = 16000,
    late: float = 0.0,
    skip: Sequence[tuple[float, float]] = (),
    picture: float = 0.0,
    codec: str = "pcm_s16le",
    container: Mapping[str, str] | None = None,
) -> Path:
    """Encode sound, (samples,) or (channels, samples), beside so many seconds of grey pictures.

    ``late`` is when it begins, in seconds; ``skip`` are stretches of it that are not written.
    """
    channels = np.atleast_2d(sound)
    with av.open(path, "w", options=dict(container or {})) as output:
        video = output.add_stream("mpeg4", rate=25) if picture else None
        layout = "mono" if len(channels) == 1 else "stereo"
        audio = output.add_stream(codec, rate=rate, layout=layout)
        assert isinstance(audio, AudioStream)
        if isinstance(video, VideoStream):
            video.height = video.width = 32
            for number in range(round(picture * 25)):
                shown = av.VideoFrame.from_ndarray(grey(100, 32, 32), format="rgb24")
                shown.pts, shown.time_base = number, Fraction(1, 25)
                output.mux(video.encode(shown))
            output.mux(video.encode(None))
        for first in range(0, channels.shape[1], _BLOCK):
            if any(begin <= first / rate < end for begin, end in skip):
                continue
            block = np.ascontiguousarray(channels[:, first : first + _BLOCK])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = first + round(late * rate)
            output.mux(audio.encode(frame))
        output.mux(audio.encode(None))
    return path


def scramble(path: Path, scrambled: Path, first: float, last: float) -> Path:
    """Copy a file of one stream; its packets from one second to another become noise."""
    rng = np.random.default_rng(0)
    with av.open(path) as source, av.open(scrambled, "w") as output:
        (stream,) = source.streams
        copy = output.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.pts is None or packet.time_base is None:
                continue
            content = bytes(packet)
            if first <= packet.pts * packet.time_base < last:
                content = rng.integers(0, 256, len(content), np.uint8).tobytes()
            new = av.Packet(content)
            new.pts, new.dts, new.duration = packet.pts, packet.dts, packet.duration
            new.time_base, new.stream = packet.time_base, copy
            output.mux(new)
    return scrambled


def laid_out(pieces: Sequence[tuple[float, NDArray[np.float32]]]) -> NDArray[np.float32]:
    """Pieces of sound in one array that begins at second 0."""
    ends = [round(start * 16000) + len(samples) for start, samples in pieces]
    laid = np.zeros(max(ends, default=0), np.float32)
    for (_, samples), end in zip(pieces, ends, strict=True):
        laid[end - len(samples) : end] = samples
    return laid


def onsets(sound: NDArray[np.float32]) -> list[tuple[float, float]]:
    """When tones are heard, as seconds from and to, of 16,000 samples per second."""
    heard = np.abs(sound) > 0.05
    places = np.flatnonzero(heard)
    if not len(places):
        return []
    breaks = np.flatnonzero(np.diff(places) > 1600)
    firsts = [places[0], *places[breaks + 1]]
    lasts = [*places[breaks], places[-1]]
    return [(a / 16000, b / 16000) for a, b in zip(firsts, lasts, strict=True)]
