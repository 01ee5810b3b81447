"""Clips of one cooking step, with written captions, in MSR-VTT's layout."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from typing_extensions import override

from vtlearn.kitchen.layouts.base import Content, KitchenLayout, repeat_pairs, write_lines
from vtlearn.kitchen.plan import VideoPlan, plan_clip
from vtlearn.kitchen.recipes import ACTIONS, INGREDIENTS
from vtlearn.kitchen.script import Pair
from vtlearn.kitchen.sentences import write_sentences, write_vague_sentence

__all__ = ["KitchenMSRVTT"]

STREAM = tuple(b"msrvtt")  # keeps this corpus's chances apart from other corpora's
CAPTIONS = 20  # of each clip but one, which has one less
SHARED = 3  # sentences that the test list asks for two clips with
COOKING = 17  # MSR-VTT's number of this category
CLIPS_OF_A_SOURCE = 4
SOURCE_SECONDS = (10.0, 300.0)  # when a clip begins in its source; clips are shorter than the least


class _Role(NamedTuple):
    """What a clip shows and is for; ``vague`` is a sentence that 1k-A asks for two clips with."""

    pair: Pair
    split: str
    asked: bool = False
    vague: str | None = None
    captions: int = CAPTIONS


class _Clip(NamedTuple):
    """A clip and its captions; ``question`` is the one that 1k-A asks for it with."""

    plan: VideoPlan
    captions: Sequence[str]
    question: str | None


class KitchenMSRVTT(KitchenLayout):
    """Render clips of one cooking step each, in MSR-VTT's layout.

    The folder holds ``videos/all/video<N>.mp4``, ``MSRVTT_data.json`` (captions), the list
    ``MSRVTT_JSFUSION_test.csv`` (the split 1k-A: a sentence each of eight times ``ingredients``
    clips), ``MSRVTT_train.9k.csv`` (all other clips), ``MSRVTT_train.7k.csv`` (those of the splits
    ``train`` and ``validate``) and ``manifest.json``.

    The test clips show every pair of an action and an ingredient once, the training clips as many
    as they can. A clip has 20 captions, one training clip has 19. A clip is asked for with one of
    its captions; three of the sentences name no ingredient, and each of these is asked with for two
    clips. In ``MSRVTT_data.json``, as in MSR-VTT's, the times of a clip are those in a longer
    source, and not in the clip's file.

    Args:
        root: The folder. It is rendered into ``<root>.partial`` first, and then renamed.
        seed: Where all chance comes from, 0 or more.
        train: How many clips are not in the test list.
        size: Height and width of the videos in pixels: even, 16 or more.
        fps: Frames per second.
        ingredients: How many ingredients there are, 2 to 24; eight actions are done to each.
        workers: How many processes render; by default one for each core, and this process alone
            where there is little to do. It changes nothing in what is rendered.

    Raises:
        ArgumentError: If an argument is outside its range.

    Example:
        >>> corpus = KitchenMSRVTT("data/kitchen-msrvtt", train=8, ingredients=2)
        >>> plans = corpus.plans()
        >>> len(plans), plans[0].id, plans[0].split, plans[-1].id, plans[-1].split
        (24, 'video0', 'train', 'video23', 'test')
    """

    def __init__(
        self,
        root: Path | str = "data/kitchen-msrvtt",
        *,
        seed: int = 0,
        train: int = 208,
        size: int = 64,
        fps: int = 8,
        ingredients: int = len(INGREDIENTS),
        workers: int | None = None,
    ) -> None:
        self.seed, self.train, self.size, self.fps = seed, train, size, fps
        self.ingredients = ingredients
        parameters: dict[str, int | str] = {
            "layout": "msrvtt",
            "seed": seed,
            "train": train,
            "size": size,
            "fps": fps,
            "ingredients": ingredients,
        }
        super().__init__(root, parameters, workers, {"train": 1, "ingredients": 2})

    @override
    def _content(self) -> Content:
        clips = self._clips()
        texts = _make_texts(clips, np.random.default_rng((self.seed, *STREAM, 1)))
        return Content({f"videos/all/{clip.plan.id}.mp4": clip.plan for clip in clips}, texts)

    def _clips(self) -> list[_Clip]:
        rng = np.random.default_rng((self.seed, *STREAM, 0))
        names = list(INGREDIENTS)[: self.ingredients]
        pairs = [Pair(action, name) for name in names for action in ACTIONS]
        roles = _deal_roles(rng, pairs, self.train)
        return [self._make_clip(number, role) for number, role in enumerate(roles)]

    def _make_clip(self, number: int, role: _Role) -> _Clip:
        key = (self.seed, *STREAM, number)
        plan = plan_clip(
            f"video{number}", role.pair, key, split=role.split, size=self.size, fps=self.fps
        )
        rng = np.random.default_rng((*key, 1))
        captions = write_sentences(rng, role.pair, role.captions)
        if not role.asked:
            return _Clip(plan, captions, None)
        place = int(rng.integers(len(captions)))
        captions[place] = role.vague or captions[place]
        return _Clip(plan, captions, captions[place])


def _deal_roles(rng: np.random.Generator, pairs: Sequence[Pair], train: int) -> list[_Role]:
    """Decide what each clip shows and is for, by number.

    The splits are in MSR-VTT's order and about its sizes; what 1k-A asks for lies scattered among
    other clips of the split ``test``.
    """
    rest, validate = train // 4, train // 16
    splits = ["train"] * (train - rest - validate) + ["validate"] * validate + ["test"] * rest
    others = [
        _Role(pair, split)
        for pair, split in zip(repeat_pairs(rng, pairs, train), splits, strict=True)
    ]
    fewer = int(rng.integers(train))
    others[fewer] = others[fewer]._replace(captions=CAPTIONS - 1)
    asked = [_Role(pair, "test", asked=True) for pair in pairs]
    for action in rng.choice(ACTIONS, SHARED, replace=False).tolist():
        vague = write_vague_sentence(rng, action)
        alike = [index for index, pair in enumerate(pairs) if pair.action == action]
        for index in rng.choice(alike, 2, replace=False).tolist():
            asked[index] = asked[index]._replace(vague=vague)
    mixed = [*others[train - rest :], *asked]
    return [*others[: train - rest], *(mixed[index] for index in rng.permutation(len(mixed)))]


def _make_texts(clips: Sequence[_Clip], rng: np.random.Generator) -> dict[str, str]:
    """Return the content of each annotation file, by its name."""
    shuffled = [clips[index] for index in rng.permutation(len(clips))]
    asked = [clip for clip in shuffled if clip.question is not None]
    rows = [
        f"ret{row},{clip.plan.id.replace('video', 'msr')},{clip.plan.id},{clip.question}"
        for row, clip in enumerate(asked)
    ]
    train = [clip.plan for clip in clips if clip.question is None]
    captions = [(clip.plan.id, caption) for clip in shuffled for caption in clip.captions]
    data = {
        "info": {"description": "Kitchen, rendered by vtlearn in MSR-VTT's layout"},
        "videos": [_describe_video(number, clip.plan, rng) for number, clip in enumerate(clips)],
        "sentences": [
            {"sen_id": number, "video_id": video_id, "caption": caption}
            for number, (video_id, caption) in enumerate(captions)
        ],
    }
    return {
        "MSRVTT_data.json": json.dumps(data),
        "MSRVTT_JSFUSION_test.csv": write_lines(["key,vid_key,video_id,sentence", *rows]),
        "MSRVTT_train.9k.csv": write_lines(["video_id", *(plan.id for plan in train)]),
        "MSRVTT_train.7k.csv": write_lines(
            ["video_id", *(plan.id for plan in train if plan.split != "test")]
        ),
    }


def _describe_video(number: int, plan: VideoPlan, rng: np.random.Generator) -> dict[str, Any]:
    """Return a clip's entry, with the place in a longer video that it is said to be cut from."""
    start = round(rng.uniform(*SOURCE_SECONDS), 2)
    return {
        "category": COOKING,
        "url": f"https://www.youtube.com/watch?v=kitchen-{number // CLIPS_OF_A_SOURCE:04d}",
        "video_id": plan.id,
        "start time": start,
        "end time": round(start + plan.duration, 2),
        "split": plan.split,
        "id": number,
    }
