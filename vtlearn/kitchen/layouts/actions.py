"""Clips of one step whose class is its action, in three balanced splits."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from typing_extensions import override

from vtlearn.errors import ArgumentError
from vtlearn.kitchen.layouts.base import Content, KitchenLayout
from vtlearn.kitchen.plan import VideoPlan, plan_clip
from vtlearn.kitchen.recipes import ACTIONS, INGREDIENTS
from vtlearn.kitchen.script import Pair

__all__: list[str] = []

SPLITS = 3
CLIPS_OF_A_GROUP = 2  # of one class, which no split divides


class Action(NamedTuple):
    """A clip to be named and listed.

    Attributes:
        name: What is done: its class.
        number: Which clip of its class, from 0.
        group: Which group of its class it belongs to, from 1.
        clip: Which clip of its group, from 1.
        tested_by: The split that tests it, from 1; the others train on it.
    """

    name: str
    number: int
    group: int
    clip: int
    tested_by: int


class KitchenActions(KitchenLayout):
    """Render clips of one cooking step each, whose class is the action.

    Each split tests a third of the clips of each class and trains on the others. The ingredients of
    a class follow each other in an order of its own, so that no split has an ingredient much more
    often than another.

    Args:
        layout: What the layout is called.
        root: The folder.
        seed: Where all chance comes from, 0 or more.
        per_class: How many clips each of the eight classes has: a multiple of 3.
        size: Height and width of the videos in pixels.
        fps: Frames per second.
        ingredients: How many ingredients there are, 1 to 24.
        workers: How many processes render.

    Raises:
        ArgumentError: If an argument is outside its range.
    """

    def __init__(
        self,
        layout: str,
        root: Path | str,
        *,
        seed: int,
        per_class: int,
        size: int,
        fps: int,
        ingredients: int,
        workers: int | None,
    ) -> None:
        self.seed, self.size, self.fps, self.ingredients = seed, size, fps, ingredients
        self.per_class = per_class
        self._stream = tuple(layout.encode())  # keeps its chances apart from other corpora's
        parameters: dict[str, int | str] = {
            "layout": layout,
            "seed": seed,
            "per_class": per_class,
            "size": size,
            "fps": fps,
            "ingredients": ingredients,
        }
        super().__init__(root, parameters, workers, {"per_class": SPLITS, "ingredients": 1})
        if per_class % SPLITS:
            message = (
                f"per_class is {per_class}; each of three splits tests a third of a class: choose "
                f"a multiple of 3, such as {per_class + SPLITS - per_class % SPLITS}"
            )
            raise ArgumentError(message)

    @override
    def _content(self) -> Content:
        actions = {
            self.path_of(action): action
            for name in ACTIONS
            for action in _divided(name, self.per_class)
        }
        rng = np.random.default_rng((self.seed, *self._stream, 0))
        orders = {name: rng.permutation(self.ingredients).tolist() for name in ACTIONS}
        videos = {
            path: self._plan(place, path, action, orders[action.name])
            for place, (path, action) in enumerate(actions.items())
        }
        return Content(videos, self.lists(actions))

    def _plan(self, place: int, path: str, action: Action, order: Sequence[int]) -> VideoPlan:
        ingredient = list(INGREDIENTS)[order[action.number % len(order)]]
        return plan_clip(
            Path(path).stem,
            Pair(action.name, ingredient),
            (self.seed, *self._stream, 1, place),
            split=f"split{action.tested_by}",
            size=self.size,
            fps=self.fps,
        )

    @abstractmethod
    def path_of(self, action: Action) -> str:
        """Return a clip's file.

        Args:
            action: The clip.

        Returns:
            Its path below the root; its name less the suffix is the clip's id.
        """

    @abstractmethod
    def lists(self, actions: Mapping[str, Action]) -> dict[str, str]:
        """Write the annotation files.

        Args:
            actions: The clips by path.

        Returns:
            The files' contents by path.
        """


def _divided(name: str, count: int) -> list[Action]:
    """Number the clips of a class: by third, group and clip of a group."""
    third = count // SPLITS
    groups = -(-third // CLIPS_OF_A_GROUP)  # of a third
    divided = []
    for number in range(count):
        part, place = divmod(number, third)
        group, clip = divmod(place, CLIPS_OF_A_GROUP)
        divided.append(Action(name, number, part * groups + group + 1, clip + 1, part + 1))
    return divided
