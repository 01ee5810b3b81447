"""What a store of features is: the metadata file without which its vectors are only numbers."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from vtlearn.checks import require_positive
from vtlearn.errors import ArgumentError, FeatureError
from vtlearn.media.clips import FrameAt
from vtlearn.storage.atomic import replace_text

__all__ = ["FeatureSpec", "num_vectors", "read_metadata", "spec_record"]

_SIDECAR = "features.json"
_FORMAT, _VERSION = "vtlearn-features", 1
_HASH = re.compile(r"[0-9a-f]{64}")
_ROUNDING = 1e-6  # seconds


@dataclass(frozen=True)
class FeatureSpec:
    """Everything one has to know of vectors to use them, or to make more of them.

    Args:
        backbone: What made them: a class path with its arguments, or a published name.
        weights_sha256: Hash of its weights, 64 hexadecimal digits: of their file where the vectors
            were imported, of the names, types and values in the encoder's ``state_dict`` where
            ``vtlearn predict`` made them. The two differ for the same weights.
        dim: Width of a vector.
        fps: Vectors a second.
        stride: Seconds from the start of one window to the start of the next: 1 / fps.
        window: How long a window lasts, in seconds.
        num_frames: Frames a window has.
        resize: What the shorter side of a picture was scaled to, in pixels; None if nothing was.
        crop: Side of the square that was cut out of its middle, in pixels.
        mean: What was subtracted from each channel, red first, of pixels between 0 and 1.
        std: What each channel was divided by afterwards.
        l2_norm: Whether the vectors have length 1.
        dtype: What they are stored as.
        frame_at: Which frame is taken at a time: the one on screen, or the nearest, as FFmpeg's
            ``fps`` filter has it. Left out of the metadata file where it is "screen".
        clock: What seconds count from: the "start" of the file, or 0 of the clock of its "stream",
            as former versions did: another time only where that clock does not start at 0. Left
            out of the metadata file where it is "stream".

    Raises:
        ArgumentError: If a value makes no sense, or fps and stride disagree.

    Example:
        >>> spec = FeatureSpec(
        ...     backbone="S3D", weights_sha256="0" * 64, dim=512, fps=1.0, stride=1.0, window=1.0,
        ...     num_frames=30, resize=None, crop=224, mean=(0, 0, 0), std=(1, 1, 1), l2_norm=True,
        ...     dtype="float16",
        ... )
        >>> spec.fps
        1.0
    """

    backbone: str
    weights_sha256: str
    dim: int
    fps: float
    stride: float
    window: float
    num_frames: int
    resize: int | None
    crop: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    l2_norm: bool
    dtype: Literal["float16", "float32"]
    frame_at: FrameAt = "screen"
    clock: Literal["stream", "start"] = "stream"

    def __post_init__(self) -> None:
        """Refuse what makes no sense, and give numbers one type, so that stores can be compared."""
        for name in ("fps", "stride", "window"):
            object.__setattr__(self, name, _number(name, getattr(self, name)))
        for name in ("mean", "std"):
            object.__setattr__(self, name, _channels(name, getattr(self, name)))
        for name in ("dim", "num_frames", "crop"):
            require_positive(**{name: _whole(name, getattr(self, name))})
        if self.resize is not None:
            require_positive(resize=_whole("resize", self.resize))
        require_positive(fps=self.fps, stride=self.stride, window=self.window, std=min(self.std))
        _check_words(self.backbone, self.weights_sha256, self.l2_norm, self.dtype)
        if self.frame_at not in ("screen", "nearest"):
            message = f"expected frame_at screen or nearest, got {self.frame_at!r}"
            raise ArgumentError(message)
        if self.clock not in ("stream", "start"):
            message = f"expected clock stream or start, got {self.clock!r}"
            raise ArgumentError(message)
        if not math.isclose(self.fps * self.stride, 1, rel_tol=1e-6):
            message = (
                f"fps={self.fps} vectors per second lie {1 / self.fps} s apart, not stride="
                f"{self.stride} s"
            )
            raise ArgumentError(message)


def num_vectors(duration: float, fps: float) -> int:
    """Count the vectors of a video: one for each k with ``k / fps < duration``, at least one.

    Every moment of the video has a vector that way. The last windows may go on after the video has
    ended; they show its last frame.

    Args:
        duration: How long the video is, in seconds, to the microsecond.
        fps: Vectors a second.

    Returns:
        ``max(1, ceil((duration - 0.000001) * fps))``.

    Raises:
        ArgumentError: If the duration is not finite and 0 or more, or fps not positive.

    Example:
        >>> num_vectors(30.2, fps=1), num_vectors(30.0, fps=1), num_vectors(30.2, fps=0.1)
        (31, 30, 4)
    """
    require_positive(fps=fps)
    if not (math.isfinite(duration) and duration >= 0):
        message = f"a video cannot last {duration} s"
        raise ArgumentError(message)
    return max(1, math.ceil((duration - _ROUNDING) * fps))


def spec_record(spec: FeatureSpec) -> dict[str, Any]:
    """Return what a store's vectors are in plain values, as its metadata file has them.

    Args:
        spec: What they are.

    Returns:
        The fields by name; an optional one that has its default is left out, so that a store made
        before there was such a field reads, resumes and compares as it did.
    """
    defaults = {field.name: field.default for field in fields(spec)}
    return {name: value for name, value in asdict(spec).items() if value != defaults[name]}


def write_metadata(folder: Path, spec: FeatureSpec, layout: Mapping[str, Any]) -> None:
    """Write what a store's vectors are, whole or not at all.

    Args:
        folder: The store.
        spec: What they are.
        layout: How they are spread over shards, and whatever else has to stay the same while the
            store grows.
    """
    record = {"format": _FORMAT, "version": _VERSION, **spec_record(spec), "layout": dict(layout)}
    replace_text(folder / _SIDECAR, json.dumps(record, indent=2) + "\n")


def read_metadata(folder: Path) -> tuple[FeatureSpec, dict[str, Any]]:
    """Read what a store's vectors are.

    Args:
        folder: The store.

    Returns:
        What they are, and the store's layout (empty where nobody wrote it down).

    Raises:
        FeatureError: If there is no metadata file, or one that leaves something out or makes no
            sense; it is named.
    """
    path = folder / _SIDECAR
    record = _record(path)
    names = [field.name for field in fields(FeatureSpec)]
    needed = [field.name for field in fields(FeatureSpec) if field.default is MISSING]
    missing = [name for name in ("format", "version", *needed) if name not in record]
    if missing:
        message = (
            f"{path} does not say what its features are: {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing. Ask the people who made them and "
            "write it down, or create them again with `vtlearn predict`"
        )
        raise FeatureError(message)
    if (record["format"], record["version"]) != (_FORMAT, _VERSION):
        message = (
            f"{path} is format {record['format']!r}, version {record['version']!r}; this vtlearn "
            f"reads {_FORMAT!r}, version {_VERSION}"
        )
        raise FeatureError(message)
    try:
        spec = FeatureSpec(**{name: record[name] for name in names if name in record})
    except ArgumentError as error:
        message = f"{path}: {error}"
        raise FeatureError(message) from error
    return spec, _layout(path, record.get("layout"))


def _record(path: Path) -> dict[str, Any]:
    if not path.is_file():
        message = (
            f"there is no {path}: features without a metadata file are not read. `vtlearn predict` "
            "makes a store; `vtlearn data import` makes one of bare .npy files"
        )
        raise FeatureError(message)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        message = f"{path} is not valid JSON: {error}"
        raise FeatureError(message) from error
    if not isinstance(record, dict):
        message = f"{path} does not hold a JSON object"
        raise FeatureError(message)
    return record


def _layout(path: Path, layout: Any) -> dict[str, Any]:
    if layout is None:
        return {}
    if not isinstance(layout, dict):
        message = f"{path}: layout={layout!r} is not a JSON object; leave it out, if need be"
        raise FeatureError(message)
    for name, least in (("videos", 0), ("videos_per_shard", 1)):
        value = layout.get(name, least)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            message = f"{path}: in layout, {name}={value!r} is not a whole number from {least} on"
            raise FeatureError(message)
    return layout


def _check_words(backbone: Any, weights_sha256: Any, l2_norm: Any, dtype: Any) -> None:
    if not isinstance(backbone, str) or not backbone.strip():
        message = f"backbone={backbone!r} has to name what made the vectors"
        raise ArgumentError(message)
    if not _HASH.fullmatch(str(weights_sha256)):
        message = (
            f"weights_sha256={weights_sha256!r} is not a SHA-256: 64 hexadecimal digits, as "
            "`sha256sum` prints them of the file of the weights"
        )
        raise ArgumentError(message)
    if not isinstance(l2_norm, bool) or dtype not in ("float16", "float32"):
        message = f"l2_norm={l2_norm!r} is true or false, dtype={dtype!r} is float16 or float32"
        raise ArgumentError(message)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        message = f"{name}={value!r} is not a number"
        raise ArgumentError(message)
    return float(value)


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        message = f"{name}={value!r} is not a whole number"
        raise ArgumentError(message)
    return value


def _channels(name: str, value: Any) -> tuple[float, ...]:
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        message = f"{name}={value!r} has to be three numbers, for red, green and blue"
        raise ArgumentError(message)
    return tuple(_number(name, one) for one in value)
