import torch

from vtlearn.interop.published import size_of


def test_sizes_are_read_off_shapes_and_published_where_there_are_none() -> None:
    weights = {"fc.weight": torch.zeros(8, 4), "scale": torch.tensor(1.0)}
    assert size_of(weights, "fc.weight", 1, 512) == 4
    assert size_of(weights, "fc2.weight", 1, 512) == 512
    assert size_of(weights, "scale", 0, 7) == 7
