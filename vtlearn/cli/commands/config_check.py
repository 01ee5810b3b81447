"""Find what is wrong with configurations, before anything runs.

FILES are laid over each other in their order, as by several --config of vtlearn fit; one that is
for --data is taken so. What fit would build is built, and no data are touched:

  vtlearn config check configs/vttwins.yaml
  vtlearn config check configs/vttwins.yaml configs/trainer/gpu.yaml mine.yaml
  vtlearn config check configs/data/howto100m.yaml

Told are names that do not exist, with the nearest that does; values that are not accepted; and
parts that do not fit together, each with file, line and key. Accelerators are those of the machine
that trains, and are not looked for. --no-build only parses: for models that read large files.
"""

import argparse
import json
import sys
from collections.abc import Iterator

from vtlearn.cli.config_check import Checked, check_configs, quiet

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options.

    Args:
        parser: The command's.
    """
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="a configuration; vtlearn config list has some")
    add("--no-build", action="store_true", help="only parse, and build nothing")
    add("--json", action="store_true", help="print JSON instead of a table")


def run(arguments: argparse.Namespace) -> int:
    """Check, and print what would be trained.

    Args:
        arguments: The command's options.

    Returns:
        0.

    Raises:
        ArgumentError: If something is wrong, with file, line and key.
    """
    quiet()
    checked = check_configs(arguments.files, build=not arguments.no_build)
    if arguments.json:
        record = checked._asdict() | {"files": [str(path) for path in checked.files]}
        text = json.dumps(record, indent=2, ensure_ascii=False)
    else:
        text = "\n".join(_lines(checked, "parsed" if arguments.no_build else "built"))
    sys.stdout.write(f"{text}\n")
    return 0


def _lines(checked: Checked, done: str) -> Iterator[str]:
    yield f"{', '.join(map(str, checked.files))}: all of it can be {done}"
    if checked.model:
        yield f"  model      {', '.join(checked.model)}"
    if checked.data is not None:
        yield f"  data       {checked.data}"
    if checked.callbacks:
        yield f"  callbacks  {', '.join(checked.callbacks)}"
    yield from (f"  note       {remark}" for remark in checked.remarks)
