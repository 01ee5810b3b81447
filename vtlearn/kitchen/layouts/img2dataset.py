"""Pictures of cooking steps with captions, as img2dataset writes them to files."""

import hashlib
import json
from pathlib import Path

from typing_extensions import override

from vtlearn.kitchen.layouts.base import Content, KitchenLayout
from vtlearn.kitchen.layouts.pictures import LEAST, PictureOptions, draw_pictures
from vtlearn.kitchen.recipes import INGREDIENTS

__all__ = ["KitchenImg2Dataset"]

SHARD = 1000  # samples of a folder; img2dataset's own have 10,000


class KitchenImg2Dataset(KitchenLayout):
    """Render pictures of cooking steps, with captions, as ``img2dataset --output_format files``.

    The folder holds ``<shard of 5 digits>/<shard><number of 4 digits>.{jpg,txt,json}``: a picture,
    its caption, and both with its url; ``<shard>_stats.json`` and ``manifest.json``. A picture of
    several captions is there once with each. What the pictures show and what is written of them is
    as in :class:`KitchenCOCO` with the same arguments.

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
        >>> corpus = KitchenImg2Dataset("data/kitchen-img2dataset", train=1, per_step=1)
        >>> [(plan.id, plan.duration) for plan in corpus.plans()][:2]
        [('000000000', 0.125), ('000000001', 0.125)]
    """

    items = "pictures"

    def __init__(
        self,
        root: Path | str = "data/kitchen-img2dataset",
        *,
        seed: int = 0,
        train: int = 100,
        per_step: int = 4,
        captions: int = 1,
        size: int = 64,
        ingredients: int = len(INGREDIENTS),
        workers: int | None = None,
    ) -> None:
        self._options = PictureOptions(seed, train, per_step, captions, size, ingredients)
        parameters: dict[str, int | str] = {"layout": "img2dataset", **self._options._asdict()}
        super().__init__(root, parameters, workers, LEAST)

    @override
    def _content(self) -> Content:
        pairs = [
            (picture, caption)
            for picture in draw_pictures(self._options)
            for caption in picture.captions
        ]
        videos, texts = {}, {}
        for number, (picture, caption) in enumerate(pairs):
            shard = f"{number // SHARD:05d}"
            key = f"{shard}{number % SHARD:04d}"
            videos[f"{shard}/{key}.jpg"] = picture.plan._replace(id=key)
            texts[f"{shard}/{key}.txt"] = caption
            texts[f"{shard}/{key}.json"] = _record(key, picture.url, caption, self._options.size)
        for first in range(0, len(pairs), SHARD):
            count = min(SHARD, len(pairs) - first)
            texts[f"{first // SHARD:05d}_stats.json"] = json.dumps(
                {"count": count, "successes": count, "failed_to_download": 0}
            )
        return Content(videos, texts)


def _record(key: str, url: str, caption: str, size: int) -> str:
    return json.dumps(
        {
            "caption": caption,
            "url": url,
            "key": key,
            "status": "success",
            "error_message": None,
            "width": size,
            "height": size,
            "original_width": size,
            "original_height": size,
            "exif": "{}",
            "sha256": hashlib.sha256(url.encode()).hexdigest(),  # of the download, which is none
        },
        indent=4,
    )
