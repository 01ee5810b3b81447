import json
import re
from pathlib import Path

from vtlearn.pages import PageHit, search_page


def test_hits_are_clips_of_linked_videos() -> None:
    hits = [PageHit(Path("videos/a.mp4"), 1.0, 2.5, 0.12345), PageHit(Path("b.mp4"), 0, 3, -1.0)]
    html = search_page("stir </script>", hits, folder=Path("pages"), title="stir & serve")
    (stored,) = re.findall(r'id="data">(.*?)</script>', html, re.S)
    data = json.loads(stored)
    assert (data["query"], data["title"]) == ("stir </script>", "stir & serve")
    assert [hit["address"] for hit in data["hits"]] == [
        "../videos/a.mp4#t=1.000,2.500",
        "../b.mp4#t=0.000,3.000",
    ]
    assert [hit["score"] for hit in data["hits"]] == [0.1235, -1.0]
    assert "media-src &#x27;self&#x27; file:;" in html


def test_nothing_found() -> None:
    assert '"hits": []' in search_page("stir", [], folder=None, title="stir")
