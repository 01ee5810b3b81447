import numpy as np
import pytest
import torch

from vtlearn.errors import ArgumentError
from vtlearn.heads.correspondence import (
    BilinearCorrespondence,
    MLPCorrespondence,
    draw_others,
    generators,
    make_correspondence,
    normalized,
    weigh,
)


def rngs(count: int, seed: int = 0) -> list[np.random.Generator]:
    return generators(torch.arange(count), torch.zeros(count, dtype=torch.int64), seed, stream=0)


def test_scores_by_hand() -> None:
    video, text = torch.randn(3, 4).double(), torch.randn(3, 4).double()
    mlp = MLPCorrespondence(4).double()
    joined = torch.cat([video, text, video * text, (video - text).abs()], 1)
    torch.testing.assert_close(mlp(video, text), mlp.layers(joined)[:, 0])
    bilinear = BilinearCorrespondence(4).double()
    wanted = torch.einsum("ij,jk,ik->i", video, bilinear.weight, text) + bilinear.bias
    torch.testing.assert_close(bilinear(video, text), wanted)
    every = bilinear(video[:, None].expand(3, 3, 4), text[None].expand(3, 3, 4))
    torch.testing.assert_close(every.diagonal(), wanted)


def test_what_scores_is_one_of_two() -> None:
    assert isinstance(make_correspondence("mlp", 4), MLPCorrespondence)
    assert isinstance(make_correspondence("bilinear", 4), BilinearCorrespondence)
    with pytest.raises(ArgumentError, match="mlp or bilinear, got 'cosine'"):
        make_correspondence("cosine", 4)


@pytest.mark.parametrize("hard", [False, True])
def test_others_are_distinct_and_never_the_item_itself(hard: bool) -> None:
    similarity = torch.randn(6, 6) if hard else None
    for drawn in draw_others(rngs(6), 5, similarity):
        for item, others in enumerate(drawn.tolist()):
            assert sorted(others) == [other for other in range(6) if other != item]


@pytest.mark.parametrize("hard", [False, True])
def test_more_than_there_are_come_again(hard: bool) -> None:
    similarity = torch.randn(2, 2) if hard else None
    texts, clips = draw_others(rngs(2), 3, similarity)
    assert texts.tolist() == clips.tolist() == [[1, 1, 1], [0, 0, 0]]


def test_others_are_drawn_for_an_item_wherever_it_is_drawn() -> None:
    texts, clips = draw_others(rngs(5), 2)
    again = draw_others(rngs(5), 2)
    assert torch.equal(texts, again[0])
    assert torch.equal(clips, again[1])
    assert not torch.equal(texts, clips)
    assert not torch.equal(texts, draw_others(rngs(5, seed=1), 2)[0])


def test_uniform_others_are_as_likely() -> None:
    counts = torch.zeros(4, 4)
    for seed in range(600):
        texts, _ = draw_others(rngs(4, seed), 1)
        counts[torch.arange(4), texts[:, 0]] += 1
    expected = torch.full((4, 4), 200.0).fill_diagonal_(0)
    chi_square = ((counts - expected).square() / expected.clamp(min=1)).sum()
    assert chi_square < 35  # 8 degrees of freedom: p = 3e-5


def test_hard_others_follow_the_softmax() -> None:
    similarity = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 2.0], [1.0, 0.0, 0.0]])
    count = 2000
    drawn = [draw_others(rngs(3, seed), 1, similarity) for seed in range(count)]
    for way, logits in ((0, similarity), (1, similarity.T)):
        share = torch.zeros(3, 3)
        for pair in drawn:
            share[torch.arange(3), pair[way][:, 0]] += 1 / count
        wanted = logits.masked_fill(torch.eye(3, dtype=torch.bool), -torch.inf).softmax(1)
        torch.testing.assert_close(share, wanted, atol=0.05, rtol=0)


def test_weights_by_hand() -> None:
    p, f = torch.tensor([0.9, 0.5, 0.2]), torch.tensor([[0.4, 0.6]])
    assert weigh(p, f, "none").tolist() == [1, 1, 1]
    torch.testing.assert_close(weigh(p, f, "score"), p)
    torch.testing.assert_close(weigh(p, f, "excess"), torch.tensor([0.8, 0.0, 0.0]))
    torch.testing.assert_close(weigh(p, f, "score", power=2, least=0.3)[2:], torch.tensor([0.09]))
    assert weigh(p, torch.ones(2), "excess").tolist() == [0, 0, 0]  # nothing is above 1
    torch.testing.assert_close(weigh(p, torch.empty(3, 0), "excess"), p)  # no wrong pair is known
    assert not weigh(p.requires_grad_(), f, "excess").requires_grad


def test_weights_average_one() -> None:
    weights = torch.rand(50)
    for normalizer in ("mean", "softmax"):
        scaled, dropped = normalized(weights, normalizer)
        assert scaled.mean().item() == pytest.approx(1, abs=1e-6)
        assert not dropped
    # a softmax of logarithms at temperature 1 is the mean
    torch.testing.assert_close(normalized(weights, "softmax")[0], normalized(weights, "mean")[0])
    sharp, _ = normalized(weights, "softmax", temperature=0.5)
    torch.testing.assert_close(sharp, 50 * weights.square() / weights.square().sum())
    assert torch.equal(normalized(weights, "none")[0], weights)


def test_weights_that_say_nothing_are_all_ones() -> None:
    for weights in (torch.zeros(4), torch.full((4,), 5e-5)):
        assert normalized(weights, "mean")[0].tolist() == [1, 1, 1, 1]
        assert normalized(weights, "none")[1]
