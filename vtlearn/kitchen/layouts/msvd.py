"""Clips of one cooking step, described by many people, in MSVD's layout."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from typing_extensions import override

from vtlearn.kitchen.layouts.base import Content, KitchenLayout, write_lines
from vtlearn.kitchen.layouts.cut_clips import Pictures, draw_clips
from vtlearn.kitchen.plan import VideoPlan
from vtlearn.kitchen.recipes import INGREDIENTS
from vtlearn.kitchen.references import references_of

__all__ = ["KitchenMSVD"]

STREAM = tuple(b"msvd")  # keeps this corpus's chances apart from other corpora's
CAPTIONS = (18, 63)  # of a clip: at least so many, and less than so many
LOST = "zzKitchenXX_10_20"  # a clip that was described, and is not there any more
REMARKS = ("# Kitchen, rendered by vtlearn in MSVD's layout", "#", "# <clip> <description>", "")


class KitchenMSVD(KitchenLayout):
    """Render clips of one cooking step each, in MSVD's layout.

    The folder holds ``YouTubeClips/<id>.avi``, ``AllVideoDescriptions.txt`` and
    ``youtube_mapping.txt``, ``msvd_data/{train,val,test}_list.txt`` and
    ``msvd_data/raw-captions.pkl`` (the same descriptions, as words), and ``manifest.json``. A clip
    is ``<video>_<start>_<end>``, where two clips each have the same video.

    A clip has 18 to 62 descriptions, as different people write them of what they see: ten
    sentences, some of them several times. One clip is described that is not there, since MSVD has
    such clips. The clips of a split show the pairs of an action and an ingredient as often as each
    other, as far as they can.

    Args:
        root: The folder. It is rendered into ``<root>.partial`` first, and then renamed.
        seed: Where all chance comes from, 0 or more.
        train: How many training clips.
        validation: How many validation clips.
        test: How many test clips.
        size: Height and width of the videos in pixels: even, 16 or more.
        fps: Frames per second.
        ingredients: How many ingredients there are, 1 to 24; eight actions are done to each.
        workers: How many processes render; by default one for each core, and this process alone
            where there is little to do. It changes nothing in what is rendered.

    Raises:
        ArgumentError: If an argument is outside its range.

    Example:
        >>> corpus = KitchenMSVD("data/kitchen-msvd", train=2, validation=1, test=1)
        >>> [(plan.id, plan.split) for plan in corpus.plans()][1:3]
        [('-FrjT8Xz9Ho_227_232', 'train'), ('71770_FFGtJ_202_208', 'val')]
    """

    def __init__(
        self,
        root: Path | str = "data/kitchen-msvd",
        *,
        seed: int = 0,
        train: int = 240,
        validation: int = 20,
        test: int = 96,
        size: int = 64,
        fps: int = 8,
        ingredients: int = len(INGREDIENTS),
        workers: int | None = None,
    ) -> None:
        self.seed = seed
        self._counts = {"train": train, "val": validation, "test": test}
        self._pictures = Pictures(size, fps, ingredients)
        parameters: dict[str, int | str] = {
            "layout": "msvd",
            "seed": seed,
            "train": train,
            "validation": validation,
            "test": test,
            "size": size,
            "fps": fps,
            "ingredients": ingredients,
        }
        least = {"train": 1, "validation": 1, "test": 1, "ingredients": 1}
        super().__init__(root, parameters, workers, least)

    @override
    def _content(self) -> Content:
        clips = draw_clips((self.seed, *STREAM), self._counts, self._pictures, _name)
        rng = np.random.default_rng((self.seed, *STREAM, 2))
        described = {clip.id: _describe(rng, clip) for clip in clips}
        described[LOST] = described[clips[0].id][:1]
        return Content(
            {f"YouTubeClips/{clip.id}.avi": clip for clip in clips},
            {
                **{f"msvd_data/{split}_list.txt": _list(clips, split) for split in self._counts},
                "msvd_data/raw-captions.pkl": _pickle_words(described),
                "AllVideoDescriptions.txt": write_lines(
                    [*REMARKS, *(f"{one} {text}" for one, own in described.items() for text in own)]
                ),
                "youtube_mapping.txt": write_lines(
                    [f"{clip.id} vid{number}" for number, clip in enumerate(clips, 1)]
                ),
            },
        )


def _name(source: str, start: int, end: int) -> str:
    return f"{source}_{start}_{end}"


def _describe(rng: np.random.Generator, clip: VideoPlan) -> list[str]:
    """Let people describe a clip: each sentence once at least, in any order."""
    (step,) = clip.steps
    references = references_of(step)
    more = rng.integers(len(references), size=int(rng.integers(*CAPTIONS)) - len(references))
    order = rng.permutation([*range(len(references)), *more.tolist()])
    return [references[number] for number in order.tolist()]


def _list(clips: Sequence[VideoPlan], split: str) -> str:
    return write_lines([clip.id for clip in clips if clip.split == split])


def _pickle_words(described: Mapping[str, Sequence[str]]) -> str:
    """Return a pickle of the words of each description, as text.

    It is written out here, in the oldest protocol, since what ``pickle.dumps`` makes of the same
    words depends on which of them are one object.
    """
    items = (
        _string(clip_id) + _list_of(_list_of(map(_string, text.split())) for text in texts)
        for clip_id, texts in described.items()
    )
    return f"({''.join(items)}d."


def _list_of(items: Iterable[str]) -> str:
    return f"({''.join(items)}l"


def _string(text: str) -> str:
    return f"V{text}\n"
