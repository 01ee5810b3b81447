"""Video files and transcripts in, clips and captions out; seconds everywhere.

``transcripts`` reads what is said in one video and when, ``caption_index`` in all of a corpus, and
``sentences`` mends where speech recognition cut it. ``sampling`` chooses from that which captions
and which stretches of time to look at. ``video`` decodes those stretches, all that belong to one
file in one pass; ``timeline`` says which frame is shown at a time, ``framing`` which part of it is
looked at and which way up it is, and ``checks`` refuses what no video can give. What comes out are
uint8 tensors: nothing here knows an encoder, a data set, or a training run.
"""

from vtlearn.media.caption_index import CaptionIndex, open_captions
from vtlearn.media.captions import Caption, unroll
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
from vtlearn.media.sentences import sentences
from vtlearn.media.strings import Strings
from vtlearn.media.timeline import Film, Picture, Run, frame_times, mark_shown, runs
from vtlearn.media.transcripts import read_transcript, read_words
from vtlearn.media.video import VideoInfo, VideoReader

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
