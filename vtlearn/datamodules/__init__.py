"""Datamodules batch corpora, share them among processes, and say how they are scored.

``base`` holds the loaders and what a datamodule promises, ``samplers`` the order and the shares,
``captioned`` how clips with written captions are scored, ``captioning`` how captions of them are,
``benchmark`` what published benchmarks share beside, ``recognition`` those of actions; ``mixture``
trains on several together, ``episodes`` makes batches of classes, of which a few videos are shown.
A corpus' own module, of the same name as its dataset, says only which files and which protocols.
"""

from vtlearn.data_source import Stage
from vtlearn.datamodules.alignment_example import AlignmentExample
from vtlearn.datamodules.base import VideoTextData
from vtlearn.datamodules.benchmark import BenchmarkData
from vtlearn.datamodules.captioned import CaptionedData
from vtlearn.datamodules.crosstask import CrossTask
from vtlearn.datamodules.episodes import Episodes
from vtlearn.datamodules.hmdb51 import HMDB51
from vtlearn.datamodules.howto100m import HowTo100M
from vtlearn.datamodules.image_captions import ImageCaptions
from vtlearn.datamodules.kitchen import Kitchen
from vtlearn.datamodules.mixture import Mixture
from vtlearn.datamodules.msrvtt import MSRVTT
from vtlearn.datamodules.msvd import MSVD
from vtlearn.datamodules.recognition import RecognitionData
from vtlearn.datamodules.samplers import EpochOrder
from vtlearn.datamodules.shards import Shards
from vtlearn.datamodules.ucf101 import UCF101
from vtlearn.datamodules.vatex import VATEX
from vtlearn.datamodules.webvid import WebVid
from vtlearn.datamodules.youcook2 import YouCook2

__all__ = [
    "HMDB51",
    "MSRVTT",
    "MSVD",
    "UCF101",
    "VATEX",
    "AlignmentExample",
    "BenchmarkData",
    "CaptionedData",
    "CrossTask",
    "Episodes",
    "EpochOrder",
    "HowTo100M",
    "ImageCaptions",
    "Kitchen",
    "Mixture",
    "RecognitionData",
    "Shards",
    "Stage",
    "VideoTextData",
    "WebVid",
    "YouCook2",
]
