"""Learn video-text representations from narrated, unlabelled video.

The folders are the concepts. ``media`` reads videos and transcripts; ``datasets`` lists the corpora
and ``datamodules`` batches them; ``encoders`` turn clips and captions into vectors; ``alignment``
is the mathematics of dynamic time warping; ``heads`` turn vectors into losses; ``learner`` trains a
pair of encoders with a head; ``evaluation`` scores the result as the papers do.
"""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("vtlearn")
