"""Pairs of a text and a clip to look at, of those that retrieval is validated by."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np

from vtlearn.batch import Sample
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datasets.evaluation import EvaluationItems
from vtlearn.errors import UnreadableVideoError
from vtlearn.evaluation.retrieval import Retrieval

__all__ = ["RetrievalExample", "retrieval_examples"]


class RetrievalExample(NamedTuple):
    """A clip with a text that asks for it.

    Attributes:
        sample: The clip as windows; its first text asks.
        right: The ids of all clips that the text may find.
    """

    sample: Sample
    right: frozenset[str]


def retrieval_examples(data: VideoTextData, count: int) -> list[RetrievalExample]:
    """Read validation pairs to look at during training, the same whenever they are asked for.

    Args:
        data: What is validated.
        count: How many pairs; there may be fewer. One that cannot be read is skipped, and so is
            one of more windows than are read at once.

    Returns:
        Clips and texts of the first retrieval protocol, in an order that is a function of the
        data's seed; nothing where no retrieval is validated.
    """
    for task in data.tasks("validate"):
        for protocol in task.protocols:
            if isinstance(protocol, Retrieval) and isinstance(task.items, EvaluationItems):
                return list(islice(_examples(task.items, protocol, data.seed), count))
    return []


def _examples(items: EvaluationItems, protocol: Retrieval, seed: int) -> Iterator[RetrievalExample]:
    for number in np.random.default_rng(seed).permutation(len(items.items)).tolist():
        item = items.items[number]
        right = protocol.relevance.get(item.text_ids[0]) if item.text_ids else None
        if right is None or items.part_counts[number] > 1:
            continue
        try:
            yield RetrievalExample(items.sample(item), frozenset(right))
        except UnreadableVideoError:  # validation has its say about that
            continue
