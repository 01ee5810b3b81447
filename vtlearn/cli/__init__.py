"""The command line: ``vtlearn fit`` and the commands beside it.

``lightning`` runs fit, validate, test and predict by Lightning's CLI; ``argv`` prepares what was
typed for it, and ``parser`` explains what it refuses. ``commands`` has all others. Nothing is
imported before its command is run.
"""

__all__: list[str] = []
