"""What is kept on disk or shared by processes, whatever it is about.

``atomic`` writes files that are whole or not there. ``strings`` holds a million strings in two
arrays that workers share, and ``mapped`` reads arrays without copying them. ``parallel`` does the
same work on many things with every core, ``progress`` shows how far it is, and ``imports`` names
the extra that an optional package comes with.
"""

__all__: list[str] = []
