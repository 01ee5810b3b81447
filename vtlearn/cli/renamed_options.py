"""Say what an option is called now that was renamed, wherever the old name is refused.

A later renaming adds a line to ``RENAMED``. An old name is answered only where the class that it is
given to takes the new name and refuses the old one: an option of that name elsewhere is left alone.
"""

import re
from collections.abc import Collection, Mapping

from jsonargparse import ArgumentError, ArgumentParser

__all__: list[str] = []

RENAMED: Mapping[str, str] = {
    "quarantine": "unreadable_log",
    "sampling.crop": "pixels.crop",
    "sampling.crop_pixels": "pixels.crop_pixels",
    "sampling.flip": "pixels.flip",
    "sampling.pad": "pixels.pad",
    "sampling.size": "pixels.size",
}
"""New names of arguments by their old ones, in dots from the class that takes them."""

_REFUSED = re.compile(
    r"Option '[^']+' is not accepted|does not accept option '|unrecognized arguments: "
)


def renamed_options(kind: type, keys: Collection[str]) -> dict[str, str]:
    """Find the old names among what a class was given.

    Args:
        kind: The class.
        keys: The options that were given, in dots, such as ``data.sampling.size``.

    Returns:
        The new names by the old ones, of those that the class refuses and takes by the new name.

    Example:
        >>> class Corpus:
        ...     def __init__(self, unreadable_log: str = "") -> None: ...
        >>> renamed_options(Corpus, ["data.quarantine", "data.seed"])
        {'quarantine': 'unreadable_log'}
    """
    given = {old: new for old, new in RENAMED.items() if any(_ends(key, old) for key in keys)}
    return {old: new for old, new in given.items() if not _takes(kind, old) and _takes(kind, new)}


def _ends(key: str, name: str) -> bool:
    return f".{key}".endswith(f".{name}")


def _takes(kind: type, name: str) -> bool:
    """Tell whether a class takes an option, by giving it: it may be nested, or come by ``**``."""
    parser = ArgumentParser(exit_on_error=False, allow_abbrev=False)
    parser.add_class_arguments(kind, fail_untyped=False)
    try:
        parser.parse_args([f"--{name}=null"])
    except ArgumentError as error:  # for the value, perhaps, or for what else has to be given
        return not _REFUSED.search(str(error))
    return True
