"""Ids of clips that say where each was cut out: ``<video>_<start>_<end>``, in whole seconds.

MSVD and VATEX have them. The video is YouTube's, whose ids may hold ``_`` and ``-`` and begin or
end with either, so that such an id is split from the right.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

__all__: list[str] = []

_ID = re.compile(r"(.+)_([0-9]+)_([0-9]+)")  # the first group takes as much as it can


class Cut(NamedTuple):
    """Where a clip was cut out of a video.

    Attributes:
        video: The video's id.
        start: Where the clip begins in it, in seconds.
        end: Where the clip ends in it, in seconds.
    """

    video: str
    start: float
    end: float


def parse_cut_id(clip_id: str) -> Cut | None:
    """Read where a clip was cut out.

    Args:
        clip_id: Its id.

    Returns:
        The video and seconds; None where the id does not say, or says that nothing was cut out.

    Example:
        >>> parse_cut_id("Ptf_2VRj-V0_000122_000132")
        Cut(video='Ptf_2VRj-V0', start=122.0, end=132.0)
        >>> parse_cut_id("video7020")
    """
    found = _ID.fullmatch(clip_id)
    if found is None:
        return None
    video, start, end = found[1], float(found[2]), float(found[3])
    return Cut(video, start, end) if start < end else None


def cut_seconds(ids: Iterable[str]) -> dict[str, float]:
    """Return how long clips should last.

    Args:
        ids: Their ids.

    Returns:
        Seconds by id, of those whose ids say.

    Example:
        >>> cut_seconds(["-4wsuPCjDBc_5_15", "video7020"])
        {'-4wsuPCjDBc_5_15': 10.0}
    """
    cuts = {clip_id: parse_cut_id(clip_id) for clip_id in ids}
    return {clip_id: cut.end - cut.start for clip_id, cut in cuts.items() if cut is not None}
