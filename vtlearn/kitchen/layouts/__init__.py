"""Kitchen in the layouts of other corpora, so that what reads those is tried on real files.

Each corpus is a file: ``msrvtt`` writes clips of one step with written captions, under MSR-VTT's
names and in its schemas, and so do ``msvd`` and ``vatex``, with the references of the step
(``cut_clips`` draws them); ``youcook2`` whole videos, with a sentence for each step; ``crosstask``
videos of a few tasks, whose steps have fixed names; ``webvid`` clips of one step with alt text,
some of which is another clip's; ``ucf101`` and ``hmdb51`` clips of one step, whose action is their
class (``actions`` divides them into splits); ``coco``, ``cc`` and ``img2dataset`` pictures with
captions, which ``pictures`` draws. What they share is in ``base``, and ``video_ids`` are such as
YouTube's.
"""

from collections.abc import Mapping

from vtlearn.kitchen.layouts.base import KitchenLayout
from vtlearn.kitchen.layouts.cc import KitchenCC
from vtlearn.kitchen.layouts.coco import KitchenCOCO
from vtlearn.kitchen.layouts.crosstask import KitchenCrossTask
from vtlearn.kitchen.layouts.hmdb51 import KitchenHMDB51
from vtlearn.kitchen.layouts.img2dataset import KitchenImg2Dataset
from vtlearn.kitchen.layouts.msrvtt import KitchenMSRVTT
from vtlearn.kitchen.layouts.msvd import KitchenMSVD
from vtlearn.kitchen.layouts.ucf101 import KitchenUCF101
from vtlearn.kitchen.layouts.vatex import KitchenVATEX
from vtlearn.kitchen.layouts.webvid import KitchenWebVid
from vtlearn.kitchen.layouts.youcook2 import KitchenYouCook2

__all__ = [
    "LAYOUTS",
    "KitchenCC",
    "KitchenCOCO",
    "KitchenCrossTask",
    "KitchenHMDB51",
    "KitchenImg2Dataset",
    "KitchenMSRVTT",
    "KitchenMSVD",
    "KitchenUCF101",
    "KitchenVATEX",
    "KitchenWebVid",
    "KitchenYouCook2",
]

LAYOUTS: Mapping[str, type[KitchenLayout]] = {
    "msrvtt": KitchenMSRVTT,
    "youcook2": KitchenYouCook2,
    "crosstask": KitchenCrossTask,
    "webvid": KitchenWebVid,
    "msvd": KitchenMSVD,
    "vatex": KitchenVATEX,
    "ucf101": KitchenUCF101,
    "hmdb51": KitchenHMDB51,
    "coco": KitchenCOCO,
    "cc": KitchenCC,
    "img2dataset": KitchenImg2Dataset,
}
"""What ``vtlearn data kitchen --layout`` renders, by name."""
