"""Shards that several machines packed, each its part of the corpus, in a folder of its own."""

from pathlib import Path

from vtlearn.errors import ShardError

__all__: list[str] = []


def part_folder(number: int | str, total: int | str) -> str:
    """Return the name of the folder of one machine's shards, below that of all.

    Args:
        number: Which machine it is, from 1.
        total: How many there are; ``*`` for patterns.

    Example:
        >>> part_folder(2, 4)
        'part-2-of-4'
    """
    return f"part-{number}-of-{total}"


def part_folders(folder: Path) -> list[Path]:
    """Find the folders of the parts in which shards were packed, if they were.

    Args:
        folder: That of all.

    Returns:
        The folders in the order of the machines; none where shards were not packed in parts.

    Raises:
        ShardError: If one is missing, or they are parts of several packings.
    """
    found = {path.name for path in folder.glob(part_folder("*", "*"))}
    if not found:
        return []
    totals = {name.rpartition("-")[2] for name in found}
    total = int(totals.pop()) if len(totals) == 1 else 0
    wanted = [part_folder(number + 1, total) for number in range(total)]
    missing = [name for name in wanted if name not in found]
    if missing or not wanted:
        what = f"{missing[0]} is missing" if missing else "they are parts of several packings"
        message = f"{folder} holds {', '.join(sorted(found))}: {what}; pack all parts first"
        raise ShardError(message)
    return [folder / name for name in wanted]
