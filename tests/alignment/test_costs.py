import pytest
import torch

from vtlearn.alignment.costs import cosine, dot, squared_euclidean, squared_euclidean_about


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
    for cost in (cosine(x, x), dot(x, x), squared_euclidean(x, x)):
        assert cost.dtype == torch.float32
    torch.testing.assert_close(cosine(x, x).diagonal(), torch.zeros(3), atol=1e-6, rtol=0)


def test_dot_is_negative_for_alike_vectors() -> None:
    x, y = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0], [-1.0, 0.0]])
    assert dot(x, y).tolist() == [[-11.0, 1.0]]


def test_squared_euclidean_is_the_sum_of_squared_differences() -> None:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(2, 1, 3, 5, generator=generator, dtype=torch.float64)
    y = torch.randn(4, 6, 5, generator=generator, dtype=torch.float64)
    differences = x[..., :, None, :] - y[..., None, :, :]
    torch.testing.assert_close(squared_euclidean(x, y), differences.square().sum(-1))


@pytest.mark.parametrize("far", [10, 1e3, 1e5])
def test_squared_euclidean_is_never_negative_and_as_close_as_it_says(far: float) -> None:
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(200, 64, generator=generator) + far
    y = x + 1e-4 * torch.randn(200, 64, generator=generator)
    cost = squared_euclidean(x, y)
    exact = (x.double()[:, None] - y.double()).square().sum(-1)
    norms = (x - y[:1]).square().sum(-1)[:, None] + (y - y[:1]).square().sum(-1)
    assert bool((cost >= 0).all())
    assert bool((cost.diagonal() == 0).any())  # some would be negative
    assert bool(((cost - exact).abs() <= 1e-6 * norms).all())


def test_squared_euclidean_has_the_gradient_of_its_value() -> None:
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    y = torch.randn(2, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(squared_euclidean, (x, y))


@pytest.mark.parametrize("far", [0, 1e3, 1e4])
@pytest.mark.parametrize(
    ("clips", "captions"),
    [((2, 4, 6, 5), (2, 4, 3, 5)), ((2, 1, 6, 5), (4, 3, 5)), ((6, 5), (2, 4, 3, 5))],
)
def test_where_vectors_lie_does_not_matter(
    far: float, clips: tuple[int, ...], captions: tuple[int, ...]
) -> None:
    generator = torch.Generator().manual_seed(7)
    x = (torch.randn(clips, generator=generator) + far).requires_grad_()
    y = (torch.randn(captions, generator=generator) + far).requires_grad_()
    cost = squared_euclidean(x, y)
    wide_x, wide_y = (z.detach().double().requires_grad_() for z in (x, y))
    exact = (wide_x[..., :, None, :] - wide_y[..., None, :, :]).square().sum(-1)
    torch.testing.assert_close(cost.double(), exact, rtol=1e-5, atol=1e-5)
    weights = torch.rand(cost.shape, generator=generator)
    found = torch.autograd.grad((weights * cost).sum(), (x, y))
    expected = torch.autograd.grad((weights.double() * exact).sum(), (wide_x, wide_y))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("padding", [torch.nan, torch.inf, 1e30, 0.0])
def test_padding_reaches_no_cost_of_others(padding: float) -> None:
    generator = torch.Generator().manual_seed(8)
    x, y = (torch.randn(2, size, 5, generator=generator) + 1e4 for size in (6, 4))
    expected = squared_euclidean(x[:, :3], y[:, :2])
    x[:, 3:] = y[:, 2:] = padding
    torch.testing.assert_close(squared_euclidean(x, y)[:, :3, :2], expected, rtol=1e-6, atol=0)


def test_a_first_caption_of_nan_costs_only_itself() -> None:
    y = torch.tensor([[torch.nan, 1.0], [3.0, 0.0]])
    cost = squared_euclidean(torch.tensor([[3.0, 2.0]]), y)
    assert cost.isnan().tolist() == [[True, False]]
    assert float(cost[0, 1]) == 4


def test_an_origin_changes_nothing_but_rounding() -> None:
    generator = torch.Generator().manual_seed(9)
    x, y, origin = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((3, 2, 5), (4, 1, 2, 5), (4, 3, 1, 5))
    )
    cost = squared_euclidean_about(origin, x, y)
    torch.testing.assert_close(cost, squared_euclidean_about(torch.zeros(5), x, y))
    for empty in (x[:, :0], x[:0]):
        assert squared_euclidean(empty, empty).numel() == 0
        assert squared_euclidean(x[:1], empty).numel() == 0


def test_squared_euclidean_of_near_vectors_keeps_its_gradient() -> None:
    generator = torch.Generator().manual_seed(6)
    x = (torch.randn(200, 64, generator=generator) + 10).requires_grad_()
    y = x.detach() + 1e-4 * torch.randn(200, 64, generator=generator)
    (gradient,) = torch.autograd.grad(squared_euclidean(x, y).diagonal().sum(), x)
    torch.testing.assert_close(gradient, 2 * (x.detach() - y), rtol=0, atol=1e-5)
    (gradient,) = torch.autograd.grad(squared_euclidean(x, x.detach()).diagonal().sum(), x)
    assert bool((gradient == 0).all())


def test_autocast_does_not_reach_the_costs() -> None:
    x, y = (torch.randn(3, 6, 64, generator=torch.Generator().manual_seed(k)) for k in (0, 1))
    for cost in (cosine, dot, squared_euclidean):
        expected = cost(x, y)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(cost(x, y), expected)
