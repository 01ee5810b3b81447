"""The command line: ``vtlearn fit`` and the commands beside it.

``lightning`` runs fit, validate, test and predict by Lightning's CLI. ``argv`` prepares what was
typed for it, with ``runs`` to find the checkpoint that is meant; ``messages`` explains what it
refuses, by the nearest name that exists (``suggestions``) or the new name of an option
(``renamed_options``); ``moved_classes`` lets configurations outlive a move of our classes.
``config_files`` finds configurations, and ``config_check`` builds what they say without training,
with ``config_places`` to tell the line that is wrong; ``run_records`` reads what runs left behind.
``commands`` has all others. Nothing is imported before its command is run.
"""

__all__: list[str] = []
