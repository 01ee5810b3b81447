import pytest
import torch
from torch import nn

from vtlearn.encoders.batch_norm import SafeBatchNorm1d


def used() -> SafeBatchNorm1d:
    """One that has seen vectors, in training."""
    generator = torch.Generator().manual_seed(0)
    norm = SafeBatchNorm1d(3)
    for _ in range(5):
        norm(torch.randn(8, 3, generator=generator) + 2)
    return norm


def test_many_vectors_are_normalised_as_torch_does() -> None:
    x = torch.randn(5, 3) + 10
    ours, theirs = SafeBatchNorm1d(3), nn.BatchNorm1d(3)
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(dict(ours.state_dict()), dict(theirs.state_dict()))
    assert ours(x).mean(0).abs().max() < 1e-5


def test_one_vector_is_normalised_by_what_came_before() -> None:
    norm, one = used(), torch.randn(1, 3)
    torch.testing.assert_close(norm(one), norm.eval()(one))


@pytest.mark.parametrize("items", [0, 1])
def test_too_few_vectors_change_no_statistics(items: int) -> None:
    norm = used()
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    assert norm(torch.randn(items, 3)).shape == (items, 3)
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())


@pytest.mark.parametrize("training", [True, False])
def test_no_vectors_give_every_parameter_a_gradient_of_zero(training: bool) -> None:
    norm = used().train(training)
    x = torch.randn(0, 3, requires_grad=True)
    norm(x).sum().backward()
    assert x.grad is not None
    for parameter in norm.parameters():
        assert parameter.grad is not None
        assert (parameter.grad == 0).all()
