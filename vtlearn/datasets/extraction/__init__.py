"""Make something of every window of a corpus's videos, and keep it in shards.

``walk`` is the one way through a corpus, whatever is made of it: :class:`ShardWalk` plans what is
missing, gathers videos into shards, and resumes; :class:`Extraction` lays windows over them.
``plan`` divides the work among machines (:class:`Part`) and processes. ``writer`` says what a walk
asks of what keeps the results, :class:`ShardWriter`; ``features`` is the first of these, a store of
an encoder's vectors. ``extractor`` is how a datamodule finds the callback that plans. Windows are
encoded elsewhere.
"""

from vtlearn.datasets.extraction.extractor import Extractor, find_extractor
from vtlearn.datasets.extraction.features import FeatureShards, describe_encoder
from vtlearn.datasets.extraction.plan import Part
from vtlearn.datasets.extraction.walk import Extraction, ShardWalk
from vtlearn.datasets.extraction.writer import ChunkResults, ShardWriter, StoreWriter

__all__ = [
    "ChunkResults",
    "Extraction",
    "Extractor",
    "FeatureShards",
    "Part",
    "ShardWalk",
    "ShardWriter",
    "StoreWriter",
    "describe_encoder",
    "find_extractor",
]
