"""Where in which configuration something stands that is wrong."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import yaml

__all__: list[str] = []

_ARGUMENTS = "init_args"
_CLASS_PATH = re.compile(r"class_path '([\w.]+)'")
_WORD = re.compile(r"[\w.+-]*\w")


class Place(NamedTuple):
    """A line of a configuration.

    Attributes:
        path: The file.
        line: Its number, from 1.
        key: The key there, in dots, as the file has it.
        value: The value there; nothing for a mapping or a list.
    """

    path: Path
    line: int
    key: str
    value: str

    @property
    def option(self) -> str:
        """The key without ``init_args``, as the parser says it."""
        parts = self.key.split(".")
        return ".".join(part.rstrip("+") for part in parts if part != _ARGUMENTS)

    def __str__(self) -> str:
        """Return what editors and terminals find the line by."""
        return f"{self.path}:{self.line}: {self.key}"


def find_place(paths: Sequence[Path], key: str, message: str) -> Place | None:
    r"""Find the line that a message is about.

    Args:
        paths: The configurations, of which later ones win.
        key: What the parser says is wrong, in dots; nothing where it did not say.
        message: What is wrong; keys and values that it names count.

    Returns:
        The place, in the last file that has it; None where no file has the key.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "mine.yaml")
        ...     _ = path.write_text("trainer:\n  max_epoch: 3\n")
        ...     place = find_place([path], "trainer.max_epoch", "there is no such option")
        >>> place.line, place.key
        (2, 'trainer.max_epoch')
    """
    places = [place for path in paths for place in _places(path)]
    words = set(_WORD.findall(message))
    while key:
        inside = [place for place in places if f"{place.option}.".startswith(f"{key}.")]
        if inside:
            return max(enumerate(inside), key=lambda x: (_likeness(x[1], key, words), x[0]))[1]
        key = key.rpartition(".")[0]
    named = [(_named(place, words), place) for place in places if place.value]
    best = max((score for score, _ in named), default=0)
    return next((place for score, place in reversed(named) if score == best > 0), None)


def find_class(paths: Sequence[Path], message: str) -> Place | None:
    """Find where a class is chosen that a message names by its path.

    Args:
        paths: The configurations, of which later ones win.
        message: What is wrong.

    Returns:
        The place, in the last file that has it; None where no file has one.

    Example:
        >>> find_class([], "Problem with given class_path 'torch.optim.AdamW'")
    """
    names = {path.rpartition(".")[2] for path in _CLASS_PATH.findall(message)}
    places = [place for path in paths for place in _places(path)]
    chosen = (place for place in reversed(places) if place.value.rpartition(".")[2] in names)
    return next(chosen, None)


def _likeness(place: Place, key: str, words: set[str]) -> int:
    """Prefer what has the key itself, then what stands in the message."""
    return 2 * (place.value in words) + (place.option == key)


def _named(place: Place, words: set[str]) -> int:
    """Count how much of a place stands in a message that names no key; 0 without its name."""
    last = place.option.rpartition(".")[2]
    if last not in words and place.key not in words:
        return 0
    return 1 + (place.value in words) + 2 * (place.key in words)


def _places(path: Path) -> Iterator[Place]:
    with suppress(OSError, UnicodeDecodeError, yaml.YAMLError):  # which is told otherwise
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        if isinstance(root, yaml.MappingNode):
            is_data = any(key.value == "class_path" for key, _ in root.value)
            yield from _below(path, "data" if is_data else "", root)


def _below(path: Path, prefix: str, node: yaml.Node) -> Iterator[Place]:
    if isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            if isinstance(entry, yaml.ScalarNode):
                yield Place(path, entry.start_mark.line + 1, prefix, entry.value)
            yield from _below(path, prefix, entry)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = f"{prefix}.{key.value}" if prefix else str(key.value)
            scalar = value.value if isinstance(value, yaml.ScalarNode) else ""
            yield Place(path, key.start_mark.line + 1, name, scalar)
            yield from _below(path, name, value)
