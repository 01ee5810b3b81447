"""Pictures of what a head makes of clips and captions, as figures of matplotlib.

``alignment`` draws matrices of windows and captions with paths through them, ``pairs`` how well
single pairs match, ``retrieval`` who is found by what, ``captions`` what a head writes; all take
their colours from ``colours``. A figure is not registered with pyplot, so
nothing has to be closed.
"""

from vtlearn.plotting.alignment import Panel, draw_alignment, draw_panel, draw_panels
from vtlearn.plotting.captions import CaptionedFrames, draw_captions
from vtlearn.plotting.pairs import MatchedPair, draw_match_histogram, draw_pairs
from vtlearn.plotting.retrieval import draw_recall_curves, draw_retrieval_matrix

__all__ = [
    "CaptionedFrames",
    "MatchedPair",
    "Panel",
    "draw_alignment",
    "draw_captions",
    "draw_match_histogram",
    "draw_pairs",
    "draw_panel",
    "draw_panels",
    "draw_recall_curves",
    "draw_retrieval_matrix",
]
