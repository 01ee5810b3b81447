"""A LightningModule whose checkpoints carry their model, and open without a datamodule."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning import LightningModule
from typing_extensions import override

from vtlearn.checkpoints import describe_mismatch, fit_names, load_learner
from vtlearn.errors import CheckpointError
from vtlearn.parameters import (
    drop_kept_elsewhere,
    frozen_by_themselves,
    origins_of,
    restore_kept_elsewhere,
)

if TYPE_CHECKING:
    from vtlearn.learner import VideoTextLearner

__all__ = ["SavedModule"]


class SavedModule(LightningModule):
    """What is kept of a model beside its hyperparameters and weights, and how weights are loaded.

    Attributes:
        clips: How the clips were read that it was trained on, in plain values; None before.
        selected_on: Hashes of the ids that it was validated on while it was trained.
        weights: The file or folder that its weights were read from when it was built
            (``--weights``); None where they were not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clips: dict[str, Any] | None = None
        self.selected_on: frozenset[str] = frozenset()
        self.weights: str | None = None
        self._frozen: Sequence[str] = ()
        self._origins: dict[str, dict[str, str]] = {}

    def keep_elsewhere(self, frozen: Sequence[str]) -> None:
        """Leave frozen weights out of checkpoints where their part can read them again.

        Weights that a part has frozen itself, as all that it read, are left out as well.

        Args:
            frozen: Prefixes of the names of others; called when the parts are built, before these
                are frozen and other weights are loaded.
        """
        self._frozen = [*frozen, *frozen_by_themselves(self)]
        self._origins = origins_of(self, self._frozen)

    @override
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["clips"] = self.clips
        checkpoint["selected_on"] = sorted(self.selected_on)
        checkpoint["state_dict"], checkpoint["origins"] = drop_kept_elsewhere(
            self._origins, self._frozen, checkpoint["state_dict"]
        )

    @override
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.clips = checkpoint.get("clips")
        self.selected_on = frozenset(checkpoint.get("selected_on") or ())
        checkpoint["state_dict"] = restore_kept_elsewhere(
            self, checkpoint.get("origins") or {}, checkpoint["state_dict"]
        )

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
        return load_learner(checkpoint_path, trust=trust, device=map_location or "cpu")

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
