"""What a checkpoint says about how far a training has come, so that Lightning resumes there.

Lightning (2.5, 2.6) restores two places exactly: the end of a batch, before it is counted as
completed, and the end of an epoch. A checkpoint of any other place is given the words of one of
these, or those by which Lightning knows that a validation was interrupted.
"""

from typing import Any

from vtlearn.callbacks.between_steps import Place

__all__: list[str] = []

_EPOCHS = "epoch_progress"
_BATCHES = "epoch_loop.batch_progress"
_VALIDATION = "epoch_loop.val_loop.batch_progress"
_LOOP = "epoch_loop.state_dict"
_LOGGED = "_batches_that_stepped"


def say_place(fit_loop: dict[str, Any], place: Place | None) -> None:
    """Say, in the loops' state, where a training has been saved.

    Args:
        fit_loop: The state of Lightning's loops as it is in this place; it is changed.
        place: Where that is; None for a place of Lightning's own, which it restores as it is.
    """
    # it counts as interrupted when a batch has been started, and not processed
    began = int(place == "validation")
    counted = {"ready": began, "started": began, "processed": 0, "completed": 0}
    fit_loop[_VALIDATION]["total"].update(counted)
    if place == "epoch":
        _forget_what_was_announced(fit_loop[_EPOCHS])
    elif place == "batch":
        _forget_what_was_announced(fit_loop[_BATCHES])
        _say_end_of_batch(fit_loop)
    elif place == "end" and not fit_loop[_BATCHES]["is_last_batch"]:
        # by max_steps, within an epoch, which Lightning counts all the same
        _count(fit_loop[_EPOCHS], "processed", -1)
        _count(fit_loop[_EPOCHS], "completed", -1)
        _say_end_of_batch(fit_loop)


def _say_end_of_batch(fit_loop: dict[str, Any]) -> None:
    """Say that a batch has been processed, and is not counted as completed or logged."""
    _count(fit_loop[_BATCHES], "completed", -1)
    fit_loop[_BATCHES]["is_last_batch"] = False
    fit_loop[_LOOP][_LOGGED] -= 1


def _forget_what_was_announced(progress: dict[str, Any]) -> None:
    """Say nothing of the batch or epoch that is ready, and has not been started."""
    for counts in (progress["total"], progress["current"]):
        counts["ready"] = counts["started"]


def _count(progress: dict[str, Any], what: str, number: int) -> None:
    for counts in (progress["total"], progress["current"]):
        counts[what] += number
