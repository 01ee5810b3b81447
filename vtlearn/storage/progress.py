"""Progress bars of long work, on standard error, so that what a command prints can be piped."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["track"]

ItemT = TypeVar("ItemT")


def track(items: Iterable[ItemT], what: str, total: int | None = None) -> Iterator[ItemT]:
    """Show how far work has come.

    Args:
        items: What is worked on, one step each.
        what: What is being done, such as "Rendering Kitchen".
        total: How many items there are, where they do not say it themselves.

    Yields:
        The items.

    Example:
        >>> list(track([1, 2], "Counting"))
        [1, 2]
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        yield from progress.track(items, total=total, description=what)
