"""Dynamic time warping on plain tensors: how sequences match when they may be stretched in time.

A story in five files. ``costs`` compares vectors: a cost for each clip and caption. ``pairs`` takes
any stack of such costs, with the length of each, and lays it out so that all are solved at once.
``soft_dtw`` scores the best monotone path softly, with a gradient that says how probable each cell
is on the path, and chooses the kernel for the device (``soft_dtw_cpu`` is numba's). ``s2dtw`` puts
dummies between the cells first, for narration that does not fit what is shown. ``dtw`` gives the
hard path.

Everything is a function of (..., clips, captions): no modules, no parameters, no training.
"""

from vtlearn.alignment.costs import cosine, dot
from vtlearn.alignment.dtw import HardPath, dtw
from vtlearn.alignment.kernels import kernel_for
from vtlearn.alignment.s2dtw import s2dtw, s2dtw_cost
from vtlearn.alignment.soft_dtw import divergence, soft_alignment, soft_dtw

__all__ = [
    "HardPath",
    "cosine",
    "divergence",
    "dot",
    "dtw",
    "kernel_for",
    "s2dtw",
    "s2dtw_cost",
    "soft_alignment",
    "soft_dtw",
]
