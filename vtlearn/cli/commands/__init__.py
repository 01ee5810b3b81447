"""The commands beside Lightning's: one file each, which is imported when the command is called.

A command is a module with ``add_arguments(parser)`` and ``run(arguments)``, which returns the exit
code; its docstring is what ``--help`` says first. ``tree`` knows their names, finds the one that is
meant, and shows a user's mistake as a sentence. Nothing here needs more of vtlearn than the command
that is called: ``vtlearn --help`` imports no torch.
"""

from vtlearn.cli.commands.tree import COMMANDS, Command

__all__ = ["COMMANDS", "Command"]
