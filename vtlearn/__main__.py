"""The ``vtlearn`` command: ``python -m vtlearn`` is the same."""

import sys
from collections.abc import Sequence

__all__ = ["main"]

_HELP = """\
usage: vtlearn COMMAND [options]

Learn video-text representations from narrated, unlabelled video.

commands:
  fit       train a model          vtlearn fit --config configs/vttwins.yaml
  validate  score on validation    vtlearn validate --config configs/vttwins.yaml --ckpt_path best
  test      score on the test set  vtlearn test --ckpt_path x.ckpt --data configs/data/kitchen.yaml

Each has its own --help; --version prints the version.
"""

_COMMANDS = ("fit", "validate", "test")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: Command and options; None for those of the process.

    Returns:
        The exit code: 0, or 2 for a user's mistake.

    Example:
        >>> main(["--version"])  # doctest: +ELLIPSIS
        vtlearn ...
        0
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv or argv[0] in ("-h", "--help"):
        sys.stdout.write(_HELP)
        return 0
    if argv[0] == "--version":
        from vtlearn import __version__

        sys.stdout.write(f"vtlearn {__version__}\n")
        return 0
    if argv[0] not in _COMMANDS:
        sys.stderr.write(_no_such_command(argv))
        return 2
    from vtlearn.cli import run  # torch is imported only when there is something to do

    return run(argv)


def _no_such_command(argv: Sequence[str]) -> str:
    """Say what should have been typed; options before the command are the usual slip."""
    command = next((word for word in argv if word in _COMMANDS), None)
    if command is None:
        return (
            f"vtlearn: error: there is no command {argv[0]!r}; there are {', '.join(_COMMANDS)}\n"
        )
    options = list(argv)
    options.remove(command)
    return (
        f"vtlearn: error: the command comes first. Type:\n  vtlearn {command} {' '.join(options)}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
