"""Captions of frames as what videos are trained with, where speech says little of what is shown.

``windows`` lays windows over a video. A *captioner* writes a sentence for each frame: ``captioner``
is the base class, ``checkpoint`` a model of our own, ``pretrained`` one of transformers.
``filters`` drops what is no sentence.
"""

from vtlearn.pseudolabel.captioner import FrameCaptioner
from vtlearn.pseudolabel.windows import Windows

__all__ = ["FrameCaptioner", "Windows"]
