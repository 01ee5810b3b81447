"""Dynamic time warping on plain tensors: how sequences match when they may be stretched in time.

``costs`` compares vectors: a cost for each clip and caption. What is done with a stack of such
costs, of any shape, each with lengths of its own, tells this story:

``soft_dtw`` scores the best monotone path softly, with a gradient that says how probable each cell
is on the path. ``s2dtw`` smooths the cost and puts dummies between the cells first, for narration
that does not fit what is shown. ``dtw`` gives the hard path. ``otam`` lets the path begin and end
anywhere along the captions, ``drop_dtw`` lets it drop clips, and ``ordered`` finds the second of
each step of a recipe. ``sequence_distances`` takes soft-DTW or OTAM for how far two sequences are.

``kernels`` chooses what solves soft-DTW on a device: ``soft_dtw_torch``, which is the
specification, ``soft_dtw_cpu`` or ``soft_dtw_triton``. They share ``pairs`` (costs and their
lengths, addressed alike), ``bands`` and ``options`` (what S2DTW changes in a cost);
``transforms`` refuses what ``torch.func`` would ask of them in vain, and ``memory`` says how much
they take for a pair.

Everything is a function of (..., clips, captions): no modules, no parameters, no training.
"""

from vtlearn.alignment.costs import cosine, dot, squared_euclidean
from vtlearn.alignment.drop_dtw import DropPath, drop_dtw
from vtlearn.alignment.dtw import HardPath, dtw
from vtlearn.alignment.kernels import kernel_for
from vtlearn.alignment.ordered import ordered_assignment
from vtlearn.alignment.otam import otam
from vtlearn.alignment.s2dtw import s2dtw, s2dtw_cost
from vtlearn.alignment.sequence_distances import SequenceMetric, sequence_distances
from vtlearn.alignment.soft_dtw import divergence, soft_alignment, soft_dtw

__all__ = [
    "DropPath",
    "HardPath",
    "SequenceMetric",
    "cosine",
    "divergence",
    "dot",
    "drop_dtw",
    "dtw",
    "kernel_for",
    "ordered_assignment",
    "otam",
    "s2dtw",
    "s2dtw_cost",
    "sequence_distances",
    "soft_alignment",
    "soft_dtw",
    "squared_euclidean",
]
