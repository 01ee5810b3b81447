"""A narrated video to look at while a model is trained."""

from collections.abc import Sequence
from typing import NamedTuple

from vtlearn.batch import Sample

__all__ = ["AlignmentExample"]


class AlignmentExample(NamedTuple):
    """A narrated video to look at, with what is known of it.

    Attributes:
        sample: The whole video as windows, with its captions in temporal order; ``text_spans`` is
            when each is spoken.
        truth: When what a caption describes can be seen; None for one that describes nothing.
    """

    sample: Sample
    truth: Sequence[tuple[float, float] | None]
