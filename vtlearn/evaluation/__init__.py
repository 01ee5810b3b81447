"""How benchmarks are scored.

A ``protocol`` is told which ids must come and what belongs to what; it is fed vectors or
similarities by anybody, and answers with a result. ``retrieval`` looks for the video of a text and
the text of a video, ``localization`` for the moment of a caption; ``vectors`` holds what came until
everything is there. What they count lies in ``metrics``. ``results`` writes what was found, with
all that is needed to say whether two figures may be compared.
"""

from vtlearn.evaluation.localization import CaptionHit, NarrationAlignment
from vtlearn.evaluation.protocol import Coverage, EncodedItem, Protocol, Result, hash_ids
from vtlearn.evaluation.results import (
    CodeVersion,
    checkpoint_sha256,
    code_version,
    result_record,
    results_table,
    write_results,
)
from vtlearn.evaluation.retrieval import Retrieval, RetrievalState
from vtlearn.evaluation.vectors import IdVectors, VectorTable

__all__ = [
    "CaptionHit",
    "CodeVersion",
    "Coverage",
    "EncodedItem",
    "IdVectors",
    "NarrationAlignment",
    "Protocol",
    "Result",
    "Retrieval",
    "RetrievalState",
    "VectorTable",
    "checkpoint_sha256",
    "code_version",
    "hash_ids",
    "result_record",
    "results_table",
    "write_results",
]
