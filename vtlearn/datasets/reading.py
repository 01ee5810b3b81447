"""How a corpus is read: the settings that all of them take, under one name each."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from vtlearn.checks import require_positive, require_share
from vtlearn.datasets.sampling.overlap import OverlapSampling
from vtlearn.errors import ArgumentError
from vtlearn.media.captions.caption import MAX_BAD_CUES
from vtlearn.media.clips import FrameAt, Rate
from vtlearn.media.features.spec import FeatureSpec, read_metadata, spec_record
from vtlearn.suggestions import nearest

__all__ = ["ClipSampling", "ClipShape", "Pixels", "Reading"]

_FPS = 10.0  # frames per second of clips, where pixels are read and nothing else is asked for


class ClipShape(NamedTuple):
    """The clips that a corpus gives; a video encoder has to be made for them.

    Attributes:
        num_frames: Frames of a clip.
        size: Height and width in pixels, or the width of stored vectors.
    """

    num_frames: int
    size: int


@dataclass(frozen=True)
class ClipSampling:
    """What is drawn from a video and its captions: which of them, and clips of which length.

    Args:
        num_clips: Consecutive captions of a narration, one clip each; 1 for single clips (MIL-NCE).
        candidates: Captions per clip: its own first, then the nearest others in time.
        num_frames: Frames per clip, or stored vectors where features are read; left out, as many as
            the video encoder was made for.
        fps: Frames per second that clips are sampled at; left out, 10. With ``native`` a clip is
            consecutive frames of its video, at the average rate of the file. Stored features have a
            rate of their own, which counts.
        min_seconds: A shorter caption is widened to this on both sides before a start is drawn.
        repeat_last: Where a video has fewer captions, repeat the last one for as many clips.
        floor_seconds: Cut clips at whole seconds, as the loaders released with MIL-NCE and VT-TWINS
            do. Of a caption, widened to ``min_seconds``, the start is floored, the end is floored,
            and the last second at which a clip may start, the floored end less the clip's length,
            is floored again; the clip starts at an integer drawn uniformly from the first to the
            last, both included. Clips start 0.7 to 1 s earlier that way, on average. A clip drawn
            for a caption without length starts at the floor of what is drawn.
        frame_at: Which frame is taken at a time: the one on screen then, or the nearest, which
            FFmpeg's ``fps`` filter gives, as the released loaders do: the last that starts before
            the middle between this time and the clip's next. Stored features were made of one or
            the other, which counts.
        whole: A clip is its caption's whole time, widened to ``min_seconds``, in place of
            ``num_frames`` at ``fps`` from a place that is drawn in it. Of pixels it has
            ``num_frames`` frames, each on screen in the middle of one of as many equal parts of
            that time. Of stored features it has the vectors of that time, at least one and at most
            the first ``num_frames``: ``frame_length`` of a sample says how many.

    Raises:
        ArgumentError: If a number is outside its range, ``frame_at`` is neither of the two, or
            ``whole`` clips are to start at whole seconds as well.

    Example:
        >>> ClipSampling(num_clips=0)
        Traceback (most recent call last):
            ...
        vtlearn.errors.ArgumentError: clips cannot be drawn with num_clips=0: it must be positive
    """

    num_clips: int = 8
    candidates: int = 1
    num_frames: int | None = None
    fps: Rate | None = None
    min_seconds: float = 0.0
    repeat_last: bool = False
    floor_seconds: bool = False
    frame_at: FrameAt = "screen"
    whole: bool = False

    def __post_init__(self) -> None:
        """Validate the arguments."""
        if isinstance(self.fps, str) and self.fps not in ("native",):
            message = f"sampling.fps: expected frames per second or native, got {self.fps!r}"
            raise ArgumentError(message)
        for name in ("num_clips", "candidates", "num_frames", "fps"):
            number = getattr(self, name)
            if number is not None and number != "native" and not number > 0:
                message = f"clips cannot be drawn with {name}={number}: it must be positive"
                raise ArgumentError(message)
            if name != "fps" and number is not None and not hasattr(number, "__index__"):
                message = f"{name}: expected an int, got {number!r}"
                raise ArgumentError(message)
        if not self.min_seconds >= 0:
            message = f"min_seconds={self.min_seconds} must be 0 or more"
            raise ArgumentError(message)
        if self.frame_at not in ("screen", "nearest"):
            message = f"expected frame_at screen or nearest, got {self.frame_at!r}"
            raise ArgumentError(message)
        if self.whole and self.floor_seconds:
            message = (
                "sampling.whole takes a caption's own time, sampling.floor_seconds draws a whole "
                "second in it: leave one of them out"
            )
            raise ArgumentError(message)


@dataclass(frozen=True)
class Pixels:
    """What is made of the pictures of a clip. Of features, only ``pad`` applies, and in training.

    Args:
        size: Height and width in pixels that frames are scaled to; left out, what the video encoder
            was made for.
        crop: The centre square, or a square at a random place, drawn for each training clip.
        crop_pixels: Side of the random square in source pixels; left out, the video's shorter side.
        flip: Probability that a training clip is mirrored.
        pad: What a clip shows past the end of its video, in training and in evaluation: the last
            frame, or black, as in the released loaders.

    Raises:
        ArgumentError: If a number is outside its range, or a word is not one of those.

    Example:
        >>> Pixels(size=64, flip=0.0).crop
        'center'
    """

    size: int | None = None
    crop: Literal["center", "random"] = "center"
    crop_pixels: int | None = None
    flip: float = 0.5
    pad: Literal["edge", "black"] = "edge"

    def __post_init__(self) -> None:
        """Validate the arguments."""
        for name in ("size", "crop_pixels"):
            number = getattr(self, name)
            if number is not None and number < 1:
                message = f"pixels.{name}={number} must be 1 or more"
                raise ArgumentError(message)
        if not 0 <= self.flip <= 1:
            message = f"pixels.flip={self.flip} is a probability, from 0 to 1"
            raise ArgumentError(message)
        if self.crop not in ("center", "random") or self.pad not in ("edge", "black"):
            message = (
                f"expected pixels.crop center or random, got {self.crop!r}; and pixels.pad edge or "
                f"black, got {self.pad!r}"
            )
            raise ArgumentError(message)


@dataclass(frozen=True)
class Reading:
    """What every corpus takes: how its videos are read, and what happens if one cannot be.

    Args:
        sampling: What is drawn from a video and its captions.
        pixels: What is made of the pictures.
        features: Folder of stored features to read in place of the videos' pixels.
        max_unreadable_fraction: Stop when more of the training videos than this cannot be read; one
            may be unreadable unless it is 0.
        unreadable_log: The file that names unreadable training videos; left out,
            ``unreadable.jsonl`` in the folder of the run.
        time_budget: Seconds that the clips of one video may take; decoding that takes longer is
            killed and the video counts as unreadable. Leave it out to let it take its time.
        seed: What is drawn is a function of it, the epoch, and the position in the corpus.
        overlap: Draw texts and clips of narrations that only overlap in time, in place of a clip
            of each caption. Clips are read as ``sampling.whole`` reads them, and ``num_clips`` of
            ``sampling`` does not count.
        max_bad_cues: The share of a transcript's captions that may be unreadable: they are left out
            and counted. Of a transcript with more, the video counts as unreadable.

    Raises:
        ArgumentError: If a number is outside its range, or ``sampling`` says of each caption's clip
            what ``overlap`` leaves no place for.

    Example:
        >>> reading = Reading(sampling=ClipSampling(fps=4.0)).completed(num_frames=8, size=64)
        >>> reading.clip_shape, reading.clip_seconds
        (ClipShape(num_frames=8, size=64), 2.0)
    """

    sampling: ClipSampling = field(default_factory=ClipSampling)
    pixels: Pixels = field(default_factory=Pixels)
    features: Path | None = None
    max_unreadable_fraction: float = 0.01
    unreadable_log: Path | None = None
    time_budget: float | None = None
    seed: int = 0
    overlap: OverlapSampling | None = None
    max_bad_cues: float = MAX_BAD_CUES

    def __post_init__(self) -> None:
        """Validate the arguments."""
        require_share(
            max_unreadable_fraction=self.max_unreadable_fraction, max_bad_cues=self.max_bad_cues
        )
        if self.seed < 0:
            message = f"seed={self.seed} has to be 0 or more"
            raise ArgumentError(message)
        if self.time_budget is not None:
            require_positive(time_budget=self.time_budget)
        if self.overlap is not None:
            refuse_clips_of_captions(self.sampling, "overlap", "draws clips that belong to none")
        # as at the command line, a text is a path
        for name in ("unreadable_log", "features"):
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, Path(given))

    @property
    def report(self) -> Path:
        """The file that names unreadable training videos; outside a run, below ``runs``."""
        return self.unreadable_log or Path("runs/unreadable.jsonl")

    def completed(self, num_frames: int, size: int) -> Self:
        """Fill in what was left to the video encoder.

        Args:
            num_frames: Frames per clip that it was made for.
            size: Height and width that it was made for.

        Returns:
            The settings with ``sampling.num_frames`` and ``pixels.size``; those that were given
            stay.
        """
        sampling, pixels = self.sampling, self.pixels
        if sampling.num_frames is None:
            sampling = replace(sampling, num_frames=num_frames)
        if pixels.size is None:
            pixels = replace(pixels, size=size)
        return replace(self, sampling=sampling, pixels=pixels)

    @property
    def clip_shape(self) -> ClipShape:
        """Frames per clip, and their size.

        Raises:
            ArgumentError: If they were left out and have not been filled in, or ``overlap`` draws
                clips of more stored vectors.
            FeatureError: If the feature store cannot be read.
        """
        spec = self._store
        size = self.pixels.size if spec is None else spec.dim
        if self.sampling.num_frames is None or size is None:
            missing = "sampling.num_frames" if self.sampling.num_frames is None else "pixels.size"
            message = f"{missing} is left to the video encoder, and there is none: give it"
            raise ArgumentError(message)
        _require_room(self.overlap, spec, self.sampling.num_frames)
        return ClipShape(self.sampling.num_frames, size)

    @property
    def rate(self) -> Rate:
        """Frames per second that clips are sampled at, or ``native`` for those of each file."""
        if self._store is not None:
            return self._store.fps
        return _FPS if self.sampling.fps is None else self.sampling.fps

    @property
    def fps(self) -> float:
        """Frames per second that clips of all videos are sampled at.

        Raises:
            ArgumentError: If each video has its own.
        """
        if isinstance(rate := self.rate, str):
            message = (
                "sampling.fps=native leaves the frame rate to each video, and here it has to be "
                "one for all: set data.init_args.sampling.fps to frames per second"
            )
            raise ArgumentError(message)
        return rate

    @property
    def frame_at(self) -> FrameAt:
        """Which frame is taken at a time; of stored features, the one they were made of."""
        return self.sampling.frame_at if self._store is None else self._store.frame_at

    @property
    def clip_seconds(self) -> float:
        """How long a clip is, in seconds, where it has no time of its own, as in evaluation.

        Raises:
            ArgumentError: If that depends on the video's frame rate, or on the video encoder.
        """
        return self.clip_shape.num_frames / self.fps

    def clip_settings(self) -> dict[str, Any]:
        """Describe the clips in plain values, for a checkpoint to keep.

        Returns:
            ``num_frames``, ``fps``, ``size``, ``crop`` and ``pad``; ``frame_at`` where it is not
            "screen"; ``whole`` where clips are their captions' whole time; ``overlap`` where they
            are drawn by it; where stored features are read, what these are, as ``features``.
        """
        settings: dict[str, Any] = {"fps": self.rate, **self.clip_shape._asdict()}
        if self.frame_at != "screen":  # checkpoints without it are older, or show the screen
            settings["frame_at"] = self.frame_at
        if self.sampling.whole:
            settings["whole"] = True
        if self.overlap is not None:
            settings["overlap"] = self.overlap.settings()
        spec = self._store
        if spec is None:
            return {**settings, "crop": self.pixels.crop, "pad": self.pixels.pad}
        return {**settings, "crop": "center", "pad": self.pixels.pad, "features": spec_record(spec)}

    @cached_property
    def _store(self) -> FeatureSpec | None:
        return None if self.features is None else read_metadata(self.features)[0]


def refuse_clips_of_captions(sampling: ClipSampling, option: str, instead: str) -> None:
    """Refuse settings of the clip of one caption, where there is none.

    Args:
        sampling: The settings; those that differ from the defaults count.
        option: What was chosen instead, as a user writes it.
        instead: What that does.

    Raises:
        ArgumentError: If there are any; it names one.
    """
    for name in caption_settings(sampling):
        message = (
            f"sampling.{name}={getattr(sampling, name)} is about the clip of one caption, and "
            f"{option} {instead}: leave sampling.{name} or {option} out"
        )
        raise ArgumentError(message)


def caption_settings(sampling: ClipSampling) -> list[str]:
    """Return which settings of the clip of one caption are given, that is, are not the defaults.

    Args:
        sampling: The settings.

    Example:
        >>> caption_settings(ClipSampling(min_seconds=5.0, fps=4.0))
        ['min_seconds']
    """
    names = ("candidates", "min_seconds", "repeat_last", "floor_seconds", "whole")
    return [name for name in names if getattr(sampling, name) != getattr(ClipSampling, name)]


def _require_room(
    overlap: OverlapSampling | None, store: FeatureSpec | None, num_frames: int
) -> None:
    """Refuse clips that are cut: the rest may lie outside the time of their texts."""
    if overlap is None or store is None:
        return
    vectors = round(overlap.seconds[1] * store.fps)
    if vectors > num_frames:
        message = (
            f"overlap draws clips of up to {overlap.seconds[1]} s, which are {vectors} stored "
            f"vectors, and a clip has room for {num_frames}: lower data.init_args.overlap.seconds, "
            "or raise num_frames of the video encoder (or of sampling, where that is given)"
        )
        raise ArgumentError(message)


def require_known(corpus: str, loading: Mapping[str, object]) -> None:
    """Refuse unknown arguments of :class:`Reading`.

    Args:
        corpus: Who was given it, for the error.
        loading: Arguments by name.

    Raises:
        ArgumentError: If there is no such argument.
    """
    known = [field.name for field in fields(Reading)]
    for name in loading:
        if name not in known:
            message = (
                f"{corpus} has no argument {name}{nearest(name, known)} (how videos are read: "
                f"{', '.join(known)})"
            )
            raise ArgumentError(message)
