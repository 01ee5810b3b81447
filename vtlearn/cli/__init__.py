"""The command line: ``vtlearn fit`` and the commands beside it.

``lightning`` runs fit, validate, test and predict by Lightning's CLI; ``argv`` prepares what was
typed for it, ``messages`` explains what it refuses, and ``suggestions`` knows the nearest name that
exists. ``commands`` has all others. Nothing is imported before its command is run.
"""

__all__: list[str] = []
