"""Where programs keep, for a user, what can be made again.

Home-made rather than platformdirs: it is three rules.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["user_cache"]


def user_cache(platform: str = sys.platform, environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder in which vtlearn keeps what it can make again; it need not be there.

    Args:
        platform: As Python's ``sys.platform`` names it.
        environment: Variables of the process; None for its own.

    Returns:
        ``vtlearn`` below ``~/Library/Caches`` on macOS, ``%LOCALAPPDATA%`` on Windows, and
        elsewhere ``$XDG_CACHE_HOME``, where that is an absolute path, or ``~/.cache``.

    Example:
        >>> user_cache("linux", {"XDG_CACHE_HOME": "/var/cache/me"}).as_posix()
        '/var/cache/me/vtlearn'
    """
    given = os.environ if environment is None else environment
    if platform == "darwin":
        return Path.home() / "Library" / "Caches" / "vtlearn"
    if platform == "win32":
        local = given.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "vtlearn"
    chosen = given.get("XDG_CACHE_HOME", "")
    base = Path(chosen) if chosen.startswith("/") else Path.home() / ".cache"
    return base / "vtlearn"
