import math

import pytest
import torch
from torch.nn import functional

from tests.heads.batches import LENGTHS, encoded, with_pooled
from tests.heads.contract import SingleItemContract, loss_of
from vtlearn.heads import InfoNCE
from vtlearn.heads.contrastive import Direction


class TestInfoNCE(SingleItemContract):
    @pytest.fixture
    def head(self) -> InfoNCE:
        return InfoNCE(temperature=0.5, learn_temperature=True).double()

    @pytest.mark.parametrize("direction", ["both", "text_to_video", "video_to_text"])
    def test_loop_over_pairs(self, direction: Direction) -> None:
        batch = encoded()
        pairs = [(b, n) for b, length in enumerate(LENGTHS) for n in range(length)]
        clips = [functional.normalize(batch.video.pooled[b, n], dim=0) for b, n in pairs]
        texts = [functional.normalize(batch.text.pooled[b, n, 0], dim=0) for b, n in pairs]
        losses = []
        for i in range(len(pairs)):
            row = [float(clips[i] @ text) / 0.2 for text in texts]
            column = [float(clip @ texts[i]) / 0.2 for clip in clips]
            row_loss = math.log(sum(map(math.exp, row))) - row[i]
            column_loss = math.log(sum(map(math.exp, column))) - column[i]
            wanted = {
                "both": (row_loss + column_loss) / 2,
                "text_to_video": column_loss,
                "video_to_text": row_loss,
            }
            losses.append(wanted[direction])
        loss = loss_of(InfoNCE(direction=direction, temperature=0.2), batch)
        assert loss.item() == pytest.approx(sum(losses) / len(losses), rel=1e-12)

    def test_all_logits_equal_gives_log_of_the_number_of_items(self) -> None:
        batch = encoded()
        ones = torch.ones_like(batch.video.pooled), torch.ones_like(batch.text.pooled)
        loss = loss_of(InfoNCE(), with_pooled(batch, *ones))
        assert loss.item() == pytest.approx(math.log(sum(LENGTHS)))

    def test_raw_dot_product(self) -> None:
        pooled = torch.tensor([[3.0, 4.0]])
        assert torch.equal(InfoNCE(normalize=False).embed(pooled), pooled)
        assert InfoNCE().embed(pooled).norm().item() == pytest.approx(1)
