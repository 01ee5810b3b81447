"""Heads turn the features of clips and captions into a loss.

A head is given the features of the whole batch and told which rows are its process's own; it never
knows about processes. ``base`` says what every head promises. ``sequence`` is the contrast over a
batch that most of them share; what differs is the unit and how two units are scored:

- ``InfoNCE``: a clip and its caption, by cosine.
- ``MILNCE``: a clip and any of several captions near it.
- ``SoftDTW``: a whole video and a whole text, by dynamic time warping.
- ``S2DTW``: the same with local smoothing and dummies, as VT-TWINS has it; ``permutation`` is its
  augmentation.
"""

from vtlearn.heads.base import Alignment, AlignmentHead, Grid, HeadOutput
from vtlearn.heads.info_nce import InfoNCE
from vtlearn.heads.mil_nce import MILNCE
from vtlearn.heads.s2dtw import S2DTW
from vtlearn.heads.sequence import SequenceContrast
from vtlearn.heads.soft_dtw import SoftDTW

__all__ = [
    "MILNCE",
    "S2DTW",
    "Alignment",
    "AlignmentHead",
    "Grid",
    "HeadOutput",
    "InfoNCE",
    "SequenceContrast",
    "SoftDTW",
]
