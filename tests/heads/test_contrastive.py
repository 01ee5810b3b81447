import pytest
import torch

from tests.heads.batches import encoded
from vtlearn.batch import Rows
from vtlearn.errors import ArgumentError
from vtlearn.heads import HeadOutput, InfoNCE
from vtlearn.heads.base import total_loss
from vtlearn.heads.contrastive import pairwise_similarity, single_entries


def test_pairwise_similarity_against_a_loop_and_laid_out_for_the_recursion() -> None:
    video, text = torch.randn(3, 4, 5), torch.randn(2, 6, 5)
    similarity = pairwise_similarity(video, text)
    for i in range(3):
        for j in range(2):
            torch.testing.assert_close(similarity[i, j], video[i] @ text[j].T)
    assert similarity.permute(2, 3, 0, 1).is_contiguous()  # pairs innermost


def test_single_entries_are_the_valid_ones_in_order() -> None:
    vectors = torch.arange(6.0).reshape(2, 3, 1)
    items, sample, position = single_entries(vectors, torch.tensor([1, 3]))
    assert items.squeeze(1).tolist() == [0, 3, 4, 5]
    assert sample.tolist() == [0, 1, 1, 1]
    assert position.tolist() == [0, 0, 1, 2]


def test_losses_of_own_items_are_those_of_the_whole_batch() -> None:
    batch, head = encoded([4, 1, 0, 3]), InfoNCE()
    whole: HeadOutput = head(batch)
    shares = [head(batch, Rows(start, 2, world_size=2)).terms for start in (0, 2)]
    values = [terms["contrastive"].values for terms in shares]
    assert [len(x) for x in values] == [5, 3]
    torch.testing.assert_close(torch.cat(values), whole.terms["contrastive"].values)
    losses = [total_loss(terms, [8], world_size=2) for terms in shares]
    torch.testing.assert_close(torch.stack(losses).mean(), whole.loss)


@pytest.mark.parametrize("numbers", [([0, 0], [0, 0]), ([2, 0], [0, 3])])
def test_a_batch_without_a_pair_has_zero_loss(numbers: tuple[list[int], list[int]]) -> None:
    batch = encoded(*numbers)
    batch.video.pooled.requires_grad_()
    output: HeadOutput = InfoNCE()(batch)
    output.loss.backward()
    assert output.loss == 0
    assert output.logs["batch_accuracy"] == 0


def test_the_learned_temperature_starts_where_it_should_and_is_bounded() -> None:
    head = InfoNCE(temperature=0.2, learn_temperature=True)
    assert list(head.state_dict()) == ["log_scale"]
    output: HeadOutput = head(encoded())
    assert output.logs["temperature"].item() == pytest.approx(0.2)
    torch.nn.init.constant_(next(head.parameters()), 50.0)
    output = head(encoded())
    assert output.logs["temperature"].item() == pytest.approx(0.01)


def test_arguments_are_validated() -> None:
    with pytest.raises(ArgumentError, match="temperature=0 of InfoNCE"):
        InfoNCE(temperature=0)
    with pytest.raises(ArgumentError, match="grid_memory must be positive, but is 0"):
        InfoNCE(grid_memory=0)
    with pytest.raises(ArgumentError, match=r"cannot start at 0.005"):
        InfoNCE(temperature=0.005, learn_temperature=True)
    with pytest.raises(ArgumentError, match=r"both, text_to_video, video_to_text, got 'up'"):
        InfoNCE(direction="up")  # type: ignore[arg-type]
