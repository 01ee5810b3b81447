import pytest
import torch
from torch import Tensor

from vtlearn.errors import ArgumentError
from vtlearn.heads.lines import (
    NOT_ASKED,
    in_blocks,
    mean_cross_entropy,
    next_pieces,
    require_words,
    side_by_side,
    wide,
)


def test_an_end_is_asked_for_unless_the_text_is_cut() -> None:
    assert next_pieces([5, 6, 7], 2, 2, 3) == ([2, 5, 6, 7], [5, 6, 7, 2])
    assert next_pieces([5, 6, 7], 2, 2, 2) == ([2, 5], [5, 6])
    assert next_pieces([], 2, 3, 2) == ([2], [3])


def test_rows_are_padded_at_the_end() -> None:
    device = torch.device("cpu")
    assert side_by_side([[4, 5], [6]], 1, device).tolist() == [[4, 5], [6, 1]]
    assert side_by_side([], 1, device).shape == (0, 1)


def test_a_line_counts_by_what_it_is_asked_for() -> None:
    logits = torch.randn(2, 3, 5, dtype=torch.float64)
    targets = torch.tensor([[1, 4, NOT_ASKED], [NOT_ASKED, 0, NOT_ASKED]])
    logs = logits.log_softmax(-1)
    wanted = torch.stack([-(logs[0, 0, 1] + logs[0, 1, 4]) / 2, -logs[1, 1, 0]])
    torch.testing.assert_close(mean_cross_entropy(logits, targets), wanted)


@pytest.mark.parametrize(("clips", "texts"), [(0, 3), (3, 0), (4, 256), (9, 700)])
def test_blocks_are_put_together(clips: int, texts: int) -> None:
    whole = torch.arange(clips * texts).reshape(clips, texts)
    sizes = []

    def compute(some: slice, others: slice) -> Tensor:
        sizes.append(whole[some, others].shape)
        return whole[some, others]

    assert torch.equal(in_blocks(clips, texts, compute), whole)
    assert all(height <= 4 and width <= 256 for height, width in sizes)
    sizes.clear()
    assert torch.equal(in_blocks(clips, texts, compute, most=90), whole)
    assert all(height * width <= 90 for height, width in sizes)


def test_what_cannot_be_predicted_is_named() -> None:
    require_words(["chop"], [[5]], 1)
    with pytest.raises(ArgumentError, match="1 texts came with 2 clips"):
        require_words(["chop"], [[5]], 2)
    with pytest.raises(ArgumentError, match="the text ' ' has no words"):
        require_words(["chop", " "], [[5], []], 2)


def test_logits_are_float32_or_wider() -> None:
    kinds = (torch.bfloat16, torch.float32, torch.float64)
    found = [wide(torch.zeros(1, dtype=kind)).dtype for kind in kinds]
    assert found == [torch.float32, torch.float32, torch.float64]
