"""Small corpora whose videos have names that end at no dot, or that other folders have too."""

import json
from collections.abc import Iterable
from pathlib import Path

from tests.media.video.writing import write_video

__all__ = ["LAYOUTS", "write_layout"]

LAYOUTS = {
    "numbered": ("1. Intro", "1. Outro"),
    "lessons": ("lesson1/part1", "lesson2/part1"),
    "volumes": ("Knife skills vol. 1 [aaaaaaaaaaa]", "Knife skills vol. 2 [bbbbbbbbbbb]"),
}
"""Videos of one corpus each, which are their ids too."""


def write_layout(root: Path, videos: Iterable[str], told: Iterable[str] = ()) -> Path:
    """Write videos of 2 s, 4 frames per second, and captions of some that say their names.

    Video n, from 0, is of the grey level 40 + 50 n.
    """
    for number, name in enumerate(videos):
        path = root / "videos" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, [40 + 50 * number] * 8, rate=4)
    for name in told:
        path = root / "captions" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"start": [0], "end": [1], "text": [name]}))
    return root
