"""The ``vtlearn`` command: ``python -m vtlearn`` is the same."""

import sys
from collections.abc import Mapping, Sequence

from vtlearn.cli.commands import tree
from vtlearn.suggestions import nearest
from vtlearn.unicode import show_escaped_bytes

__all__ = ["main"]

# Those that Lightning runs; the others are in vtlearn/cli/commands.
_LIGHTNING: Mapping[str, str] = {
    "fit": "train a model",
    "validate": "score on validation",
    "test": "score on the test set",
    "predict": "write features of a corpus' videos",
}

_EXAMPLES = """\
for example:
  vtlearn fit --config configs/vttwins.yaml
  vtlearn validate --config configs/vttwins.yaml --ckpt_path best
  vtlearn test --ckpt_path x.ckpt --data configs/data/kitchen.yaml
  vtlearn data check data/kitchen --data Kitchen

"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: Command and options; None for those of the process.

    Returns:
        The exit code: 0, what the command says, or 2 for a user's mistake.

    Example:
        >>> main(["--version"])  # doctest: +ELLIPSIS
        vtlearn ...
        0
    """
    show_escaped_bytes(sys.stdout, sys.stderr)  # names of files may hold any bytes
    argv = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    name = tree.command_of(argv)
    if argv[0] in ("-h", "--help"):
        sys.stdout.write(_help())
    elif argv[0] == "--version":
        from vtlearn import __version__

        sys.stdout.write(f"vtlearn {__version__}\n")
    elif argv[0] in _LIGHTNING or name is not None:
        return _run(argv, name)
    elif _asks_for_group(argv):
        sys.stdout.write(_help(f"{argv[0]} "))
    else:
        sys.stderr.write(f"vtlearn: error: {_corrected(argv) or _unknown(argv)}\n")
        return 2
    return 0


def _run(argv: Sequence[str], name: str | None) -> int:
    """Run a command of Lightning's, or of ours, until it ends or Ctrl-C does."""
    try:
        if name is not None:
            return tree.run(name, argv[len(name.split()) :])
        # torch is imported only when there is something to do
        from vtlearn.cli.lightning import run

        return run(argv)
    except KeyboardInterrupt:
        sys.stderr.write("vtlearn: interrupted\n")
        return 130  # as a shell has it


def _help(group: str = "") -> str:
    """List the commands, or those of a group, such as "data "."""
    commands = {**_LIGHTNING, **tree.COMMANDS}
    lines = [f"  {name:13} {what}" for name, what in commands.items() if name.startswith(group)]
    listed = "\n".join(lines)
    return (
        f"usage: vtlearn {group}COMMAND [options]\n\n"
        "Learn video-text representations from narrated, unlabelled video.\n\n"
        f"commands:\n{listed}\n\n{'' if group else _EXAMPLES}"
        "Each has its own --help; --version prints the version.\n"
    )


def _asks_for_group(argv: Sequence[str]) -> bool:
    """Tell whether a word such as "data" stands alone, or with a call for help."""
    is_group = any(name.startswith(f"{argv[0]} ") for name in tree.COMMANDS)
    return is_group and argv[1:2] in ([], ["-h"], ["--help"])


def _corrected(argv: Sequence[str]) -> str | None:
    """Put the command first, where options came before it; the usual slip."""
    for position, word in enumerate(argv if argv[0].startswith("-") else []):
        name = word if word in _LIGHTNING else tree.command_of(argv[position:])
        if name is not None:
            options = " ".join([*argv[:position], *argv[position + len(name.split()) :]])
            return f"the command comes first. Type:\n  vtlearn {name} {options}"
    return None


def _unknown(argv: Sequence[str]) -> str:
    known = [*_LIGHTNING, *tree.COMMANDS]
    groups = {name.split()[0] for name in tree.COMMANDS}
    command = " ".join(argv[: 2 if argv[0] in groups else 1])
    return (
        f"there is no command {command!r}{nearest(command, [*known, *groups]) or ';'} "
        f"there are {', '.join(known)}"
    )


if __name__ == "__main__":
    sys.exit(main())
