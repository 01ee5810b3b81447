"""The page of a search: the clips that were found, to be played."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from vtlearn.pages.document import build_document
from vtlearn.pages.videos import video_address
from vtlearn.unicode import escape_bytes

__all__ = ["PageHit", "search_page"]


class PageHit(NamedTuple):
    """A clip that was found.

    Attributes:
        video: The file.
        start: Where the clip begins, in seconds.
        end: Where it ends, in seconds.
        score: How well it fits; higher is better.
    """

    video: Path
    start: float
    end: float
    score: float


def search_page(query: str, hits: Sequence[PageHit], *, folder: Path | None, title: str) -> str:
    """Show the clips that a search found, best first, each with its video, times and score.

    Videos are linked, not embedded: a search may find clips of many gigabytes of video.

    Args:
        query: What was searched for.
        hits: The clips, best first.
        folder: Where the page will lie; videos are linked relative to it. None: by their absolute
            addresses.
        title: Written above all.

    Returns:
        The text of an HTML file, which needs no network.

    Example:
        >>> hits = [PageHit(Path("videos/soup.mp4"), 12.0, 15.2, 0.61)]
        >>> page = search_page("stir the soup", hits, folder=Path(), title="stir the soup")
        >>> "videos/soup.mp4#t=12.000,15.200" in page
        True
    """
    shown = [
        {
            "address": f"{video_address(hit.video, folder)}#t={hit.start:.3f},{hit.end:.3f}",
            "name": escape_bytes(hit.video.name),
            "folder": escape_bytes(str(hit.video.parent)),
            "start": round(hit.start, 3),
            "end": round(hit.end, 3),
            "score": round(hit.score, 4),
        }
        for hit in hits
    ]
    data = {"title": title, "query": query, "hits": shown}
    # of a page opened as a file, 'self' means no file at all
    return build_document(
        "search", scripts=["search.js"], title=title, data=data, media=["'self'", "file:"]
    )
