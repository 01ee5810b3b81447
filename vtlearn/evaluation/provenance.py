"""Which code computed a result."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import vtlearn

__all__ = ["CodeVersion", "code_version"]

_GIT_SECONDS = 10.0
_GIT_ELSEWHERE = {  # what a hook sets to point git at its own repository
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_WORK_TREE",
}


class CodeVersion(NamedTuple):
    """Which code computed a result.

    Attributes:
        version: The package's version.
        commit: The checkout's commit, with ``-dirty`` after it where files differ from it; None
            where the package does not run from a git checkout.
    """

    version: str
    commit: str | None


def code_version(folder: str | Path | None = None) -> CodeVersion:
    """Say which code is running.

    Args:
        folder: A folder of source code, by default this package's.

    Returns:
        The package's version, and the commit where git tracks the folder. A package installed into
        an environment inside another checkout is not tracked by it, and has no commit.

    Example:
        >>> code_version().version == vtlearn.__version__
        True
    """
    home = Path(folder or Path(__file__).parents[1])
    if not _git(home, "ls-files", "--", "."):
        return CodeVersion(vtlearn.__version__, None)
    described = _git(home, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    return CodeVersion(vtlearn.__version__, described or None)


def _git(folder: Path, *arguments: str) -> str:
    program = shutil.which("git")
    if program is None:
        return ""
    environment = {name: os.environ[name] for name in os.environ.keys() - _GIT_ELSEWHERE}
    try:
        done = subprocess.run(  # noqa: S603 - a found program and arguments of our own
            [program, "-C", str(folder), *arguments],
            capture_output=True,
            check=True,
            encoding="utf-8",
            errors="replace",
            env={**environment, "GIT_OPTIONAL_LOCKS": "0"},  # only read
            stdin=subprocess.DEVNULL,
            timeout=_GIT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
