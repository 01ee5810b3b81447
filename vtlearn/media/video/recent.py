"""What was found out about files, kept for when they are opened again in this process."""

from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

__all__: list[str] = []

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class Recent(Generic[KeyT, ValueT]):
    """A dictionary that forgets what was put in first. Several threads may use it.

    Args:
        size: How many it holds.

    Example:
        >>> recent = Recent[str, int](2)
        >>> for number, key in enumerate("abc"):
        ...     recent.put(key, number)
        >>> recent.get("a"), recent.get("c")
        (None, 2)
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: dict[KeyT, ValueT] = {}
        self._lock = Lock()

    def get(self, key: KeyT) -> ValueT | None:
        """Return what was put in; None if nothing was, or it is forgotten."""
        return self._held.get(key)

    def put(self, key: KeyT, value: ValueT) -> None:
        """Put something in, in the place of what the key had."""
        with self._lock:
            self._held.pop(key, None)
            self._held[key] = value
            if len(self._held) > self._size:
                del self._held[next(iter(self._held))]
