"""Find the moments of one's own videos that fit a sentence.

  vtlearn search "chop the carrot" --in videos --model runs/vttwins/version_0/checkpoints/best.ckpt
  vtlearn search "chop the carrot" --in videos --model owner/name --page hits.html

The first search encodes every video below the folder; what is kept of it is looked at in a moment
after, and brought up to date when files are added, changed or removed. It is kept in the user's
cache, or in --index DIR, never in the folder itself; each model and folder has an index of its own.
An interrupted search resumes. Each hit is another moment: of windows that overlap or are less than
a window apart, the best. Scores are similarities; higher is better.
"""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from vtlearn.checks import require_positive, require_share
from vtlearn.cli.commands.clock import clock_time
from vtlearn.cli.commands.device import choose_device
from vtlearn.cli.commands.shared_options import (
    add_device,
    add_max_unreadable_fraction,
    add_model,
    add_stride,
)
from vtlearn.errors import ArgumentError
from vtlearn.inference import Hit, SearchIndex, load
from vtlearn.storage.atomic import replace_text

__all__ = ["add_arguments", "run"]

_LOG = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options.

    Args:
        parser: The command's.
    """
    add = parser.add_argument
    add("query", nargs="+", metavar="QUERY", help="a sentence, in quotes")
    add("--in", dest="folder", type=Path, required=True, metavar="FOLDER", help="of the videos")
    add_model(parser)
    add("--index", type=Path, metavar="DIR", help="where indexes are kept (the user's cache)")
    add("--top", type=int, default=5, metavar="N", help="how many hits (%(default)s)")
    add("--json", action="store_true", help="print JSON in place of a table")
    add("--page", type=Path, metavar="FILE", help="write the hits as playable clips: out.html")
    add_stride(parser)
    add_device(parser)
    add_max_unreadable_fraction(parser)


def run(arguments: argparse.Namespace) -> int:
    """Bring the index up to date, search it, and print the hits.

    Args:
        arguments: The command's options.

    Returns:
        0.

    Raises:
        VTLearnError: If an option makes no sense, the model cannot be opened or compares no texts,
            or too many videos cannot be read.
    """
    query = _require_sense(arguments)
    model = load(arguments.model, device=choose_device(arguments.device))
    model.encode_text([query])  # now: what it refuses should not cost an index
    index = SearchIndex.open(
        model,
        arguments.folder,
        home=arguments.index,
        stride=arguments.stride,
        max_unreadable_fraction=arguments.max_unreadable_fraction,
        show=True,
    )
    if index.unreadable:
        report = index.home / "unreadable.jsonl"
        count, total = len(index.unreadable), len(index.ids)
        _LOG.warning("%d of %d videos cannot be read (why: %s)", count, total, report)
    hits = model.search(query, index, arguments.top)
    if arguments.page is not None:
        _write_page(arguments.page, query, hits, arguments.folder)
    sys.stdout.write(_as_json(query, hits) if arguments.json else _as_table(hits))
    return 0


def _require_sense(arguments: argparse.Namespace) -> str:
    """Refuse at once what would be refused after hours, and return the query."""
    require_positive(**{"--top": arguments.top, "--stride": arguments.stride})
    require_share(**{"--max-unreadable-fraction": arguments.max_unreadable_fraction})
    query, *more = arguments.query
    if more:
        message = f'put the query in quotes: "{" ".join(arguments.query)}"'
        raise ArgumentError(message)
    if not query.strip():
        message = 'the query is empty: give a sentence, such as "chop the carrot"'
        raise ArgumentError(message)
    if arguments.page is not None:
        _require_new(arguments.page)
    return str(query)


def _require_new(page: Path) -> None:
    if page.exists():
        message = f"{page} exists already, and is not overwritten: give --page another name"
        raise ArgumentError(message)
    if not page.absolute().parent.is_dir():
        message = f"--page: {page.absolute().parent} is not a directory"
        raise ArgumentError(message)


def _write_page(path: Path, query: str, hits: Sequence[Hit], folder: Path) -> None:
    from vtlearn.pages import PageHit, search_page  # templates, which no other search reads

    shown = [PageHit(hit.path.absolute(), hit.start, hit.end, hit.score) for hit in hits]
    title = f"{query} in {folder}"
    replace_text(path, search_page(query, shown, folder=path.absolute().parent, title=title))


def _as_json(query: str, hits: Sequence[Hit]) -> str:
    found = [{**hit._asdict(), "path": str(hit.path)} for hit in hits]
    return json.dumps({"query": query, "hits": found}, indent=1, ensure_ascii=False) + "\n"


def _as_table(hits: Sequence[Hit]) -> str:
    lines = []
    for number, hit in enumerate(hits, 1):
        start, end = clock_time(hit.start), clock_time(hit.end)
        lines.append(f"{number:>3}  {hit.score:6.3f}  {start:>9} - {end:>9}  {hit.path}\n")
    return "".join(lines)
