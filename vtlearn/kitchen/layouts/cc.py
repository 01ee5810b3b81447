"""Pictures of cooking steps with captions, in the layout of Conceptual Captions (CC3M)."""

from pathlib import Path
from zlib import crc32

from typing_extensions import override

from vtlearn.kitchen.layouts.base import Content, KitchenLayout, write_lines
from vtlearn.kitchen.layouts.pictures import LEAST, PictureOptions, draw_pictures
from vtlearn.kitchen.recipes import INGREDIENTS

__all__ = ["KitchenCC"]


class KitchenCC(KitchenLayout):
    """Render pictures of cooking steps, with captions, as CC3M's are kept after their download.

    The folder holds ``Train_GCC-training.tsv`` (a row for each caption: the caption, a tab, the
    url), ``training/<crc32 of the url>`` (JPEG, without a suffix) and ``manifest.json``. What the
    pictures show and what is written of them is as in :class:`KitchenCOCO` with the same arguments.

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
        >>> corpus = KitchenCC("data/kitchen-cc", train=1, per_step=1)
        >>> [(plan.id, plan.duration) for plan in corpus.plans()][:2]
        [('821381392', 0.125), ('2552828263', 0.125)]
    """

    items = "pictures"

    def __init__(
        self,
        root: Path | str = "data/kitchen-cc",
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
        parameters: dict[str, int | str] = {"layout": "cc", **self._options._asdict()}
        super().__init__(root, parameters, workers, LEAST)

    @override
    def _content(self) -> Content:
        pictures = {str(crc32(one.url.encode())): one for one in draw_pictures(self._options)}
        rows = [
            f"{caption}\t{picture.url}"
            for picture in pictures.values()
            for caption in picture.captions
        ]
        videos = {
            f"training/{name}": picture.plan._replace(id=name) for name, picture in pictures.items()
        }
        return Content(videos, {"Train_GCC-training.tsv": write_lines(rows)})
