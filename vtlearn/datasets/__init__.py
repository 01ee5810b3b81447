"""Datasets list corpora and read samples; they know nothing of batches or Lightning.

``base`` finds videos, seeds what is drawn, and keeps account of what cannot be read. A corpus is a
file: ``howto100m`` reads narrated videos, ``kitchen`` renders some of its own in the same layout.
``shards`` streams the same, and pictures with captions, out of tar shards. ``narrations`` draws
what is trained on from any video and its captions; ``evaluation`` reads the clips and videos that a
protocol scores, and ``windows`` all of a video for features. ``checking`` compares a corpus with
what it should hold.
"""

from vtlearn.datasets.base import SampleKey
from vtlearn.datasets.evaluation import EvaluationItem, EvaluationItems
from vtlearn.datasets.howto100m import ClipSampling, HowTo100M
from vtlearn.datasets.shards import ShardStream
from vtlearn.datasets.unreadable import UnreadableLog
from vtlearn.kitchen import KitchenCorpus

__all__ = [
    "ClipSampling",
    "EvaluationItem",
    "EvaluationItems",
    "HowTo100M",
    "KitchenCorpus",
    "SampleKey",
    "ShardStream",
    "UnreadableLog",
]
