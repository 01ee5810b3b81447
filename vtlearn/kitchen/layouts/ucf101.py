"""Clips of one cooking step, to recognise its action, in UCF101's layout."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from typing_extensions import override

from vtlearn.kitchen.layouts.actions import SPLITS, Action, KitchenActions
from vtlearn.kitchen.recipes import ACTIONS, INGREDIENTS

__all__ = ["KitchenUCF101"]

LISTS = "ucfTrainTestlist"


class KitchenUCF101(KitchenActions):
    """Render clips of one cooking step each, whose class is the action, in UCF101's layout.

    The folder holds ``UCF-101/<Class>/v_<Class>_g<group>_c<clip>.avi``,
    ``ucfTrainTestlist/classInd.txt``, ``ucfTrainTestlist/{train,test}list0{1,2,3}.txt`` (whose
    lines end as on Windows; those of the tests have no class) and ``manifest.json``. Two clips each
    are of one group. Each of the three splits tests a third of the clips of each class.

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
        >>> corpus = KitchenUCF101("data/kitchen-ucf101", per_class=3)
        >>> [(plan.id, plan.split) for plan in corpus.plans()][:2]
        [('v_Chop_g01_c01', 'split1'), ('v_Chop_g02_c01', 'split2')]
    """

    def __init__(
        self,
        root: Path | str = "data/kitchen-ucf101",
        *,
        seed: int = 0,
        per_class: int = 30,
        size: int = 64,
        fps: int = 8,
        ingredients: int = len(INGREDIENTS),
        workers: int | None = None,
    ) -> None:
        super().__init__(
            "ucf101",
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
        return f"UCF-101/{_listed(action)}"

    @override
    def lists(self, actions: Mapping[str, Action]) -> dict[str, str]:
        classes = {name: number for number, name in enumerate(ACTIONS, 1)}
        texts = {
            f"{LISTS}/classInd.txt": _windows_lines(
                f"{number} {name.capitalize()}" for name, number in classes.items()
            )
        }
        for split in range(1, SPLITS + 1):
            train = [one for one in actions.values() if one.tested_by != split]
            test = [one for one in actions.values() if one.tested_by == split]
            texts[f"{LISTS}/trainlist{split:02d}.txt"] = _windows_lines(
                f"{_listed(one)} {classes[one.name]}" for one in train
            )
            texts[f"{LISTS}/testlist{split:02d}.txt"] = _windows_lines(map(_listed, test))
        return texts


def _listed(action: Action) -> str:
    label = action.name.capitalize()
    return f"{label}/v_{label}_g{action.group:02d}_c{action.clip:02d}.avi"


def _windows_lines(rows: Iterable[str]) -> str:
    return "".join(f"{row}\r\n" for row in rows)
