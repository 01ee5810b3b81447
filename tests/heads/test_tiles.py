from math import prod

import pytest
import torch
from torch import Tensor, nn

from vtlearn.heads.tiles import compare_in_tiles


class Comparison:
    """A kernel of vectors with three parameters, one of which has no part; notes its tiles."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)

        def draw(*shape: int) -> Tensor:
            return torch.randn(shape, dtype=torch.float64, generator=generator)

        self.video = draw(5, 2, 3).requires_grad_()
        self.text = draw(7, 4, 3).requires_grad_()
        self.shift = draw(5, 7)
        self.weight, self.bias, self.idle = (nn.Parameter(draw(*n)) for n in ((3, 3), (), (2,)))
        self.tiles: list[tuple[int, int]] = []

    def compare(self, video: Tensor, text: Tensor, rows: slice, columns: slice) -> Tensor:
        self.tiles.append((len(video), len(text)))
        values = torch.einsum("vnd,de,tme->vtm", video.tanh(), self.weight, text)
        return (values + self.shift[rows, columns, None] * self.bias).exp()

    def grid(self, pairs: int) -> Tensor:
        parameters = [self.weight, self.bias, self.idle]
        return compare_in_tiles(self.compare, self.video, self.text, pairs, parameters)

    def gradients(self, pairs: int) -> list[Tensor]:
        inputs = [self.video, self.text, self.weight, self.bias]
        weights = torch.linspace(0, 1, 5 * 7 * 4, dtype=torch.float64).view(5, 7, 4)
        loss = (self.grid(pairs) * weights).square().sum()
        return list(torch.autograd.grad(loss, [x for x in inputs if x.requires_grad]))


@pytest.mark.parametrize("pairs", [0, 1, 2, 3, 6, 12, 34, 35, 100])
def test_tiles_change_neither_values_nor_gradients(pairs: int) -> None:
    comparison = Comparison()
    everything = slice(0, 5), slice(0, 7)
    whole = comparison.compare(comparison.video, comparison.text, *everything)
    comparison.tiles.clear()
    torch.testing.assert_close(comparison.grid(pairs), whole, rtol=0, atol=1e-12)
    sizes = [prod(tile) for tile in comparison.tiles]
    assert sum(sizes) == 35
    assert max(sizes) <= max(1, pairs)
    assert len(sizes) == 1 or len(sizes) <= 3 * 35 / max(1, pairs)
    found, wanted = comparison.gradients(pairs), comparison.gradients(35)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("frozen", ["video", "text", "weight"])
def test_what_does_not_train_gets_no_gradient(frozen: str) -> None:
    comparison = Comparison()
    getattr(comparison, frozen).requires_grad = False
    found, wanted = comparison.gradients(6), comparison.gradients(35)
    assert len(found) == 3
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_parameters_are_accumulated_once_a_backward() -> None:
    comparison = Comparison()
    calls: list[Tensor] = []
    comparison.weight.register_post_accumulate_grad_hook(calls.append)
    comparison.grid(3).sum().backward()
    assert len(calls) == 1
    assert comparison.idle.grad is None


def test_without_gradients_nothing_is_computed_twice() -> None:
    comparison = Comparison()
    with torch.no_grad():
        grid = comparison.grid(6)
    assert not grid.requires_grad
    assert sum(prod(tile) for tile in comparison.tiles) == 35


def test_a_backward_under_autocast_computes_what_the_forward_did() -> None:
    comparison = Comparison()
    for name in ("video", "text", "weight", "bias", "shift"):
        x = getattr(comparison, name)
        setattr(comparison, name, x.detach().float().requires_grad_(x.requires_grad))
    (wanted,) = torch.autograd.grad(comparison.grid(35).sum(), comparison.video)
    loss = comparison.grid(6).sum()
    with torch.autocast("cpu", torch.bfloat16):
        (found,) = torch.autograd.grad(loss, comparison.video)
    torch.testing.assert_close(found, wanted)


def test_a_second_derivative_is_refused() -> None:
    comparison = Comparison()
    loss = comparison.grid(6).square().sum()
    (gradient,) = torch.autograd.grad(loss, comparison.video, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_no_pairs_are_computed_at_once() -> None:
    comparison = Comparison()
    comparison.video = comparison.video[:0]
    comparison.shift = comparison.shift[:0]
    assert comparison.grid(0).shape == (0, 7, 4)
    assert comparison.tiles == [(0, 7)]
