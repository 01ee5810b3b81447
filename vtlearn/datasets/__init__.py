"""Datasets list corpora and read samples; they know nothing of batches or Lightning.

A corpus is a listing: videos, texts and seconds. ``base`` draws samples from it, ``reading`` says
how (one set of settings for all), ``clips`` reads the clips, ``sampling`` chooses captions and lays
windows, and ``unreadable`` keeps account of what cannot be read. ``howto100m`` lists narrated
videos, ``kitchen`` those that we render in the same layout; ``shards`` streams the same, and
pictures with captions, out of tar shards. ``captioned`` has what corpora of clips with written
captions share, which ``caption_files`` reads: ``msrvtt``, ``msvd`` and ``vatex`` (``cut_ids`` reads
the names of their clips), ``webvid``, whose captions may be about something else, and ``youcook2``
and ``crosstask``, whose videos are annotated in segments (``steps`` reads them whole, with all
steps of their tasks); ``annotations`` hashes the files that say so. ``recognition`` has what
``ucf101`` and ``hmdb51`` share, whose videos are of one class each; ``episodes`` lists videos of
classes, of which a few are shown. ``image_captions`` lists pictures, the captions of which
``picture_lists`` reads, and ``img2dataset`` where that downloaded them. ``evaluation`` reads the
clips and videos that a protocol scores, ``whole_clips`` lists those that captions are written of,
``windows`` reads all of a video, and ``extraction`` keeps what is made of that. ``files`` and
``lists`` find what there is, ``video_list`` writes it down, and ``checking`` compares it with what
there should be, in a ``corpus_report``. ``holdout`` chooses videos of one's own to
validate on.
"""

from vtlearn.datasets.base import Corpus, Expectations, SampleKey, VideoCorpus
from vtlearn.datasets.captioned import CaptionedClip, CaptionedCorpus, SegmentCorpus
from vtlearn.datasets.crosstask import CrossTask
from vtlearn.datasets.episodes import EpisodeCorpus, EpisodeVideo
from vtlearn.datasets.evaluation import EvaluationItem, EvaluationItems
from vtlearn.datasets.hmdb51 import HMDB51
from vtlearn.datasets.howto100m import HowTo100M
from vtlearn.datasets.image_captions import ImageCaptions
from vtlearn.datasets.kitchen import Kitchen
from vtlearn.datasets.msrvtt import MSRVTT
from vtlearn.datasets.msvd import MSVD
from vtlearn.datasets.reading import ClipSampling, ClipShape, Pixels, Reading
from vtlearn.datasets.recognition import ActionClip, class_words
from vtlearn.datasets.sampling.overlap import OverlapSampling
from vtlearn.datasets.shards import ShardStream
from vtlearn.datasets.steps import StepCorpus
from vtlearn.datasets.ucf101 import UCF101
from vtlearn.datasets.unreadable import UnreadableLog
from vtlearn.datasets.vatex import VATEX
from vtlearn.datasets.webvid import WebVid
from vtlearn.datasets.youcook2 import YouCook2
from vtlearn.kitchen import KitchenCorpus

__all__ = [
    "HMDB51",
    "MSRVTT",
    "MSVD",
    "UCF101",
    "VATEX",
    "ActionClip",
    "CaptionedClip",
    "CaptionedCorpus",
    "ClipSampling",
    "ClipShape",
    "Corpus",
    "CrossTask",
    "EpisodeCorpus",
    "EpisodeVideo",
    "EvaluationItem",
    "EvaluationItems",
    "Expectations",
    "HowTo100M",
    "ImageCaptions",
    "Kitchen",
    "KitchenCorpus",
    "OverlapSampling",
    "Pixels",
    "Reading",
    "SampleKey",
    "SegmentCorpus",
    "ShardStream",
    "StepCorpus",
    "UnreadableLog",
    "VideoCorpus",
    "WebVid",
    "YouCook2",
    "class_words",
]
