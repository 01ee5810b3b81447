"""Several datamodules to train on together, each batch from one of them."""

import math
import re
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain, zip_longest
from numbers import Integral, Real
from typing import Any

from typing_extensions import override

from vtlearn.checks import require_positive
from vtlearn.data_source import Stage
from vtlearn.datamodules.alignment_example import AlignmentExample
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datamodules.mixture_loader import MixtureLoader
from vtlearn.datamodules.position import position_of
from vtlearn.datamodules.samplers import EpochOrder
from vtlearn.datasets.base import Corpus
from vtlearn.datasets.shards import ShardStream
from vtlearn.datasets.unreadable import UnreadableLog
from vtlearn.datasets.windows import VideoList
from vtlearn.encoders.base import VideoEncoder
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.evaluator import EvaluationTask

__all__ = ["Mixture"]

_NAME = re.compile(r"[\w-]+")  # it is part of a file's name, and of an option's


class Mixture(VideoTextData):
    """Train on several sources together, each batch from one of them: pictures and videos, say.

    The source of a batch is drawn by the weights, the same in all processes: of each hundred
    batches of an epoch a source has as many as its weight says, rounded up or down, in an order
    that is drawn. Each epoch begins every source anew, at the source's epoch 1000 x epoch, and
    again at the next one when its batches run out; so an epoch depends on nothing before it.
    Sources may differ in how many samples a batch has, and how many clips, candidates and frames:
    pictures, which are clips of one frame, go with videos where the video encoder takes both. All
    have one size, in pixels, or the width of stored vectors.

    Models are scored by the protocols of the first source that has any, and a checkpoint keeps, of
    all sources, how the longest clips are read. No source trains on a video that another holds out
    (``HowTo100M(holdout=0.1)``), as its name tells: narrated videos are left out, and a source that
    cannot leave videos out is refused. What cannot be read is counted for each source apart. If
    sources name the same ``unreadable_log``, each has one with its own name added to it.

    Args:
        sources: The datamodules, by names of letters, digits, - and _, which weights, messages and
            reports of what cannot be read call them by.
        weights: How often each source is drawn, relative to the others, by the same names; kept as
            shares that sum to 1.
        batches_per_epoch: Batches of an epoch; left out, as many as the sources have together.
        num_workers: Loader processes of all sources together, at least one each, shared out by the
            weights; 0 to read in the process itself; left out, those that each source has.

    Raises:
        ArgumentError: If there is no source, or one cannot be called so or is a mixture itself; the
            weights are not those of the sources, or not positive numbers; or there are fewer
            workers than sources.

    Example:
        >>> from vtlearn.datamodules import Kitchen
        >>> from vtlearn.datasets import ClipSampling
        >>> pictures = Kitchen(task="captioning", sampling=ClipSampling(num_frames=1))
        >>> sources = {"videos": Kitchen(), "pictures": pictures}
        >>> Mixture(sources, {"videos": 3, "pictures": 1}).weights
        {'videos': 0.75, 'pictures': 0.25}
    """

    def __init__(
        self,
        sources: Mapping[str, VideoTextData],
        weights: Mapping[str, float],
        batches_per_epoch: int | None = None,
        num_workers: int | None = None,
    ) -> None:
        _require_named(sources=sources, weights=weights)
        _require_whole(batches_per_epoch=batches_per_epoch, num_workers=num_workers)
        self.sources = dict(sources)
        self.weights = _shares(self.sources, weights)
        if batches_per_epoch is not None:
            require_positive(batches_per_epoch=batches_per_epoch)
        self.batches_per_epoch = batches_per_epoch
        if num_workers is not None:
            for name, workers in _worker_shares(num_workers, self.weights).items():
                self.sources[name].num_workers = workers
        first = self._first
        super().__init__(
            batch_size=first.batch_size,
            num_workers=sum(source.num_workers for source in self.sources.values()),
        )
        self._loader: MixtureLoader | None = None
        self._name_reports()
        self._apart = False
        self.reading = first.reading

    @property
    def seed(self) -> int:
        """What is drawn comes from it, the epoch, and the batch: the first source's."""
        return self._first.seed

    @override
    def prepare_data(self) -> None:
        for source in self._attached():
            source.prepare_data()

    @override
    def setup(self, stage: str) -> None:
        for source in self._attached():
            source.setup(stage)
        if stage == "fit":
            self._require_accepted()
            self._leave_out_held_out()
        scored = self._scored(stage)
        self.evaluation_chunk = scored.evaluation_chunk
        self.max_unreadable = scored.max_unreadable
        # training says what checkpoints keep, and scoring what figures are of
        self.reading = scored.reading if stage in ("validate", "test") else self._longest().reading

    @override
    def teardown(self, stage: str) -> None:
        if self._loader is not None:
            self._loader.stop_workers()
        for source in self.sources.values():
            source.teardown(stage)

    def list_only(self, num_frames: int | None = None) -> None:
        """Refuse to list what is scored: one source says that better.

        Args:
            num_frames: Not used.

        Raises:
            ArgumentError: Always.
        """
        del num_frames
        message = "Mixture is there to train on: give --data the source that is to be scored"
        raise ArgumentError(message)

    def captions(self) -> Iterator[str]:
        """Yield the training captions, one of each source in turn while there are any."""
        texts = [source.captions() for source in self.sources.values()]
        in_turn = chain.from_iterable(zip_longest(*texts))
        return (text for text in in_turn if text is not None)

    def train_dataset(self) -> Corpus | ShardStream:
        """Return the first source's corpus, to look at; what is trained on is all of them."""
        return self._first.train_dataset()

    def matches(self) -> dict[str, bool]:
        """Return what is known of the training captions of the first source."""
        return self._first.matches()

    def order_epochs(self, order: EpochOrder | None) -> None:
        """Refuse to have samples ordered: a mixture draws which source a batch is from.

        Args:
            order: None, which changes nothing.

        Raises:
            ArgumentError: If there is an order.
        """
        if order is not None:
            message = (
                "Mixture draws the source of each batch, and its epochs take no other order, such "
                "as NeighbourBatches finds: train on one source, or leave the callback out"
            )
            raise ArgumentError(message)

    def train_dataloader(self) -> MixtureLoader:  # type: ignore[override]  # not torch's loader
        """Return the loader of this process's share of all sources' batches.

        Raises:
            ArgumentError: If the sources are not of one size, one of them cannot be shared out, or
                one trains on what another holds out.
        """
        self._require_one_size()
        self._leave_out_held_out()
        loaders = {name: source.train_dataloader() for name, source in self.sources.items()}
        for loader in loaders.values():  # they stand where the mixture's position says
            loader.position = None
        batches = self.batches_per_epoch or sum(len(loader) for loader in loaders.values())
        self._loader = MixtureLoader(loaders, self.weights, batches=batches, seed=self.seed)
        if self.trainer is not None:
            self._loader.position = partial(position_of, self.trainer)
        return self._loader

    def tasks(self, stage: Stage) -> list[EvaluationTask]:
        """Return what the first source is scored by that is scored at all.

        Args:
            stage: Which split.
        """
        found = (source.tasks(stage) for source in self.sources.values())
        return next((tasks for tasks in found if tasks), [])

    def example(self) -> AlignmentExample | None:
        """Return the narrated video to look at of the first source that has one."""
        found = (source.example() for source in self.sources.values())
        return next((example for example in found if example is not None), None)

    def videos(self) -> VideoList:
        """List the videos of the first source that has any to make features of.

        Raises:
            ArgumentError: If none has.
        """
        reasons = []
        for name, source in self.sources.items():
            try:
                return source.videos()
            except ArgumentError as error:
                reasons.append(f"{name}: {error}")
        message = f"no source has videos to make features of ({'; '.join(reasons)})"
        raise ArgumentError(message)

    @override
    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps of each source."""
        return {name: source.state_dict() for name, source in self.sources.items()}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Give each source what a checkpoint kept of it.

        Args:
            state_dict: By the names of the sources.
        """
        for name, source in self.sources.items():
            if name in state_dict:
                source.load_state_dict(state_dict[name])

    def unreadable_logs(self) -> list[UnreadableLog]:
        """Return what could not be read in training, an account per source."""
        return [log for source in self.sources.values() for log in source.unreadable_logs()]

    @property
    def _first(self) -> VideoTextData:
        return next(iter(self.sources.values()))

    def _attached(self) -> Iterator[VideoTextData]:
        """Yield the sources, which ask the trainer what they are made for."""
        for source in self.sources.values():
            source.trainer = self.trainer
            yield source

    def _name_reports(self) -> None:
        """Give each source a report of its own of what it could not read."""
        paths = [source.reading.unreadable_log for source in self.sources.values()]
        for (name, source), path in zip(self.sources.items(), paths, strict=True):
            source.report_name = f"unreadable-{name}.jsonl"
            if path is not None and paths.count(path) > 1:
                source.report_unreadable_in(path.with_stem(f"{path.stem}-{name}"))

    def _leave_out_held_out(self) -> None:
        """Have no source train on what another is scored by."""
        if self._apart:
            return
        held_out = {name: source.held_out_videos() for name, source in self.sources.items()}
        for name, source in self.sources.items():
            others = (videos for other, videos in held_out.items() if other != name)
            try:
                source.leave_out(frozenset().union(*others))
            except ArgumentError as error:
                message = f"source {name}: {error}"
                raise ArgumentError(message) from error
        self._apart = True

    def _scored(self, stage: str) -> VideoTextData:
        """Return the source that a stage is scored by; the first where none is."""
        asked: Stage = "test" if stage == "test" else "validate"
        unscored = (
            stage == "fit" and self.trainer is not None and not self.trainer.limit_val_batches
        )
        if stage == "predict" or unscored:  # annotations need not be there
            return self._first
        scored = (source for source in self.sources.values() if source.tasks(asked))
        return next(scored, self._first)

    def _longest(self) -> VideoTextData:
        """Return the source whose clips have the most frames."""
        return max(self.sources.values(), key=lambda source: source.clip_shape.num_frames)

    def _require_one_size(self) -> None:
        sizes = {name: _size(source) for name, source in self.sources.items()}
        if len(set(sizes.values())) > 1:
            given = ", ".join(f"{name} has {size}" for name, size in sizes.items())
            message = (
                f"sources of a mixture need clips of one size, and {given}: give pixels.size "
                "alike, or leave it to the video encoder; or give each a store of features of one "
                "width"
            )
            raise ArgumentError(message)

    def _require_accepted(self) -> None:
        """Refuse clips that the model's encoder does not take, naming the source."""
        self._require_one_size()
        encoder = getattr(self.trainer and self.trainer.lightning_module, "video_encoder", None)
        if not isinstance(encoder, VideoEncoder):
            return
        name_of = type(encoder).__name__
        for name, source in self.sources.items():
            if not encoder.accepts(*source.clip_shape):
                message = (
                    f"source {name} gives clips of {source.clip_shape.num_frames} frames, size "
                    f"{source.clip_shape.size}, and {name_of} was made for {encoder.num_frames} of "
                    f"size {encoder.size}: leave sampling.num_frames and pixels.size of the source "
                    "to the encoder; pictures, of 1 frame, and videos together need an encoder "
                    "that takes shorter clips, such as TinyVideo or TimeSformer"
                )
                raise ArgumentError(message)


def _require_named(**given: object) -> None:
    """Refuse what is not given by names."""
    for argument, value in given.items():
        if not isinstance(value, Mapping):
            message = f"{argument}: expected one for each name of a source, got {value!r:.80}"
            raise ArgumentError(message)


def _require_whole(**given: object) -> None:
    """Refuse numbers that are not whole; None is left out."""
    for argument, value in given.items():
        if value is not None and not isinstance(value, Integral):
            message = f"{argument}: expected an int, got {value!r:.80}"
            raise ArgumentError(message)


def _shares(sources: Mapping[str, object], weights: Mapping[str, float]) -> dict[str, float]:
    """Return what share of the batches each source has."""
    if not sources:
        message = "Mixture has no sources: give at least one, {name: datamodule}, and its weight"
        raise ArgumentError(message)
    if odd := [name for name in sources if not _NAME.fullmatch(name)]:
        message = f"expected letters, digits, - and _ as the name of a source, got {odd[0]!r}"
        raise ArgumentError(message)
    if nested := [name for name, source in sources.items() if isinstance(source, Mixture)]:
        message = f"source {nested[0]} is a Mixture itself: list its sources in its place"
        raise ArgumentError(message)
    if set(sources) != set(weights):
        message = (
            f"weights are given for {', '.join(weights) or 'none'}, and the sources are "
            f"{', '.join(sources)}: give each source its weight, by its name"
        )
        raise ArgumentError(message)
    for name, weight in weights.items():
        given: object = weight
        if not isinstance(given, Real) or not (weight > 0 and math.isfinite(weight)):
            message = (
                f"the weight of source {name} is {given!r}, and it has to be a positive number: "
                "leave a source out that is not to be trained on"
            )
            raise ArgumentError(message)
    total = sum(weights.values())
    return {name: weights[name] / total for name in sources}


def _worker_shares(workers: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Share loader processes out by weights: none, or at least one for each source."""
    if workers == 0:
        return dict.fromkeys(shares, 0)
    if workers < len(shares):
        message = (
            f"num_workers={workers} is shared out among the {len(shares)} sources "
            f"{', '.join(shares)}: give 0, or at least one for each"
        )
        raise ArgumentError(message)
    given = dict.fromkeys(shares, 1)
    for _ in range(workers - len(shares)):
        given[max(shares, key=lambda name: workers * shares[name] - given[name])] += 1
    return given


def _size(source: VideoTextData) -> str:
    """Describe how large a source's frames are, as messages say it."""
    size = source.clip_shape.size
    stored = source.reading.features is not None
    return f"stored vectors of width {size}" if stored else f"frames of {size} x {size} pixels"
