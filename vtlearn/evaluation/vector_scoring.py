"""Score vectors that were made anywhere by a task's protocols: no model, no head, one process.

The vectors are compared as they are, since pooling and embedding were their author's to do. A
protocol that needs more than vectors, such as a head's logits or captions, cannot be served.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain

import torch
from torch import Tensor

from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.given_vectors import GivenVectors, expected_instead, first_ids
from vtlearn.evaluation.items_to_embed import (
    ItemToEmbed,
    VectorIds,
    VectorTask,
    protocols_of,
    versioned,
)
from vtlearn.evaluation.metrics.similarity import Similarity
from vtlearn.evaluation.protocol import Protocol
from vtlearn.evaluation.result import Result

__all__ = ["score_vectors", "unserved"]

_SERVED = frozenset({"windows"})


def unserved(protocol: Protocol, given: GivenVectors) -> str | None:
    """Say why a protocol cannot score vectors.

    Args:
        protocol: The protocol.
        given: The vectors.

    Returns:
        A sentence, or None where it can.
    """
    if protocol.needs == {"caption"}:
        return (
            f"{versioned(protocol)} scores captions: give --captions in place of --vectors, or "
            "--set task=retrieval"
        )
    lacking = sorted(protocol.needs - _SERVED)
    if lacking:
        return f"{versioned(protocol)} needs {' and '.join(lacking)} of a model, not vectors alone"
    if given.from_similarity and (protocol.similarity == "cosine" or protocol.pooling == "unit"):
        return f"{versioned(protocol)} compares by cosine: give vectors in place of similarity"
    return None


def score_vectors(
    tasks: Sequence[VectorTask],
    given: GivenVectors,
    *,
    similarity: Similarity = "dot",
    max_missing: int = 0,
    known: VectorIds | None = None,
    elsewhere: Callable[[], Mapping[str, VectorIds]] = dict,
) -> list[Result]:
    """Score vectors by all protocols of some tasks.

    Args:
        tasks: What to score by; see :func:`unserved` for what cannot be among them.
        given: The vectors.
        similarity: How they are compared, by protocols that do not say it themselves.
        max_missing: How many ids of videos and texts together may lack a vector.
        known: Ids that may come, beside those of the tasks: of protocols that were not chosen.
        elsewhere: Where there are unknown ids, gives those that they may be: of other places, by
            what these are called.

    Returns:
        A result per protocol, task by task.

    Raises:
        ArgumentError: If the similarities are a matrix, and are to be compared by cosine.
        EvaluationError: If an id is not known, more ids lack a vector than may, a text that a
            protocol has of its own lacks one, or a protocol cannot score what came.

    Example:
        >>> from vtlearn.evaluation import Retrieval
        >>> protocol = Retrieval("pairs", 1, ["v"], {"t": ["v"]}, windows="whole")
        >>> task = VectorTask([protocol], [ItemToEmbed("v", [(0.0, 1.0)], {"t": "cut"})])
        >>> given = GivenVectors.of(["v"], torch.ones(1, 2), ["t"], torch.ones(1, 2))
        >>> score_vectors([task], given)[0].metrics["t2v_R@1"]
        100.0
    """
    if given.from_similarity and similarity == "cosine":
        message = "similarity=cosine compares vectors, and a matrix of similarities was given"
        raise ArgumentError(message)
    ids = VectorIds.of(tasks)
    names = " and ".join(versioned(protocol) for protocol in protocols_of(tasks))
    unknown = _unknown(given, [ids, known or ids])
    if any(unknown.values()):
        raise EvaluationError(_told_of_unknown(unknown, given, names, tasks, elsewhere()))
    _check_missing(tasks, given, names, max_missing)
    vectors = _Rows(given)
    return [
        _result(protocol, task.items, vectors, similarity)
        for task in tasks
        for protocol in task.protocols
    ]


class _Rows:
    """Vectors by id."""

    def __init__(self, given: GivenVectors) -> None:
        self.given = given
        self.videos = {one: row for row, one in enumerate(given.video_ids)}
        self.texts = {one: row for row, one in enumerate(given.text_ids)}

    def item(self, item: ItemToEmbed) -> EncodedItem | None:
        """Return an item with its vectors; None where one of its windows has none."""
        if not self.videos.keys() >= set(item.vector_ids):
            return None
        text_ids = [one for one in item.texts if one in self.texts]
        return EncodedItem(
            item.id,
            windows=self.given.video[[self.videos[one] for one in item.vector_ids]],
            window_spans=torch.tensor(item.spans, dtype=torch.float64).reshape(-1, 2),
            texts=self.given.text[[self.texts[one] for one in text_ids]],
            text_ids=text_ids,
        )

    def own_texts(self, protocol: Protocol) -> dict[str, Tensor]:
        return {one: self.given.text[self.texts[one]] for one in protocol.texts}


def _result(
    protocol: Protocol, items: Sequence[ItemToEmbed], vectors: _Rows, similarity: Similarity
) -> Result:
    protocol.begin(similarity, vectors.own_texts(protocol))
    for item in items:
        encoded = vectors.item(item)
        if encoded is not None:
            protocol.add(encoded)
    return protocol.result()


def _unknown(given: GivenVectors, known: Sequence[VectorIds]) -> dict[str, list[str]]:
    """Return the ids that came and are not known, by kind."""
    return {
        kind: _absent(came, list(chain.from_iterable(ids.by_kind[kind] for ids in known)))
        for kind, came in given.ids.items()
    }


def _told_of_unknown(
    unknown: Mapping[str, list[str]],
    given: GivenVectors,
    names: str,
    tasks: Sequence[VectorTask],
    elsewhere: Mapping[str, VectorIds],
) -> str:
    """Say which ids of the first kind that has unknown ones these are, and what they may be."""
    kind = next(kind for kind, ids in unknown.items() if ids)
    ids, came = unknown[kind], given.ids[kind]
    home = next(
        (at for at, there in elsewhere.items() if not _absent(ids, there.by_kind[kind])), None
    )
    windows = {item.id: item.vector_ids for task in tasks for item in task.items}
    way_out = ""
    if home is not None:
        way_out = f"; they are those of {home}"
    elif kind == "video" and len(windows.get(ids[0], ())) > 1:
        first, *_, last = windows[ids[0]]
        way_out = f"; {ids[0]} has a vector for each of its windows, {first} to {last}"
    elif len(ids) == len(came):
        way_out = expected_instead(VectorIds.of(tasks).by_kind[kind])
    return (
        f"{len(ids)} of {len(came)} {kind} ids are unknown to {names} ({first_ids(ids)}){way_out}"
    )


def _check_missing(
    tasks: Sequence[VectorTask], given: GivenVectors, names: str, max_missing: int
) -> None:
    _check_own_texts(tasks, set(given.text_ids))
    missing = _missing(tasks, given)
    total = sum(map(len, missing.values()))
    if total <= max_missing:
        return
    ids = VectorIds.of(tasks)
    told = " and ".join(
        f"{len(absent)} of {len(ids.by_kind[kind])} {kind} ids of {names} have no vector "
        f"({first_ids(absent)})"
        for kind, absent in missing.items()
        if absent
    )
    complete = next(
        (one for one in _alone(tasks) if not any(_missing([one], given).values())), None
    )
    alone = f", or score by --protocol {versioned(complete.protocols[0])} alone" if complete else ""
    message = (
        f"{told}. Give them{alone}, or pass --max-missing {total} for figures that are comparable "
        "with no others"
    )
    raise EvaluationError(message)


def _missing(tasks: Sequence[VectorTask], given: GivenVectors) -> dict[str, list[str]]:
    """Return the ids that have no vector, by kind."""
    ids = VectorIds.of(tasks).by_kind
    return {kind: _absent(ids[kind], came) for kind, came in given.ids.items()}


def _alone(tasks: Sequence[VectorTask]) -> list[VectorTask]:
    """Return a task for each protocol."""
    return [VectorTask([one], task.items) for task in tasks for one in task.protocols]


def _check_own_texts(tasks: Sequence[VectorTask], came: Collection[str]) -> None:
    for protocol in protocols_of(tasks):
        absent = _absent(protocol.texts, came)
        if absent:
            message = (
                f"{len(absent)} of the {len(protocol.texts)} texts that {versioned(protocol)} has "
                f"of its own have no vector ({first_ids(absent)}); it is not scored without them"
            )
            raise EvaluationError(message)


def _absent(wanted: Collection[str], came: Collection[str]) -> list[str]:
    there = set(came)
    return [one for one in wanted if one not in there]
