"""Fill a store of features from the video encoder, in shards that survive an interruption."""

from pathlib import Path
from typing import Literal

from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from vtlearn.callbacks.extraction import ExtractionCallback
from vtlearn.checks import require_positive
from vtlearn.datasets.extraction.features import (
    FeatureShards,
    describe_encoder,
    require_channels,
)
from vtlearn.datasets.windows import VideoList
from vtlearn.learner import VideoTextLearner
from vtlearn.media.features.store import FeatureStore

__all__ = ["FeatureWriter"]


class FeatureWriter(ExtractionCallback[Tensor]):
    """Keep what ``predict`` encodes in a store of features, which says what they are.

    Shard k holds videos ``k * videos_per_shard`` and following of the corpus' list. A shard is
    written when it is whole, and not again: a command that was killed resumes, with any number of
    processes, and what it leaves behind is the same to the last byte (on one kind of machine, with
    as many threads a process). A shard with a video that could not be read in time, or is another
    file now and could not be read before, is tried again; where a video that has vectors is another
    file now, nothing is written.

    Args:
        folder: The store.
        stride: Seconds from the start of a window to the start of the next.
        videos_per_shard: Videos a shard has; what an interruption loses is less than that.
        windows_per_chunk: Windows that are encoded together.
        l2_norm: Whether to give the vectors length 1.
        dtype: What to store them as.
        mean: What the encoder subtracts from red, green and blue between 0 and 1; leave it out
            where the encoder says so itself.
        std: What it divides them by afterwards.
        part: On machines that do not talk to each other, "K/N" on the K-th of N: it writes its own
            share of the shards, into one folder of all or a folder to be copied into that.

    Raises:
        ArgumentError: If a number is not positive, mean or std are not three numbers, or part is
            not K/N.
    """

    kept = FeatureShards.name

    def __init__(
        self,
        folder: Path | None = None,
        stride: float = 1.0,
        videos_per_shard: int = 256,
        windows_per_chunk: int = 16,
        l2_norm: bool = False,
        dtype: Literal["float16", "float32"] = "float16",
        mean: list[float] | None = None,
        std: list[float] | None = None,
        part: str | None = None,
    ) -> None:
        super().__init__(folder, stride, windows_per_chunk, part)
        require_positive(videos_per_shard=videos_per_shard)
        require_channels(mean=mean, std=std)
        self.videos_per_shard = videos_per_shard
        self.l2_norm = l2_norm
        self.dtype: Literal["float16", "float32"] = dtype
        self.mean, self.std = mean, std

    @override
    def open_writer(
        self, folder: Path, learner: VideoTextLearner, videos: VideoList, precision: str
    ) -> FeatureShards:
        spec = describe_encoder(
            learner.video_encoder,
            fps=videos.fps,
            stride=self.stride,
            mean=self.mean,
            std=self.std,
            l2_norm=self.l2_norm,
            dtype=self.dtype,
            frame_at=videos.frame_at,
        )
        layout = {"windows_per_chunk": self.windows_per_chunk, "precision": precision}
        per_shard = self.videos_per_shard
        store = FeatureStore(folder, spec, videos.ids, videos_per_shard=per_shard, layout=layout)
        return FeatureShards(store)

    @override
    def results(self, outputs: Tensor) -> Tensor:
        vectors = outputs.detach().float()
        if self.l2_norm:
            vectors = functional.normalize(vectors, dim=-1)
        return vectors.cpu()
