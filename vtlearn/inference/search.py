"""Find the moments of videos that fit a sentence, by comparing it with every window.

The search is exact: one matrix product of all windows with all queries. Windows overlap, and a step
of a few seconds fills several; of those about one moment only the best is a hit, so that the first
five hits are five moments.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, overload

import torch
from torch import Tensor

from vtlearn.checks import require_not_negative, require_positive
from vtlearn.errors import ArgumentError, VTLearnError
from vtlearn.inference.index import SearchIndex

__all__ = ["Hit"]

_ROWS = 2**16  # windows that are compared at once
_SCORES = 2**26  # scores that are held at once
_CANDIDATES = 16  # windows that are looked at for each hit, to begin with
_ROUNDING = 1e-6  # seconds


class Hit(NamedTuple):
    """A moment of a video.

    Attributes:
        path: The file.
        id: The video's id.
        start: When the best window of the moment starts, in seconds.
        end: When it ends.
        score: Its similarity with the query; higher is better.

    Example:
        >>> hit = Hit(Path("videos/soup.mp4"), "soup", 12.0, 14.0, 0.61)
        >>> f"{hit.id} from {hit.start} s"
        'soup from 12.0 s'
    """

    path: Path
    id: str
    start: float
    end: float
    score: float


class TextModel(Protocol):
    """What queries are encoded by: a :class:`~vtlearn.inference.model.Model`."""

    @property
    def sha256(self) -> str:
        """Another one for another model."""

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Encode texts, (texts, dim)."""


@overload
def search(  # type: ignore[overload-overlap] # a string is a sequence of strings as well
    model: TextModel, query: str, index: SearchIndex, *, top: int = 10, apart: float | None = None
) -> list[Hit]: ...


@overload
def search(
    model: TextModel,
    query: Sequence[str],
    index: SearchIndex,
    *,
    top: int = 10,
    apart: float | None = None,
) -> list[list[Hit]]: ...


def search(
    model: TextModel,
    query: str | Sequence[str],
    index: SearchIndex,
    *,
    top: int = 10,
    apart: float | None = None,
) -> list[Hit] | list[list[Hit]]:
    """Find the moments that fit a sentence best.

    Hits are taken from the best window down; a window is skipped if less than ``apart`` seconds
    lie between it and a hit of the same video. Of equal scores the earlier video and window comes
    first, by the order of the ids.

    Args:
        model: The model that made the index.
        query: A sentence, or several.
        index: Windows of videos.
        top: How many hits there may be; fewer where there are not so many moments.
        apart: Seconds between the end of one hit and the start of the next in a video, at least;
            None for the length of a window.

    Returns:
        Hits, the best first; of several queries a list of hits each.

    Raises:
        ArgumentError: If the index was made by another model, or a number makes no sense.
        VTLearnError: If the index is damaged.
    """
    require_positive(top=top)
    if apart is not None:
        require_not_negative(apart=apart)
    if model.sha256 != index.model_sha256:
        message = (
            f"the index in {index.home} was made by another model, whose vectors cannot be "
            "compared with this one's: open one by SearchIndex.open(model, folder)"
        )
        raise ArgumentError(message)
    queries = [query] if isinstance(query, str) else list(query)
    texts = model.encode_text(queries).detach().cpu().float()
    found = [_moments(scores, index, top, apart) for scores in _scores(texts, index)]
    return found[0] if isinstance(query, str) else found


def _scores(texts: Tensor, index: SearchIndex) -> Iterator[Tensor]:
    """Yield the scores of all windows, (windows,), for each text."""
    for some in texts.split(max(1, _SCORES // max(1, len(index.vectors)))):
        rows = [some @ chunk.float().T for chunk in index.vectors.split(_ROWS)]
        scores = torch.cat(rows, dim=1)
        if not scores.isfinite().all():
            message = (
                f"the index in {index.home} is damaged, or the model's vectors are not numbers: "
                "remove that folder, and search again"
            )
            raise VTLearnError(message)
        yield from scores


def _moments(scores: Tensor, index: SearchIndex, top: int, apart: float | None) -> list[Hit]:
    """Take the best windows that are different moments, of more and more of the best windows."""
    candidates = min(len(scores), _CANDIDATES * top)
    while True:
        hits = _choose(_best(scores, candidates), scores, index, top, apart)
        if len(hits) == top or candidates == len(scores):
            return hits
        candidates = min(len(scores), 4 * candidates)


def _best(scores: Tensor, count: int) -> Tensor:
    """Return which scores are the highest, in order; of equal ones the first."""
    least = scores.topk(count).values[-1]
    rows = (scores >= least).nonzero()[:, 0]
    order = scores[rows].argsort(descending=True, stable=True)
    return rows[order][:count]


def _choose(
    rows: Tensor, scores: Tensor, index: SearchIndex, top: int, apart: float | None
) -> list[Hit]:
    """Take windows in order, each unless it is too close to one that was taken."""
    taken: dict[int, list[tuple[float, float]]] = {}
    hits: list[Hit] = []
    chosen = zip(
        index.owners[rows].tolist(),
        index.spans[rows].tolist(),
        scores[rows].tolist(),
        strict=True,
    )
    for video, (start, end), score in chosen:
        least = end - start if apart is None else apart
        others = taken.setdefault(video, [])
        if any(max(start, one) - min(end, other) < least - _ROUNDING for one, other in others):
            continue
        others.append((start, end))
        hits.append(Hit(index.paths[video], index.ids[video], start, end, score))
        if len(hits) == top:
            break
    return hits
