import torch

from vtlearn.padding import fold, frame_times, pad, valid


def test_a_mask_is_a_length() -> None:
    assert valid(torch.tensor([0, 2, 3]), 3).sum(1).tolist() == [0, 2, 3]


def test_folding_lays_samples_side_by_side() -> None:
    x = torch.arange(6.0).view(3, 2)
    folded = fold(x, (2, 0, 1), fill=-1)
    assert folded.shape == (3, 2, 2)
    assert folded[0].tolist() == [[0, 1], [2, 3]]
    assert (folded[1] == -1).all()
    assert folded[2].tolist() == [[4, 5], [-1, -1]]
    assert fold(x[:0], (0, 0)).shape == (2, 0, 2)
    assert fold(x[:0], ()).shape == (0, 0, 2)


def test_padding_goes_behind() -> None:
    x = torch.ones(2, 1, 2, 3)
    assert pad(x, [1, 2]) is x
    padded = pad(x, [3, 4], fill=7)
    assert padded.shape == (2, 3, 4, 3)
    assert (padded[:, :1, :2] == 1).all()
    assert padded.sum() == 12 + 7 * (72 - 12)


def test_a_frame_is_at_its_middle() -> None:
    spans = torch.tensor([[0.0, 4.0], [10.5, 12.0]], dtype=torch.float64)
    times = frame_times(spans, torch.tensor([4, 3]), 4)
    assert times[0].tolist() == [0.5, 1.5, 2.5, 3.5]
    assert times[1, :3].tolist() == [10.75, 11.25, 11.75]
    assert times[1, 3] > 12
    assert frame_times(spans[:0], torch.tensor([]), 4).shape == (0, 4)
