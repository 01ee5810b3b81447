"""Parse a command line as the CLI does, and stop before anything is built."""

from typing import Any

import pytest

from vtlearn.cli.lightning import VTLearnCLI

__all__ = ["parsed"]


class _Parsed(VTLearnCLI):
    def instantiate_classes(self) -> None:
        raise StopIteration


def parsed(*argv: str) -> dict[str, Any]:
    """Return the configuration of a command."""
    cli = _Parsed.__new__(_Parsed)
    with pytest.raises(StopIteration):
        cli.__init__(list(argv))  # type: ignore[misc]
    config: dict[str, Any] = cli.config[argv[0]].as_dict()
    return config
