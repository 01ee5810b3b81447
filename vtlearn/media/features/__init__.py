"""Stored vectors in the place of pixels: one tensor per video, in shards.

``spec`` says what the vectors of a store are, ``store`` writes them shard by shard, ``index`` finds
a video's, and ``reader`` looks them up as ``VideoReader`` looks up pixels. ``fingerprints`` know a
file again that vectors were made of, and ``importing`` describes vectors that others computed.
"""

__all__: list[str] = []
