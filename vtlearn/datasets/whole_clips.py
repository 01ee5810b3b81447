"""Clips as captions are written of them: each as one window of its whole time."""

from collections.abc import Sequence

from vtlearn.datasets.captioned import CaptionedClip
from vtlearn.datasets.evaluation import EvaluationItem
from vtlearn.datasets.sampling.windows import WholeSegment

__all__ = ["whole_items"]


def whole_items(clips: Sequence[CaptionedClip]) -> list[EvaluationItem]:
    """List clips to write a caption of each.

    Args:
        clips: The clips.

    Returns:
        An item per clip, of one window, without texts: no model may read what it is scored by.

    Example:
        >>> from pathlib import Path
        >>> clip = CaptionedClip("v_0", "v", Path("v.mp4"), 3.0, 9.0, ("add ham",), ("v_0",))
        >>> item, = whole_items([clip])
        >>> item.id, item.starts, item.texts
        ('v_0', WholeSegment(start=3.0, end=9.0), [])
    """
    return [
        EvaluationItem(clip.id, clip.path, WholeSegment(clip.start, clip.end), [], [])
        for clip in clips
    ]
