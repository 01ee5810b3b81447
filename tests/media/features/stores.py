"""Small stores of features for tests."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from vtlearn.batch import Unreadable
from vtlearn.media.features.shard import StoredVideo
from vtlearn.media.features.spec import FeatureSpec, num_vectors
from vtlearn.media.features.store import FeatureStore

__all__ = ["SPEC", "fill_store", "make_spec"]

SPEC: dict[str, Any] = {
    "backbone": "S3D",
    "weights_sha256": "0" * 64,
    "dim": 4,
    "fps": 1.0,
    "stride": 1.0,
    "window": 3.2,
    "num_frames": 32,
    "resize": 224,
    "crop": 224,
    "mean": (0.0, 0.0, 0.0),
    "std": (1.0, 1.0, 1.0),
    "l2_norm": False,
    "dtype": "float32",
}


def make_spec(**changes: Any) -> FeatureSpec:
    return FeatureSpec(**SPEC | changes)


def fill_store(
    folder: Path,
    durations: Mapping[str, float | None],
    *,
    videos_per_shard: int = 2,
    **changes: Any,
) -> dict[str, torch.Tensor]:
    """Write a store of random vectors; return them. A duration of None is an unreadable video."""
    spec = make_spec(**changes)
    generator = torch.Generator().manual_seed(0)
    store = FeatureStore(folder, spec, list(durations), videos_per_shard=videos_per_shard)
    vectors = {
        video_id: torch.randn(num_vectors(seconds, spec.fps), spec.dim, generator=generator)
        for video_id, seconds in durations.items()
        if seconds is not None
    }
    for shard in store.pending():
        videos, lost = {}, {}
        for video_id in store.shard_ids(shard):
            seconds = durations[video_id]
            if seconds is None:
                lost[video_id] = Unreadable(video_id, video_id, "open", "it is text")
            else:
                videos[video_id] = StoredVideo(vectors[video_id], seconds)
        store.write(shard, videos, lost)
    return vectors
