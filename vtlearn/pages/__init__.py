"""Pages to look at in a browser: one HTML file each, which loads nothing but its videos.

An alignment page shows a video with its transcript, the matrix of windows and captions, and where
the captions went; a search page shows the clips that were found. What a page shows is data beside a
fixed script: :mod:`~vtlearn.pages.document` puts the parts together, and a policy within the page
forbids any other script and every request to a network.
"""

from vtlearn.pages.alignment import PageCaption, alignment_page
from vtlearn.pages.search import PageHit, search_page
from vtlearn.pages.videos import MAX_EMBED_BYTES, is_embedded

__all__ = [
    "MAX_EMBED_BYTES",
    "PageCaption",
    "PageHit",
    "alignment_page",
    "is_embedded",
    "search_page",
]
