"""How models are scored.

An ``evaluator`` is given what the model made of some items and answers with results: one pass over
a task's items serves all of its protocols. A ``protocol`` says which ids must come, keeps a little
of each ``encoded_item``, and computes the figures; it knows neither model nor processes.
``retrieval`` looks for the video of a text and the text of a video, ``localization`` for the moment
of a caption, ``steps`` for those of a task's steps, ``step_classification`` for the step of a
segment, ``full_video`` for the video of a paragraph; ``correspondence`` tells which captions are
those of their clips; ``sequences`` is what protocols share whose videos are several items.
``labelled`` is what protocols of classes and splits share: ``probing`` fits linear classifiers of
features, ``neighbours`` looks for videos of the same class, and ``zero_shot`` compares videos with
the names of classes.
``captioning`` compares what the head wrote with what people wrote, ``caption_lists`` reads and
writes lists of captions, and ``caption_scoring`` scores those that were written anywhere.
``reference`` computes what published code does, quirks and all, and ``vectors`` holds what came
until everything is there. ``given_vectors`` reads vectors that were made anywhere,
``items_to_embed`` says of what they have to be, and ``vector_scoring`` gives them to the same
protocols. What they count is in ``metrics``. ``served`` says which protocols a model cannot be
scored by, a ``result`` is what was found, with all that is needed to say whether two figures may be
compared, and ``results`` writes it. ``few_shot`` looks for the class of a video, where a few videos
of each class are shown.
"""

from vtlearn.evaluation.caption_lists import read_caption_list, write_caption_list
from vtlearn.evaluation.caption_scoring import score_captions, writes_nothing
from vtlearn.evaluation.captioning import Captioning
from vtlearn.evaluation.correspondence import Correspondence
from vtlearn.evaluation.encoded_item import EncodedItem, Pooling
from vtlearn.evaluation.evaluator import EvaluationTask, Evaluator
from vtlearn.evaluation.few_shot import FewShotRecognition
from vtlearn.evaluation.full_video import FullVideo
from vtlearn.evaluation.given_vectors import GivenVectors, read_vectors
from vtlearn.evaluation.items_to_embed import (
    ItemToEmbed,
    RowToEmbed,
    VectorIds,
    VectorTask,
    chosen_tasks,
    rows_to_embed,
)
from vtlearn.evaluation.labelled import LabelledProtocol, LabelledSplits
from vtlearn.evaluation.localization import CaptionHit, NarrationAlignment
from vtlearn.evaluation.neighbours import NeighbourRetrieval
from vtlearn.evaluation.probing import LinearProbe
from vtlearn.evaluation.protocol import Protocol
from vtlearn.evaluation.provenance import CodeVersion, code_version
from vtlearn.evaluation.result import Annotations, Coverage, Result, hash_ids
from vtlearn.evaluation.results import (
    checkpoint_sha256,
    print_results,
    publish,
    result_record,
    results_table,
    write_results,
)
from vtlearn.evaluation.retrieval import Retrieval, VideoWithTexts
from vtlearn.evaluation.sequences import SequenceProtocol
from vtlearn.evaluation.step_classification import StepClassification
from vtlearn.evaluation.steps import StepLocalization, StepVideo
from vtlearn.evaluation.vector_scoring import score_vectors, unserved
from vtlearn.evaluation.vectors import IdVectors, VectorTable
from vtlearn.evaluation.zero_shot import ZeroShotRecognition

__all__ = [
    "Annotations",
    "CaptionHit",
    "Captioning",
    "CodeVersion",
    "Correspondence",
    "Coverage",
    "EncodedItem",
    "EvaluationTask",
    "Evaluator",
    "FewShotRecognition",
    "FullVideo",
    "GivenVectors",
    "IdVectors",
    "ItemToEmbed",
    "LabelledProtocol",
    "LabelledSplits",
    "LinearProbe",
    "NarrationAlignment",
    "NeighbourRetrieval",
    "Pooling",
    "Protocol",
    "Result",
    "Retrieval",
    "RowToEmbed",
    "SequenceProtocol",
    "StepClassification",
    "StepLocalization",
    "StepVideo",
    "VectorIds",
    "VectorTable",
    "VectorTask",
    "VideoWithTexts",
    "ZeroShotRecognition",
    "checkpoint_sha256",
    "chosen_tasks",
    "code_version",
    "hash_ids",
    "print_results",
    "publish",
    "read_caption_list",
    "read_vectors",
    "result_record",
    "results_table",
    "rows_to_embed",
    "score_captions",
    "score_vectors",
    "unserved",
    "write_caption_list",
    "write_results",
    "writes_nothing",
]
