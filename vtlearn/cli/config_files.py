"""Configuration files: where one is that is named, which there are, and what each is for.

Those that come with vtlearn are named as in a clone, ``configs/vttwins.yaml``, wherever vtlearn is
installed; a user's own file of that name is taken in their place. Nothing here imports torch.
"""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from vtlearn.errors import ArgumentError
from vtlearn.suggestions import nearest

__all__: list[str] = []

_LOG = logging.getLogger(__name__)
_FOLDER = "configs"
_SUFFIXES = (".yaml", ".yml", ".json")
#: The end of a sentence, which "et al." and "1.0" are not.
_SENTENCE_END = re.compile(r"(?<=\w{2}[.])\s+(?=[A-Z`])")

Kind = Literal["method", "data", "fragment", "damaged"]


class ConfigFile(NamedTuple):
    """A configuration that there is.

    Attributes:
        name: What names it at the command line.
        kind: ``method`` has a model; ``data`` is for ``--data``; a ``fragment`` is laid over a
            method; ``damaged`` is one that cannot be read.
        about: The first sentence of the comment that it begins with, or why it cannot be read.
        shipped: Whether it comes with vtlearn.
        path: Where it is.
    """

    name: str
    kind: Kind
    about: str
    shipped: bool
    path: Path


def shipped_configs() -> Path:
    """Return the folder of the configurations that come with vtlearn."""
    package = Path(__file__).parents[1]
    installed = package / _FOLDER
    return installed if installed.is_dir() else package.parent / _FOLDER


def list_configs() -> list[ConfigFile]:
    """List the configurations that come with vtlearn, and those below ``configs``.

    Returns:
        One for each name, in the order of the names; a user's own wins over the shipped one.

    Example:
        >>> [config.kind for config in list_configs() if config.name == "configs/vttwins.yaml"]
        ['method']
    """
    shipped, own = shipped_configs(), Path(_FOLDER)
    found = {_name(path, shipped): path for path in _below(shipped)}
    is_shipped = dict.fromkeys(found, True)
    if own.resolve() != shipped.resolve():
        local = {_name(path, own): path for path in _below(own)}
        found |= local
        is_shipped |= dict.fromkeys(local, False)
    return [_described(name, path, is_shipped[name]) for name, path in sorted(found.items())]


def is_file_name(word: str) -> bool:
    """Tell whether a word of the command line names a configuration.

    Example:
        >>> is_file_name("configs/vttwins.yaml"), is_file_name("Kitchen")
        (True, False)
    """
    return word.endswith(_SUFFIXES)


def find_config(name: str) -> str:
    """Look a configuration up that is not there among the shipped ones.

    Args:
        name: Its path.

    Returns:
        The path of the file that was found.

    Raises:
        ArgumentError: If it is neither there nor shipped.
    """
    path = Path(name)
    if path.exists():
        return name
    shipped = shipped_configs()
    parts = path.parts[1:] if path.parts[:1] == (_FOLDER,) else path.parts
    candidate = shipped.joinpath(*parts)
    if not path.is_absolute() and candidate.is_file():
        _LOG.info("%s is not here: taking the one that comes with vtlearn", name)
        return str(candidate)
    known = [_name(each, shipped) for each in _below(shipped)]
    message = f"there is no file {name}, here or among those that come with vtlearn" + (
        nearest(name, known) or f": {', '.join(known)}"
    )
    raise ArgumentError(message)


def read_yaml(path: Path) -> Any:
    """Read a configuration.

    Args:
        path: The file.

    Returns:
        What YAML says it holds.

    Raises:
        ArgumentError: If it cannot be read, or is not valid YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        message = f"{path} is not valid YAML: {' '.join(str(error).split())}"
        raise ArgumentError(message) from error


def kind_of(content: Any) -> Kind:
    """Tell what a configuration is for.

    Args:
        content: What its YAML holds.

    Example:
        >>> kind_of({"class_path": "Kitchen"}), kind_of({"trainer": {"max_epochs": 3}})
        ('data', 'fragment')
    """
    if not isinstance(content, dict):
        return "damaged"
    return "data" if "class_path" in content else "method" if "model" in content else "fragment"


def _described(name: str, path: Path, shipped: bool) -> ConfigFile:
    try:
        kind = kind_of(read_yaml(path))
    except ArgumentError as error:
        return ConfigFile(name, "damaged", str(error), shipped, path)
    if kind == "damaged":
        message = "expected a mapping of sections, such as model: and trainer:"
        return ConfigFile(name, kind, message, shipped, path)
    return ConfigFile(name, kind, _about(path.read_text(encoding="utf-8")), shipped, path)


def _about(text: str) -> str:
    r"""Return the first sentence of the comment that a file begins with.

    Example:
        >>> _about("# Kitchen, for --data:\n# rendered. Or not.\nclass_path: Kitchen")
        'Kitchen, for --data: rendered.'
    """
    lines: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#") or line.startswith("#  "):  # indented are examples
            break
        lines.append(line.lstrip("#").strip())
    return _SENTENCE_END.split(" ".join(lines))[0]


def _below(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if is_file_name(path.name))


def _name(path: Path, folder: Path) -> str:
    return Path(_FOLDER, path.relative_to(folder)).as_posix()
