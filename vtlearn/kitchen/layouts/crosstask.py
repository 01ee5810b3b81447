"""Videos of a few tasks whose steps have fixed names, in CrossTask's layout."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from typing_extensions import override

from vtlearn.errors import ArgumentError
from vtlearn.kitchen.layouts.base import Content, KitchenLayout, write_lines
from vtlearn.kitchen.layouts.video_ids import draw_video_ids, video_url
from vtlearn.kitchen.plan import VideoPlan, plan_silent
from vtlearn.kitchen.recipes import FAMILIES, INGREDIENTS, RECIPES
from vtlearn.kitchen.script import Pair, choose_pairs, schedule_steps

__all__ = ["KitchenCrossTask"]

STREAM = tuple(b"crosstask")  # keeps this corpus's chances apart from other corpora's
FEWEST_STEPS = 3
BACKGROUND_SECONDS = (3.0, 9.0)  # before, between and after the steps
RELATED, VIDEOS_OF_RELATED = 2, 3  # tasks that are listed only, and how many videos each has
LEAST_ID, IDS = 10_000, 110_000  # task ids are of five or six digits


class _Task(NamedTuple):
    """A recipe with its ingredients: the steps are the same in all its videos."""

    id: int
    recipe: str
    pairs: list[Pair]

    @property
    def steps(self) -> list[str]:
        return [f"{pair.action} {pair.ingredient}" for pair in self.pairs]

    @property
    def title(self) -> str:
        return f"Make {self.pairs[0].ingredient.title()} {self.recipe.title()}"


class _Video(NamedTuple):
    """A video, its task, and which of the task's steps it shows, from 0, in temporal order."""

    task: _Task
    plan: VideoPlan
    shown: list[int]


class KitchenCrossTask(KitchenLayout):
    """Render videos of a few tasks, in CrossTask's layout.

    The folder holds ``videos/<task>/<video>.mp4``, ``tasks_primary.txt`` (the tasks and their
    steps), ``tasks_related.txt`` (tasks without annotations and videos), ``videos.csv`` (videos of
    both), ``videos_val.csv``, ``annotations/<task>_<video>.csv``, ``crosstask.csv`` (the segments
    of the validation videos, as VT-TWINS lists them) and ``manifest.json``.

    A task is a recipe with its ingredients; up to six tasks are of different families. A video
    shows three of the task's steps or more: it lacks some, repeats some, and has some in another
    order. Its steps are far apart. The annotations are in temporal order, but for the first two
    rows of ``crosstask.csv``: VT-TWINS's has such rows.

    Args:
        root: The folder. It is rendered into ``<root>.partial`` first, and then renamed.
        seed: Where all chance comes from, 0 or more.
        tasks: How many tasks, 1 to 18.
        videos: How many videos each task has, the validation videos among them.
        validation: How many of a task's videos are validation videos.
        missing: The probability that a video lacks a step.
        repeated: The probability that a step is done twice.
        reordered: The probability that a step changes places with the one before it.
        size: Height and width of the videos in pixels: even, 16 or more.
        fps: Frames per second.
        ingredients: How many ingredients there are, 2 to 24; eight actions are done to each.
        workers: How many processes render; by default one for each core, and this process alone
            where there is little to do. It changes nothing in what is rendered.

    Raises:
        ArgumentError: If an argument is outside its range.

    Example:
        >>> corpus = KitchenCrossTask("data/kitchen-crosstask", tasks=2, videos=3, validation=1)
        >>> sorted(plan.split for plan in corpus.plans())[2:]
        ['training', 'training', 'validation', 'validation']
    """

    def __init__(
        self,
        root: Path | str = "data/kitchen-crosstask",
        *,
        seed: int = 0,
        tasks: int = 6,
        videos: int = 10,
        validation: int = 2,
        missing: float = 0.3,
        repeated: float = 0.15,
        reordered: float = 0.1,
        size: int = 64,
        fps: int = 8,
        ingredients: int = len(INGREDIENTS),
        workers: int | None = None,
    ) -> None:
        self.seed, self.tasks, self.videos, self.validation = seed, tasks, videos, validation
        self.missing, self.repeated, self.reordered = missing, repeated, reordered
        self.size, self.fps, self.ingredients = size, fps, ingredients
        parameters: dict[str, int | float | str] = {
            "layout": "crosstask",
            "seed": seed,
            "tasks": tasks,
            "videos": videos,
            "validation": validation,
            "missing": missing,
            "repeated": repeated,
            "reordered": reordered,
            "size": size,
            "fps": fps,
            "ingredients": ingredients,
        }
        least = {"tasks": 1, "videos": 1, "validation": 1, "ingredients": 2}
        super().__init__(root, parameters, workers, least)
        self._check()

    @override
    def _content(self) -> Content:
        rng = np.random.default_rng((self.seed, *STREAM, 0))
        tasks = self._draw_tasks(rng)
        primary, related = tasks[: self.tasks], tasks[self.tasks :]
        videos = []
        for place, task in enumerate(primary):
            asked = rng.choice(self.videos, self.validation, replace=False).tolist()
            for number, video_id in enumerate(draw_video_ids(rng, self.videos)):
                split = "validation" if number in asked else "training"
                videos.append(self._make_video(task, (place, number), video_id, split))
        unseen = [
            (task, video_id)
            for task in related
            for video_id in draw_video_ids(rng, VIDEOS_OF_RELATED)
        ]
        return Content(
            {f"videos/{video.task.id}/{video.plan.id}.mp4": video.plan for video in videos},
            {
                "tasks_primary.txt": _write_cards(primary),
                "tasks_related.txt": _write_cards(related),
                "videos.csv": _list_videos(
                    [*((video.task, video.plan.id) for video in videos), *unseen]
                ),
                **_annotate(videos),
            },
        )

    def _draw_tasks(self, rng: np.random.Generator) -> list[_Task]:
        """Draw the tasks: first those with videos, one from each family as long as it has some."""
        orders = [rng.permutation(family).tolist() for family in rng.permutation(FAMILIES)]
        recipes = list(chain.from_iterable(zip(*orders, strict=True)))
        count = self.tasks + RELATED
        ids = (LEAST_ID + rng.choice(IDS, count, replace=False)).tolist()
        dealt = [recipes[place % len(recipes)] for place in range(count)]
        return [
            _Task(id_, recipe, choose_pairs(rng, RECIPES[recipe], self.ingredients))
            for id_, recipe in zip(ids, dealt, strict=True)
        ]

    def _make_video(self, task: _Task, index: tuple[int, int], video_id: str, split: str) -> _Video:
        key = (self.seed, *STREAM, 1, *index)
        rng = np.random.default_rng((*key, 0))
        shown = self._choose_steps(rng, len(task.pairs))
        script = schedule_steps(
            rng,
            task.recipe,
            [task.pairs[step] for step in shown],
            fps=self.fps,
            background=BACKGROUND_SECONDS,
            share=1.0,
        )
        plan = plan_silent(video_id, script, key, split=split, size=self.size, fps=self.fps)
        return _Video(task, plan, shown)

    def _choose_steps(self, rng: np.random.Generator, count: int) -> list[int]:
        """Leave steps out, do some again, and some too early, as cooks do."""
        kept = np.flatnonzero(rng.random(count) >= self.missing)
        if len(kept) < FEWEST_STEPS:
            kept = np.sort(rng.choice(count, FEWEST_STEPS, replace=False))
        again = rng.random(len(kept)) < self.repeated
        shown = np.repeat(kept, again + 1).tolist()
        for place in range(1, len(shown)):
            if rng.random() < self.reordered:
                shown[place - 1 : place + 1] = shown[place - 1 : place + 1][::-1]
        return shown

    def _check(self) -> None:
        if self.tasks > len(RECIPES):
            message = f"tasks is {self.tasks}; there are 1 to {len(RECIPES)}"
            raise ArgumentError(message)
        if self.validation >= self.videos:
            message = (
                f"validation is {self.validation}; it must be less than videos, which is "
                f"{self.videos} and counts them"
            )
            raise ArgumentError(message)
        for name in ("missing", "repeated", "reordered"):
            value = self.parameters[name]
            if not isinstance(value, str) and not 0 <= value <= 1:
                message = f"{name} is {value}; it must be a probability, from 0 to 1"
                raise ArgumentError(message)


def _write_cards(tasks: Sequence[_Task]) -> str:
    """Describe tasks in five lines each, and an empty one, which the last has too."""
    return write_lines(
        [
            line
            for task in tasks
            for line in (
                str(task.id),
                task.title,
                f"http://www.wikihow.com/{task.title.replace(' ', '-')}",
                str(len(task.steps)),
                ",".join(task.steps),
                "",
            )
        ]
    )


def _list_videos(videos: Sequence[tuple[_Task, str]]) -> str:
    return write_lines([f"{task.id},{video_id},{video_url(video_id)}" for task, video_id in videos])


def _annotate(videos: Sequence[_Video]) -> Mapping[str, str]:
    """Return the files about the segments of videos, and the list of the validation videos."""
    asked = [video for video in videos if video.plan.split == "validation"]
    rows = [
        f"{step.end:.2f},{step.start:.2f},{video.task.id},{step.caption},{video.plan.id}"
        for video in asked
        for step in video.plan.steps
    ]
    rows[:2] = rows[1::-1]
    return {
        "videos_val.csv": _list_videos([(video.task, video.plan.id) for video in asked]),
        "crosstask.csv": write_lines(["end,start,task_id,text,video_id", *rows]),
        **{
            f"annotations/{video.task.id}_{video.plan.id}.csv": write_lines(
                [
                    f"{number + 1},{step.start:.2f},{step.end:.2f}"
                    for number, step in zip(video.shown, video.plan.steps, strict=True)
                ]
            )
            for video in videos
        },
    }
