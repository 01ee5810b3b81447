"""The LightningModule: a video encoder, a text encoder and a head, trained and scored together."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.nn import Parameter
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler
from typing_extensions import override

from vtlearn import compatibility
from vtlearn.batch import Batch, EncodedBatch, Rows, Sample, collate
from vtlearn.checks import require_positive
from vtlearn.data_source import DataSource, Stage, batch_seed
from vtlearn.distributed import allow_waiting, gather_batch, process, sum_counts, zero_reaching
from vtlearn.encoders.base import TextEncoder, VideoEncoder
from vtlearn.encoding import encode_batch, encode_clips, encode_texts, unneeded_modules
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.evaluator import Evaluator
from vtlearn.evaluation.result import Result
from vtlearn.heads.base import Aligner, Alignment, Head, total_loss
from vtlearn.hyperparameters import factory_to_config, to_config
from vtlearn.large_batches import check_batches
from vtlearn.nonfinite import GuardedModule
from vtlearn.parameters import freeze, hold_in_eval_mode, parameter_groups
from vtlearn.schedule import PlannedSchedule, WarmupCosine
from vtlearn.scoring import (
    POOLED,
    encoded_for,
    ids_of,
    make_evaluator,
    named_figures,
    publish_results,
    score,
)

__all__ = ["OptimizerFactory", "SchedulerFactory", "VideoTextLearner"]

OptimizerFactory = Callable[[Iterable[Parameter]], Optimizer]
SchedulerFactory = Callable[[Optimizer], LRScheduler]

#: Windows that are on the device at once when scoring, unless the data say otherwise.
_CHUNK = 256


class VideoTextLearner(GuardedModule):
    """Train any video encoder and any text encoder with any head, and score them by any protocol.

    Args:
        video_encoder: Turns clips into vectors.
        text_encoder: Turns texts into vectors of the same width; None for a head that needs none.
        head: Turns the vectors of a batch into a loss.
        optimizer: Makes the optimiser of the trainable parameters.
        scheduler: Makes the schedule of the learning rate, stepped after each optimiser step.
        learning_rates: A learning rate for each prefix of parameters' names, such as
            ``video_encoder.conv1``; the optimiser's own for the rest.
        frozen: Prefixes of what is not trained: no gradient, evaluation mode, in no optimiser.
        keep_frozen: Keep frozen weights in checkpoints even where their part read them from a file
            or hub that it names, and can read them again.
        skip_nonfinite: How many steps are left out whose loss or gradient is NaN or infinite.
        encode_chunk: In training, how many clips or texts are encoded at a time, each chunk again
            in the backward: less memory and more time for the same gradients; None: all at once.

    Raises:
        ArgumentError: If the encoders' vectors differ in width, the head needs what they do not
            give, a part was written for an earlier version, a prefix names nothing, or
            ``skip_nonfinite`` or ``encode_chunk`` is outside its range.

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
        text_encoder: TextEncoder | None,
        head: Head,
        optimizer: OptimizerFactory = AdamW,
        scheduler: SchedulerFactory = WarmupCosine,
        learning_rates: dict[str, float] | None = None,
        frozen: list[str] | None = None,
        keep_frozen: bool = False,
        skip_nonfinite: int = 0,
        encode_chunk: int | None = None,
    ) -> None:
        super().__init__(skip_nonfinite)
        if encode_chunk is not None:
            require_positive(encode_chunk=encode_chunk)
        compatibility.require_current(head, video_encoder, text_encoder)
        compatibility.require_one_width(video_encoder, text_encoder, head)
        head.connect(video_encoder, text_encoder)
        self.video_encoder = video_encoder
        self.text_encoder = text_encoder
        self.head = head
        self._optimizer = optimizer
        self._scheduler = scheduler
        self._encode_chunk = encode_chunk
        self._learning_rates = dict(learning_rates or {})
        encoders = {"video": video_encoder, "text": text_encoder}
        self._resting = [*(frozen or []), *unneeded_modules(encoders, head.needs)]
        if not keep_frozen:
            self.keep_elsewhere(frozen or [])
        freeze(self, self._resting)
        hold_in_eval_mode(self, self._resting)  # and again whenever train() is called
        parameter_groups(self, self._learning_rates)  # a prefix that names nothing is refused now
        self._evaluator: Evaluator | None = None
        self._chunk = _CHUNK
        self.results: list[Result] = []
        self._items: Counter[str] = Counter()
        config = {
            "video_encoder": to_config(video_encoder),
            "text_encoder": to_config(text_encoder),
            "head": to_config(head),
            "learning_rates": learning_rates,
            "frozen": frozen,
            "keep_frozen": keep_frozen,
            "skip_nonfinite": skip_nonfinite,
            "encode_chunk": encode_chunk,
        }
        for name, factory in (("optimizer", optimizer), ("scheduler", scheduler)):
            described = factory_to_config(factory)
            config |= {} if described is None else {name: described}
        # plain class paths and arguments, so that a checkpoint opens with weights_only=True
        self.save_hyperparameters(config)

    @override
    def setup(self, stage: str) -> None:
        allow_waiting()
        data, self._evaluator = self._data(), None
        if data is None:
            return
        stored = "features" in data.clip_settings()
        compatibility.require_accepted(self.video_encoder, *data.clip_shape, stored=stored)
        self._chunk = data.evaluation_chunk
        self._evaluator = self._evaluator_of(data, stage)
        if stage == "fit":
            self.build_vocabularies()

    def build_vocabularies(self) -> None:
        """Build what is made of the training captions, which callbacks that copy may need early."""
        data = self._data()
        for part in (self.text_encoder, self.head):
            if data is not None and part is not None and part.needs_vocabulary:
                part.build(data.captions())
        freeze(self, self._resting)  # what was built as well
        hold_in_eval_mode(self, self._resting)

    @override
    def train(self, mode: bool = True) -> "VideoTextLearner":
        super().train(mode)
        hold_in_eval_mode(self, self._resting)
        return self

    @override
    def configure_optimizers(self) -> OptimizerLRScheduler:
        parameters = parameter_groups(self, self._learning_rates)
        if not parameters:
            message = (
                f"nothing is left to train: model.frozen={self.hparams['frozen']}, and "
                "the head reads nothing else that trains"
            )
            raise ArgumentError(message)
        optimizer = self._optimizer(parameters)  # type: ignore[arg-type]
        scheduler = self._scheduler(optimizer)
        if isinstance(scheduler, PlannedSchedule):
            scheduler.plan(int(self.trainer.estimated_stepping_batches))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    @override
    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Encode local samples, gather those of all processes, and compute the local share."""
        loss, logs = self._loss(batch, batch_idx)
        self.note_batch(batch, batch_idx, loss, logs)
        named = {"train/loss": loss.detach()} | {f"train/{name}": x for name, x in logs.items()}
        self.log_dict(named, batch_size=len(batch.ids), sync_dist=process().world > 1)
        self.log("loss", loss.detach(), prog_bar=True, logger=False)
        return loss

    def _loss(self, batch: Batch, batch_idx: int) -> tuple[Tensor, dict[str, Tensor]]:
        rank, world = process()
        seed = batch_seed(self._data(), self.current_epoch, batch_idx)
        if self.training:  # dropout is a function of the step too, so that a resumed run has it
            torch.manual_seed(seed + rank)
        own = self.encode(batch)
        whole = gather_batch(own)
        rows = Rows(rank * (size := len(batch.ids)), size, world, seed, self.trainer.global_step)
        output = compatibility.require_losses(self.head, self.head(whole, rows))
        counts = sum_counts([len(x.values) for x in output.terms.values()], self.device)
        if self.training:
            self._items.update(dict(zip(output.terms, counts, strict=True)))
        loss = total_loss(output.terms, counts, world)
        # of one type: processes exchange them
        logs = {name: value.to(torch.float32) for name, value in output.logs.items()}
        if len(output.terms) > 1:
            logs |= {
                name: world * term.values.detach().sum() / max(count, 1)
                for (name, term), count in zip(output.terms.items(), counts, strict=True)
            }
        return loss + zero_reaching(own, whole, self.head.parameters()), logs

    def encode(self, batch: Batch) -> EncodedBatch:
        """Encode samples: the same call for training, evaluation, prediction and alignment.

        Args:
            batch: Samples; clips and texts without padding, either of which may be none.

        Returns:
            Features (batch, clips, dim) and (batch, texts, candidates, dim), zero where padded, of
            this process's samples alone; tokens and strings in ``own``. What the head does not need
            has width 0, or is None.
        """
        return self._encode(batch, self.head.needs)

    def _encode(
        self, batch: Batch, needs: frozenset[str], max_words: int | None = None
    ) -> EncodedBatch:
        return encode_batch(
            batch,
            *(self.video_encoder, self.text_encoder, needs, self.device),
            chunk=self._encode_chunk if self.training else self._chunk,
            recompute=self.training,
            max_words=max_words,
        )

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Embed texts as the head compares them: dot products with embedded clips are scores.

        Args:
            texts: One string per text.

        Returns:
            (texts, dim), float32 or wider, without gradients.

        Raises:
            ArgumentError: If the head does not compare texts, or these are not a list of strings.
        """
        head = self._aligner()
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            message = f"expected a list of strings, got {texts!r:.80}"
            raise ArgumentError(message)
        with self._resting_as_a_whole():
            return head.embed(self._encode_texts(texts))

    def align(self, sample: Sample) -> Alignment:
        """Align the clips and texts of one sample.

        Args:
            sample: Some clips and texts of a video.

        Returns:
            Cost, expected alignment and path, (clips, texts).

        Raises:
            ArgumentError: If the head does not align, or there is no text encoder.
        """
        head = self._aligner()
        with self._resting_as_a_whole():
            batch = self._encode(collate([sample]), POOLED)
            return head.align(batch.video.pooled[0], batch.text.pooled[0, :, 0])

    def _aligner(self) -> Aligner:
        aligner = self.head.aligner
        if aligner is not None and self.text_encoder is not None:
            return aligner
        message = (
            f"{type(self.head).__name__} compares no texts here: that takes an aligner, such as "
            "S2DTW, and a text encoder"
        )
        raise ArgumentError(message)

    @contextmanager
    def _resting_as_a_whole(self) -> Iterator[None]:
        """Encode without gradients, and so that no vector depends on another."""
        was_training = self.training
        self.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.train(was_training)

    @override
    def on_train_epoch_end(self) -> None:
        """Refuse to train on where a whole epoch had nothing for a loss to be computed of."""
        for term, count in self._items.items():
            if count == 0:  # of all processes, so that each of them stops
                raise ArgumentError(self.head.explain_empty(term))
        self._items.clear()

    @override
    def on_validation_epoch_start(self) -> None:
        if self._evaluator is not None:
            self._evaluator.begin()

    @override
    def on_test_epoch_start(self) -> None:
        self.on_validation_epoch_start()

    @override
    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Encode items for the loader's protocols, or compute a loss where there are none."""
        if self._evaluator is None:
            loss, _ = self._loss(batch, batch_idx)
            name = "test/loss" if self.trainer.testing else "val/loss"
            self.log(name, loss, prog_bar=True, batch_size=len(batch.ids), sync_dist=True)
            return
        if not batch.ids:  # a process may have had its last items
            self._evaluator.update(dataloader_idx, [], [], batch.unreadable)
            return
        needs = self._evaluator.needs(dataloader_idx)
        of_head = self.head.needs if "caption" in needs else frozenset()
        task = self._evaluator.tasks[dataloader_idx]
        encoded = self._encode(batch, of_head | encoded_for(needs), task.max_words)
        self._evaluator.update_batch(dataloader_idx, encoded, batch.parts, batch.unreadable)

    @override
    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Do the same as when validating."""
        self.validation_step(batch, batch_idx, dataloader_idx)

    @override
    def predict_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> Tensor:
        """Return the video encoder's own vectors, (clips, dim): no head has changed them."""
        del batch_idx, dataloader_idx
        if not len(batch.clips):
            return torch.empty(0, self.video_encoder.dim, device=self.device)
        return encode_clips(self.video_encoder, batch.clips, batch.frame_length, self.device).pooled

    @override
    def on_validation_epoch_end(self) -> None:
        self._finish("val")

    @override
    def on_test_epoch_end(self) -> None:
        self._finish("test")

    def _encode_texts(self, texts: Sequence[str], max_words: int | None = None) -> Tensor:
        if self.text_encoder is None:
            return torch.zeros(len(texts), 0, device=self.device)
        return encode_texts(
            self.text_encoder, texts, self.device, chunk=self._chunk, max_words=max_words
        ).pooled

    def _evaluator_of(self, data: DataSource, stage: str) -> Evaluator | None:
        """Make what scores a stage; what the head cannot serve is refused before data are read."""
        if stage == "predict" or (stage == "fit" and self.trainer.limit_val_batches == 0):
            return None
        scored: Stage = "test" if stage == "test" else "validate"
        tasks = data.tasks(scored)
        if stage != "fit" and not tasks:
            message = f"{type(data).__name__} has no protocol to {scored} a model by"
            raise ArgumentError(message)
        encode = None if self.text_encoder is None else self._encode_texts
        model = self.head, self.video_encoder, encode
        return make_evaluator(tasks, *model, data.max_unreadable, training=stage == "fit")

    def _finish(self, name: str) -> None:
        """Score, log the figures, and publish them unless this is training."""
        if self._evaluator is None or self.trainer.sanity_checking:
            return
        data, fitting = self._data(), self.trainer.state.fn == "fit"
        clips = {} if data is None else data.clip_settings()
        self.results = score(self._evaluator, self.trainer, self.head, clips, self.selected_on)
        if fitting:
            self.selected_on |= ids_of(self.results)
        figures, primary = named_figures(self.results, self._evaluator.tasks, name)
        # computed alike on every process, so there is nothing to reduce
        self.log_dict(figures, sync_dist=False, rank_zero_only=False)
        self.log_dict(primary, prog_bar=True, sync_dist=False, rank_zero_only=False)
        if not fitting:
            publish_results(self.results, self.trainer, self.weights)

    @override
    def on_fit_start(self) -> None:  # after a checkpoint is restored
        self._items.clear()  # an earlier training may have been interrupted
        batches = self.trainer.accumulate_grad_batches
        check_batches(self, self.head, self._encode_chunk, batches)
        self.head.begin(self.trainer.estimated_stepping_batches)
        data = self._data()
        self.clips = None if data is None else data.clip_settings()

    def _data(self) -> DataSource | None:
        data = getattr(self.trainer, "datamodule", None)
        return data if isinstance(data, DataSource) else None
