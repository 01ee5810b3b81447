"""Parse a command line as the CLI does, and stop before anything is built."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest

from vtlearn.cli.config_files import shipped_configs
from vtlearn.cli.lightning import VTLearnCLI

__all__ = ["parsed", "understood"]


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


@cache
def _parser_of_commands() -> VTLearnCLI:
    """Build the parser of all commands, which takes longer than to use it."""
    cli = _Parsed.__new__(_Parsed)
    with pytest.raises(StopIteration):
        cli.__init__(["fit", "--config", str(shipped_configs() / "vttwins.yaml")])  # type: ignore[misc]
    return cli


def understood(argv: Sequence[str]) -> None:
    """Parse a command; nothing of it is built."""
    cli = _parser_of_commands()
    cli.parse_arguments(cli.parser, list(argv))
