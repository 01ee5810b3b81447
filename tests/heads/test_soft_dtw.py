import pytest
import torch
from torch.nn import functional

from tests.heads.batches import CLIPS, TEXTS, encoded
from tests.heads.contract import WholeSampleContract, loss_of
from vtlearn.alignment.soft_dtw import soft_dtw
from vtlearn.errors import ArgumentError
from vtlearn.heads import SoftDTW
from vtlearn.heads.base import unit_length


class TestSoftDTW(WholeSampleContract):
    @pytest.fixture
    def head(self) -> SoftDTW:
        return SoftDTW(gamma=0.2, temperature=0.5, learn_temperature=True).double()

    def test_loop_over_unpadded_pairs(self) -> None:
        batch = encoded(CLIPS, TEXTS)
        clips, texts = unit_length(batch.video.pooled), unit_length(batch.text.pooled[:, :, 0])
        scores = torch.tensor(
            [
                [
                    -float(soft_dtw(1 - clips[i, :n] @ texts[j, :m].T, 0.2))
                    for j, m in enumerate(TEXTS)
                ]
                for i, n in enumerate(CLIPS)
            ],
            dtype=torch.float64,
        )
        target = torch.arange(4)
        wanted = (
            functional.cross_entropy(scores, target) + functional.cross_entropy(scores.T, target)
        ) / 2
        torch.testing.assert_close(loss_of(SoftDTW(gamma=0.2), batch), wanted)

    def test_negative_gamma_is_refused(self) -> None:
        with pytest.raises(ArgumentError, match="gamma=-1"):
            SoftDTW(gamma=-1.0)
