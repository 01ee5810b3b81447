"""Datamodules batch corpora, deal them out to processes, and say how they are scored.

``base`` holds the loaders and what a datamodule promises, ``dealing`` the order and the shares. A
corpus' own module, of the same name as its dataset, says only which files and which protocols.
"""

from vtlearn.datamodules.base import (
    Benchmark,
    ClipShape,
    Example,
    Stage,
    VideoTextData,
)
from vtlearn.datamodules.howto100m import HowTo100M
from vtlearn.datamodules.kitchen import Kitchen
from vtlearn.datamodules.shards import Shards

__all__ = [
    "Benchmark",
    "ClipShape",
    "Example",
    "HowTo100M",
    "Kitchen",
    "Shards",
    "Stage",
    "VideoTextData",
]
