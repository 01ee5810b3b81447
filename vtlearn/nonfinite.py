"""Training stops at its first loss or gradient that is not finite, and says where it came from.

A step with a NaN would turn all weights into NaN, and the next checkpoint with them. So before each
step all processes ask together whether their losses and gradients are finite. If not, the step
changes no weight: the first process writes ``nonfinite.json`` into the run's folder, and the
training stops with an error; or it goes on, as often as ``skip_nonfinite`` says.
"""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from typing_extensions import override

from vtlearn.batch import Batch
from vtlearn.checks import require_not_negative
from vtlearn.distributed import any_process, compute_once, process
from vtlearn.errors import NonFiniteError
from vtlearn.run_folder import run_folder
from vtlearn.saved_module import SavedModule
from vtlearn.storage.atomic import replace_text

__all__ = ["GuardedModule"]

_LOG = logging.getLogger(__name__)
_REPORT = "nonfinite.json"
_KEY = "nonfinite_steps"  # in checkpoints


class _Noted(NamedTuple):
    """What a report says of a batch, still on the device."""

    batch_idx: int
    ids: Sequence[str]
    loss: Tensor
    logs: Mapping[str, Tensor]


class GuardedModule(SavedModule):
    """Leave out steps that are not finite, as often as is tolerated, and stop at the next one.

    Args:
        skip_nonfinite: How many such steps of a training are left out. The count travels in
            checkpoints, so that a training which resumes goes on counting.

    Raises:
        ArgumentError: If it is negative.
    """

    def __init__(self, skip_nonfinite: int = 0) -> None:
        super().__init__()
        require_not_negative(skip_nonfinite=skip_nonfinite)
        self._tolerated = skip_nonfinite
        self._left_out = 0
        self._resumed: int | None = None
        self._noted: list[_Noted] = []
        self._buffers_before: list[Tensor] = []

    def note_batch(
        self, batch: Batch, batch_idx: int, loss: Tensor, logs: Mapping[str, Tensor]
    ) -> None:
        """Keep what a report would say of a batch until its step is made.

        Args:
            batch: This process's samples.
            batch_idx: Which batch of the epoch it is.
            loss: This process's, a scalar.
            logs: The loss's terms, where there are several, and what else its head logs; scalars.
        """
        values = {name: value.detach() for name, value in logs.items()}
        self._noted.append(_Noted(batch_idx, batch.ids, loss.detach(), values))

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        # to resume, and not to be tested, or for the weights alone
        if self._trainer is not None and self._trainer.state.fn == "fit":
            self._resumed = int(checkpoint.get(_KEY, 0))

    @override
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint[_KEY] = self._left_out

    @override
    def on_train_start(self) -> None:
        self._left_out, self._resumed = self._resumed or 0, None
        self._noted.clear()
        self._keep_buffers()

    @override
    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        noted, self._noted = self._noted, []
        loss_is_broken, gradient_is_broken = self._ask_all(noted, optimizer)
        if loss_is_broken or gradient_is_broken:
            what = "the loss" if loss_is_broken else "a gradient"
            self._leave_out(f"{what} is not finite", noted, optimizer)
        else:
            self._keep_buffers()
        if self._tolerated:
            self.log(f"train/{_KEY}", float(self._left_out))

    def _ask_all(self, noted: Sequence[_Noted], optimizer: Optimizer) -> list[bool]:
        """Say whether any process has a loss, and a gradient, that is not finite."""
        losses = [batch.loss for batch in noted]
        sound = torch.ones((), dtype=torch.bool, device=self.device)
        finite_loss = torch.stack(losses).isfinite().all() if losses else sound
        # a scaler chooses its scale by steps whose gradients are infinite, and leaves them out
        gradients = [] if self._scaler() else _gradients(optimizer)
        norms = torch._foreach_norm(gradients) if gradients else []  # noqa: SLF001 - of all at once
        on_device = [norm.to(sound.device, torch.float32) for norm in norms]
        finite_norm = torch.stack(on_device).isfinite().all() if norms else sound
        broken = any_process(~torch.stack([finite_loss.to(sound.device), finite_norm]))
        if broken[1]:  # a norm overflows long before a gradient does, and is ten times as quick
            finite = all(bool(gradient.isfinite().all()) for gradient in gradients)
            broken[1] = any_process(torch.tensor([not finite], device=self.device))[0]
        return broken

    def _leave_out(self, what: str, noted: Sequence[_Noted], optimizer: Optimizer) -> None:
        is_last = self._left_out >= self._tolerated
        report = self._write_report(what, noted, optimizer)
        if is_last:
            raise NonFiniteError(what, self.trainer.global_step, str(report), self._tolerated)
        # A parameter without a gradient is passed over: no momentum, no decay. What a scaler asks
        # of a fused optimiser it asks in the step, of these gradients, and leaves it out itself.
        if not (self._scaler() and getattr(optimizer, "_step_supports_amp_scaling", False)):
            optimizer.zero_grad(set_to_none=True)
        self._restore_buffers()
        self._left_out += 1
        if self.trainer.is_global_zero:
            counted = f"{self._left_out} of {self._tolerated} that skip_nonfinite allows"
            message = "%s at step %d, which is left out (%s): %s"
            _LOG.warning(message, what, self.trainer.global_step, counted, report)

    def _write_report(self, what: str, noted: Sequence[_Noted], optimizer: Optimizer) -> Path:
        """Write what all processes know; each calls this."""
        path = run_folder(self.trainer) / _REPORT
        rank = process().rank
        own = {
            "batches": [{"process": rank, **_describe(batch)} for batch in noted],
            "gradients": _describe_gradients(self),
        }
        common = {
            "reason": what,
            "step": self.trainer.global_step,
            "epoch": self.current_epoch,
            "left_out_before": self._left_out,
            "head": type(self.head).__name__,
            "precision": str(self.trainer.precision),
            "learning_rates": [float(x["lr"]) for x in optimizer.param_groups if "lr" in x],
        }

        def write(everybody: Sequence[Mapping[str, Any]]) -> None:
            broken = {name for own in everybody for name in own["gradients"]["broken"]}
            content = common | {
                "batches": [batch for own in everybody for batch in own["batches"]],
                "nonfinite_gradients": [n for n, _ in self.named_parameters() if n in broken],
                "gradient_norms": everybody[0]["gradients"]["norms"],
            }
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")

        compute_once(own, write)
        return path

    def _scaler(self) -> Any:
        return getattr(self.trainer.precision_plugin, "scaler", None)

    def _keep_buffers(self) -> None:
        """Remember running statistics, which a batch with NaN changes before it is known to."""
        if self._tolerated:
            self._buffers_before = [buffer.clone() for buffer in self.buffers()]

    def _restore_buffers(self) -> None:
        for buffer, before in zip(self.buffers(), self._buffers_before, strict=True):
            buffer.copy_(before)


def _gradients(optimizer: Optimizer) -> list[Tensor]:
    parameters = (parameter for group in optimizer.param_groups for parameter in group["params"])
    found = (_values(parameter.grad) for parameter in parameters if parameter.grad is not None)
    return [gradient for gradient in found if gradient.numel()]


def _values(gradient: Tensor) -> Tensor:
    return gradient.coalesce().values() if gradient.is_sparse else gradient


def _describe(batch: _Noted) -> dict[str, Any]:
    return {
        "batch": batch.batch_idx,
        "ids": list(batch.ids),
        "loss": _plain(batch.loss),
        "logs": {name: _plain(value) for name, value in batch.logs.items()},
    }


def _describe_gradients(module: nn.Module) -> dict[str, Any]:
    """Name the gradients that are not finite, and the norm of each."""
    gradients = {
        name: _values(parameter.grad).float()
        for name, parameter in module.named_parameters()
        if parameter.grad is not None
    }
    return {
        "broken": [name for name, x in gradients.items() if not x.isfinite().all()],
        "norms": {name: _plain(torch.linalg.vector_norm(x)) for name, x in gradients.items()},
    }


def _plain(number: Tensor) -> float | str:
    """Return a number as JSON has it, and a word for what it has not."""
    value = float(number)
    return value if math.isfinite(value) else str(value)
