"""Samples of a corpus to look at during training: the same whenever they are asked for."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from vtlearn.batch import Sample
from vtlearn.datasets.base import Corpus
from vtlearn.datasets.unreadable import read_or_record
from vtlearn.errors import LostClipsError

__all__ = ["fixed_samples"]


def fixed_samples(corpus: Corpus) -> Iterator[Sample]:
    """Read samples in an order, and of moments, that are a function of the corpus's seed alone.

    What cannot be read is skipped, and left to training to report.

    Args:
        corpus: What is read.

    Yields:
        Each sample that can be read, once.
    """
    seed = corpus.reading.seed
    for index in np.random.default_rng(seed).permutation(len(corpus)).tolist():
        rng = np.random.default_rng((seed, index))
        try:
            sample = read_or_record(corpus.ids[index], partial(corpus.draw, index, rng))
        except LostClipsError:
            continue
        if isinstance(sample, Sample):
            yield sample
