"""Captions of frames as what videos are trained with, where speech says little of what is shown.

``windows`` lays windows over a video, and ``filters`` drops what is no sentence.
"""

from vtlearn.pseudolabel.windows import Windows

__all__ = ["Windows"]
