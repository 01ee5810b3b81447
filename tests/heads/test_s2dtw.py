import pytest
import torch

from tests.heads.batches import features
from tests.heads.contract import ContrastContract, loss_of
from vtlearn.batch import TextFeatures, VideoFeatures
from vtlearn.heads import S2DTW, AlignmentHead, SoftDTW

OPTIONS = [
    {},
    {"dummy": None},
    {"smoothing": False},
    {"permute": True},
    {"direction": "text_to_video"},
    {"learn_temperature": True, "temperature": 0.5},
]


class TestS2DTW(ContrastContract):
    @pytest.fixture(params=OPTIONS, ids=str)
    def head(self, request: pytest.FixtureRequest) -> AlignmentHead:
        return S2DTW(**request.param).double()

    def test_order_of_the_batch_does_not_matter(self, head: AlignmentHead) -> None:
        # what is permuted in time is drawn for a row, so that it follows the order of the batch
        super().test_order_of_the_batch_does_not_matter(head.eval())

    def test_golden_loss(self) -> None:
        eye = torch.eye(3, dtype=torch.float64)
        video = VideoFeatures(torch.stack([eye, eye.flip(0)]), None, torch.tensor([3, 3]))
        captions = torch.stack([eye, eye[[0, 2, 1]]])[:, :, None]
        text = TextFeatures(captions, None, torch.tensor([3, 3]))
        for direction, wanted in (
            ("text_to_video", 0.4291049923),
            ("video_to_text", 0.1938005526),
            ("both", (0.4291049923 + 0.1938005526) / 2),
        ):
            head = S2DTW(direction=direction)  # type: ignore[arg-type]
            assert loss_of(head, video, text).item() == pytest.approx(wanted, abs=1e-9)

    def test_golden_scores(self) -> None:
        eye = torch.eye(3, dtype=torch.float64)
        head = S2DTW()
        length = torch.tensor([3, 3])
        video = VideoFeatures(torch.stack([eye, eye.flip(0)]), None, length)
        text = TextFeatures(torch.stack([eye, eye[[0, 2, 1]]])[:, :, None], None, length)
        pairs = head.pairs(video, text, grid=None)  # type: ignore[arg-type]
        wanted = [[4.25189502, 2.43117251], [0.86670933, 2.18302283]]  # (videos, texts)
        torch.testing.assert_close(
            head.score(pairs.video, pairs.text),
            torch.tensor(wanted, dtype=torch.float64),
            rtol=0,
            atol=1e-7,
        )

    def test_permutation_depends_on_the_seed_alone_and_only_in_training(self) -> None:
        video, text = features([4, 4, 4, 4])
        alike = video._replace(pooled=torch.randn(4, 1, 5).double() + 0.01 * video.pooled)
        head = S2DTW(permute=True)
        first = loss_of(head, alike, text, seed=1)
        assert torch.equal(first, loss_of(head, alike, text, seed=1))
        assert any(
            not torch.equal(first, loss_of(head, alike, text, seed=seed)) for seed in range(2, 9)
        )
        plain = loss_of(S2DTW(), alike, text)
        assert torch.equal(loss_of(head.eval(), alike, text, seed=1), plain)

    def test_without_smoothing_and_dummies_it_is_soft_dtw_of_the_negative_similarity(self) -> None:
        video, text = features([4, 4, 4, 4])

        class OfNegative(SoftDTW):
            def score(self, video: object, text: object) -> torch.Tensor:
                cost = -torch.einsum("ind,jmd->ijnm", video.vectors, text.vectors)  # type: ignore[attr-defined]
                from vtlearn.alignment.soft_dtw import soft_dtw

                return -soft_dtw(cost, self.gamma)

        torch.testing.assert_close(
            loss_of(S2DTW(dummy=None, smoothing=False), video, text),
            loss_of(OfNegative(), video, text),
        )
