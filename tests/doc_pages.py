"""What README, CONTRIBUTING and the pages of docs/ hold: code, commands, links, headings."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
#: Pages of the site that are a file of the repository, by that file: docs/included_pages.py.
INCLUDED = {
    "README.md": DOCS / "index.md",
    "CONTRIBUTING.md": DOCS / "extending.md",
    "CHANGELOG.md": DOCS / "changes.md",
}

_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(([^)\s]+)\)")


class Command(NamedTuple):
    """A command that a page shows.

    Attributes:
        page: Where.
        words: The command, without a comment; what ``&&`` joins are several.
        output: What it prints, of a transcript.
    """

    page: Path
    words: tuple[str, ...]
    output: str = ""

    def __str__(self) -> str:
        return f"{name(self.page)}: {shlex.join(self.words)}"


def name(page: Path) -> str:
    """Return a page's path below the repository."""
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    """Return the code of a language, block by block."""
    found = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [
        "\n".join(line.removeprefix(indent) for line in text.splitlines())
        for indent, kind, text in found
        if kind == language
    ]


def commands(page: Path) -> Iterator[Command]:
    """Yield the commands of a page's ``sh`` blocks, in order."""
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            while words:
                end = words.index("&&") if "&&" in words else len(words)
                yield Command(page, tuple(words[:end]))
                words = words[end + 1 :]


def transcripts(page: Path) -> Iterator[Command]:
    """Yield the commands of a page's ``console`` blocks, with what they print."""
    for block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            yield Command(page, tuple(shlex.split(line)), output.rstrip("\n") + "\n")


def links(page: Path) -> list[str]:
    """Return what a page links to, outside of its code."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    return _LINK.findall(re.sub(r"`[^`\n]*`", "", text))


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as the site has them."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    plain = [re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", x.lower()).strip()) for x in plain}


def nav() -> set[Path]:
    """Return the pages that the site's navigation names."""

    def files(entry: object) -> Iterator[str]:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, (list, dict)):
            for part in entry.values() if isinstance(entry, dict) else entry:
                yield from files(part)

    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    return {DOCS / file for file in files(site["nav"])}
