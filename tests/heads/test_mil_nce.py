import math

import pytest
import torch

from tests.heads.batches import LENGTHS, features
from tests.heads.contract import ContrastContract, loss_of
from vtlearn.batch import TextFeatures, VideoFeatures
from vtlearn.errors import ArgumentError
from vtlearn.heads import MILNCE

GOLDEN = torch.tensor([[[0.25, 0.5], [0.75, 1.0]], [[1.25, 1.5], [1.75, 2.0]]], dtype=torch.float64)


class GivenScores(MILNCE):
    """Two clips of two videos whose scores with two candidates each are given."""

    def score(self, video: object, text: object) -> torch.Tensor:
        del video, text
        return GOLDEN


class TestMILNCE(ContrastContract):
    @pytest.fixture(params=[0, 1])
    def head(self, request: pytest.FixtureRequest) -> MILNCE:
        return MILNCE(neighbours=request.param, temperature=0.5, learn_temperature=True).double()

    @pytest.mark.parametrize(("count", "wanted"), [(2, 1.4705873109), (1, 1.1802696706)])
    def test_golden_case_of_the_published_loss(self, count: int, wanted: float) -> None:
        head = GivenScores(positives_in_denominator=count, temperature=1.0)
        video, text = features([1, 1], clips=1)
        assert loss_of(head, video, text).item() == pytest.approx(wanted, abs=1e-9)

    @pytest.mark.parametrize("neighbours", [0, 1, 2])
    @pytest.mark.parametrize("count", [1, 2])
    def test_loop_over_sets(self, neighbours: int, count: int) -> None:
        video, text = features()
        units = [(b, n) for b, length in enumerate(LENGTHS) for n in range(length)]

        def score(i: tuple[int, int], j: tuple[int, int], k: int) -> float:
            return math.exp(float(video.pooled[i] @ text.pooled[j][k]) / 2.0)

        def positive(i: tuple[int, int], j: tuple[int, int]) -> bool:
            return i[0] == j[0] and abs(i[1] - j[1]) <= neighbours

        losses = []
        for i in units:
            row = sum(score(i, j, k) for j in units for k in range(2))
            column = sum(
                score(j, i, k) for j in units for k in range(2) if count == 2 or not positive(i, j)
            )
            positives = sum(score(i, j, k) for j in units for k in range(2) if positive(i, j))
            losses.append(math.log(row + column) - math.log(positives))
        head = MILNCE(
            neighbours=neighbours, positives_in_denominator=count, temperature=2.0, normalize=False
        )
        assert loss_of(head, video, text).item() == pytest.approx(
            sum(losses) / len(losses), rel=1e-12
        )

    def test_perfect_pairs_approach_zero_and_log_two(self) -> None:
        eye = 50 * torch.eye(3, dtype=torch.float64).reshape(3, 1, 3)
        one = torch.ones(3, dtype=torch.int64)
        pair = VideoFeatures(eye, None, one), TextFeatures(eye[:, :, None], None, one)
        for count, limit in ((1, 0.0), (2, math.log(2))):
            head = MILNCE(positives_in_denominator=count, temperature=1.0, normalize=False)
            assert loss_of(head, *pair).item() == pytest.approx(limit, abs=1e-9)

    def test_refuses_what_makes_no_sense(self) -> None:
        with pytest.raises(
            ArgumentError, match="positives_in_denominator=3, which has to be 1 or 2"
        ):
            MILNCE(positives_in_denominator=3)
