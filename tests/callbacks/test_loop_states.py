"""What is said of a place; that Lightning goes on from there is tests/.../test_step_checkpoint."""

from typing import Any

import pytest

from vtlearn.callbacks.between_steps import Place
from vtlearn.callbacks.loop_states import say_place


def counts(ready: int, started: int, processed: int, completed: int) -> dict[str, Any]:
    one = {"ready": ready, "started": started, "processed": processed, "completed": completed}
    return {"total": dict(one), "current": dict(one)}


def state(epochs: dict[str, Any], batches: dict[str, Any], *, is_last: bool) -> dict[str, Any]:
    return {
        "epoch_progress": epochs,
        "epoch_loop.batch_progress": batches | {"is_last_batch": is_last},
        "epoch_loop.val_loop.batch_progress": counts(3, 3, 3, 3),
        "epoch_loop.state_dict": {"_batches_that_stepped": 7},
    }


def said(loops: dict[str, Any], place: Place | None) -> tuple[Any, ...]:
    say_place(loops, place)
    epochs, batches = loops["epoch_progress"], loops["epoch_loop.batch_progress"]
    validated = loops["epoch_loop.val_loop.batch_progress"]["total"]
    values = (epochs["total"], batches["current"], validated)
    assert epochs["total"] == epochs["current"]
    logged = loops["epoch_loop.state_dict"]["_batches_that_stepped"]
    return (*(tuple(x.values()) for x in values), logged)


NOT_VALIDATED, VALIDATING = (0, 0, 0, 0), (1, 1, 0, 0)


@pytest.mark.parametrize(
    ("place", "loops", "expected"),
    [
        (  # a third batch is ready: the second is what is not completed
            "batch",
            state(counts(1, 1, 0, 0), counts(3, 2, 2, 2), is_last=False),
            ((1, 1, 0, 0), (2, 2, 2, 1), NOT_VALIDATED, 6),
        ),
        (
            "validation",
            state(counts(1, 1, 0, 0), counts(4, 4, 4, 4), is_last=True),
            ((1, 1, 0, 0), (4, 4, 4, 4), VALIDATING, 7),
        ),
        (  # a second epoch is ready
            "epoch",
            state(counts(2, 1, 1, 1), counts(4, 4, 4, 4), is_last=True),
            ((1, 1, 1, 1), (4, 4, 4, 4), NOT_VALIDATED, 7),
        ),
        (
            "end",
            state(counts(1, 1, 1, 1), counts(4, 4, 4, 4), is_last=True),
            ((1, 1, 1, 1), (4, 4, 4, 4), NOT_VALIDATED, 7),
        ),
        (  # within an epoch, which Lightning counts as over
            "end",
            state(counts(1, 1, 1, 1), counts(2, 2, 2, 2), is_last=False),
            ((1, 1, 0, 0), (2, 2, 2, 1), NOT_VALIDATED, 6),
        ),
        (
            None,
            state(counts(1, 1, 0, 0), counts(4, 4, 4, 4), is_last=True),
            ((1, 1, 0, 0), (4, 4, 4, 4), NOT_VALIDATED, 7),
        ),
    ],
)
def test_a_place_is_said_in_the_words_that_lightning_knows(
    place: Place | None, loops: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    assert said(loops, place) == expected
