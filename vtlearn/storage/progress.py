"""Progress bars of long work, on standard error, so that what a command prints can be piped."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["count_up", "track"]

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


@contextmanager
def count_up(what: str, total: int, *, show: bool = True) -> Iterator[Callable[[int, str], None]]:
    """Show how far work has come that takes steps of several at a time.

    Args:
        what: What is being done, such as "Captioning".
        total: How many steps there are.
        show: Whether to show anything.

    Yields:
        What is called after some steps, with their number and a note, such as how fast it goes.

    Example:
        >>> with count_up("Counting", 3, show=False) as advance:
        ...     advance(3, "2 per second")
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    more = (TimeRemainingColumn(), TextColumn("{task.fields[note]}"))
    console = Console(stderr=True)
    with Progress(*columns, *more, console=console, disable=not show) as progress:
        task = progress.add_task(what, total=total, note="")
        yield lambda steps, note: progress.update(task, advance=steps, note=note)
