"""What has to be embedded for protocols to score it: items, their windows, and texts, by ids."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple, Self

from vtlearn.errors import ArgumentError
from vtlearn.evaluation.protocol import Protocol
from vtlearn.suggestions import nearest

__all__ = ["ItemToEmbed", "RowToEmbed", "VectorIds", "VectorTask", "chosen_tasks", "rows_to_embed"]


class ItemToEmbed(NamedTuple):
    """What a protocol scores: a clip, a video, a picture, as one vector or one per window.

    Attributes:
        id: The item's id.
        spans: Start and end in seconds of what each of its vectors is made of; NaN where unknown.
        texts: The texts that belong to it, by their ids.
        path: Its video.

    Example:
        >>> ItemToEmbed("v", [(0.0, 4.0)]).vector_ids
        ['v']
        >>> ItemToEmbed("v", [(0.0, 4.0), (1.0, 5.0)]).vector_ids
        ['v@0', 'v@1']
    """

    id: str
    spans: Sequence[tuple[float, float]]
    texts: Mapping[str, str] = MappingProxyType({})
    path: str = ""

    @property
    def vector_ids(self) -> list[str]:
        """The ids of its vectors: its own of a single one, else numbered from 0."""
        if len(self.spans) == 1:
            return [self.id]
        return [f"{self.id}@{number}" for number in range(len(self.spans))]


class VectorTask(NamedTuple):
    """Items, and the protocols that score them.

    Attributes:
        protocols: How they are scored.
        items: What is scored.
    """

    protocols: Sequence[Protocol]
    items: Sequence[ItemToEmbed]


class VectorIds(NamedTuple):
    """The ids that vectors have to have.

    Attributes:
        video: Of videos, or of their windows.
        text: Of texts: those of the items, and those of the protocols themselves.
    """

    video: Collection[str]
    text: Collection[str]

    @classmethod
    def of(cls, tasks: Sequence[VectorTask]) -> Self:
        """Collect the ids of some tasks, each once, in their order.

        Args:
            tasks: The tasks.

        Example:
            >>> VectorIds.of([VectorTask([], [ItemToEmbed("v", [(0.0, 1.0)], {"t": "cut"})])]).text
            ['t']
        """
        items = list(chain.from_iterable(task.items for task in tasks))
        own = chain.from_iterable(protocol.texts for protocol in protocols_of(tasks))
        texts = chain(chain.from_iterable(item.texts for item in items), own)
        videos = chain.from_iterable(item.vector_ids for item in items)
        return cls(list(dict.fromkeys(videos)), list(dict.fromkeys(texts)))

    @property
    def by_kind(self) -> dict[str, Collection[str]]:
        """The ids of ``video`` and of ``text``."""
        return self._asdict()


def chosen_tasks(tasks: Sequence[VectorTask], name: str) -> list[VectorTask]:
    """Choose the protocol of a name, and leave out all others.

    Args:
        tasks: All there are.
        name: ``name`` or ``name@version``.

    Returns:
        The tasks that have it, with no other protocol.

    Raises:
        ArgumentError: If there is none.
    """
    chosen = [
        VectorTask(protocols, task.items)
        for task in tasks
        if (protocols := [one for one in task.protocols if name in (one.name, versioned(one))])
    ]
    if not chosen:
        known = [versioned(protocol) for protocol in protocols_of(tasks)]
        message = (
            f"there is no protocol {name}{nearest(name, known) or ';'} there are {', '.join(known)}"
        )
        raise ArgumentError(message)
    return chosen


class RowToEmbed(NamedTuple):
    """A video or window, and a text of its item; one of the two where there is no other.

    Attributes:
        item: The id of the vector to be made of the video.
        path: The video.
        start: Where in it the item, or the window, starts in seconds; empty where unknown.
        end: Where it ends; empty where unknown, as for a clip that lasts until its video ends.
        text_id: The id of the vector to be made of the text.
        caption: The text.
    """

    item: str = ""
    path: str = ""
    start: str = ""
    end: str = ""
    text_id: str = ""
    caption: str = ""


def rows_to_embed(tasks: Sequence[VectorTask]) -> Iterator[RowToEmbed]:
    """List what has to be embedded, each combination once.

    Args:
        tasks: What is scored.

    Yields:
        A row per item, or window of an item that has several, and text of the item; one without a
        text for an item that has none. Texts that are a protocol's own follow without an item.

    Example:
        >>> item = ItemToEmbed("v", [(0.0, 2.5)], {"t": "cut"}, "v.mp4")
        >>> [tuple(row) for row in rows_to_embed([VectorTask([], [item])])]
        [('v', 'v.mp4', '0.0', '2.5', 't', 'cut')]
    """
    items = (item for task in tasks for item in task.items)
    yield from dict.fromkeys(chain.from_iterable(map(_rows, items)))
    of_items = {text for task in tasks for item in task.items for text in item.texts}
    own = (text for protocol in protocols_of(tasks) for text in protocol.texts.items())
    for text_id, caption in dict.fromkeys(own):
        if text_id not in of_items:
            yield RowToEmbed(text_id=text_id, caption=caption)


def protocols_of(tasks: Sequence[VectorTask]) -> Iterator[Protocol]:
    """Yield the protocols of some tasks.

    Args:
        tasks: The tasks.
    """
    return chain.from_iterable(task.protocols for task in tasks)


def versioned(protocol: Protocol) -> str:
    """Return a protocol's name with its version, as ``msrvtt-1kA@1``.

    Args:
        protocol: The protocol.
    """
    return f"{protocol.name}@{protocol.version}"


def _rows(item: ItemToEmbed) -> Iterable[RowToEmbed]:
    for vector_id, span in zip(item.vector_ids, item.spans, strict=True):
        start, end = ("" if math.isnan(seconds) else str(seconds) for seconds in span)
        for text in item.texts.items() or [("", "")]:
            yield RowToEmbed(vector_id, item.path, start, end, *text)
