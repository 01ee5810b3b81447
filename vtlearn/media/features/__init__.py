"""Stored vectors in the place of pixels: one tensor per video, in shards.

``spec`` says what the vectors of a store are, ``shard`` writes and reads the two files of a shard,
``store`` fills all of them, ``index`` finds a video's vectors, and ``reader`` looks them up as
``VideoReader`` looks up pixels. ``fingerprints`` recognize a file that vectors were made of, and
``importing`` describes vectors that others computed.
"""

__all__: list[str] = []
