import pytest
import torch

from vtlearn.alignment.costs import cosine, dot


def test_cosine_is_one_minus_the_angle_s_cosine_by_a_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 5, generator=generator, dtype=torch.float64)
    y = torch.randn(2, 4, 5, generator=generator, dtype=torch.float64)
    cost = cosine(x, y)
    assert cost.shape == (2, 3, 4)
    for b, i, j in torch.cartesian_prod(torch.arange(2), torch.arange(3), torch.arange(4)):
        a, c = x[b, i], y[b, j]
        angle = torch.acos((a @ c) / (a @ a).sqrt() / (c @ c).sqrt())
        torch.testing.assert_close(cost[b, i, j], 1 - torch.cos(angle))


def test_eps_is_added_to_the_product_of_the_norms() -> None:
    x = torch.tensor([[8.0, 0.0]], dtype=torch.float64)
    assert float(cosine(x, x, eps=0.01)) == pytest.approx(1 - 64 / 64.01, abs=1e-15)


@pytest.mark.parametrize("eps", [0.0, 0.01])
def test_a_zero_vector_costs_one_and_gets_no_gradient(eps: float) -> None:
    x = torch.tensor([[0.0, 0.0], [1.0, 2.0]], requires_grad=True)
    y = torch.tensor([[1.0, 1.0], [0.0, 0.0]], requires_grad=True)
    cost = cosine(x, y, eps=eps)
    cost.sum().backward()
    assert cost[0].tolist() == [1, 1]
    assert cost[1, 1] == 1
    assert x.grad is not None
    assert y.grad is not None
    assert x.grad[0].tolist() == [0, 0]
    assert y.grad[1].tolist() == [0, 0]
    assert float(x.grad[1].abs().sum()) > 0


def test_cosine_has_the_gradient_of_its_value() -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    y = torch.randn(2, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, y: cosine(x, y, eps=0.01), (x, y))


def test_half_precision_is_computed_in_float32() -> None:
    x = torch.randn(3, 64, generator=torch.Generator().manual_seed(2)).bfloat16()
    for cost in (cosine(x, x), dot(x, x)):
        assert cost.dtype == torch.float32
    torch.testing.assert_close(cosine(x, x).diagonal(), torch.zeros(3), atol=1e-6, rtol=0)


def test_dot_is_negative_for_alike_vectors() -> None:
    x, y = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0], [-1.0, 0.0]])
    assert dot(x, y).tolist() == [[-11.0, 1.0]]
