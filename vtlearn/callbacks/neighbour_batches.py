"""Batches of videos that are near each other, found again before every epoch."""

import logging
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from typing_extensions import override

from vtlearn.callbacks.video_vectors import SampleEncoder
from vtlearn.checks import require_positive
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datamodules.nearest import share_nearest
from vtlearn.datamodules.neighbours import (
    Lists,
    order_by_neighbours,
    read_lists,
    write_lists,
)
from vtlearn.distributed import compute_once
from vtlearn.errors import ArgumentError
from vtlearn.run_folder import run_folder

__all__ = ["NeighbourBatches"]

_LOG = logging.getLogger(__name__)


class NeighbourBatches(Callback):
    """Train on batches of videos that the model finds alike, and so has to tell apart.

    Before every epoch, the first included, each video gets a vector: the mean over its sample's
    clips and texts, as the head compares them. A batch is then a random draw among the nearest of a
    random video, by Euclidean distance to all others. An epoch has as many batches as without; a
    video may be in several of them, or in none. This reads and encodes every video once more.

    The neighbours are kept in the run's folder, ``neighbours/epoch-<number>.npz``. An epoch that is
    resumed reads them from the folder of its checkpoint's run, and so has the batches that it would
    have had.

    Args:
        neighbours: How many videos a batch is drawn from, the one that they are nearest to among
            them; no fewer than a batch has.

    Raises:
        ArgumentError: If that is not positive. When a training begins: if a batch has more; if it
            is on a stream of shards, on a mixture, or on data with an order of their own; or if the
            model does not compare clips with texts.

    Source:
        H. Xu et al., "VideoCLIP: Contrastive Pre-training for Zero-shot Video-Text Understanding",
        EMNLP 2021, section 3.3, and its published code, where the index is an approximate one, and
        each process searches its own share of the videos.
    """

    def __init__(self, neighbours: int = 64) -> None:
        require_positive(neighbours=neighbours)
        self.neighbours = neighbours
        self._resumed_from: Path | None = None

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        data = getattr(trainer, "datamodule", None)
        if not isinstance(data, VideoTextData):
            message = "NeighbourBatches needs a datamodule of vtlearn, whose videos it can choose"
            raise ArgumentError(message)
        self._encoder = SampleEncoder(pl_module, data, trainer.precision_plugin)
        self._corpus, self._order = order_by_neighbours(data, self.neighbours)

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._resumed_from = Path(trainer.ckpt_path) if trainer.ckpt_path else None
        if trainer.fit_loop.restarted_mid_epoch:  # which no other hook is called for
            self.on_train_epoch_start(trainer, pl_module)

    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        progress: Any = trainer.fit_loop.epoch_progress.current
        epoch = progress.processed  # as Lightning tells samplers
        folder = run_folder(trainer)  # every process asks, because they agree on it by talking
        lists = self._kept(epoch, has_begun=trainer.fit_loop.restarted_mid_epoch)
        if lists is None:
            lists = self._find(epoch)
        if trainer.is_global_zero and not getattr(trainer, "fast_dev_run", False):
            write_lists(folder, epoch, lists, self._corpus.ids)
        self._order.begin(epoch, lists)

    @override
    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        data = getattr(trainer, "datamodule", None)
        if stage == "fit" and isinstance(data, VideoTextData):
            data.order_epochs(None)

    def _kept(self, epoch: int, *, has_begun: bool) -> Lists | None:
        """Read what was found before, if this is the epoch that is resumed."""
        checkpoint, self._resumed_from = self._resumed_from, None
        if checkpoint is None:
            return None
        folders, count = checkpoint.absolute().parents[:2], self._order.neighbours
        ids = self._corpus.ids
        lists = compute_once(None, lambda _: read_lists(folders, epoch, ids, count))
        if lists is None and has_begun:
            _LOG.warning(
                "epoch %d goes on with other batches than it began with: %d neighbours of each "
                "video are not kept in %s",
                *(epoch, count, folders[-1] / "neighbours"),
            )
        return lists

    def _find(self, epoch: int) -> Lists:
        """Find neighbours by what the model is now."""
        _LOG.info("epoch %d: encoding %d videos to find neighbours", epoch, len(self._corpus))
        vectors = self._encoder.encode(self._corpus, epoch)
        return share_nearest(vectors, self._order.neighbours, self._encoder.device)
