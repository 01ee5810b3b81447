"""Heads turn the features of clips and texts into losses.

A head is given the features of the whole batch and told which samples are its process's own; it
never knows about processes. ``base`` says what every head promises. ``contrastive`` is the contrast
over a batch that most of them share, by the functions in ``losses`` and, where it is large, tile by
tile (``tiles``); what differs is the item and how two items are compared:

- ``InfoNCE``: a clip and its text, by cosine.
- ``MILNCE``: a clip and any of several texts near it.
- ``SoftDTW``: a whole video and a whole text, by dynamic time warping.
- ``S2DTW``: the same with local smoothing and dummies, as VT-TWINS has it.
- ``TempCLR``: a clip and its text, and beside that whole sequences against their own other orders.
- ``CaliNCE``: a clip and its text, weighed by how well they seem to correspond.

One head is told what happens in each frame:

- ``StepSupervision``: which steps of its task each frame shows, and in which order they are done.

One compares videos with videos, and reads no texts:

- ``FewShot``: a video and a few of each class, by alignment, as ``episodes`` has them.

One head compares nothing and writes:

- ``CaptioningDecoder``: the caption of a clip, piece by piece, from its tokens.

``permutation`` draws orders for S2DTW, TempCLR and StepSupervision, and ``chains`` says of which
clips an order is known. ``correspondence`` scores pairs for CaliNCE, and draws wrong ones.

A head that predicts or writes texts holds a ``Decoder``, of which ``decoder_base`` says what it
promises; ``captions`` finds the captions that it can predict, ``lines`` are what is asked of it,
and ``beam_search`` finds the texts that it writes. ``TextDecoder`` is one, from ``decoder_layers``;
``masking`` hides words from it. ``OPTDecoder`` is another: a language model, frozen or not, with
adapters (``opt_adapters``) that read the clip.
"""

from typing import NoReturn

from vtlearn.heads.base import Aligner, Alignment, Captioner, Head, HeadOutput, LossTerm
from vtlearn.heads.cali_nce import CaliNCE
from vtlearn.heads.captioning import CaptioningDecoder
from vtlearn.heads.contrastive import Contrastive
from vtlearn.heads.decoder import Decoder, TextDecoder
from vtlearn.heads.episodes import FewShot
from vtlearn.heads.info_nce import InfoNCE
from vtlearn.heads.joint import Joint
from vtlearn.heads.mil_nce import MILNCE
from vtlearn.heads.opt import OPTDecoder
from vtlearn.heads.s2dtw import S2DTW
from vtlearn.heads.soft_dtw import SoftDTW
from vtlearn.heads.steps import StepSupervision
from vtlearn.heads.tempclr import TempCLR

__all__ = [
    "MILNCE",
    "S2DTW",
    "Aligner",
    "Alignment",
    "CaliNCE",
    "Captioner",
    "CaptioningDecoder",
    "Contrastive",
    "Decoder",
    "FewShot",
    "Head",
    "HeadOutput",
    "InfoNCE",
    "Joint",
    "LossTerm",
    "OPTDecoder",
    "SoftDTW",
    "StepSupervision",
    "TempCLR",
    "TextDecoder",
]

_RENAMED = {
    "AlignmentHead": "vtlearn.heads.Aligner",
    "Grid": "vtlearn.batch.Rows",
    "SequenceContrast": "vtlearn.heads.Contrastive",
}


def __getattr__(name: str) -> NoReturn:
    """Say what an old name is called now."""
    if name in _RENAMED:
        # an AttributeError's text would not be shown by `from vtlearn.heads import ...`
        message = f"vtlearn.heads.{name} is now {_RENAMED[name]}: see the table in CHANGELOG.md"
        raise ImportError(message, name=name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
