"""The one place where video is decoded: seconds go in, uint8 frames come out.

``reader`` reads clips and properties of a file; ``file`` decodes it forwards and seeks in it,
``opening`` has FFmpeg open it, ``clock`` finds out whether seeks can be trusted, ``duration`` when
it ends, ``timeline`` says which frame is shown at a time, ``framing`` which part of it is looked at
and which way up it is, and ``transform`` crops, scales and converts; ``pictures`` decodes stills,
``sound`` what is heard, and ``recent`` keeps what was found out about files. ``subprocess_reader``
has a process do the same that can be killed (``subprocess_worker`` is its other half), and
``probing`` asks it of many videos.
"""

__all__: list[str] = []
