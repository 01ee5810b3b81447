"""The LightningModule: a video encoder, a text encoder and a head, trained and scored together."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from rich.console import Console
from torch import Tensor
from torch.nn import Parameter
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler
from typing_extensions import override

from vtlearn.batch import (
    Encoded,
    EvaluationBatch,
    NarrationBatch,
    TextFeatures,
    VideoFeatures,
    WindowChunk,
    valid,
)
from vtlearn.checkpoints import describe_mismatch, fit_names, load
from vtlearn.datamodules.base import Example, Stage, VideoTextData
from vtlearn.distributed import gather, gather_objects, process
from vtlearn.encoders.base import TextEncoder, VideoEncoder
from vtlearn.errors import ArgumentError, CheckpointError, EvaluationError
from vtlearn.evaluation.protocol import EncodedItem, Protocol, Result
from vtlearn.evaluation.results import results_table, write_results
from vtlearn.heads.base import Alignment, AlignmentHead, Grid, HeadOutput
from vtlearn.hyperparameters import factory_to_config, to_config
from vtlearn.run_folder import run_folder
from vtlearn.schedule import WarmupCosine

__all__ = ["OptimizerFactory", "SchedulerFactory", "VideoTextLearner"]

_LOG = logging.getLogger(__name__)

OptimizerFactory = Callable[[Iterable[Parameter]], Optimizer]
SchedulerFactory = Callable[[Optimizer], LRScheduler]

FeaturesT = TypeVar("FeaturesT", VideoFeatures, TextFeatures)

#: What a trainer's precision computes in.
_DTYPES = {"16": "float16", "bf16": "bfloat16", "32": "float32", "64": "float64"}

#: Windows of an evaluation batch that are encoded at once; long videos have thousands.
_CHUNK = 256


class VideoTextLearner(LightningModule):
    """Train any video encoder and any text encoder with any head, and score them by any protocol.

    Args:
        video_encoder: Turns clips into vectors.
        text_encoder: Turns captions into vectors of the same width.
        head: Turns the vectors of a batch into a loss.
        optimizer: Makes the optimiser of the trainable parameters.
        scheduler: Makes the schedule of the learning rate, stepped after each optimiser step.

    Raises:
        ArgumentError: If the encoders' vectors differ in width.

    Example:
        >>> from vtlearn.encoders.text import TinyText
        >>> from vtlearn.encoders.video import TinyVideo
        >>> from vtlearn.heads import S2DTW
        >>> learner = VideoTextLearner(TinyVideo(dim=64), TinyText(dim=64), S2DTW())
        >>> learner.hparams["head"]["class_path"]
        'vtlearn.heads.S2DTW'
    """

    def __init__(
        self,
        video_encoder: VideoEncoder,
        text_encoder: TextEncoder,
        head: AlignmentHead,
        optimizer: OptimizerFactory = AdamW,
        scheduler: SchedulerFactory = WarmupCosine,
    ) -> None:
        super().__init__()
        if video_encoder.dim != text_encoder.dim:
            message = (
                f"{type(video_encoder).__name__} gives vectors of dim={video_encoder.dim} and "
                f"{type(text_encoder).__name__} of dim={text_encoder.dim}; give both the same dim"
            )
            raise ArgumentError(message)
        self.video_encoder = video_encoder
        self.text_encoder = text_encoder
        self.head = head
        self._optimizer = optimizer
        self._scheduler = scheduler
        self._protocols: list[Protocol] = []
        self._unreadable: dict[str, str] = {}
        self.results: list[Result] = []
        parts = {
            "video_encoder": to_config(video_encoder),
            "text_encoder": to_config(text_encoder),
            "head": to_config(head),
            "optimizer": factory_to_config(optimizer),
            "scheduler": factory_to_config(scheduler),
        }
        # plain class paths and arguments, so that a checkpoint opens with weights_only=True
        left_out = [name for name in ("optimizer", "scheduler") if parts[name] is None]
        self.save_hyperparameters({k: v for k, v in parts.items() if k not in left_out})
        self.clips: dict[str, Any] | None = None

    def setup(self, stage: str) -> None:
        """Check that data and encoders fit, and build the text encoder's vocabulary if it has none.

        Args:
            stage: ``fit``, ``validate``, ``test`` or ``predict``.

        Raises:
            ArgumentError: If the data's clips are not those the video encoder was made for, or
                there is nothing to score by.
        """
        data = self._data()
        shape, encoder = data.clip_shape, self.video_encoder
        if (shape.num_frames, shape.size) != (encoder.num_frames, encoder.size):
            message = (
                f"the data give clips of {shape.num_frames} frames of {shape.size} px, "
                f"{type(encoder).__name__} was made for {encoder.num_frames} frames of "
                f"{encoder.size} px: set num_frames and size alike in data.init_args.sampling and "
                "model.video_encoder.init_args"
            )
            raise ArgumentError(message)
        if stage in ("validate", "test") and not data.protocols(_stage(stage)):
            message = f"{type(data).__name__} has no protocol to {_stage(stage)} a model by"
            raise ArgumentError(message)
        if stage == "fit" and self.text_encoder.needs_vocabulary:
            self.text_encoder.build(data.captions())

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Make the optimiser, after ``setup``, of everything that is trainable by then."""
        optimizer = self._optimizer(p for p in self.parameters() if p.requires_grad)
        scheduler = self._scheduler(optimizer)
        if isinstance(scheduler, WarmupCosine):
            scheduler.plan(int(self.trainer.estimated_stepping_batches))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def training_step(self, batch: NarrationBatch, batch_idx: int) -> Tensor:
        """Encode this process's narrations, gather everybody's, and score our rows of the grid.

        Args:
            batch: This process's narrations.
            batch_idx: Its number in the epoch; what the head draws depends on it.

        Returns:
            The loss, a scalar.
        """
        video, text = self.encode(batch)
        rank, world = process()
        own = len(batch.ids)
        entropy = (self._data().seed, self.current_epoch, batch_idx)
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        grid = Grid(start=rank * own, own=own, world=world, seed=seed)
        output: HeadOutput = self.head(_gathered(video), _gathered(text), grid)
        named = {"train/loss": output.loss.detach()}
        named |= {f"train/{name}": value for name, value in output.logs.items()}
        self.log_dict(named, batch_size=own, sync_dist=world > 1)
        self.log("loss", output.loss.detach(), prog_bar=True, logger=False)
        return output.loss

    def encode(self, batch: NarrationBatch) -> tuple[VideoFeatures, TextFeatures]:
        """Encode what is valid in a batch of narrations; padding is never encoded.

        Args:
            batch: Clips and captions, padded at the end.

        Returns:
            Features (batch, clips, dim) and (batch, captions, candidates, dim), zero where padded.
        """
        mask = valid(batch.length, batch.video.shape[1])
        clips = self._kept(self.video_encoder(batch.video[mask]))
        candidates = max(
            (len(clip) for narration in batch.captions for clip in narration), default=1
        )
        captions = [text for narration in batch.captions for clip in narration for text in clip]
        texts = self._kept(self.encode_captions(captions))
        by_clip = (None if x is None else x.unflatten(0, (-1, candidates)) for x in texts)
        return (
            VideoFeatures._make((*(_unpacked(x, mask) for x in clips), batch.length)),
            TextFeatures._make((*(_unpacked(x, mask) for x in by_clip), batch.length)),
        )

    def _kept(self, encoded: Encoded) -> Encoded:
        return encoded if self.head.needs_tokens else encoded._replace(tokens=None)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Embed texts as the head compares them: dot products with embedded clips are scores.

        Args:
            texts: One string per text.

        Returns:
            (texts, dim), float32 or wider, without gradients.
        """
        was_training = self.training
        self.eval()  # or the texts' vectors would depend on each other
        with torch.no_grad():
            vectors = self.head.embed(self.encode_captions(texts).pooled)
        self.train(was_training)
        return vectors

    def encode_captions(self, captions: Sequence[str]) -> Encoded:
        """Tokenise and encode captions.

        Args:
            captions: One string an item.

        Returns:
            ``pooled`` (captions, dim), and tokens where the encoder has them.
        """
        tokens = self.text_encoder.tokenize(captions)
        encoded: Encoded = self.text_encoder(type(tokens)(*(x.to(self.device) for x in tokens)))
        return encoded

    def on_validation_epoch_start(self) -> None:
        """Begin the validation split's protocols."""
        self._begin("validate")

    def on_test_epoch_start(self) -> None:
        """Begin the test split's protocols."""
        self._begin("test")

    def validation_step(
        self, batch: EvaluationBatch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Encode items for the loader's protocol.

        Args:
            batch: Items with their windows and captions.
            batch_idx: Not used.
            dataloader_idx: Which protocol.
        """
        del batch_idx
        self._unreadable |= {item.path: item.reason for item in batch.unreadable}
        self._refuse_unreadable(self._unreadable)
        if not batch.ids:
            return  # this process's share of the last batches
        for item in self.encode_items(batch):
            self._protocols[dataloader_idx].update(item)

    def test_step(self, batch: EvaluationBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Encode items for the loader's protocol.

        Args:
            batch: Items with their windows and captions.
            batch_idx: Not used.
            dataloader_idx: Which protocol.
        """
        self.validation_step(batch, batch_idx, dataloader_idx)

    def predict_step(self, batch: WindowChunk, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Encode windows of one video; all that are given at once, and nothing else with them.

        Args:
            batch: The windows.
            batch_idx: Not used.
            dataloader_idx: Not used.

        Returns:
            The video encoder's own vectors, (windows, dim): no head has changed them.
        """
        del batch_idx, dataloader_idx
        if not len(batch.video):
            return torch.empty(0, self.video_encoder.dim, device=self.device)
        encoded: Encoded = self.video_encoder(batch.video)
        return encoded.pooled

    def encode_items(self, batch: EvaluationBatch) -> list[EncodedItem]:
        """Encode the windows and captions of evaluation items, as the head embeds them.

        Args:
            batch: Items, their windows and captions laid end to end.

        Returns:
            One encoded item each, float32 or wider.
        """
        chunks = [self.video_encoder(frames).pooled for frames in batch.video.split(_CHUNK)]
        windows = self.head.embed(torch.cat(chunks)).split(batch.windows)
        texts = self.head.embed(self.encode_captions(batch.captions).pooled).split(batch.texts)
        text_ids = iter(batch.text_ids)
        return [
            EncodedItem(
                id=batch.ids[index],
                clip=self.head.embed(windows[index].mean(0)),
                windows=windows[index],
                times=times,
                text_ids=[next(text_ids) for _ in range(batch.texts[index])],
                texts=texts[index],
            )
            for index, times in enumerate(batch.times.split(batch.windows))
        ]

    def on_validation_epoch_end(self) -> None:
        """Score the split, log the figures, and print them unless this is training."""
        self._finish("val")

    def on_test_epoch_end(self) -> None:
        """Score the split, log the figures, print them and write ``results.json``."""
        self._finish("test")

    def _begin(self, stage: Stage) -> None:
        self._unreadable = {}
        self._protocols = self._data().protocols(stage)
        for protocol in self._protocols:  # vectors are compared as the head was trained to
            protocol.similarity = "cosine" if self.head.normalize else "dot"

    def _finish(self, name: str) -> None:
        """Merge what all processes collected and compute, on every process alike."""
        missing = dict(item for own in gather_objects(self._unreadable) for item in own.items())
        self._refuse_unreadable(missing)
        if self.trainer.is_global_zero:
            for reason in sorted(missing.values()):
                _LOG.warning("not scored: %s", reason)
        merged = [protocol.merge(gather_objects(protocol.state())) for protocol in self._protocols]
        self.results = [protocol.compute() for protocol in merged]
        for number, result in enumerate(self.results):
            if number == 0:
                self._log_figure(f"{name}/primary", result.metrics[result.primary], prog_bar=True)
            for metric, value in result.metrics.items():
                self._log_figure(f"{name}/{result.protocol}/{metric}", value)
        if self.results and self.trainer.state.fn != "fit":
            # every process asks for the folder, because they agree on it by talking
            folder = run_folder(self.trainer)
            if self.trainer.is_global_zero:
                self._publish(folder / "results.json")

    def _refuse_unreadable(self, missing: Mapping[str, str]) -> None:
        allowed = self._data().max_unreadable
        if len(missing) > allowed:
            lines = "\n".join(f"  {reason}" for reason in sorted(missing.values()))
            message = (
                f"{len(missing)} videos cannot be read, and max_unreadable={allowed}:\n{lines}\n"
                "Mend them, or pass a larger data.init_args.max_unreadable to go on without them"
            )
            raise EvaluationError(message)

    def _log_figure(self, name: str, value: float, *, prog_bar: bool = False) -> None:
        # computed alike on every process, so there is nothing to reduce
        self.log(name, value, prog_bar=prog_bar, sync_dist=False, rank_zero_only=False)

    def _publish(self, path: Path) -> None:
        write_results(
            path,
            self.results,
            checkpoint=self.trainer.ckpt_path,
            dtype=_DTYPES.get(
                str(self.trainer.precision).split("-")[0], str(self.trainer.precision)
            ),
            world_size=self.trainer.world_size,
        )
        console = Console()
        console.print(results_table(self.results))
        console.print(f"results: {path}", soft_wrap=True, highlight=False)

    def align(self, example: Example) -> Alignment:
        """Align the windows and captions of one narrated video.

        Args:
            example: The video.

        Returns:
            Cost, expected alignment and path, (windows, captions).
        """
        sample = example.sample
        frames = sample.video.to(self.device)
        with torch.no_grad():
            windows = torch.cat([self.video_encoder(part).pooled for part in frames.split(_CHUNK)])
            captions = self.encode_captions(sample.captions).pooled
        video = VideoFeatures(windows[None], None, torch.tensor([len(windows)]))
        text = TextFeatures(captions[None, :, None], None, torch.tensor([len(captions)]))
        return self.head.align(video, text)

    @override
    def on_fit_start(self) -> None:  # after a checkpoint is restored
        self.clips = self._data().clip_settings()

    @override
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["clips"] = self.clips

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.clips = checkpoint.get("clips")

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]  # arguments come from the file alone
        cls,
        checkpoint_path: Path | str,
        map_location: str | torch.device | None = None,
        *,
        trust: bool = False,
    ) -> "VideoTextLearner":
        """Build the model of a checkpoint: :func:`vtlearn.load` under Lightning's name.

        Args:
            checkpoint_path: The file.
            map_location: The device the model goes to; the CPU by default.
            trust: Whether to import classes that the checkpoint names and this process does not
                know, which may run any code.

        Returns:
            The learner, in evaluation mode.

        Raises:
            CheckpointError: If it is not a vtlearn checkpoint, or names a class that is not known.
        """
        return load(checkpoint_path, trust=trust, device=map_location or "cpu")

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Load weights, and say what did not match instead of printing every tensor.

        Args:
            state_dict: Weights and vocabularies by name.
            strict: Whether names have to match exactly.
            assign: Whether to take the tensors themselves instead of copying them.

        Returns:
            The names that were missing or unexpected.

        Raises:
            CheckpointError: If a name or a shape does not match.
        """
        own = self.state_dict()
        given = fit_names(own, state_dict)
        try:
            return super().load_state_dict(given, strict=strict, assign=assign)
        except RuntimeError as error:
            raise CheckpointError(describe_mismatch(own, given)) from error

    def _data(self) -> VideoTextData:
        data = getattr(self.trainer, "datamodule", None)
        if not isinstance(data, VideoTextData):
            message = "the learner trains and tests on a VideoTextData: pass it as datamodule="
            raise ArgumentError(message)
        return data


def _stage(name: str) -> Stage:
    return "test" if name == "test" else "validate"


def _gathered(features: FeaturesT) -> FeaturesT:
    gathered = (x if x is None else gather(x) for x in features)
    return type(features)(*gathered)  # type: ignore[arg-type]


def _unpacked(x: Tensor | None, mask: Tensor) -> Tensor | None:
    """Put the rows of valid entries back where they were in the batch."""
    return None if x is None else x.new_zeros(*mask.shape, *x.shape[1:]).index_put((mask,), x)
