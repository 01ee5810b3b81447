"""Videos of classes, in three splits, and features of them, for protocols of labelled videos."""

from collections.abc import Mapping

import torch
from torch import Tensor

from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.labelled import LabelledProtocol, LabelledSplits

__all__ = ["add_features", "labelled", "random_features"]


def labelled(classes: int = 4, each: int = 9) -> LabelledSplits:
    """Videos whose thirds are tested by one split each."""
    labels = {f"{k}/{n}": f"c{k}" for k in range(classes) for n in range(each)}
    test = [frozenset(one for one in labels if int(one[2:]) % 3 == split) for split in range(3)]
    return LabelledSplits(labels, [frozenset(labels) - own for own in test], test)


def random_features(
    videos: LabelledSplits, *, apart: float, windows: int = 3, width: int = 8, seed: int = 0
) -> dict[str, Tensor]:
    """Features of noise, and of so much of what is the class's own."""
    rng = torch.Generator().manual_seed(seed)
    own = apart * torch.eye(len(videos.classes), width)
    return {
        one: own[videos.classes.index(label)] + torch.randn(windows, width, generator=rng)
        for one, label in videos.labels.items()
    }


def add_features(protocol: LabelledProtocol, features: Mapping[str, Tensor]) -> None:
    protocol.begin()
    for one, rows in features.items():
        protocol.add(EncodedItem(one, features=rows))
