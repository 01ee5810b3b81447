import pytest
import torch

from vtlearn.errors import EvaluationError
from vtlearn.evaluation.timeline import by_second


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_each_second_is_the_mean_of_what_shows_it(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    times = torch.cat([torch.arange(9), torch.randint(9, (20,), generator=generator)]) + 0.5
    values = torch.randn(29, *shape, generator=generator)
    laid = by_second("v", values, times.double())
    assert laid.shape == (9, *shape)
    assert laid.dtype == values.dtype
    for second in range(9):
        own = [
            value for value, time in zip(values, times.tolist(), strict=True) if int(time) == second
        ]
        torch.testing.assert_close(laid[second], sum(own[1:], own[0]) / len(own))
    order = torch.randperm(29, generator=generator)
    torch.testing.assert_close(by_second("v", values[order], times[order].double()), laid)


def test_equal_values_stay_what_they_are() -> None:
    values = torch.full((7, 2), 0.1)
    laid = by_second("v", values, torch.tensor([0.5, 1.5, 1.5, 1.5, 0.5, 0.5, 2.5]))
    assert torch.equal(laid, values[:3])


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([0.5, 2.5], "'v' lies in its second 1"),
        ([1.5], "'v' lies in its second 0"),
        ([], "'v' lies in its second 0"),
        ([0.5, -0.5], "'v' is at -0.5 s"),
        ([0.5, float("nan")], "'v' is at nan s"),
    ],
)
def test_a_second_without_a_frame_is_told(times: list[float], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        by_second("v", torch.zeros(len(times), 2), torch.tensor(times, dtype=torch.float64))
