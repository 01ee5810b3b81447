"""Fill a store of features from the video encoder, in shards that survive an interruption."""

import logging
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import Callback, LightningModule, Trainer
from rich.console import Console
from torch import Tensor, nn
from torch.nn import functional

from vtlearn.batch import Batch, Unreadable
from vtlearn.checks import require_positive
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datasets.clips import clip_reader
from vtlearn.datasets.unreadable import UnreadableLog
from vtlearn.datasets.windows import VideoList, WindowChunks
from vtlearn.distributed import gather_objects, process
from vtlearn.errors import ArgumentError, UnreadableVideoError
from vtlearn.hyperparameters import to_config
from vtlearn.learner import VideoTextLearner
from vtlearn.media.features.spec import FeatureSpec
from vtlearn.media.features.store import FeatureStore, StoredVideo, read_shard_record
from vtlearn.media.video.probing import probe_all
from vtlearn.parameters import weights_sha256
from vtlearn.storage.progress import track

__all__ = ["FeatureWriter"]

_LOG = logging.getLogger(__name__)
_QUARANTINE = "unreadable.jsonl"
_NAMED = 20  # unreadable videos that are named at the end; a file names all


class FeatureWriter(Callback):
    """Keep what ``predict`` encodes in a store of features, which says what they are.

    Shard k holds videos ``k * videos_per_shard`` and following of the corpus' list. A shard is
    written when it is whole, and not again: a command that was killed goes on where it stopped,
    with any number of processes, and what it leaves behind is the same to the last byte (on one
    kind of machine, with as many threads a process). A shard with a video that could not be read in
    time, or is another file now and could not be read before, is tried again; where a video that
    has vectors is another file now, nothing is written.

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

    Raises:
        ArgumentError: If a number is not positive, or mean or std are not three numbers.
    """

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
    ) -> None:
        require_positive(
            stride=stride, videos_per_shard=videos_per_shard, windows_per_chunk=windows_per_chunk
        )
        for name, value in (("mean", mean), ("std", std)):
            if value is not None:
                _three(name, value)
        self.folder = None if folder is None else Path(folder)
        self.stride = stride
        self.videos_per_shard = videos_per_shard
        self.windows_per_chunk = windows_per_chunk
        self.l2_norm = l2_norm
        self.dtype: Literal["float16", "float32"] = dtype
        self.mean, self.std = mean, std
        self._shards: _Shards | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Take the datamodule's videos for what is to be encoded.

        Args:
            trainer: Knows the data.
            pl_module: The learner.
            stage: Nothing is done unless it is ``predict``.

        Raises:
            ArgumentError: If there is no folder to write to, or the trainer runs other modules than
                vtlearn's.
        """
        if stage != "predict":
            return
        if self.folder is None:
            message = (
                "predict writes features of the corpus' videos: give --features.folder DIR, an "
                "empty folder or one that was begun with the same options"
            )
            raise ArgumentError(message)
        data = getattr(trainer, "datamodule", None)
        if not (isinstance(data, VideoTextData) and isinstance(pl_module, VideoTextLearner)):
            message = "FeatureWriter keeps what a VideoTextLearner makes of a VideoTextData"
            raise ArgumentError(message)
        # called when the checkpoint's weights are there, which the store is identified by
        data.window_chunks = partial(self._plan, self.folder, trainer, pl_module, data)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Tensor,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the vectors, and write the shard that they complete.

        Args:
            trainer: Not used.
            pl_module: Not used.
            outputs: (windows, dim), of those that could be read.
            batch: These windows: a part of one video, or why it cannot be read.
            batch_idx: Which chunk of the plan.
            dataloader_idx: Not used.

        Raises:
            FeatureError: If a vector is too large for the store's dtype.
            TooManyUnreadableError: If more videos are unreadable than may be.
        """
        del trainer, pl_module, dataloader_idx
        if self._shards is not None and (batch.ids or batch.unreadable):
            self._shards.add(batch_idx, batch, outputs)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say what the store holds now, and which videos it has not.

        Nobody waits for the others, which may take longer than a process group's time-out: the last
        one to end finds the store whole.

        Args:
            trainer: Knows whether this is the first process.
            pl_module: Not used.
        """
        del pl_module
        if self._shards is None:
            return
        missing = len(self._shards.store.pending())
        if trainer.is_global_zero or (self._shards.written and not missing):
            line = _summary(self._shards.store, missing)
            Console().print(line, soft_wrap=True, highlight=False, markup=False)

    def _plan(
        self, folder: Path, trainer: Trainer, learner: VideoTextLearner, data: VideoTextData
    ) -> WindowChunks:
        """Open the store and list this process's share of what is missing in it."""
        if trainer.ckpt_path is None and trainer.is_global_zero:  # known once it is restored
            _LOG.warning("no --ckpt_path: features of the weights that the encoder is built with")
        videos = data.videos()
        spec = self._spec(learner, videos.fps)
        store = self._open(folder, spec, videos, str(trainer.precision))
        show = trainer.is_global_zero and trainer.progress_bar_callback is not None
        whole = _whole_shards(store, videos, show=show)
        rank, world = process()
        shards = sorted(set(range(store.num_shards)) - set(whole))[rank::world]
        quarantine = UnreadableLog(
            folder / _QUARANTINE, frozenset(videos.ids), videos.max_unreadable_fraction
        )
        positions = [index for shard in shards for index in store.shard_range(shard)]
        durations, unreadable = _probed(videos, positions, max(1, data.num_workers), show=show)
        _note(quarantine, store, videos, unreadable, whole)
        chunks = WindowChunks(
            [videos.ids[index] for index in positions],
            [videos.paths[index] for index in positions],
            durations,
            unreadable=unreadable,
            reader=clip_reader(time_budget=videos.time_budget),
            stride=self.stride,
            num_frames=spec.num_frames,
            fps=videos.fps,
            size=spec.crop,
            windows_per_chunk=self.windows_per_chunk,
        )
        self._shards = _Shards(store, shards, chunks, quarantine, videos.paths)
        return chunks

    def _open(
        self, folder: Path, spec: FeatureSpec, videos: VideoList, precision: str
    ) -> FeatureStore:
        layout = {"windows_per_chunk": self.windows_per_chunk, "precision": precision}
        store = FeatureStore(
            folder, spec, videos.ids, videos_per_shard=self.videos_per_shard, layout=layout
        )
        gather_objects(None)  # nobody is writing the metadata file any more
        if process().rank == 0:
            store.remove_leftovers()
            (folder / _QUARANTINE).unlink(missing_ok=True)  # what is in whole shards follows
        return store

    def _spec(self, learner: VideoTextLearner, fps: float) -> FeatureSpec:
        encoder = learner.video_encoder
        config = to_config(encoder)
        arguments = ", ".join(f"{key}={value!r}" for key, value in config["init_args"].items())
        return FeatureSpec(
            backbone=f"{config['class_path']}({arguments})",
            weights_sha256=weights_sha256(encoder.state_dict()),
            dim=encoder.dim,
            fps=1 / self.stride,
            stride=self.stride,
            window=encoder.num_frames / fps,
            num_frames=encoder.num_frames,
            resize=encoder.size,  # the reader scales the square in the middle to this
            crop=encoder.size,
            mean=_stated(encoder, "mean", self.mean),
            std=_stated(encoder, "std", self.std),
            l2_norm=self.l2_norm,
            dtype=self.dtype,
        )


class _Shards:
    """Gathers vectors into videos and videos into shards, in the order they were planned in."""

    def __init__(
        self,
        store: FeatureStore,
        shards: Sequence[int],
        chunks: WindowChunks,
        quarantine: UnreadableLog,
        paths: Sequence[str],
    ) -> None:
        self.store = store
        self.chunks = chunks
        self.quarantine = quarantine
        self.paths = paths
        self.written = 0
        self._shards = iter(shards)
        self._parts: list[Tensor] = []
        self._next()

    def add(self, index: int, batch: Batch, vectors: Tensor) -> None:
        """Take the next chunk of this process's videos."""
        video_id, windows = self.chunks.windows(index)
        for lost in batch.unreadable:
            self._unreadable.setdefault(video_id, lost)
        vectors = vectors.detach().float()
        if self.store.spec.l2_norm:
            vectors = functional.normalize(vectors, dim=-1)
        if batch.ids:
            starts = [number * self.chunks.stride for number in windows]
            self._parts.append(_placed(vectors.cpu(), batch.clip_spans[:, 0], starts))
        if self.chunks.is_last(index):
            self._end_video(video_id, self.chunks.duration(index))

    def _end_video(self, video_id: str, duration: float) -> None:
        vectors = torch.cat([torch.empty(0, self.store.spec.dim), *self._parts])
        self._parts = []
        if video_id not in self._unreadable and bool(vectors.isnan().any(1).all()):
            reason = "none of its windows has all of its frames"
            self._unreadable[video_id] = Unreadable(video_id, video_id, "decode", reason)
        if video_id in self._unreadable:
            self.quarantine.add(self._unreadable[video_id])
        else:
            self._videos[video_id] = StoredVideo(vectors, duration)
        done = len(self._videos) + len(self._unreadable)
        if done == len(self.store.shard_range(self._shard)):
            self.store.write(self._shard, self._videos, self._unreadable, self._sources)
            self.written += 1
            self._next()

    def _next(self) -> None:
        self._shard = next(self._shards, -1)
        # now, and not when it is written: a video that is replaced in between will be found out
        self._sources = {} if self._shard < 0 else self.store.sources(self._shard, self.paths)
        self._videos: dict[str, StoredVideo] = {}
        self._unreadable: dict[str, Unreadable] = {}


def _placed(vectors: Tensor, starts: Tensor, planned: Sequence[float]) -> Tensor:
    """Lay the vectors of windows where these were planned to start; NaN where one was lost."""
    rows = vectors.new_full((len(planned), vectors.shape[1]), torch.nan)
    rows[torch.isin(torch.tensor(planned, dtype=torch.float64), starts.cpu())] = vectors
    return rows


def _whole_shards(store: FeatureStore, videos: VideoList, *, show: bool) -> list[int]:
    """List what need not be made, on all processes alike; each looks at a share of it."""
    pending = set(gather_objects(store.pending())[0])
    whole = [shard for shard in range(store.num_shards) if shard not in pending]
    rank, world = process()
    own: Iterable[int] = whole[rank::world]
    if show and whole:
        own = track(own, "Comparing videos with whole shards")
    found = gather_objects(store.stale(own, videos.paths))
    store.require_unreplaced({one: shard for each in found for one, shard in each.replaced.items()})
    again = {shard for each in found for shard in each.again}
    return [shard for shard in whole if shard not in again]


def _probed(
    videos: VideoList, positions: Sequence[int], workers: int, *, show: bool
) -> tuple[NDArray[np.float64], dict[str, Unreadable]]:
    """Look up how long videos are, and why some of them cannot be read."""
    durations = np.zeros(len(positions))
    unreadable: dict[str, Unreadable] = {}
    place = {videos.ids[index]: number for number, index in enumerate(positions)}
    jobs = ((videos.ids[index], Path(videos.paths[index])) for index in positions)
    found: Iterable[tuple[str, Any]] = probe_all(
        jobs, workers=workers, time_budget=videos.time_budget
    )
    if show:
        found = track(found, "Looking at videos", len(positions))
    for video_id, info in found:
        if isinstance(info, UnreadableVideoError):
            unreadable[video_id] = Unreadable.of(video_id, info)
        else:
            durations[place[video_id]] = info.duration
    return durations, unreadable


def _note(
    quarantine: UnreadableLog,
    store: FeatureStore,
    videos: VideoList,
    unreadable: dict[str, Unreadable],
    whole: Sequence[int],
) -> None:
    """Count what cannot be read, in whole shards as well, on all processes alike."""
    records = list(unreadable.values())
    first = process().rank == 0
    if first:
        paths = dict(zip(videos.ids, videos.paths, strict=True))
        known = {shard: read_shard_record(store.folder, shard).unreadable for shard in whole}
        for video_id, why in (item for lost in known.values() for item in lost.items()):
            path = paths[video_id]
            records.append(Unreadable(video_id, path, why["stage"], why["reason"]))
        if any(known.values()):
            again = _records([shard for shard, lost in known.items() if lost])
            _LOG.warning(
                "videos of whole shards could not be read, and are not tried again; to try them, "
                "remove %s in %s",
                again,
                store.folder,
            )
    everybody = [record for own in gather_objects(records) for record in own]
    try:
        if first:
            quarantine.add_all(everybody)
    finally:  # the others add nothing to its file, but to their count
        gather_objects(None)
    quarantine.add_all(everybody)


def _summary(store: FeatureStore, missing: int) -> str:
    if missing:
        return (
            f"features: {missing} of {store.num_shards} shards are not in {store.folder} yet. "
            "Unless other processes are at work on them, run the same command again: it goes on "
            "where it stopped"
        )
    records = [read_shard_record(store.folder, shard) for shard in range(store.num_shards)]
    lost = [video_id for record in records for video_id in record.unreadable]
    videos = sum(len(record.videos) for record in records)
    vectors = sum(video.vectors for record in records for video in record.videos.values())
    summary = f"features: {vectors} vectors of {videos} videos in {store.folder}"
    holes = [video.lost for record in records for video in record.videos.values() if video.lost]
    if holes:
        summary += f"; {sum(holes)} windows of {len(holes)} damaged videos are lost"
    if not lost:
        return summary
    again = _records([shard for shard, record in enumerate(records) if record.unreadable])
    return (
        f"{summary}; {len(lost)} cannot be read: {_first(lost)} (why: "
        f"{store.folder / _QUARANTINE}). To try them again, remove {again} there and run the same "
        "command; what took too long is tried again anyway"
    )


def _records(shards: Sequence[int]) -> str:
    return _first([f"{shard:05d}.json" for shard in shards])


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _stated(
    encoder: nn.Module, name: str, given: Sequence[float] | None
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
    return _three(name, value)


def _three(name: str, value: Sequence[float]) -> tuple[float, float, float]:
    if len(value) != 3:
        message = f"{name}={list(value)} has to be three numbers, for red, green and blue"
        raise ArgumentError(message)
    red, green, blue = value
    return red, green, blue
