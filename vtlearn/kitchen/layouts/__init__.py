"""Kitchen in the layouts of other corpora, so that what reads those is tried on real files.

Each corpus is a file: ``msrvtt`` writes clips of one step with written captions, under MSR-VTT's
names and in its schemas.
"""

from collections.abc import Mapping

from vtlearn.kitchen.layouts.msrvtt import KitchenMSRVTT

__all__ = ["LAYOUTS", "KitchenMSRVTT"]

LAYOUTS: Mapping[str, type[KitchenMSRVTT]] = {"msrvtt": KitchenMSRVTT}
"""What ``vtlearn data kitchen --layout`` renders, by name."""
