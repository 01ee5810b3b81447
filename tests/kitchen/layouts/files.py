"""How the tests of the layouts look at what was rendered."""

import csv
import hashlib
from pathlib import Path

import pytest

from vtlearn.kitchen.layouts.base import KitchenLayout
from vtlearn.kitchen.plan import VideoPlan

__all__ = ["content", "lines", "rows", "write_texts"]


def content(root: Path) -> dict[str, str]:
    """A hash of each file."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def lines(path: Path) -> list[list[str]]:
    """The rows of a file without a header."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def rows(path: Path) -> list[dict[str, str]]:
    """The rows of a file with a header."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_texts(corpus: KitchenLayout, root: Path) -> list[str]:
    """Write a corpus's annotation files, and return the paths that its videos would have."""
    names: list[str] = []

    def write(
        _: Path, videos: dict[str, VideoPlan], texts: dict[str, str], *unused: object
    ) -> None:
        assert unused
        names.extend(videos)
        for name, text in texts.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vtlearn.kitchen.layouts.base.render_corpus", write)
        corpus.prepare()
    return names
