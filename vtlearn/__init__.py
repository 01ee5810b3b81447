"""Learn video-text representations from narrated, unlabelled video.

The folders are the concepts. ``media`` reads videos and transcripts; ``datasets`` lists the corpora
and ``datamodules`` batches them; ``encoders`` turn clips and captions into vectors; ``alignment``
is the mathematics of dynamic time warping; ``heads`` turn vectors into losses; ``learner`` trains a
pair of encoders with a head; ``evaluation`` scores the result as the papers do; ``interop`` brings
the weights that others published.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vtlearn.inference import Model, load
    from vtlearn.learner import VideoTextLearner

__all__ = ["Model", "VideoTextLearner", "__version__", "load"]

__version__ = version("vtlearn")


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first asked for: ``import vtlearn`` takes no time."""
    if name in ("Model", "load"):
        from vtlearn import inference

        return getattr(inference, name)
    if name == "VideoTextLearner":
        from vtlearn.learner import VideoTextLearner

        return VideoTextLearner
    message = f"module 'vtlearn' has no attribute {name!r}"
    raise AttributeError(message)
