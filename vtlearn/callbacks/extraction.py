"""What all callbacks share that keep something of each video during ``predict``."""

import logging
from abc import abstractmethod
from pathlib import Path
from typing import Any, Generic, TypeVar

from pytorch_lightning import Callback, LightningModule, Trainer
from rich.console import Console
from typing_extensions import override

from vtlearn.batch import Batch
from vtlearn.checks import require_positive
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datasets.extraction import Extraction, Extractor, Part, ShardWriter, find_extractor
from vtlearn.datasets.windows import VideoList, WindowChunks
from vtlearn.errors import ArgumentError
from vtlearn.learner import VideoTextLearner

__all__: list[str] = []

_LOG = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")


class ExtractionCallback(Callback, Extractor, Generic[ResultT]):
    """Walk through the datamodule's videos; a subclass says what keeps the results.

    Args:
        folder: Where they are kept; None where another callback may be asked to.
        stride: Seconds from the start of a window to the start of the next.
        windows_per_chunk: Windows that are encoded together.
        part: "K/N" on the K-th of N machines that do not talk to each other.

    Attributes:
        kept: What is kept, such as "features": its options begin with ``--features.``.

    Raises:
        ArgumentError: If a number is not positive, or part is not K/N.
    """

    kept: str

    def __init__(
        self, folder: Path | None, stride: float, windows_per_chunk: int, part: str | None
    ) -> None:
        require_positive(stride=stride, windows_per_chunk=windows_per_chunk)
        self.folder = None if folder is None else Path(folder)
        self.stride, self.windows_per_chunk = stride, windows_per_chunk
        self.part = Part.parse(part)
        self._run: tuple[Trainer, VideoTextLearner] | None = None
        self._extraction: Extraction[ResultT, Any] | None = None

    @abstractmethod
    def open_writer(
        self, folder: Path, learner: VideoTextLearner, videos: VideoList, precision: str
    ) -> ShardWriter[ResultT, Any]:
        """Open what keeps the results; the learner has the checkpoint's weights by now."""

    @abstractmethod
    def results(self, outputs: Any) -> ResultT:
        """Turn what ``predict_step`` returned for a chunk's readable windows into what is kept."""

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._run = self._extraction = None
        callbacks = trainer.callbacks  # type: ignore[attr-defined]
        if stage != "predict" or find_extractor(callbacks) is not self:
            return
        if self.folder is None:
            message = (
                f"predict writes {self.kept} of the corpus' videos: give --{self.kept}.folder DIR, "
                "an empty folder or one that was created with the same options"
            )
            raise ArgumentError(message)
        data = getattr(trainer, "datamodule", None)
        if not (isinstance(data, VideoTextData) and isinstance(pl_module, VideoTextLearner)):
            message = (
                f"{type(self).__name__} keeps what a VideoTextLearner makes of a VideoTextData"
            )
            raise ArgumentError(message)
        self._run = trainer, pl_module

    @override
    def chunks(self, videos: VideoList, *, workers: int) -> WindowChunks:
        if self._run is None or self.folder is None:
            message = f"{type(self).__name__} chooses windows within trainer.predict alone"
            raise ArgumentError(message)
        trainer, learner = self._run
        if trainer.ckpt_path is None and trainer.is_global_zero:  # known once it is restored
            _LOG.warning(
                "no --ckpt_path: %s of the weights that the encoder is built with", self.kept
            )
        self._extraction = Extraction(
            self.open_writer(self.folder, learner, videos, str(trainer.precision)),
            videos,
            stride=self.stride,
            num_frames=learner.video_encoder.num_frames,
            size=learner.video_encoder.size,
            windows_per_chunk=self.windows_per_chunk,
            part=self.part,
            workers=workers,
            show=trainer.is_global_zero and trainer.progress_bar_callback is not None,
        )
        return self._extraction.chunks

    @override
    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch,
        batch_idx: int, dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        if self._extraction is not None:
            self._extraction.add(batch_idx, batch, self.results(outputs))

    @override
    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._extraction is not None and (line := self._extraction.closing_line()):
            Console().print(line, soft_wrap=True, highlight=False, markup=False)
