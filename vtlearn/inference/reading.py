"""How a model's clips are read: as those that it was trained on."""

from collections.abc import Mapping
from typing import Any

from vtlearn.datasets.reading import ClipSampling, Pixels, Reading
from vtlearn.encoders.base import VideoEncoder
from vtlearn.errors import ArgumentError, CheckpointError

__all__: list[str] = []


def reading_of(clips: Mapping[str, Any] | None, encoder: VideoEncoder, name: str) -> Reading:
    """Turn what a checkpoint kept of its clips into the settings that read such clips.

    Args:
        clips: What :meth:`~vtlearn.datasets.reading.Reading.clip_settings` gave in training; None
            where that is not known.
        encoder: The model's.
        name: What errors call the model.

    Returns:
        The settings. Clips that were their captions' whole time, or overlapped them, are
        ``sampling.whole``.

    Raises:
        ArgumentError: If that is not known, or the model reads stored features.
        CheckpointError: If the settings make no sense.

    Example:
        >>> from vtlearn.encoders.video import TinyVideo
        >>> clips = {"num_frames": 8, "fps": 4.0, "size": 64, "crop": "center", "pad": "edge"}
        >>> reading_of(clips, TinyVideo(dim=8), "x.ckpt").clip_seconds
        2.0
    """
    if encoder.reads_stored or (clips is not None and "features" in clips):
        message = (
            f"{name} reads stored features ({type(encoder).__name__}), and videos are pixels: use "
            "the model that made the features, or vtlearn test with data of features"
        )
        raise ArgumentError(message)
    if clips is None:
        message = (
            f"{name} does not say how its clips were read (frames per second, crop): it was "
            "trained without one of vtlearn's datamodules. Give the settings: "
            "vtlearn.Model(learner, reading=Reading(sampling=ClipSampling(fps=...)))"
        )
        raise ArgumentError(message)
    try:
        sampling = ClipSampling(
            num_frames=clips["num_frames"],
            fps=clips["fps"],
            frame_at=clips.get("frame_at", "screen"),
            whole=bool(clips.get("whole") or clips.get("overlap")),
        )
        pixels = Pixels(size=clips["size"], pad=clips.get("pad", "edge"))
    except (KeyError, TypeError, ArgumentError) as error:
        message = f"{name}: what it says of its clips cannot be read ({clips!r:.200})"
        raise CheckpointError(message) from error
    return Reading(sampling=sampling, pixels=pixels).completed(encoder.num_frames, encoder.size)
