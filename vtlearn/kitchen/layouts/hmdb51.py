"""Clips of one cooking step, to recognise its action, in HMDB51's layout."""

from collections.abc import Mapping
from pathlib import Path

from typing_extensions import override

from vtlearn.kitchen.layouts.actions import SPLITS, Action, KitchenActions
from vtlearn.kitchen.layouts.base import write_lines
from vtlearn.kitchen.recipes import ACTIONS, INGREDIENTS

__all__ = ["KitchenHMDB51"]

LISTS = "testTrainMulti_7030_splits"
# What the videos are called that clips are cut from, with all that HMDB51's names have.
SOURCES = (
    "Kitchen",
    "Let us cook!",
    "[chef] (part 2)",
    "fish&chips",
    "soup; stew",
    "Kitchen_II",
)
TRAIN, TEST = 1, 2


class KitchenHMDB51(KitchenActions):
    """Render clips of one cooking step each, whose class is the action, in HMDB51's layout.

    The folder holds ``hmdb51_org/<class>/<name>.avi``,
    ``testTrainMulti_7030_splits/<class>_test_split{1,2,3}.txt`` (a name and 1 to train or 2 to
    test, and a space at the end of each line) and ``manifest.json``. Names have spaces, brackets
    and other characters that mean something to shells. Each of the three splits tests a third of
    the clips of each class.

    Args:
        root: The folder. It is rendered into ``<root>.partial`` first, and then renamed.
        seed: Where all chance comes from, 0 or more.
        per_class: How many clips each of the eight classes has: a multiple of 3.
        size: Height and width of the videos in pixels: even, 16 or more.
        fps: Frames per second.
        ingredients: How many ingredients there are, 1 to 24.
        workers: How many processes render; by default one for each core, and this process alone
            where there is little to do. It changes nothing in what is rendered.

    Raises:
        ArgumentError: If an argument is outside its range.

    Example:
        >>> corpus = KitchenHMDB51("data/kitchen-hmdb51", per_class=3)
        >>> [(plan.id, plan.split) for plan in corpus.plans()][1:3]
        [('Let us cook!_chop_nm_1', 'split2'), ('[chef] (part 2)_chop_nm_2', 'split3')]
    """

    def __init__(
        self,
        root: Path | str = "data/kitchen-hmdb51",
        *,
        seed: int = 0,
        per_class: int = 30,
        size: int = 64,
        fps: int = 8,
        ingredients: int = len(INGREDIENTS),
        workers: int | None = None,
    ) -> None:
        super().__init__(
            "hmdb51",
            root,
            seed=seed,
            per_class=per_class,
            size=size,
            fps=fps,
            ingredients=ingredients,
            workers=workers,
        )

    @override
    def path_of(self, action: Action) -> str:
        source = SOURCES[action.number % len(SOURCES)]
        name = f"{source}_{action.name}_nm_{action.number}"
        return f"hmdb51_org/{action.name}/{name}.avi"

    @override
    def lists(self, actions: Mapping[str, Action]) -> dict[str, str]:
        return {
            f"{LISTS}/{name}_test_split{split}.txt": write_lines(
                [
                    f"{Path(path).name} {TEST if action.tested_by == split else TRAIN} "
                    for path, action in actions.items()
                    if action.name == name
                ]
            )
            for name in ACTIONS
            for split in range(1, SPLITS + 1)
        }
