"""Models that cost nothing: a window is encoded by its video's content and its own number."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from vtlearn.datasets.reading import ClipSampling, Pixels, Reading
from vtlearn.errors import UnreadableVideoError

DIM = 8


class Windows(NamedTuple):
    vectors: Tensor
    spans: Tensor


class HashModel:
    """Takes text files for videos: a file has as many windows as bytes, and b"bad" is damaged."""

    def __init__(self, sha256: str = "a" * 64, fps: float = 4.0) -> None:
        self.sha256 = sha256
        sampling = ClipSampling(num_frames=8, fps=fps)
        self.reading = Reading(sampling=sampling, pixels=Pixels(size=16))
        self.encoded: list[str] = []

    def encode_video(self, video: Path, *, stride: float = 1.0) -> Windows:
        self.encoded.append(video.name)
        try:
            content = video.read_bytes()
        except FileNotFoundError as error:
            raise UnreadableVideoError(str(video), "No such file or directory") from error
        if content.startswith(b"bad"):
            raise UnreadableVideoError(str(video), "moov atom not found")
        rows = [vector_of(f"{content!r} {number}") for number in range(len(content))]
        starts = torch.arange(len(content)).double() * stride
        vectors = torch.stack(rows) if rows else torch.zeros(0, DIM)
        return Windows(vectors, torch.stack([starts, starts + 2.0], dim=1))

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        return torch.stack([vector_of(text) for text in texts])


def vector_of(text: str) -> Tensor:
    """A vector of unit length that only this text has."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])
    vector: Tensor = torch.randn(DIM, generator=torch.Generator().manual_seed(seed))
    length: Tensor = vector.norm()
    return vector / length


def write_videos(folder: Path, **contents: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.mp4").write_text(content)
    return folder
