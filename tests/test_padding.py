import torch

from vtlearn.padding import fold, pad, valid


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
