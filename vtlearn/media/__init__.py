"""Video files and transcripts in, clips and captions out; seconds everywhere.

``captions`` reads what is said in a video and when. ``sampling`` chooses from that which captions
and which stretches of time to look at. ``video`` decodes those stretches, all that belong to one
file in one pass; ``timeline`` says which frame is shown at a time, ``framing`` which part of it is
looked at and which way up it is, and ``checks`` refuses what no video can give. ``watchdog`` has a
process do that which can be killed, and ``probing`` asks it of many videos. ``features`` looks up
stored vectors where pixels would be decoded, and ``shards`` keeps videos in tar files. ``ids``
makes a video's id of its file's name. Many strings lie in two arrays (``strings``), so that a
million of them burden no worker. What comes out are tensors: nothing here knows an encoder, a data
set, or a training run.
"""

from vtlearn.media.captions import (
    Caption,
    CaptionIndex,
    open_captions,
    read_transcript,
    read_words,
    sentences,
    unroll,
)
from vtlearn.media.checks import require_inside, require_positive
from vtlearn.media.clips import ClipReader, Clips, Source, VideoBytes
from vtlearn.media.framing import Box, Orientation, centre_square, crop_boxes
from vtlearn.media.sampling import (
    clip_start,
    consecutive,
    every,
    nearest_captions,
    test_windows,
    widen,
)
from vtlearn.media.strings import Strings
from vtlearn.media.timeline import Film, Picture, Run, frame_times, mark_shown, runs
from vtlearn.media.video import VideoInfo, VideoReader
from vtlearn.media.watchdog import WatchedReader

__all__ = [
    "Box",
    "Caption",
    "CaptionIndex",
    "ClipReader",
    "Clips",
    "Film",
    "Orientation",
    "Picture",
    "Run",
    "Source",
    "Strings",
    "VideoBytes",
    "VideoInfo",
    "VideoReader",
    "WatchedReader",
    "centre_square",
    "clip_start",
    "consecutive",
    "crop_boxes",
    "every",
    "frame_times",
    "mark_shown",
    "nearest_captions",
    "open_captions",
    "read_transcript",
    "read_words",
    "require_inside",
    "require_positive",
    "runs",
    "sentences",
    "test_windows",
    "unroll",
    "widen",
]
