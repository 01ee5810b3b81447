"""Encoders turn clips and texts into vectors, one row each, and into the tokens these come from.

``base`` is what every encoder promises: raw vectors, never normalised, and no idea of samples or
heads. Any encoder of ``video`` goes with any encoder of ``text`` whose vectors are as wide. A batch
may hold no clips or no texts for a process: every encoder takes them too, and ``batch_norm`` is how
those with batch normalisation can. ``bert_model`` is what the two encoders of VideoCLIP share, and
``hub`` reads weights that transformers wrote.
"""

from vtlearn.encoders.base import TextEncoder, Tokens, VideoEncoder
from vtlearn.encoders.text import Bert, TinyText, Word2Vec
from vtlearn.encoders.video import S3D, CachedFeatures, TimeSformer, TinyVideo, VideoCLIP, stem_of

__all__ = [
    "S3D",
    "Bert",
    "CachedFeatures",
    "TextEncoder",
    "TimeSformer",
    "TinyText",
    "TinyVideo",
    "Tokens",
    "VideoCLIP",
    "VideoEncoder",
    "Word2Vec",
    "stem_of",
]
