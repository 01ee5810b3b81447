import torch

from vtlearn.heads.base import unit_length


def test_zero_vectors_stay_zero_with_zero_gradient() -> None:
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    unit_length(x).sum().backward()
    assert unit_length(x)[1].tolist() == [0, 0]
    assert x.grad is not None
    assert x.grad[1].tolist() == [0, 0]
    assert torch.isfinite(x.grad).all()


def test_unit_length_is_differentiable() -> None:
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(unit_length, (x,))
    torch.testing.assert_close(unit_length(x).norm(dim=1), torch.ones(3, dtype=torch.float64))


def test_half_precision_is_widened() -> None:
    x = torch.tensor([[60000.0, 60000.0]], dtype=torch.float16)  # its square overflows float16
    torch.testing.assert_close(unit_length(x), torch.full((1, 2), 2**-0.5))
