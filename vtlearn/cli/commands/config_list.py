"""List the configurations that come with vtlearn, and those below ./configs.

  vtlearn config list
  vtlearn fit --config configs/vttwins.yaml --config configs/trainer/gpu.yaml
  vtlearn test --ckpt_path x.ckpt --data configs/data/kitchen/msrvtt.yaml

Those that come with vtlearn are found by these names in any folder; a file of one's own that has
such a name is taken in its place. A method has a model and data; data take the place of a method's
own; a fragment is laid over a method by a further --config.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence

from vtlearn.cli.config_files import ConfigFile, list_configs

__all__ = ["add_arguments", "run"]

_TITLES = {
    "method": "methods, for --config",
    "data": "data, for --data",
    "fragment": "fragments, for a further --config",
    "damaged": "damaged",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options.

    Args:
        parser: The command's.
    """
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(arguments: argparse.Namespace) -> int:
    """Print which configurations there are.

    Args:
        arguments: The command's options.

    Returns:
        0.
    """
    configs = list_configs()
    if arguments.json:
        records = [config._asdict() | {"path": str(config.path)} for config in configs]
        text = json.dumps(records, indent=2, ensure_ascii=False)
    else:
        text = "\n".join(_table(configs))
    sys.stdout.write(f"{text}\n")
    return 0


def _table(configs: Sequence[ConfigFile]) -> Iterator[str]:
    width = max((len(config.name) for config in configs), default=0)
    for kind, title in _TITLES.items():
        listed = [config for config in configs if config.kind == kind]
        if listed:
            yield title
        for config in listed:
            own = "" if config.shipped else "(yours) "
            yield f"  {config.name:{width}}  {own}{config.about}".rstrip()
