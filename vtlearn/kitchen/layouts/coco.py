"""Pictures of cooking steps with captions, in the layout of COCO's captions."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import override

from vtlearn.kitchen.layouts.base import Content, KitchenLayout
from vtlearn.kitchen.layouts.pictures import (
    LEAST,
    STREAM,
    Picture,
    PictureOptions,
    draw_pictures,
)
from vtlearn.kitchen.recipes import INGREDIENTS

__all__ = ["KitchenCOCO"]

LARGEST_ID = 581_929  # of COCO's own pictures


class KitchenCOCO(KitchenLayout):
    """Render pictures of cooking steps, with captions, as COCO's of 2017.

    The folder holds ``train2017/<id of 12 digits>.jpg``, ``annotations/captions_train2017.json``
    (``images`` and ``annotations``, which are in no order) and ``manifest.json``. The pictures are
    frames of videos of a kitchen of their own; a caption is one of the ten sentences that people
    write of a step (see :func:`~vtlearn.kitchen.references_of`), some with a space after it, as
    COCO's have. :class:`KitchenCC` and :class:`KitchenImg2Dataset` with the same arguments have
    the same pictures and captions.

    Args:
        root: The folder. It is rendered into ``<root>.partial`` first, and then renamed.
        seed: Where all chance comes from, 0 or more.
        train: How many videos pictures are taken of.
        per_step: Pictures of each of their 6 to 10 steps, 1 to 24.
        captions: Captions of each picture, 1 to 10.
        size: Height and width in pixels: even, 16 or more.
        ingredients: How many ingredients there are, 1 to 24; eight actions are done to each.
        workers: How many processes render; by default one for each core, and this process alone
            where there is little to do. It changes nothing in what is rendered.

    Raises:
        ArgumentError: If an argument is outside its range.

    Example:
        >>> corpus = KitchenCOCO("data/kitchen-coco", train=1, per_step=1)
        >>> [(plan.id, plan.duration) for plan in corpus.plans()][:2]
        [('000000480364', 0.125), ('000000245532', 0.125)]
    """

    items = "pictures"

    def __init__(
        self,
        root: Path | str = "data/kitchen-coco",
        *,
        seed: int = 0,
        train: int = 100,
        per_step: int = 4,
        captions: int = 5,
        size: int = 64,
        ingredients: int = len(INGREDIENTS),
        workers: int | None = None,
    ) -> None:
        self._options = PictureOptions(seed, train, per_step, captions, size, ingredients)
        parameters: dict[str, int | str] = {"layout": "coco", **self._options._asdict()}
        super().__init__(root, parameters, workers, LEAST)

    @override
    def _content(self) -> Content:
        pictures = draw_pictures(self._options)
        rng = np.random.default_rng((self._options.seed, *STREAM, 2))
        ids: list[int] = (1 + rng.permutation(LARGEST_ID)[: len(pictures)]).tolist()
        videos = {
            f"train2017/{number:012d}.jpg": picture.plan._replace(id=f"{number:012d}")
            for number, picture in zip(ids, pictures, strict=True)
        }
        content = {
            "info": {"description": "Kitchen in COCO's layout", "year": 2017},
            "licenses": [],
            "images": [
                _image(number, picture, self._options.size)
                for number, picture in zip(ids, pictures, strict=True)
            ],
            "annotations": _annotations(rng, ids, pictures),
        }
        return Content(videos, {"annotations/captions_train2017.json": json.dumps(content)})


def _image(number: int, picture: Picture, size: int) -> dict[str, Any]:
    return {
        "license": 1,
        "file_name": f"{number:012d}.jpg",
        "coco_url": picture.url,
        "height": size,
        "width": size,
        "date_captured": "2013-11-14 17:02:52",
        "flickr_url": picture.url,
        "id": number,
    }


def _annotations(
    rng: np.random.Generator, ids: list[int], pictures: list[Picture]
) -> list[dict[str, Any]]:
    """Return an entry for each caption, those of all pictures mixed."""
    pairs = [
        (number, caption)
        for number, picture in zip(ids, pictures, strict=True)
        for caption in picture.captions
    ]
    spaces = rng.random(len(pairs)) < 0.5
    entries = [
        {
            "image_id": number,
            "id": place + 1,
            "caption": f"{caption} " if space else caption,
        }
        for place, ((number, caption), space) in enumerate(zip(pairs, spaces, strict=True))
    ]
    return [entries[place] for place in rng.permutation(len(entries)).tolist()]
