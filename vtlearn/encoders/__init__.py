"""Encoders turn clips and captions into vectors, one row each.

``base`` is what every encoder promises: raw vectors, never normalised, and no idea of narrations or
heads. Any encoder of ``video`` goes with any encoder of ``text`` whose vectors are as wide.
"""

from vtlearn.encoders.base import TextEncoder, Tokens, VideoEncoder
from vtlearn.encoders.text import TinyText, Word2Vec
from vtlearn.encoders.video import S3D, CachedFeatures, TinyVideo, stem_of

__all__ = [
    "S3D",
    "CachedFeatures",
    "TextEncoder",
    "TinyText",
    "TinyVideo",
    "Tokens",
    "VideoEncoder",
    "Word2Vec",
    "stem_of",
]
