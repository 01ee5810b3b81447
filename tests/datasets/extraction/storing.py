"""A store of features made by a walk alone: no trainer, no learner."""

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.datasets.extraction.walking import walk
from vtlearn.batch import Batch
from vtlearn.datasets.extraction import Extraction, FeatureShards, Part, describe_encoder
from vtlearn.datasets.windows import VideoList
from vtlearn.encoders.video import TinyVideo
from vtlearn.media.features.store import FeatureStore


def seeded_encoder() -> TinyVideo:
    torch.manual_seed(0)
    return TinyVideo(dim=8, num_frames=2, size=16, width=4).eval()


def open_store(
    folder: Path, videos: VideoList, *, windows_per_chunk: int = 16, stride: float = 1.0
) -> FeatureStore:
    spec = describe_encoder(seeded_encoder(), fps=videos.fps, stride=stride)
    layout = {"windows_per_chunk": windows_per_chunk, "precision": "32-true"}
    return FeatureStore(folder, spec, videos.ids, videos_per_shard=3, layout=layout)


def feature_walk(
    folder: Path,
    videos: VideoList,
    *,
    windows_per_chunk: int = 16,
    part: str | None = None,
    **replaced: Any,
) -> str | None:
    """Write what is missing of a store, and return the closing line."""
    encoder = seeded_encoder()
    store = open_store(folder, videos, windows_per_chunk=windows_per_chunk)
    extraction = Extraction(
        FeatureShards(store),
        videos,
        stride=1.0,
        num_frames=2,
        size=16,
        windows_per_chunk=windows_per_chunk,
        part=Part.parse(part),
    )
    for name, value in replaced.items():
        setattr(extraction.chunks, name, value)

    def encode(batch: Batch) -> Tensor:
        with torch.no_grad():
            vectors: Tensor = encoder(batch.clips).pooled if len(batch.clips) else torch.empty(0, 8)
        return vectors

    return walk(extraction, encode)


def contents(folder: Path) -> dict[str, str]:
    """Hash of each file that belongs to the store itself."""
    files = [*folder.glob("*.json"), *folder.glob("*.safetensors")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
