from itertools import permutations
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.heads.batches import encoded
from tests.heads.contract import Numbers, loss_of, require_same_step
from tests.models import tiny_learner
from tests.processes import Pool
from vtlearn.alignment.otam import otam
from vtlearn.alignment.sequence_distances import SequenceMetric
from vtlearn.alignment.soft_dtw import soft_dtw
from vtlearn.batch import EncodedBatch, Rows
from vtlearn.errors import ArgumentError
from vtlearn.heads import FewShot, HeadOutput
from vtlearn.learner import VideoTextLearner

#: Episodes of eight videos: two ways of 3 + 1, and four of 1 + 1.
OPTIONS: list[dict[str, Any]] = [
    {"shots": 3, "queries": 1, "negatives": 5},
    {"shots": 1, "queries": 1, "metric": "otam", "alpha": 0.7},
    {"shots": 1, "queries": 3, "alpha": 0.0},
]


def episode(videos: int = 8, windows: int = 3, **options: Any) -> EncodedBatch:
    return encoded([windows] * videos, [0] * videos, **options)


def output_of(head: FewShot, batch: EncodedBatch, rows: Rows | None = None) -> HeadOutput:
    output: HeadOutput = head(batch, rows)
    return output


@pytest.fixture(params=OPTIONS, ids=str)
def head(request: pytest.FixtureRequest) -> FewShot:
    return FewShot(**request.param)


def distance(query: Tensor, shown: Tensor, metric: SequenceMetric) -> Tensor:
    cost = torch.stack(
        [torch.stack([1 - (a @ b) / (a.norm() * b.norm()) for b in shown]) for a in query]
    )
    return soft_dtw(cost, 0.1) if metric == "dtw" else otam(cost, 0.1) + otam(cost.T, 0.1)


@pytest.mark.parametrize("metric", ["dtw", "otam"])
def test_loop_over_queries_classes_shots_and_all_orders(metric: SequenceMetric) -> None:
    videos = (batch := episode(10)).video.pooled
    classes, orders = [], []
    for own in (0, 1):
        for query in range(own * 5 + 2, own * 5 + 5):
            far = [
                torch.stack([distance(videos[query], videos[c * 5 + k], metric) for k in (0, 1)])
                for c in (0, 1)
            ]
            logits = -torch.stack([of.mean() for of in far])
            classes.append(logits.logsumexp(0) - logits[own])
            of_shots = []
            for shot in (0, 1):
                shown = videos[own * 5 + shot]
                several = torch.stack(
                    [
                        -distance(videos[query], shown[list(p)], metric)
                        for p in permutations(range(3))
                    ]
                )
                of_shots.append(several.logsumexp(0) - several[0])
            orders.append(torch.stack(of_shots).mean())
    terms = output_of(FewShot(shots=2, queries=3, metric=metric), batch).terms
    wanted = torch.stack(classes), torch.stack(orders)
    for name, values in zip(("class_loss", "order_loss"), wanted, strict=True):
        torch.testing.assert_close(terms[name].values, values, rtol=0, atol=1e-12)
    loss = loss_of(FewShot(shots=2, queries=3, metric=metric), batch)
    torch.testing.assert_close(loss, 0.7 * wanted[0].mean() + 0.3 * wanted[1].mean())


def test_terms_are_one_per_own_query(head: FewShot) -> None:
    batch = episode()
    names = ["class_loss", "accuracy", *(["order_loss", "order_accuracy"] if head.alpha else [])]
    queries = [row for row in range(8) if row % (head.shots + head.queries) >= head.shots]
    whole = output_of(head, batch, Rows(0, 8, seed=3))
    for start, size in ((0, 2), (2, 4), (0, 8)):
        own = [n for n, row in enumerate(queries) if start <= row < start + size]
        terms = output_of(head, batch, Rows(start, size, seed=3)).terms
        assert list(terms) == names
        for name, term in terms.items():
            torch.testing.assert_close(term.values, whole.terms[name].values[own])


def test_accuracy_counts_the_queries_that_are_nearest_to_their_class() -> None:
    a, b = torch.eye(4)[:3], torch.eye(4)[1:]
    batch = EncodedBatch.of(torch.stack([a, a, b, b, a, b]), torch.zeros(6, 0, 4))
    terms = output_of(FewShot(shots=1, queries=1), batch).terms
    assert terms["accuracy"].values.tolist() == [1.0, 1.0, 0.0]  # the third class is a, asked b


def test_other_orders_are_drawn_in_each_step() -> None:
    head = FewShot(alpha=1.0, negatives=4)
    batch = episode(windows=5)
    losses = [loss_of(head, batch, Rows(0, 8, seed=seed)).item() for seed in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]


def test_the_order_of_classes_does_not_matter() -> None:
    head, batch = FewShot(shots=1, queries=1), episode()  # all five other orders, not some
    order = torch.tensor([4, 5, 0, 1, 6, 7, 2, 3])
    shuffled = batch._replace(video=type(batch.video)(*(x[order] for x in batch.video)))
    torch.testing.assert_close(loss_of(head, shuffled), loss_of(head, batch))


def test_gradcheck() -> None:
    batch, head = episode(4, dim=3), FewShot()

    def loss(videos: Tensor) -> Tensor:
        return loss_of(head, batch._replace(video=batch.video._replace(pooled=videos)))

    assert torch.autograd.gradcheck(loss, batch.video.pooled.requires_grad_())


def test_bf16_features_are_compared_in_float32(head: FewShot) -> None:
    batch = episode(dtype=torch.bfloat16)
    loss = loss_of(head, batch)
    assert loss.dtype == torch.float32
    wide = batch._replace(video=batch.video._replace(pooled=batch.video.pooled.double()))
    torch.testing.assert_close(loss.double(), loss_of(head, wide), rtol=1e-4, atol=1e-5)
    narrow = episode(dtype=torch.float32)
    wanted = loss_of(head, narrow)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(loss_of(head, narrow), wanted)


@pytest.mark.ddp
def test_two_and_four_processes_train_as_one(
    head: FewShot, two_processes: Pool, four_processes: Pool
) -> None:
    numbers: Numbers = ([3] * 8, [0] * 8)
    require_same_step(head, numbers, [two_processes, four_processes])


def test_it_needs_no_text_encoder() -> None:
    learner = VideoTextLearner(tiny_learner().video_encoder, None, FewShot())
    assert learner.head.aligner is learner.head


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (episode(7), "1 shown videos and 2 queries, two or more, and got a batch of 7 videos"),
        (episode(3), "got a batch of 3 videos"),
        (encoded([3] * 5 + [2], [0] * 6), "sample 5 of the batch has 2, another one 3"),
        (episode(6, windows=1), "videos of 1 windows; it takes from 2 to 20"),
        (episode(6, windows=21), "videos of 21 windows; it takes from 2 to 20"),
    ],
)
def test_what_is_no_episode_is_refused(batch: EncodedBatch, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        FewShot(queries=2)(batch)


def test_without_the_order_any_number_of_windows_will_do() -> None:
    for windows in (1, 21):
        assert loss_of(FewShot(alpha=0), episode(windows=windows)).isfinite()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shots": 0}, "shots must be positive"),
        ({"queries": 0}, "queries must be positive"),
        ({"alpha": 1.5}, "alpha=1.5 has to be from 0 to 1"),
        ({"metric": "mean"}, "metric: expected one of dtw, otam, got 'mean'"),
        ({"gamma": -1.0}, "gamma=-1.0 of FewShot"),
        ({"negatives": 0}, "negatives must be positive"),
    ],
)
def test_arguments_that_make_no_sense(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        FewShot(**options)


def test_videos_with_texts_are_no_episode() -> None:
    videos = torch.randn(4, 3, 4)
    with pytest.raises(ArgumentError, match=r"videos with texts, .* data\.class_path=Episodes"):
        FewShot()(EncodedBatch.of(videos, torch.randn(4, 2, 4)))
