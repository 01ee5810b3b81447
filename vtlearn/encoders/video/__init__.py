"""Video encoders turn clips of uint8 frames into vectors.

``s3d`` is the convolutional network that MIL-NCE and VT-TWINS train, under the names of its
published weights. ``tiny`` is a network small enough to be trained on a laptop. ``frames`` is what
they all refuse: frames that somebody scaled already. ``features`` is a transformer over vectors
that another encoder made before, and a store kept.
"""

from vtlearn.encoders.video.features import CachedFeatures
from vtlearn.encoders.video.s3d import S3D, stem_of
from vtlearn.encoders.video.tiny import TinyVideo

__all__ = ["S3D", "CachedFeatures", "TinyVideo", "stem_of"]
