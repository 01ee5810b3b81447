"""What protocols count, as pure functions.

``similarity`` compares vectors so that equal ones tie; ``retrieval`` turns scores into ranks that
are exact under ties, and ranks into recall; ``tiled_ranks`` gets them from vectors, tile by tile;
``bootstrap`` says how sure a figure is, and ``chance`` what a blind model would reach.
"""

from vtlearn.evaluation.metrics.bootstrap import RESAMPLES, Statistic, bootstrap_interval
from vtlearn.evaluation.metrics.chance import Chance, chance_of
from vtlearn.evaluation.metrics.retrieval import (
    Ranks,
    expected_rank,
    ranks,
    recall_at,
)
from vtlearn.evaluation.metrics.similarity import Similarity, comparable, product
from vtlearn.evaluation.metrics.tiled_ranks import DirectionRanks, vector_ranks

__all__ = [
    "RESAMPLES",
    "Chance",
    "DirectionRanks",
    "Ranks",
    "Similarity",
    "Statistic",
    "bootstrap_interval",
    "chance_of",
    "comparable",
    "expected_rank",
    "product",
    "ranks",
    "recall_at",
    "vector_ranks",
]
