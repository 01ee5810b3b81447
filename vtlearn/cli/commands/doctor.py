"""Look whether everything works on this machine, and say how to mend what does not.

Decodes a video that it encodes, and compares the kernels with the specification. The exit code is 1
where something that vtlearn needs fails.
"""

import argparse
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.text import Text

from vtlearn.cli.commands import installed
from vtlearn.cli.commands.installed import Finding

__all__ = ["add_arguments", "run"]

_COLOURS = {"ok": "green", "note": "yellow", "fail": "bold red"}
_WIDTH = 21  # of the names, the longest of which is lightning-utilities


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options: there are none.

    Args:
        parser: The command's.
    """
    del parser


def run(arguments: argparse.Namespace) -> int:
    """Look, and print what is found as it is found.

    Args:
        arguments: The command's options.

    Returns:
        0, or 1 where something fails.
    """
    del arguments
    console = Console(highlight=False)
    failures = 0
    for title, findings in _sections():
        console.print(Text(title, style="bold"))
        for name, text, state in findings:
            failures += state == "fail"
            line = Text.assemble("  ", (f"{state:4}", _COLOURS[state]), f"  {name:{_WIDTH}}{text}")
            console.print(line, soft_wrap=True)
    console.print(f"{failures} failed" if failures else "All that is needed works.")
    return 1 if failures else 0


def _sections() -> Iterator[tuple[str, Iterable[Finding]]]:
    yield "Packages", installed.packages()
    try:
        from vtlearn.cli.commands import machine
    except Exception as error:  # noqa: BLE001 - a package may be absent or broken in any way
        yield "Machine", [Finding("import", f"{type(error).__name__}: {error}", "fail")]
    else:
        yield "Devices", machine.devices()
        yield "Video", machine.decoding()
        yield "Soft-DTW", machine.kernels()
        yield "Captions", machine.captions()
    yield "Extras", installed.extras()
