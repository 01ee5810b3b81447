"""Suggest what may have been meant: one way for commands, options, classes and files."""

import difflib
from collections.abc import Iterable

__all__ = ["nearest"]


def nearest(wanted: str, known: Iterable[str]) -> str:
    """Suggest the nearest name, as the end of a sentence; nothing where none is near.

    Args:
        wanted: What was typed; capital and small letters count as the same.
        known: The names there are.

    Returns:
        "; did you mean NAME?", or nothing.

    Example:
        >>> nearest("--wokers", ["--workers", "--decode"])
        '; did you mean --workers?'
        >>> nearest("s2dtw", ["S2DTW", "SoftDTW"])
        '; did you mean S2DTW?'
        >>> nearest("xyzzy", ["S2DTW"])
        ''
    """
    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(wanted.lower(), names, n=1, cutoff=0.5)
    return f"; did you mean {names[near[0]]}?" if near else ""
