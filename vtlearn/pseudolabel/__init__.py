"""Captions of frames as what videos are trained with, where speech says little of what is shown.

``windows`` lays windows over a video, ``frames`` reads some frames of each. A *captioner* writes a
sentence for each frame: ``captioner`` is the base class, ``checkpoint`` a model of our own,
``pretrained`` one of transformers; ``choosing`` tells them apart. ``filters`` drops sentences that
are empty, short or looping, ``scorers`` say how well the others fit all frames, and ``labelling``
keeps the best of each. ``shards`` writes them as JSON lines, by the walk that features are made
with: resumed by shard, divided among machines, the same bytes whoever makes them. HowTo100M reads
them as captions (:mod:`vtlearn.media.captions.pseudolabels`).
"""

from vtlearn.pseudolabel.captioner import FrameCaptioner
from vtlearn.pseudolabel.choosing import choose_captioner, choose_scorer, choose_windows
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
    "choose_captioner",
    "choose_scorer",
    "choose_windows",
    "find_references",
]
