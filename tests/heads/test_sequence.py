import pytest
import torch

from tests.heads.batches import features
from vtlearn.errors import ArgumentError
from vtlearn.heads import Grid, HeadOutput, InfoNCE
from vtlearn.heads.sequence import grid_similarity, single_entries


def test_grid_similarity_against_a_loop_and_laid_out_for_the_recursion() -> None:
    video, text = torch.randn(3, 4, 5), torch.randn(2, 6, 5)
    grid = grid_similarity(video, text)
    for i in range(3):
        for j in range(2):
            torch.testing.assert_close(grid[i, j], video[i] @ text[j].T)
    assert grid.permute(2, 3, 0, 1).is_contiguous()  # pairs innermost


def test_single_entries_are_the_valid_ones_in_order() -> None:
    vectors = torch.arange(6.0).reshape(2, 3, 1)
    units, row, position = single_entries(vectors, torch.tensor([1, 3]))
    assert units.squeeze(1).tolist() == [0, 3, 4, 5]
    assert row.tolist() == [0, 1, 1, 1]
    assert position.tolist() == [0, 0, 1, 2]


def test_processes_shares_add_up_to_the_whole() -> None:
    video, text = features([4, 1, 0, 3])
    head = InfoNCE()
    whole: HeadOutput = head(video, text, Grid(0, 4))
    shares = [head(video, text, Grid(start, 2, world=2)).loss for start in (0, 2)]
    torch.testing.assert_close(sum(shares) / 2, whole.loss)


def test_a_batch_without_a_valid_pair_has_zero_loss() -> None:
    video, text = features([0, 0])
    video.pooled.requires_grad_()
    output: HeadOutput = InfoNCE()(video, text, Grid(0, 2))
    output.loss.backward()
    assert output.loss == 0
    assert output.logs["batch_accuracy"] == 0


def test_the_learned_temperature_starts_where_it_should_and_is_bounded() -> None:
    head = InfoNCE(temperature=0.2, learn_temperature=True)
    video, text = features()
    logs = head(video, text, Grid(0, 4)).logs
    assert logs["temperature"].item() == pytest.approx(0.2)
    torch.nn.init.constant_(next(head.parameters()), 50.0)
    assert head(video, text, Grid(0, 4)).logs["temperature"].item() == pytest.approx(0.01)
    with pytest.raises(ArgumentError, match="temperature=0"):
        InfoNCE(temperature=0)
