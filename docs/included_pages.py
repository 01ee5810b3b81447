"""Take README, CONTRIBUTING and CHANGELOG into the site, where mkdocs builds it: a hook of mkdocs.

They stay where people look for them, and are in the site without a copy. Their links to pages of
the site become links within it; of those to other files of the repository the text is left.
"""

import re
from pathlib import Path
from typing import Any

_PAGES = {"index.md": "README.md", "extending.md": "CONTRIBUTING.md", "changes.md": "CHANGELOG.md"}
_NAMED = re.compile(r"\[[\w/]+\.md\]\((([\w./]+\.md)[^)\s]*)\)")  # named by its file
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Replace the page by the file that it stands for, and names of files by titles of pages.

    Args:
        markdown: The page's text.
        page: mkdocs' page.
        config: mkdocs' configuration.

    Returns:
        The text that is shown.
    """
    name = _PAGES.get(page.file.src_uri)
    if name is not None:
        text = (Path(config.config_file_path).parent / name).read_text(encoding="utf-8")
        markdown = _LINK.sub(_within_site, text)
    folder = (Path(config.docs_dir) / page.file.src_uri).parent
    return _NAMED.sub(lambda link: f"[{_title(folder / link[2])}]({link[1]})", markdown)


def _title(page: Path) -> str:
    """Return what a page is called: its heading, up to a colon."""
    page = page.resolve()
    heading = page.read_text(encoding="utf-8").partition("\n")[0] if page.is_file() else page.name
    return heading.removeprefix("# ").partition(":")[0] if heading.startswith("# ") else page.stem


def _within_site(link: re.Match[str]) -> str:
    image, text, target = link.groups()
    path, mark, anchor = target.partition("#")
    of_file = {name: page for page, name in _PAGES.items()}
    if re.match(r"[a-z]+:", path) or not path:
        return link.group()
    if path.startswith("docs/"):
        return f"{image}[{text}]({path.removeprefix('docs/')}{mark}{anchor})"
    return f"{image}[{text}]({of_file[path]}{mark}{anchor})" if path in of_file else text
