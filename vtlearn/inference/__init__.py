"""Use a trained model on one's own videos: vectors, captions, alignments and search.

:func:`load` opens a checkpoint, a folder or a name on the Hugging Face hub as a :class:`Model`.
``reading`` tells from what the checkpoint kept how clips are read; ``windows`` lays these over a
video; ``encoding`` turns them into vectors, ``captioning`` into texts; ``saving`` writes a model
into a folder. ``index`` keeps the vectors of a folder of videos, in which ``search`` finds moments;
``alignment`` compares those of a video with its transcript, whose captions ``retiming`` moves. A
model's methods are these functions by their short names.
"""

from vtlearn.inference.alignment import AlignedCaption, VideoAlignment
from vtlearn.inference.index import SearchIndex
from vtlearn.inference.loading import load
from vtlearn.inference.model import Model
from vtlearn.inference.search import Hit
from vtlearn.inference.vectors import VideoVectors

__all__ = [
    "AlignedCaption",
    "Hit",
    "Model",
    "SearchIndex",
    "VideoAlignment",
    "VideoVectors",
    "load",
]
