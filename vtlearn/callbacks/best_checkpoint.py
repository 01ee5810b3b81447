"""Keep the best model by validation."""

import logging
import shutil
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from typing_extensions import override

from vtlearn.callbacks.run_checkpoint import RunCheckpoint, keeps_nothing
from vtlearn.callbacks.step_checkpoint import StepCheckpoint
from vtlearn.datamodules.base import VideoTextData
from vtlearn.storage.atomic import replacing

__all__ = ["BestCheckpoint"]

_LOG = logging.getLogger(__name__)
_PRIMARY = "val/primary"  # higher is better
_LOSS = "val/loss"  # lower is better


class BestCheckpoint(RunCheckpoint):
    """Keep ``best.ckpt``, the model with the highest ``val/primary``.

    Where validation has no protocol, the model with the lowest ``val/loss`` is kept; where there is
    no validation, there is nothing to choose by, which is said when training starts, and nothing is
    kept. A training that is resumed in another folder begins with a copy of the best model so far.

    Args:
        monitor: The figure to choose by; higher is better.
        filename: Name of the file, without ``.ckpt``.
    """

    def __init__(self, monitor: str = _PRIMARY, filename: str = "best") -> None:
        super().__init__(
            monitor=monitor,
            mode="max",
            filename=filename,
            save_top_k=1,
            enable_version_counter=False,
            save_on_train_epoch_end=False,
        )
        self._asked = monitor
        self._warned = False
        self._former: Path | None = None

    @property
    @override
    def state_key(self) -> str:
        return self._generate_state_key(monitor=self._asked)  # whatever it has become

    @override
    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        states = checkpoint.get("callbacks") or {}
        former = [name for name in states if name.startswith("BestCheckpoint{")]
        if self.state_key not in states and former:  # as former versions called it
            states[self.state_key] = states.pop(former[0])

    @override
    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "mode": self.mode}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if state_dict["best_model_score"] is None:
            return
        former = Path(state_dict["best_model_path"])
        own = str(Path(str(self.dirpath), f"{self.filename}.ckpt"))
        self._former = former
        self.monitor, self.mode = state_dict["monitor"], state_dict.get("mode", self.mode)
        here = {
            "dirpath": self.dirpath,
            "best_model_path": own,
            "kth_best_model_path": own,
            "best_k_models": {own: state_dict["best_model_score"]},
        }
        super().load_state_dict({**state_dict, **here})

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero:
            self._bring_along(trainer)
        reason = _why_unvalidated(trainer)  # every process asks, as for the loaders
        if reason is None or not trainer.is_global_zero or keeps_nothing(trainer):
            return
        others = (x for x in trainer.checkpoint_callbacks if isinstance(x, StepCheckpoint))
        kept = next((f"only {callback.filename}.ckpt" for callback in others), "no checkpoint")
        _LOG.info("%s, so there is nothing to choose the best model by: %s is kept", reason, kept)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        metrics = trainer.callback_metrics
        if self.monitor == _PRIMARY and self.monitor not in metrics and _LOSS in metrics:
            self.monitor, self.mode = _LOSS, "min"
            self.kth_value = torch.tensor(torch.inf)
        if self.monitor in metrics:
            super().on_validation_end(trainer, pl_module)
        elif self.monitor != _PRIMARY and trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._warn(trainer, sorted(metrics))

    def _bring_along(self, trainer: Trainer) -> None:
        """Copy the best model so far to this run's folder, if it was kept in another."""
        former, self._former = self._former, None
        if former is None or Path(self.best_model_path).exists():
            return
        # a folder may have been moved or copied as a whole
        beside = Path(trainer.ckpt_path or ".").parent / former.name
        found = next((path for path in (beside, former) if path.is_file()), None)
        if found is None:
            _LOG.warning("the best model so far, %s, is not there: it is chosen again", former)
            self.best_model_score, self.best_k_models, self.best_model_path = None, {}, ""
            self.kth_best_model_path = ""
            return
        Path(self.best_model_path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(Path(self.best_model_path)) as unfinished:
            shutil.copyfile(found, unfinished)

    def _warn(self, trainer: Trainer, names: list[str]) -> None:
        """Say once that what was asked for is not there, instead of keeping nothing in silence."""
        if not self._warned and trainer.is_global_zero:
            there = ", ".join(name for name in names if name.startswith("val/")) or "none"
            _LOG.warning(
                "no best model is kept: validation has no figure %s; there are: %s",
                self.monitor,
                there,
            )
        self._warned = True


def _why_unvalidated(trainer: Trainer) -> str | None:
    """Tell why a training has no validation; None if it has one."""
    data = getattr(trainer, "datamodule", None)
    if trainer.limit_val_batches == 0:
        return "limit_val_batches=0 leaves validation out"
    if isinstance(data, VideoTextData) and not data.tasks("validate"):
        return f"{type(data).__name__} has no validation split"
    return None if trainer.enable_validation else "there is no validation loader"
