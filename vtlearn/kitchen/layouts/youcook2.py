"""Videos of whole recipes, with a sentence for each step, in YouCook2's layout."""

import json
from collections.abc import Mapping, Sequence
from math import ceil, floor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from typing_extensions import override

from vtlearn.kitchen.layouts.base import Content, KitchenLayout, write_lines
from vtlearn.kitchen.layouts.video_ids import draw_video_ids, video_url
from vtlearn.kitchen.plan import VideoPlan, plan_silent
from vtlearn.kitchen.recipes import ACTIONS, FAMILIES, INGREDIENTS, RECIPES
from vtlearn.kitchen.script import Pair, choose_pairs, schedule_steps, write_script
from vtlearn.kitchen.sentences import write_sentences, write_vague_sentence

__all__ = ["KitchenYouCook2"]

STREAM = tuple(b"youcook2")  # keeps this corpus's chances apart from other corpora's
FREE = 0.5  # share of the training videos that follow no recipe
SHARED = 3  # sentences that two training videos have each
LEAST_TYPE = 101  # of the numbers of recipe types, which have gaps, as YouCook2's


class _Segment(NamedTuple):
    """A step as it is annotated, in whole seconds."""

    start: int
    end: int
    sentence: str


class _Video(NamedTuple):
    """A video, the number of its type of recipe, and its annotations."""

    plan: VideoPlan
    type: int
    segments: list[_Segment]


class KitchenYouCook2(KitchenLayout):
    """Render videos of whole recipes, in YouCook2's layout.

    The folder holds ``raw_videos/{training,validation}/<recipe_type>/<id>.mp4``,
    ``youcookii_annotations_trainval.json`` (all segments), ``validation_youcook.csv`` (those of the
    validation videos), ``splits/{train,val}_list.txt``,
    ``splits/{train,val}_duration_totalframe.csv``, ``label_foodtype.csv`` and ``manifest.json``.

    Training videos follow a recipe, or none, and have a sentence for each step; one segment occurs
    twice, with different sentences, and a few sentences occur in two videos. The validation videos
    come in groups of three, which have the same sentences, and show the same pairs of an action and
    an ingredient in the three orders of a family of recipes: only order tells them apart. The
    videos of a group have one recipe type, and no other group has it.

    Args:
        root: The folder. It is rendered into ``<root>.partial`` first, and then renamed.
        seed: Where all chance comes from, 0 or more.
        train: How many training videos.
        groups: How many groups of three validation videos.
        size: Height and width of the videos in pixels: even, 16 or more.
        fps: Frames per second.
        ingredients: How many ingredients there are, 2 to 24; eight actions are done to each.
        workers: How many processes render; by default one for each core, and this process alone
            where there is little to do. It changes nothing in what is rendered.

    Raises:
        ArgumentError: If an argument is outside its range.

    Example:
        >>> plans = KitchenYouCook2("data/kitchen-youcook2", train=2, groups=1).plans()
        >>> [plan.split for plan in plans]
        ['training', 'training', 'validation', 'validation', 'validation']
        >>> [plan.recipe for plan in plans[2:]]
        ['casserole', 'gratin', 'lasagne']
    """

    def __init__(
        self,
        root: Path | str = "data/kitchen-youcook2",
        *,
        seed: int = 0,
        train: int = 60,
        groups: int = 12,
        size: int = 64,
        fps: int = 8,
        ingredients: int = len(INGREDIENTS),
        workers: int | None = None,
    ) -> None:
        self.seed, self.train, self.groups = seed, train, groups
        self.size, self.fps, self.ingredients = size, fps, ingredients
        parameters: dict[str, int | str] = {
            "layout": "youcook2",
            "seed": seed,
            "train": train,
            "groups": groups,
            "size": size,
            "fps": fps,
            "ingredients": ingredients,
        }
        super().__init__(root, parameters, workers, {"train": 1, "groups": 1, "ingredients": 2})

    @override
    def _content(self) -> Content:
        rng = np.random.default_rng((self.seed, *STREAM, 0))
        # Every family has as many types, so that training videos have a type of their dish.
        rounds = ceil(self.groups / len(FAMILIES))
        count = rounds * len(FAMILIES)
        types = sorted((LEAST_TYPE + rng.choice(27 * count, count, replace=False)).tolist())
        ids = draw_video_ids(rng, self.train), draw_video_ids(rng, 3 * self.groups)
        training = [self._make_training(*item, types) for item in enumerate(ids[0])]
        _repeat_sentences(rng, training)
        _repeat_segment(rng, training)
        groups = range(self.groups)
        validation = [
            video
            for group in groups
            for video in self._make_group(group, ids[1][3 * group :][:3], types[group])
        ]
        videos = [*training, *validation]
        shuffled = [videos[index] for index in rng.permutation(len(videos))]
        return Content(
            {_video_path(video): video.plan for video in videos}, _make_texts(shuffled, types)
        )

    def _make_training(self, number: int, video_id: str, types: Sequence[int]) -> _Video:
        key = (self.seed, *STREAM, 0, number)
        script = write_script(
            np.random.default_rng((*key, 0)),
            fps=self.fps,
            free=FREE,
            ingredients=self.ingredients,
        )
        plan = plan_silent(video_id, script, key, split="training", size=self.size, fps=self.fps)
        rng = np.random.default_rng((*key, 1))
        sentences = [write_sentences(rng, Pair(*step[2:]), 1)[0] for step in plan.steps]
        fitting = [
            number
            for place, number in enumerate(types)
            if plan.recipe is None or plan.recipe in FAMILIES[place % len(FAMILIES)]
        ]
        return _Video(plan, int(rng.choice(fitting)), _annotate(plan, sentences))

    def _make_group(self, group: int, ids: Sequence[str], number: int) -> list[_Video]:
        """Show the same pairs in each order of a family, and caption them alike."""
        key = (self.seed, *STREAM, 1, group)
        rng = np.random.default_rng(key)
        family = FAMILIES[group % len(FAMILIES)]
        pairs = choose_pairs(rng, RECIPES[family[0]], self.ingredients)
        sentence = {pair: write_sentences(rng, pair, 1)[0] for pair in pairs}
        videos = []
        for member, (video_id, recipe) in enumerate(zip(ids, family, strict=True)):
            ordered = _order_pairs(pairs, RECIPES[recipe])
            script = schedule_steps(
                np.random.default_rng((*key, member, 0)), recipe, ordered, fps=self.fps
            )
            plan = plan_silent(
                video_id,
                script,
                (*key, member),
                split="validation",
                size=self.size,
                fps=self.fps,
            )
            segments = _annotate(plan, [sentence[pair] for pair in ordered])
            videos.append(_Video(plan, number, segments))
        return videos


def _order_pairs(pairs: Sequence[Pair], actions: Sequence[str]) -> list[Pair]:
    """Put pairs in the order of a recipe; of two with one action, the first stays the first."""
    waiting = {action: iter([p for p in pairs if p.action == action]) for action in set(actions)}
    return [next(waiting[action]) for action in actions]


def _annotate(plan: VideoPlan, sentences: Sequence[str]) -> list[_Segment]:
    return [
        _Segment(floor(step.start), ceil(step.end), sentence)
        for step, sentence in zip(plan.steps, sentences, strict=True)
    ]


def _repeat_sentences(rng: np.random.Generator, videos: Sequence[_Video]) -> None:
    """Let a few sentences that name no ingredient occur in two videos each."""
    for action in rng.choice(ACTIONS, SHARED, replace=False).tolist():
        sentence = write_vague_sentence(rng, action)
        places = {
            index: place
            for index, video in enumerate(videos)
            for place, step in enumerate(video.plan.steps)
            if step.action == action
        }
        if len(places) > 1:
            for index in rng.choice(list(places), 2, replace=False).tolist():
                segments, place = videos[index].segments, places[index]
                segments[place] = segments[place]._replace(sentence=sentence)


def _repeat_segment(rng: np.random.Generator, videos: Sequence[_Video]) -> None:
    """Annotate one step twice, in different words."""
    video = videos[int(rng.integers(len(videos)))]
    place = int(rng.integers(len(video.segments)))
    segment, pair = video.segments[place], Pair(*video.plan.steps[place][2:])
    other = next(one for one in write_sentences(rng, pair, 2) if one != segment.sentence)
    video.segments.insert(place + 1, segment._replace(sentence=other))


def _video_path(video: _Video) -> str:
    return f"raw_videos/{video.plan.split}/{video.type}/{video.plan.id}.mp4"


def _make_texts(videos: Sequence[_Video], types: Sequence[int]) -> dict[str, str]:
    """Return the content of each annotation file, by its name."""
    database = {video.plan.id: _describe_video(video) for video in videos}
    rows = [
        f"{segment.end},{segment.start},{video.type},{segment.sentence},{video.plan.id}"
        for video in videos
        if video.plan.split == "validation"
        for segment in video.segments
    ]
    names = [
        f"{number},{FAMILIES[place % len(FAMILIES)][0]} {place // len(FAMILIES) + 1}"
        for place, number in enumerate(types)
    ]
    return {
        "youcookii_annotations_trainval.json": json.dumps({"database": database}),
        "validation_youcook.csv": write_lines(["end,start,task,text,video_id", *rows]),
        "label_foodtype.csv": write_lines(names),
        **_list_videos("train", [video for video in videos if video.plan.split == "training"]),
        **_list_videos("val", [video for video in videos if video.plan.split == "validation"]),
    }


def _describe_video(video: _Video) -> Mapping[str, Any]:
    return {
        "duration": round(video.plan.duration, 2),
        "subset": video.plan.split,
        "recipe_type": str(video.type),
        "video_url": video_url(video.plan.id),
        "annotations": [
            {"segment": [segment.start, segment.end], "id": place, "sentence": segment.sentence}
            for place, segment in enumerate(video.segments)
        ],
    }


def _list_videos(split: str, videos: Sequence[_Video]) -> dict[str, str]:
    rows = [
        f"{plan.id},{plan.duration:.2f},{round(plan.duration * plan.fps)}"
        for plan in (video.plan for video in videos)
    ]
    return {
        f"splits/{split}_list.txt": write_lines(
            [f"{video.type}/{video.plan.id}" for video in videos]
        ),
        f"splits/{split}_duration_totalframe.csv": write_lines(
            ["vid_id,duration,total_frame", *rows]
        ),
    }
