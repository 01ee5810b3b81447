"""The one place where video is decoded: seconds go in, uint8 frames come out.

``reader`` reads clips and properties of a file; ``file`` decodes it forwards and seeks in it,
``opening`` has FFmpeg open it, ``survey`` finds out whether seeks can be trusted, by what packets
tell ``clock``, and keeps that as ``recent``; ``duration`` says when it ends, ``timeline`` which
frame is shown at a time, ``framing`` which part of it is looked at and which way up it is, and
``transform`` crops, scales and converts; ``pictures`` decodes stills, and ``sound`` what is heard.
``subprocess_reader`` has a process do the same that can be killed (``subprocess_worker`` is its
other half), and ``probing`` asks it of many videos.
"""

__all__: list[str] = []
