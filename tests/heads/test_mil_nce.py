import math

import pytest
import torch

from tests.heads.batches import LENGTHS, encoded
from tests.heads.contract import SingleItemContract, loss_of
from vtlearn.batch import EncodedBatch
from vtlearn.errors import ArgumentError
from vtlearn.heads import MILNCE

GOLDEN = torch.tensor([[[0.25, 0.5], [0.75, 1.0]], [[1.25, 1.5], [1.75, 2.0]]], dtype=torch.float64)


class GivenLogits(MILNCE):
    """Two clips of two videos whose logits with two candidates each are given."""

    def logits(self, video: object, text: object) -> torch.Tensor:
        del video, text
        return GOLDEN


class TestMILNCE(SingleItemContract):
    @pytest.fixture(params=[0, 1])
    def head(self, request: pytest.FixtureRequest) -> MILNCE:
        return MILNCE(neighbours=request.param, temperature=0.5, learn_temperature=True).double()

    @pytest.mark.parametrize(("count", "wanted"), [(2, 1.4705873109), (1, 1.1802696706)])
    def test_golden_case_of_the_published_loss(self, count: int, wanted: float) -> None:
        head = GivenLogits(positives_in_denominator=count, temperature=1.0)
        assert loss_of(head, encoded([1, 1])).item() == pytest.approx(wanted, abs=1e-9)

    @pytest.mark.parametrize("neighbours", [0, 1, 2])
    @pytest.mark.parametrize("count", [1, 2])
    def test_loop_over_sets(self, neighbours: int, count: int) -> None:
        batch = encoded()
        video, text = batch.video.pooled, batch.text.pooled
        items = [(b, n) for b, length in enumerate(LENGTHS) for n in range(length)]

        def score(i: tuple[int, int], j: tuple[int, int], k: int) -> float:
            return math.exp(float(video[i] @ text[j][k]) / 2.0)

        def positive(i: tuple[int, int], j: tuple[int, int]) -> bool:
            return i[0] == j[0] and abs(i[1] - j[1]) <= neighbours

        losses = []
        for i in items:
            row = sum(score(i, j, k) for j in items for k in range(2))
            column = sum(
                score(j, i, k) for j in items for k in range(2) if count == 2 or not positive(i, j)
            )
            positives = sum(score(i, j, k) for j in items for k in range(2) if positive(i, j))
            losses.append(math.log(row + column) - math.log(positives))
        head = MILNCE(
            neighbours=neighbours, positives_in_denominator=count, temperature=2.0, normalize=False
        )
        assert loss_of(head, batch).item() == pytest.approx(sum(losses) / len(losses), rel=1e-12)

    def test_perfect_pairs_approach_zero_and_log_two(self) -> None:
        eye = 50 * torch.eye(3, dtype=torch.float64)[:, None]
        batch = EncodedBatch.of(eye, eye)
        for count, limit in ((1, 0.0), (2, math.log(2))):
            head = MILNCE(positives_in_denominator=count, temperature=1.0, normalize=False)
            assert loss_of(head, batch).item() == pytest.approx(limit, abs=1e-9)

    def test_arguments_are_validated(self) -> None:
        with pytest.raises(
            ArgumentError, match="positives_in_denominator=3, which has to be 1 or 2"
        ):
            MILNCE(positives_in_denominator=3)
