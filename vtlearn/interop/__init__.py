"""Published checkpoints to ours.

``reading`` opens a file without running what is pickled in it, and finds the weights; one module
for each source (``vttwins``, ``milnce``, ``s3d``, ``videoclip``) recognises its files and
translates them to our names; ``sources`` knows which there are. ``report`` says what became of
every weight. ``conversion`` writes a folder that ``vtlearn.load`` opens; ``weights`` loads any of
these, or a checkpoint of one's own, into a model that was built already.
"""

from vtlearn.interop.conversion import Conversion, convert
from vtlearn.interop.report import LoadReport
from vtlearn.interop.sources import KINDS
from vtlearn.interop.weights import Weights, load_weights, read_weights

__all__ = [
    "KINDS",
    "Conversion",
    "LoadReport",
    "Weights",
    "convert",
    "load_weights",
    "read_weights",
]
