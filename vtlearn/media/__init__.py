"""Video files and transcripts in, clips and captions out; seconds everywhere.

``video`` decodes stretches of a file, all of them in one pass; ``captions`` reads what is said in a
video and when. ``features`` looks up stored vectors where pixels would be decoded, and
``webdataset`` keeps videos in tar files. ``clips`` is what all readers are asked for and give, and
``ids`` makes a video's id of its file's name. Nothing here knows an encoder, a data set, or a
training run.
"""

from vtlearn.media.captions import (
    Caption,
    CaptionIndex,
    Transcript,
    dedupe_rolling,
    open_captions,
    read_transcript,
    sentences,
)
from vtlearn.media.clips import ClipReader, Clips, Source, VideoBytes
from vtlearn.media.features.reader import FeatureReader
from vtlearn.media.video.reader import VideoInfo, VideoReader
from vtlearn.media.video.subprocess_reader import SubprocessVideoReader

__all__ = [
    "Caption",
    "CaptionIndex",
    "ClipReader",
    "Clips",
    "FeatureReader",
    "Source",
    "SubprocessVideoReader",
    "Transcript",
    "VideoBytes",
    "VideoInfo",
    "VideoReader",
    "dedupe_rolling",
    "open_captions",
    "read_transcript",
    "sentences",
]
