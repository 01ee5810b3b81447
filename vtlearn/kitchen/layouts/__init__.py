"""Kitchen in the layouts of other corpora, so that what reads those is tried on real files.

Each corpus is a file: ``msrvtt`` writes clips of one step with written captions, under MSR-VTT's
names and in its schemas. What they share is in ``base``.
"""

from collections.abc import Mapping

from vtlearn.kitchen.layouts.base import KitchenLayout
from vtlearn.kitchen.layouts.msrvtt import KitchenMSRVTT

__all__ = ["LAYOUTS", "KitchenMSRVTT"]

LAYOUTS: Mapping[str, type[KitchenLayout]] = {"msrvtt": KitchenMSRVTT}
"""What ``vtlearn data kitchen --layout`` renders, by name."""
