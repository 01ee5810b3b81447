"""Which captions are said while a video shows anything."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

from vtlearn.errors import OutsideCaptionsError
from vtlearn.media.captions.caption import Caption

__all__ = ["OutsideCaptions", "captions_within"]

_ROUNDING = 1e-6  # seconds


class OutsideCaptions(NamedTuple):
    """A video with captions that are said before its first frame or after its last one.

    Attributes:
        id: Its id.
        left_out: How many there are, which training leaves out.
        captions: How many captions it has in all.
    """

    id: str
    left_out: int
    captions: int

    @classmethod
    def of(
        cls, video_id: str, captions: Sequence[Caption], start: float, end: float
    ) -> Self | None:
        """Count the captions of a video that are outside its frames.

        Args:
            video_id: Its id.
            captions: Its captions.
            start: When its first frame is shown, in seconds.
            end: When its last frame ends.

        Returns:
            None where there are none.

        Example:
            >>> OutsideCaptions.of("v", [Caption(8.0, 9.0, "stir")], 0.0, 8.0)
            OutsideCaptions(id='v', left_out=1, captions=1)
        """
        left_out = len(captions) - len(captions_within(captions, start, end))
        return cls(video_id, left_out, len(captions)) if left_out else None

    def failure(self, start: float, end: float) -> OutsideCaptionsError | None:
        """Return the error of a video that has no other captions; None of one that has.

        Args:
            start: When its first frame is shown, in seconds.
            end: When its last frame ends.

        Example:
            >>> OutsideCaptions("v", 1, 2).failure(0.0, 8.0) is None
            True
        """
        is_all = self.left_out == self.captions
        return OutsideCaptionsError(self.id, self.captions, start, end) if is_all else None


def captions_within(captions: Iterable[Caption], start: float, end: float) -> list[Caption]:
    """Leave out captions that are said before a video's first frame or after its last one.

    The frame shown then would be the first or the last, of which nothing is said.

    Args:
        captions: The captions of a video.
        start: When its first frame is shown, in seconds.
        end: When its last frame ends.

    Returns:
        The others in their order; of one that is partly outside, the part inside.

    Example:
        >>> said = [Caption(0.0, 4.0, "chop"), Caption(8.0, 12.0, "stir")]
        >>> captions_within([*said, Caption(10.0, 11.0, "eat")], 0.0, 10.0)
        [Caption(start=0.0, end=4.0, text='chop'), Caption(start=8.0, end=10.0, text='stir')]
    """
    return [_inside(one, start, end) for one in captions if not _is_outside(one, start, end)]


def _is_outside(caption: Caption, start: float, end: float) -> bool:
    if caption.start > end - _ROUNDING:
        return True
    if caption.start == caption.end:  # a moment, such as HTM-AA's
        return caption.start < start - _ROUNDING
    return caption.end < start + _ROUNDING


def _inside(caption: Caption, start: float, end: float) -> Caption:
    if caption.start >= start and caption.end <= end:
        return caption
    begin = max(caption.start, start)
    return Caption(begin, max(begin, min(caption.end, end)), caption.text)
