"""A store of features as what a walk writes to, and how it says which encoder made them."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from vtlearn.batch import Unreadable
from vtlearn.datasets.extraction.writer import ChunkResults, StoreWriter
from vtlearn.errors import ArgumentError
from vtlearn.hyperparameters import to_config
from vtlearn.media.clips import FrameAt
from vtlearn.media.features.shard import StoredVideo, read_shard_record
from vtlearn.media.features.spec import FeatureSpec
from vtlearn.media.features.store import FeatureStore
from vtlearn.parameters import weights_sha256

__all__ = ["FeatureShards", "describe_encoder", "require_channels"]


class FeatureShards(StoreWriter[Tensor, StoredVideo]):
    """Keep a vector of each window in a store of features; NaN where a window could not be read.

    The results of a chunk are its vectors, (readable windows, dim), float, on the CPU.

    Args:
        store: The store.
    """

    name = "features"

    def __init__(self, store: FeatureStore) -> None:
        super().__init__(store)
        self.store: FeatureStore = store

    def video(
        self, chunks: Sequence[ChunkResults[Tensor]], duration: float, first: float = 0.0
    ) -> StoredVideo | None:
        """Lay vectors where their windows were planned; None where there is none but NaN."""
        rows = [torch.empty(0, self.store.spec.dim)]
        for _, kept, vectors in chunks:
            rows.append(vectors.new_full((len(kept), self.store.spec.dim), torch.nan))
            rows[-1][kept] = vectors
        laid = torch.cat(rows)
        return None if bool(laid.isnan().any(1).all()) else StoredVideo(laid, duration, first)

    def write(
        self,
        shard: int,
        videos: Mapping[str, StoredVideo],
        unreadable: Mapping[str, Unreadable],
        sources: Mapping[str, str],
    ) -> None:
        """See :class:`~vtlearn.datasets.extraction.writer.ShardWriter`."""
        self.store.write(shard, videos, unreadable, sources)

    def summary(self) -> str:
        """Count vectors and videos, and the windows that were lost."""
        records = [read_shard_record(self.folder, shard) for shard in range(self.num_shards)]
        videos = [video for record in records for video in record.videos.values()]
        vectors = sum(video.vectors for video in videos)
        holes = [video.lost for video in videos if video.lost]
        lost = f"; {sum(holes)} windows of {len(holes)} damaged videos are lost" if holes else ""
        return f"{vectors} vectors of {len(videos)} videos in {self.folder}{lost}"


class WindowEncoder(Protocol):
    """The encoder of a window, as far as a store says what it is.

    Attributes:
        dim: Width of its vectors.
        num_frames: Frames of a window.
        size: Height and width of a frame in pixels.
    """

    dim: int
    num_frames: int
    size: int

    def state_dict(self) -> Mapping[str, Any]:
        """Return its weights."""


def describe_encoder(
    encoder: WindowEncoder,
    *,
    fps: float,
    stride: float,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    l2_norm: bool = False,
    dtype: Literal["float16", "float32"] = "float16",
    frame_at: FrameAt = "screen",
) -> FeatureSpec:
    """Say what an encoder's vectors are, once it has the weights that it encodes with.

    Args:
        encoder: The encoder, which :func:`~vtlearn.hyperparameters.to_config` can describe.
        fps: Frames per second of a window.
        stride: Seconds from the start of a window to the start of the next.
        mean: What the encoder subtracts from red, green and blue between 0 and 1; None where it
            says so itself.
        std: What it divides them by afterwards.
        l2_norm: Whether the vectors are scaled to length 1.
        dtype: What they are stored as.
        frame_at: Which frame of a window is taken at a time.

    Raises:
        ArgumentError: If mean or std is not known, or a value makes no sense.
    """
    config = to_config(encoder)
    arguments = ", ".join(f"{key}={value!r}" for key, value in config["init_args"].items())
    return FeatureSpec(
        backbone=f"{config['class_path']}({arguments})",
        weights_sha256=weights_sha256(encoder.state_dict()),
        dim=encoder.dim,
        fps=1 / stride,
        stride=stride,
        window=encoder.num_frames / fps,
        num_frames=encoder.num_frames,
        resize=encoder.size,  # the reader scales the square in the middle to this
        crop=encoder.size,
        mean=_stated(encoder, "mean", mean),
        std=_stated(encoder, "std", std),
        l2_norm=l2_norm,
        dtype=dtype,
        frame_at=frame_at,
        clock="start",
    )


def require_channels(**values: Sequence[float] | None) -> None:
    """Refuse what is not one number for each of red, green and blue.

    Args:
        values: What to look at, by the names a user knows it under; None is not given.

    Raises:
        ArgumentError: If one has another length; it is named.

    Example:
        >>> require_channels(mean=[0.5, 0.5, 0.5], std=None)
    """
    for name, value in values.items():
        if value is not None and len(value) != 3:
            message = f"{name}={list(value)} has to be three numbers, for red, green and blue"
            raise ArgumentError(message)


def _stated(
    encoder: WindowEncoder, name: str, given: Sequence[float] | None
) -> tuple[float, float, float]:
    value = getattr(encoder, name, None) if given is None else given
    if isinstance(value, Tensor):
        value = value.flatten().tolist()
    if value is None:
        message = (
            f"{type(encoder).__name__} does not say by which mean and std it normalises pixels: "
            "give --features.mean '[red, green, blue]' and --features.std likewise, for pixels "
            "between 0 and 1"
        )
        raise ArgumentError(message)
    require_channels(**{name: value})
    red, green, blue = value
    return red, green, blue
