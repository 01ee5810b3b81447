import math

import pytest
import torch

from vtlearn.errors import ArgumentError
from vtlearn.schedule import PlannedSchedule, WarmupCosine, WarmupLinear


def optimizer() -> torch.optim.SGD:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)


def test_warms_up_linearly_and_cools_down_along_half_a_cosine() -> None:
    sgd = optimizer()
    schedule = WarmupCosine(sgd, warmup_steps=4)
    schedule.plan(20)
    rates = []
    for _ in range(21):
        rates.append(schedule.get_last_lr()[0])
        sgd.step()
        schedule.step()
    assert rates[:5] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert rates[12] == pytest.approx(1.0)  # half-way down
    assert rates[16] == pytest.approx(1 + math.cos(0.75 * math.pi))
    assert rates[20] == pytest.approx(0.0)


def test_a_given_length_is_kept() -> None:
    schedule = WarmupCosine(optimizer(), total_steps=100)
    schedule.plan(7)
    assert schedule.total_steps == 100


@pytest.mark.parametrize("schedule", [WarmupCosine, WarmupLinear])
def test_refusals(schedule: type[PlannedSchedule]) -> None:
    with pytest.raises(ArgumentError, match="warmup_steps=-1"):
        schedule(optimizer(), warmup_steps=-1)


def test_warms_up_and_cools_down_linearly() -> None:
    sgd = optimizer()
    schedule = WarmupLinear(sgd, warmup_steps=2)
    schedule.plan(6)
    rates = []
    for _ in range(8):
        rates.append(schedule.get_last_lr()[0])
        sgd.step()
        schedule.step()
    assert rates == [0.0, 1.0, 2.0, 1.5, 1.0, 0.5, 0.0, 0.0]


def test_a_training_shorter_than_the_warm_up_ends_within_it() -> None:
    schedule = WarmupCosine(optimizer(), warmup_steps=10)
    schedule.plan(5)
    assert [schedule.factor(step) for step in (0, 5)] == [0.0, 0.5]


def test_a_longer_training_plans_anew_after_resuming() -> None:
    first, second = (WarmupCosine(optimizer()) for _ in range(2))
    first.plan(10)
    second.plan(20)
    second.load_state_dict(first.state_dict())
    assert second.total_steps == 20
