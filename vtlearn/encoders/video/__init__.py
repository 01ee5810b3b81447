"""Video encoders turn clips into vectors.

``s3d`` is the convolutional network that MIL-NCE and VT-TWINS train, under the names of its
published weights, and ``s3d_layers`` what it is built of. ``timesformer`` is a transformer over
patches, transformers' own, which captioners read. ``tiny`` is a network small enough to be trained
on a laptop. ``features`` is a transformer over vectors that another encoder made before, and a
store kept; ``videoclip`` is the one of VideoCLIP and TempCLR, which is BERT's first layers.
``frames`` is what they share: refusing clips that are not what an encoder reads, and clips that are
shorter than the tensor they lie in.
"""

from vtlearn.encoders.video.features import CachedFeatures
from vtlearn.encoders.video.s3d import S3D, stem_of
from vtlearn.encoders.video.timesformer import TimeSformer
from vtlearn.encoders.video.tiny import TinyVideo
from vtlearn.encoders.video.videoclip import VideoCLIP

__all__ = ["S3D", "CachedFeatures", "TimeSformer", "TinyVideo", "VideoCLIP", "stem_of"]
