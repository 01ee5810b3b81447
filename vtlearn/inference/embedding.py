"""A store of features whose vectors are what a model compares with texts.

``vtlearn predict`` stores what a video encoder gives, for another model to train on. Here the head
has embedded it: a vector's dot product with a text's is the similarity that was trained.
"""

from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from vtlearn.batch import Batch, collate
from vtlearn.checks import require_positive
from vtlearn.datasets.extraction import Extraction, FeatureShards, Part, describe_encoder
from vtlearn.datasets.windows import VideoList
from vtlearn.encoders.base import VideoEncoder
from vtlearn.encoding import encode_clips
from vtlearn.errors import ArgumentError
from vtlearn.heads.base import Aligner, Head
from vtlearn.hyperparameters import Configurable
from vtlearn.inference.model import Model
from vtlearn.media.features.store import FeatureStore
from vtlearn.storage.atomic import replacing
from vtlearn.storage.progress import count_up

__all__ = ["EmbeddingOptions", "embed_videos", "list_videos", "write_texts"]

_TEXTS = "texts.npz"

ItemT = TypeVar("ItemT")


class HeadVectors(Configurable):
    """A video encoder and the head that compares its vectors, as one encoder of windows.

    Args:
        video_encoder: Turns clips into vectors.
        head: Has an aligner.

    Attributes:
        dim: Width of the vectors that are compared.
        mean: What the encoder subtracts from red, green and blue between 0 and 1.
        std: What it divides them by afterwards.

    Raises:
        ArgumentError: If the head compares nothing, or the encoder says no mean and std.

    Example:
        >>> from vtlearn.encoders.video import TinyVideo
        >>> from vtlearn.heads import S2DTW
        >>> HeadVectors(TinyVideo(dim=8), S2DTW()).dim
        8
    """

    def __init__(self, video_encoder: VideoEncoder, head: Head) -> None:
        super().__init__()
        if video_encoder.mean is None or video_encoder.std is None:
            message = (
                f"{type(video_encoder).__name__} does not say by which mean and std it normalises "
                "pixels, which a store of features has to say: give the class mean and std, three "
                "numbers each, for pixels between 0 and 1"
            )
            raise ArgumentError(message)
        self.video_encoder, self.head = video_encoder, head
        self.mean, self.std = video_encoder.mean, video_encoder.std
        self.num_frames, self.size = video_encoder.num_frames, video_encoder.size
        device = next((weight.device for weight in self.parameters()), torch.device("cpu"))
        with torch.no_grad():
            nothing = torch.zeros(0, video_encoder.dim, device=device)
            self.dim = int(self._aligner().embed(nothing).shape[-1])

    @torch.no_grad()
    def embed(self, batch: Batch, device: torch.device) -> Tensor:
        """Encode the clips of a batch.

        Args:
            batch: Clips; there may be none.
            device: Where encoder and head are.

        Returns:
            (clips, dim), float32, on the CPU.
        """
        if not len(batch.clips):
            return torch.empty(0, self.dim)
        encoded = encode_clips(self.video_encoder, batch.clips, batch.frame_length, device)
        return self._aligner().embed(encoded.pooled).float().cpu()

    def _aligner(self) -> Aligner:
        if self.head.aligner is None:
            message = f"{type(self.head).__name__} compares no clips with texts: give an aligner"
            raise ArgumentError(message)
        return self.head.aligner


class EmbeddingOptions(NamedTuple):
    """How a store is made.

    Attributes:
        stride: Seconds from the start of a window to the start of the next.
        dtype: What vectors are stored as.
        videos_per_shard: Videos that are written together; what an interruption loses is less.
        workers: How many processes read videos; 0: this one does.
        part: The share of this machine.
    """

    stride: float = 1.0
    dtype: Literal["float16", "float32"] = "float16"
    videos_per_shard: int = 16
    workers: int = 0
    part: Part = Part()


def list_videos(
    model: Model, videos: dict[str, Path], max_unreadable_fraction: float = 0.01
) -> VideoList:
    """Say how a model reads the windows of videos.

    Args:
        model: The model.
        videos: Files by id.
        max_unreadable_fraction: Stop when more of the videos than this cannot be read.

    Returns:
        The videos.

    Raises:
        ArgumentError: If windows of the model have no length or rate of their own.
    """
    reading = model.reading
    if reading.sampling.whole or isinstance(reading.rate, str):
        message = (
            f"{model.name} was trained on clips of no fixed length or rate, and a store of "
            "features has windows of one: use model.encode_video(path, spans) in Python"
        )
        raise ArgumentError(message)
    return VideoList(
        list(videos),
        [str(path) for path in videos.values()],
        reading.fps,
        max_unreadable_fraction,
        frame_at=reading.frame_at,
        pad=reading.pixels.pad,
    )


def embed_videos(
    model: Model,
    videos: VideoList,
    folder: Path,
    options: EmbeddingOptions | None = None,
    *,
    show: bool = False,
) -> str | None:
    """Write what is missing of a store of the vectors that a model compares with texts.

    A call that was interrupted is resumed by the same call, and leaves the same bytes.

    Args:
        model: The model.
        videos: What :func:`list_videos` returned.
        folder: The store: a new folder, or one that the same call has written to.
        options: How it is made.
        show: Whether to show progress on standard error.

    Returns:
        What is there in the end, as a line to print.

    Raises:
        ArgumentError: If the model compares no clips with texts, or an option makes no sense.
        FeatureError: If the folder holds other features, or videos were replaced.
        TooManyUnreadableError: If more videos cannot be read than may be.
    """
    options = options or EmbeddingOptions()
    require_positive(stride=options.stride, videos_per_shard=options.videos_per_shard)
    model.aligner  # noqa: B018 - raises where there is none, and names the model
    encoder = HeadVectors(model.learner.video_encoder, model.learner.head)
    encoder.num_frames, encoder.size = model.reading.clip_shape
    spec = describe_encoder(
        encoder,
        fps=videos.fps,
        stride=options.stride,
        l2_norm=model.aligner.normalize,
        dtype=options.dtype,
        frame_at=videos.frame_at,
    )
    together = model.windows_per_batch
    layout = {"windows_per_chunk": together, "pad": videos.pad, "model_sha256": model.sha256}
    per_shard = options.videos_per_shard
    store = FeatureStore(folder, spec, videos.ids, videos_per_shard=per_shard, layout=layout)
    extraction = Extraction(
        FeatureShards(store),
        videos,
        stride=options.stride,
        num_frames=encoder.num_frames,
        size=encoder.size,
        windows_per_chunk=together,
        part=options.part,
        workers=max(1, options.workers),
        show=show,
    )
    loader = DataLoader(
        extraction.chunks, batch_size=None, num_workers=options.workers, collate_fn=_unchanged
    )
    chunks = len(extraction.chunks) if extraction.positions else 0
    with count_up("Embedding", chunks, show=show and bool(chunks)) as advance:
        for index, item in enumerate(loader):
            batch = collate([] if item is None else [item])
            extraction.add(index, batch, encoder.embed(batch, model.device))
            advance(1, "")
    return extraction.closing_line()


def write_texts(model: Model, texts: list[str], folder: Path) -> Path:
    """Write the vectors of texts beside those of videos, unless the same are there.

    Args:
        model: The model.
        texts: Sentences.
        folder: The store.

    Returns:
        The file, which ``numpy.load`` reads: ``texts`` (texts,), strings; ``vectors`` (texts, dim),
        float32; ``model_sha256``.

    Raises:
        ArgumentError: If others are there, or the model compares no texts.
        OSError: If it cannot be written.
    """
    vectors = model.encode_text(texts).float().numpy()
    path = folder / _TEXTS
    if path.exists():
        if _holds(path, texts, model.sha256):
            return path
        message = (
            f"{path} holds vectors of other sentences, or of another model, and is not "
            "overwritten: remove it, or give another folder"
        )
        raise ArgumentError(message)
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.savez(file, texts=np.array(texts), vectors=vectors, model_sha256=model.sha256)
    return path


def _holds(path: Path, texts: list[str], model_sha256: str) -> bool:
    try:
        with np.load(path, allow_pickle=False) as there:
            same_model = str(there["model_sha256"]) == model_sha256
            return same_model and there["texts"].tolist() == texts
    except (OSError, ValueError, KeyError, EOFError):  # anything may be called that
        return False


def _unchanged(item: ItemT) -> ItemT:
    """Keep torch from walking through what was read, in search of arrays."""
    return item
