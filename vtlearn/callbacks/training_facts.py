"""What a training is of, and what is not the same in another one."""

from collections.abc import Iterator, Mapping
from typing import Any

from vtlearn import __version__
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datamodules.identity import identity_of
from vtlearn.distributed import process

__all__: list[str] = []

_SHOWN = 120  # characters of a value
_NO_OTHER = {"grid_memory"}  # arguments of a head that change nothing that is learned


def facts_of(data: VideoTextData, head: Any) -> dict[str, Any]:
    """Describe a training, for its checkpoints to keep.

    Args:
        data: Set up for it.
        head: The head's class and arguments.

    Returns:
        Plain values by name.
    """
    return {
        "version": __version__,
        "processes": process().world,
        "workers": data.num_workers,
        "head": head,
        **identity_of(data),
    }


def differences(former: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Compare two trainings.

    Args:
        former: What :func:`facts_of` said of the one.
        now: What it says of the other.

    Yields:
        What is not as it was: what it was, and what it is.

    Example:
        >>> list(differences({"seed": 0, "workers": 2}, {"seed": 1, "workers": 0}))
        [('seed=0', 'seed=1')]
    """
    tolerated = {"version", "processes", "workers"}
    for name in [*former, *(name for name in now if name not in former)]:
        before, after = former.get(name), now.get(name)
        if name == "head":
            before, after = _common(before, after), _common(after, before)
        if name not in tolerated and before != after:
            yield f"{name}={before!s:.{_SHOWN}}", f"{name}={after!s:.{_SHOWN}}"


def _common(head: Any, other: Any) -> Any:
    """Leave out of a head's description what another version does not have, or makes no other."""
    if not isinstance(head, Mapping) or not isinstance(other, Mapping):
        return head
    arguments, others = head.get("init_args") or {}, other.get("init_args") or {}
    name = str(head.get("class_path")).rpartition(".")[2]
    if name != str(other.get("class_path")).rpartition(".")[2]:
        return name
    shared = {key: x for key, x in arguments.items() if key in others and key not in _NO_OTHER}
    return {name: {key: x for key, x in shared.items() if x != others[key]}}
