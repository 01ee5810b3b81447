import torch

from vtlearn.batch import Sample
from vtlearn.datamodules import AlignmentExample


def test_what_describes_nothing_has_no_truth() -> None:
    spans = torch.tensor([[0.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
    length = torch.tensor([2, 2])
    sample = Sample("a", torch.zeros(2, 2, 3, 4, 4), spans, length, ["x", "y"], spans, [])
    example = AlignmentExample(sample, [(0.0, 1.0), None])
    assert len(example.truth) == len(example.sample.texts)
