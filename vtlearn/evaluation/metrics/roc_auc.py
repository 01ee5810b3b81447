"""Area under the ROC curve: how often a true pair scores higher than a false one."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat
from typing_extensions import override

from vtlearn.errors import ArgumentError

__all__ = ["ROCAUC", "roc_auc"]


def roc_auc(scores: NDArray[np.float64], positive: NDArray[np.bool]) -> NDArray[np.float64]:
    """Compute how likely a positive scores higher than a negative, both drawn at random.

    Args:
        scores: (..., items), finite; higher should mean positive.
        positive: Which are, (..., items).

    Returns:
        The area, (...), from 0 to 1; a positive and a negative of equal scores count half. NaN
        where there is no positive, or no negative.

    Example:
        >>> float(roc_auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, True, False, True])))
        0.875

    Source:
        H. B. Mann and D. R. Whitney, On a Test of Whether one of Two Random Variables is
        Stochastically Larger than the Other, 1947: the area is their U over the number of pairs.
    """
    order = scores.argsort(-1)
    ordered, hit = np.take_along_axis(scores, order, -1), np.take_along_axis(positive, order, -1)
    place = np.broadcast_to(np.arange(scores.shape[-1]), scores.shape)
    differs = np.diff(ordered, axis=-1) != 0
    ends = np.ones((*scores.shape[:-1], 1), np.bool)
    # the first and the last place of each run of equal scores, whose mean is the rank of them all
    first = np.maximum.accumulate(np.where(np.concatenate([ends, differs], -1), place, 0), -1)
    last = np.where(np.concatenate([differs, ends], -1), place, scores.shape[-1])
    last = np.minimum.accumulate(last[..., ::-1], -1)[..., ::-1]
    positives = hit.sum(-1)
    pairs = positives * (hit.shape[-1] - positives)
    above = ((first + last) / 2 * hit).sum(-1) - positives * (positives - 1) / 2
    area: NDArray[np.float64] = np.where(pairs > 0, above / np.maximum(pairs, 1), np.nan)
    return area


class ROCAUC(Metric):
    """The area under the ROC curve as a torchmetrics metric, for use without a protocol.

    Example:
        >>> auc = ROCAUC()
        >>> auc.update(torch.tensor([0.1, 0.4]), torch.tensor([False, True]))
        >>> auc.update(torch.tensor([0.4, 0.8]), torch.tensor([False, True]))
        >>> auc.compute()
        tensor(87.5000)
    """

    full_state_update = False
    higher_is_better = True
    scores: list[Tensor]
    positive: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        for name in ("scores", "positive"):
            self.add_state(name, [], dist_reduce_fx="cat")
        self.reset()

    @override
    def reset(self) -> None:
        super().reset()
        # a process that takes in nothing has to have something to send to the others
        self.scores.append(torch.zeros(0, device=self.device))
        self.positive.append(torch.zeros(0, dtype=torch.bool, device=self.device))

    def update(self, scores: Tensor, positive: Tensor) -> None:
        """Take in some items.

        Args:
            scores: (items,), finite, compared in float32; higher should mean positive.
            positive: Which are, (items,).

        Raises:
            ArgumentError: If the shapes differ, or a score is not finite.
        """
        if scores.ndim != 1 or scores.shape != positive.shape or not scores.isfinite().all():
            message = (
                f"expected finite scores and labels, (items,) each, got {tuple(scores.shape)} and "
                f"{tuple(positive.shape)}, {int((~scores.isfinite()).sum())} not finite"
            )
            raise ArgumentError(message)
        self.scores.append(scores.detach().float())
        self.positive.append(positive.bool())

    def compute(self) -> Tensor:
        """Return the area in percent.

        Returns:
            A scalar, float32; NaN where there was no positive, or no negative.
        """
        scores, positive = dim_zero_cat(self.scores), dim_zero_cat(self.positive)
        area = roc_auc(scores.double().cpu().numpy(), positive.cpu().numpy())
        return scores.new_tensor(100 * float(area))
