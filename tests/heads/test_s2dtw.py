import pytest
import torch
from torch import Tensor

from tests.heads.batches import CLIPS, TEXTS, encoded, with_pooled
from tests.heads.contract import WholeSampleContract, loss_of
from vtlearn.alignment.s2dtw import s2dtw
from vtlearn.alignment.soft_dtw import soft_dtw
from vtlearn.batch import EncodedBatch, Rows
from vtlearn.heads import S2DTW, Contrastive, HeadOutput, SoftDTW
from vtlearn.heads.base import unit_length
from vtlearn.heads.contrastive import Embeddings

OPTIONS = [
    {},
    {"dummy": None},
    {"smoothing": False},
    {"permute": True},
    {"direction": "text_to_video"},
    {"learn_temperature": True, "temperature": 0.5},
]


def golden() -> EncodedBatch:
    eye = torch.eye(3, dtype=torch.float64)
    return EncodedBatch.of(torch.stack([eye, eye.flip(0)]), torch.stack([eye, eye[[0, 2, 1]]]))


def alike() -> EncodedBatch:
    """Clips and texts that look alike in each sample: any order of them is likely."""
    batch = encoded([4, 4, 4, 4])
    pooled = (x.pooled[:, :1] + 0.01 * x.pooled for x in (batch.video, batch.text))
    return with_pooled(batch, *pooled)


class TestS2DTW(WholeSampleContract):
    @pytest.fixture(params=OPTIONS, ids=str)
    def head(self, request: pytest.FixtureRequest) -> S2DTW:
        return S2DTW(**request.param).double()

    def test_order_of_the_batch_does_not_matter(self, head: Contrastive) -> None:
        # an order in time is drawn for a position in the batch: evaluation draws none
        super().test_order_of_the_batch_does_not_matter(head.eval())

    def test_golden_loss(self) -> None:
        for direction, wanted in (
            ("text_to_video", 0.4291049923),
            ("video_to_text", 0.1938005526),
            ("both", (0.4291049923 + 0.1938005526) / 2),
        ):
            head = S2DTW(direction=direction)  # type: ignore[arg-type]
            assert loss_of(head, golden()).item() == pytest.approx(wanted, abs=1e-9)

    def test_golden_logits(self) -> None:
        head = S2DTW()
        items = head.paired_items(golden(), golden().all_rows())
        wanted = [[4.25189502, 2.43117251], [0.86670933, 2.18302283]]  # (videos, texts)
        torch.testing.assert_close(
            head.logits(items.video, items.text),
            torch.tensor(wanted, dtype=torch.float64),
            rtol=0,
            atol=1e-7,
        )

    def test_loop_over_unpadded_pairs(self) -> None:
        batch = encoded(CLIPS, TEXTS)
        clips, texts = unit_length(batch.video.pooled), unit_length(batch.text.pooled[:, :, 0])
        logits = torch.stack(
            [
                torch.stack([-s2dtw(clips[i, :n] @ texts[j, :m].T) for j, m in enumerate(TEXTS)])
                for i, n in enumerate(CLIPS)
            ]
        )
        wanted = (logits.logsumexp(0) - logits.diagonal()).mean()
        torch.testing.assert_close(loss_of(S2DTW(direction="text_to_video"), batch), wanted)

    def test_permutation_depends_on_the_seed_alone_and_only_in_training(self) -> None:
        head = S2DTW(permute=True)

        def loss(seed: int) -> Tensor:
            return loss_of(head, alike(), Rows(0, 4, seed=seed))

        assert torch.equal(loss(1), loss(1))
        assert any(not torch.equal(loss(1), loss(seed)) for seed in range(2, 9))
        head.eval()
        assert torch.equal(loss(1), loss_of(S2DTW(), alike()))

    def test_permutation_is_drawn_for_a_position_in_the_whole_batch(self) -> None:
        head = S2DTW(permute=True)

        def values(rows: Rows) -> Tensor:
            output: HeadOutput = head(alike(), rows)
            return output.terms["contrastive"].values

        parts = [values(Rows(i, 1, world_size=4, seed=5)) for i in range(4)]
        torch.testing.assert_close(torch.cat(parts), values(Rows(0, 4, seed=5)))
        assert not torch.equal(values(Rows(0, 4, seed=5)), values(Rows(0, 4, seed=6)))

    def test_without_smoothing_and_dummies_it_is_soft_dtw_of_the_negative_similarity(self) -> None:
        class OfNegative(SoftDTW):
            def logits(self, video: Embeddings, text: Embeddings) -> Tensor:
                cost = -torch.einsum("ind,jmd->ijnm", video.vectors, text.vectors)
                return -soft_dtw(cost, self.gamma)

        batch = encoded([4, 4, 4, 4])
        torch.testing.assert_close(
            loss_of(S2DTW(dummy=None, smoothing=False), batch), loss_of(OfNegative(), batch)
        )
