import pytest
import torch
from torch import Tensor

from vtlearn.errors import EvaluationError
from vtlearn.evaluation.metrics.retrieval import Ranks, ranks
from vtlearn.evaluation.metrics.tiled_ranks import vector_ranks


def vectors(count: int, seed: int) -> Tensor:
    """Draw small integers, whose products are exact and often tie."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-2, 3, (count, 5), generator=generator).float()


def right_of(pairs: Tensor, query: int, side: int) -> set[int]:
    return {int(pair[1 - side]) for pair in pairs if pair[side] == query}


def video_rank_by_hand(scores: Tensor, pairs: Tensor, video: int) -> tuple[int, int, int]:
    """Rank a video among the videos, each by the best of its texts that are not the query's own."""
    own = right_of(pairs, video, 0)
    best = max(float(scores[video, text]) for text in own)
    rivals = [
        max(float(scores[video, text]) for text in right_of(pairs, other, 0) - own)
        for other in set(pairs[:, 0].tolist())
        if right_of(pairs, other, 0) - own
    ]
    orphans = set(range(scores.shape[1])) - set(pairs[:, 1].tolist())
    rivals += [float(scores[video, text]) for text in orphans]
    return sum(r > best for r in rivals), sum(r == best for r in rivals), 1


def same(one: Ranks, other: Ranks) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("budget", [1, 40, 2**20])
def test_one_to_one_pairs_rank_as_the_matrix_does(budget: int) -> None:
    videos, texts, diagonal = vectors(23, 0), vectors(23, 1), torch.arange(23)
    found = vector_ranks(videos, texts, torch.stack([diagonal, diagonal], 1), budget=budget)
    assert same(found.text_to_video, ranks(texts @ videos.T, diagonal))
    assert same(found.video_to_text, ranks(videos @ texts.T, diagonal))


@pytest.mark.parametrize("budget", [1, 40, 2**20])
@pytest.mark.parametrize("seed", range(5))
def test_several_texts_and_videos_rank_as_a_slow_count_says(seed: int, budget: int) -> None:
    videos, texts = vectors(8, seed), vectors(19, seed + 50)
    generator = torch.Generator().manual_seed(seed)
    pairs = torch.unique(
        torch.stack([torch.randint(0, n, (24,), generator=generator) for n in (7, 17)], 1), dim=0
    )  # video 7 and texts 17 and 18 belong to nothing
    found = vector_ranks(videos, texts, pairs, budget=budget)
    scores = videos @ texts.T

    asked = sorted(set(pairs[:, 1].tolist()))
    right = [sorted(right_of(pairs, text, 1)) for text in asked]
    padded = torch.tensor([r + [-1] * (8 - len(r)) for r in right])
    assert same(found.text_to_video, ranks(scores.T[asked], padded))

    asking = sorted(set(pairs[:, 0].tolist()))
    expected = [video_rank_by_hand(scores, pairs, video) for video in asking]
    assert torch.stack(found.video_to_text, 1).tolist() == [list(row) for row in expected]


def test_a_shared_text_is_no_rival_of_its_own_video() -> None:
    pairs = torch.tensor([[0, 0], [1, 0]])  # both videos are told by the one text
    found = vector_ranks(torch.eye(2), torch.ones(1, 2), pairs)
    assert torch.stack(found.video_to_text, 1).tolist() == [[0, 0, 1], [0, 0, 1]]
    assert torch.stack(found.text_to_video, 1).tolist() == [[0, 0, 2]]


def test_collapsed_vectors_tie_in_any_tile() -> None:
    one = torch.nn.functional.normalize(
        torch.randn(1, 300, generator=torch.Generator().manual_seed(0))
    )
    diagonal = torch.arange(101)
    pairs = torch.stack([diagonal, diagonal], 1)
    for budget in (101, 7 * 101, 2**20):
        found = vector_ranks(one.expand(101, -1), one.expand(101, -1), pairs, budget=budget)
        for direction in found:
            assert direction.greater.tolist() == [0] * 101
            assert direction.ties.tolist() == [100] * 101


def test_pairs_may_come_twice_and_in_any_order() -> None:
    videos, texts = vectors(4, 0), vectors(4, 1)
    pairs = torch.tensor([[0, 0], [1, 1], [2, 2], [3, 3]])
    shuffled = torch.cat([pairs.flip(0), pairs[1:3]])
    for one, other in zip(
        vector_ranks(videos, texts, pairs), vector_ranks(videos, texts, shuffled), strict=True
    ):
        assert same(one, other)


@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_vectors_that_are_not_finite_are_refused(broken: float) -> None:
    texts = torch.eye(3)
    texts[2, 0] = broken
    with pytest.raises(EvaluationError, match="vector of text 2 "):
        vector_ranks(torch.eye(3), texts, torch.tensor([[0, 0]]))


def test_vectors_with_gradients_and_half_precision_are_taken() -> None:
    videos = torch.eye(3, dtype=torch.bfloat16, requires_grad=True)
    pairs = torch.arange(3)[:, None].repeat(1, 2)
    found = vector_ranks(videos, torch.eye(3), pairs)
    assert found.text_to_video.greater.tolist() == [0, 0, 0]
