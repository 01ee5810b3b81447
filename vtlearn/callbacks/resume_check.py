"""Refuse to resume a training as another one, unless that is asked for."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.version import Version
from pytorch_lightning import Callback, LightningModule, Trainer
from typing_extensions import override

from vtlearn import __version__
from vtlearn.callbacks.training_facts import differences, facts_of
from vtlearn.checkpoints import read_checkpoint
from vtlearn.datamodules.base import VideoTextData
from vtlearn.errors import ArgumentError

__all__ = ["ResumeCheck"]

_LOG = logging.getLogger(__name__)
_KEY = "training"


class ResumeCheck(Callback):
    """Keep in checkpoints what a training is of, and compare it with one that resumes there.

    Another batch size, seed, corpus or head is refused; other numbers of processes or workers are
    not, and what follows from them is said.

    Args:
        checkpoint: What the training resumes from; None for one that begins.
        allow_changed: Resume as another training.

    Raises:
        ArgumentError: When a training begins, if something differs that is not allowed to.
    """

    def __init__(self, checkpoint: Path | None = None, *, allow_changed: bool = False) -> None:
        self.checkpoint = checkpoint
        self.allow_changed = allow_changed
        self._facts: dict[str, Any] = {}
        self._has_changed = False

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        data = getattr(trainer, "datamodule", None)
        if stage != "fit" or not isinstance(data, VideoTextData):
            return
        self._facts = facts_of(data, pl_module.hparams.get("head"))
        former = read_checkpoint(self.checkpoint).get(_KEY) if self.checkpoint else None
        if former is not None:
            self._compare(former)

    @override
    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint[_KEY] = self._facts

    @override
    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self._has_changed:  # the best of another training is none of this one
            kept = checkpoint.get("callbacks") or {}
            for name in [name for name in kept if name.startswith("BestCheckpoint")]:
                del kept[name]

    def _compare(self, former: Mapping[str, Any]) -> None:
        changes = list(differences(former, self._facts))
        self._has_changed = bool(changes)
        if changes and not self.allow_changed:
            message = (
                f"{self.checkpoint} is of a training with {', '.join(x for x, _ in changes)}; "
                f"this one has {', '.join(x for _, x in changes)}: give what it had, or "
                "--resume_changed to resume with what is new, in another folder; to begin with its "
                "weights alone, give --weights in place of --ckpt_path"
            )
            raise ArgumentError(message)
        if changes:
            _LOG.warning(
                "this training resumes one with %s, and has %s",
                *(", ".join(x) for x in zip(*changes, strict=True)),
            )
        if Version(former["version"]) > Version(__version__):
            _LOG.warning(
                "%s was written by vtlearn %s, and this is %s: what is new there is not known here",
                *(self.checkpoint, former["version"], __version__),
            )
        self._say_what_follows(former)

    def _say_what_follows(self, former: Mapping[str, Any]) -> None:
        processes, workers = self._facts["processes"], self._facts["workers"]
        if former["processes"] != processes:
            _LOG.info(
                "%d processes resume what %d began: batches and what is drawn of the data "
                "stay, dropout and rounding differ",
                *(processes, former["processes"]),
            )
        stream = any(str(value) == "Shards" for value in self._facts.values())
        if stream and (former["processes"], former["workers"]) != (processes, workers):
            _LOG.warning(
                "the shards of this epoch are shared out again to %d processes x %d workers, from "
                "%d x %d: until it ends some samples come twice and others not at all",
                *(processes, workers, former["processes"], former["workers"]),
            )
