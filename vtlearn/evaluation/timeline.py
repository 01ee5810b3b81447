"""What was computed in windows that overlap, laid out second by second."""

import torch
from torch import Tensor

from vtlearn.errors import EvaluationError

__all__: list[str] = []


def by_second(video: str, values: Tensor, times: Tensor) -> Tensor:
    """Average what belongs to each second of a video.

    Args:
        video: Its id, for messages.
        values: (frames, ...), of any windows in any order: vectors or logits, floating.
        times: The centre of each frame in seconds, (frames,).

    Returns:
        (seconds, ...), from second 0 to the last, of the values' dtype and device.

    Raises:
        EvaluationError: If nothing belongs to one of the seconds, or a time is negative or not
            finite.

    Example:
        >>> by_second("v", torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0.5, 1.5, 1.5]))
        tensor([1., 3.])
    """
    if not bool((times.isfinite() & (times >= 0)).all()):
        message = f"A frame of video {video!r} is at {times.min():g} s; it must be at 0 or later."
        raise EvaluationError(message)
    seconds = times.floor().long()
    counts = torch.bincount(seconds)
    if not len(counts) or not bool(counts.all()):
        empty = int((counts == 0).nonzero()[0]) if len(counts) else 0
        message = (
            f"No frame of video {video!r} lies in its second {empty}; one or more per second were "
            "expected."
        )
        raise EvaluationError(message)
    sums = values.new_zeros(len(counts), *values.shape[1:], dtype=torch.float64)
    sums.index_add_(0, seconds.to(values.device), values.double())
    shape = (-1, *[1] * (values.ndim - 1))
    return (sums / counts.to(values.device).reshape(shape)).to(values.dtype)
