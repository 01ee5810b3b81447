"""Kitchen, the embedded corpus: narrated cooking videos, rendered with ground truth.

A *script* says what is cooked and when, following one of the *recipes* or none; a *narrator* tells
of it, late, sometimes wrongly, and talking of other things in between. Both make a *plan*, which
the *renderer* draws: a kitchen of the video's own and on its *stage* the *motions* of the eight
actions, out of *sprites* from a colour font. The *studio* renders a whole *corpus* with every core,
the *writer* encodes it, a *manifest* identifies it, and the *truth* lies beside it; *references*
are what people would write of a step, which captions are scored by. *Layouts* are those of other
corpora: clips of one step, with written *sentences* in place of narration.
"""

from vtlearn.kitchen.corpus import KitchenCorpus
from vtlearn.kitchen.narrator import Line, Narrator
from vtlearn.kitchen.plan import SPLITS, VideoPlan, plan_video
from vtlearn.kitchen.recipes import ACTIONS, INGREDIENTS, RECIPES
from vtlearn.kitchen.references import references_of
from vtlearn.kitchen.script import Pair
from vtlearn.kitchen.studio import render_video
from vtlearn.kitchen.truth import Step, VideoTruth, read_truth

__all__ = [
    "ACTIONS",
    "INGREDIENTS",
    "RECIPES",
    "SPLITS",
    "KitchenCorpus",
    "Line",
    "Narrator",
    "Pair",
    "Step",
    "VideoPlan",
    "VideoTruth",
    "plan_video",
    "read_truth",
    "references_of",
    "render_video",
]
