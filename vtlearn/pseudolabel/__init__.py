"""Captions of frames as what videos are trained with, where speech says little of what is shown.

``windows`` lays windows over a video, ``frames`` reads some frames of each. A *captioner* writes a
sentence for each frame: ``captioner`` is the base class, ``checkpoint`` a model of our own,
``pretrained`` one of transformers. ``filters`` drops what is no sentence, and ``scorers`` say how
well the others fit all frames of their window. ``shards`` keeps the best of each as JSON lines.
"""

from vtlearn.pseudolabel.captioner import FrameCaptioner
from vtlearn.pseudolabel.frames import find_references
from vtlearn.pseudolabel.labelling import Figures, Labelling
from vtlearn.pseudolabel.scorers import References, Scorer
from vtlearn.pseudolabel.shards import LabelStore, LabelWriter
from vtlearn.pseudolabel.windows import Windows

__all__ = [
    "Figures",
    "FrameCaptioner",
    "LabelStore",
    "LabelWriter",
    "Labelling",
    "References",
    "Scorer",
    "Windows",
    "find_references",
]
