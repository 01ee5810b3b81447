import torch
from torch import nn

from vtlearn.encoders.spread import Spread


def test_many_vectors_are_normalised_as_torch_does() -> None:
    x = torch.randn(5, 3) + 10
    ours, theirs = Spread(3), nn.BatchNorm1d(3)
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(dict(ours.state_dict()), dict(theirs.state_dict()))
    assert ours(x).mean(0).abs().max() < 1e-5


def test_one_vector_is_normalised_by_what_came_before() -> None:
    spread = Spread(3)
    for _ in range(5):
        spread(torch.randn(8, 3) + 2)
    before = {name: value.clone() for name, value in spread.state_dict().items()}
    one = torch.randn(1, 3)
    in_training = spread(one)
    torch.testing.assert_close(in_training, spread.eval()(one))
    torch.testing.assert_close(dict(spread.state_dict()), before)
