import re
from itertools import permutations
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.heads.batches import LENGTHS, encoded
from tests.heads.contract import (
    RAGGED,
    Numbers,
    SingleItemContract,
    Step,
    encode_own,
    loss_of,
    require_same_step,
    step_of,
)
from tests.processes import Pool
from vtlearn.alignment.costs import cosine
from vtlearn.alignment.otam import otam
from vtlearn.alignment.sequence_distances import SequenceMetric
from vtlearn.alignment.soft_dtw import soft_dtw
from vtlearn.batch import EncodedBatch, Rows
from vtlearn.errors import ArgumentError
from vtlearn.heads import Contrastive, HeadOutput, InfoNCE, TempCLR
from vtlearn.heads.permutation import draw_orders
from vtlearn.heads.tempclr import Shuffle

#: Every other order of so few is compared, so that a position in the batch draws nothing.
OPTIONS: list[dict[str, Any]] = [
    {"sequence": 4, "negatives": 23},
    {"sequence": 2, "negatives": 1, "metric": "otam", "shuffle": "video"},
    {"sequence": 3, "negatives": 5, "shuffle": "text", "alpha": 1.0, "order_temperature": 0.5},
    {"alpha": 0.0},
]


def order_of(head: TempCLR, batch: EncodedBatch, rows: Rows | None = None) -> HeadOutput:
    output: HeadOutput = head(batch, rows)
    return output


def at(batch: EncodedBatch, clips: Tensor, texts: Tensor) -> EncodedBatch:
    return batch._replace(clip_spans=clips, text_spans=texts)


def every_second(batch: EncodedBatch, seconds: float) -> EncodedBatch:
    """A clip and its text each second, which last so long."""
    starts = torch.arange(batch.video.pooled.shape[1], dtype=torch.float64)
    spans = torch.stack([starts, starts + seconds], -1).expand(len(batch.video.length), -1, -1)
    return at(batch, spans, spans)


class TestTempCLR(SingleItemContract):
    @pytest.fixture(params=OPTIONS, ids=str)
    def head(self, request: pytest.FixtureRequest) -> TempCLR:
        return TempCLR(chain="all", **request.param).double()

    def test_one_term_with_a_loss_per_own_item(self, head: Contrastive) -> None:
        del head  # a sequence of 2, and so 3 of 4 samples
        batch = encoded(LENGTHS)
        output: HeadOutput = TempCLR(chain="all", sequence=2)(batch)
        own: HeadOutput = TempCLR(chain="all", sequence=2)(batch, Rows(1, 2, world_size=2))
        assert (
            list(output.terms) == list(own.terms) == ["contrastive", "order_loss", "order_accuracy"]
        )
        logs = {"temperature", "batch_accuracy", "counted"}
        assert set(output.logs) == logs
        assert not any(value.requires_grad for value in output.logs.values())
        assert [len(x.terms["contrastive"].values) for x in (output, own)] == [10, 5]
        assert [len(x.terms["order_loss"].values) for x in (output, own)] == [3, 2]
        assert output.logs["counted"].item() == pytest.approx(3 / 4)

    def test_padding_changes_nothing_and_gets_no_gradient(self, head: Contrastive) -> None:
        if not (isinstance(head, TempCLR) and head.alpha == 1):  # whose first pair may not be asked
            super().test_padding_changes_nothing_and_gets_no_gradient(head)


@pytest.mark.parametrize("metric", ["dtw", "otam"])
@pytest.mark.parametrize("shuffle", ["text", "video"])
def test_loop_over_all_orders(metric: SequenceMetric, shuffle: Shuffle) -> None:
    batch = encoded([4, 4, 2])
    losses = []
    for sample in (0, 1):
        video, text = batch.video.pooled[sample], batch.text.pooled[sample, :, 0]
        distances = []
        for order in permutations(range(4)):
            clips = video[list(order)] if shuffle == "video" else video
            texts = text[list(order)] if shuffle == "text" else text
            cost = torch.stack(
                [
                    torch.stack([1 - (t @ c) / (t.norm() * c.norm() + 0.01) for t in texts])
                    for c in clips
                ]
            )
            both_ways = otam(cost, 0.1) + otam(cost.T, 0.1)
            distances.append(soft_dtw(cost, 0.1) if metric == "dtw" else both_ways)
        logits = -torch.stack(distances)
        losses.append(logits.logsumexp(0) - logits[0])
    head = TempCLR(metric=metric, shuffle=shuffle, sequence=4, negatives=23, chain="all")
    found = order_of(head, batch).terms["order_loss"].values
    torch.testing.assert_close(found, torch.stack(losses), rtol=0, atol=1e-12)


def test_the_sum_of_both_terms_as_published() -> None:
    batch = encoded([5, 5])
    head = TempCLR(chain="all")
    order = order_of(head, batch).terms["order_loss"].values.mean()
    pairs = loss_of(InfoNCE(temperature=1.0, normalize=False), batch)
    # the published contrastive loss is the sum of two cross-entropies, InfoNCE their mean
    torch.testing.assert_close(loss_of(head, batch), 0.3 * 2 * pairs + 0.7 * order)


def test_without_the_order_it_is_twice_info_nce() -> None:
    batch = encoded()
    output = order_of(TempCLR(alpha=0.0), batch)
    assert list(output.terms) == ["contrastive"]
    wanted = 2 * loss_of(InfoNCE(temperature=1.0, normalize=False), batch)
    torch.testing.assert_close(output.loss, wanted)


def test_both_never_puts_clips_and_texts_in_one_order() -> None:
    # the identity is nearest with certainty, and clips and texts moved alike would be as near
    eye = torch.eye(3, dtype=torch.float64)[None].repeat(20, 1, 1)
    output = order_of(
        TempCLR(shuffle="both", sequence=3, negatives=5, chain="all"), EncodedBatch.of(eye, eye)
    )
    assert output.terms["order_accuracy"].values.mean() == 1
    values = output.terms["order_loss"].values
    assert (values < 1.0).all()


def test_a_chain_is_of_what_does_not_overlap() -> None:
    batch = encoded([5, 5])
    head = TempCLR(sequence=5)
    assert order_of(head, every_second(batch, 0.5)).logs["counted"] == 1
    assert order_of(head, every_second(batch, 1.0)).logs["counted"] == 0
    assert order_of(TempCLR(gap=False), every_second(batch, 1.0)).logs["counted"] == 1
    assert order_of(TempCLR(gap=False), every_second(batch, 1.5)).logs["counted"] == 0
    shorter = order_of(TempCLR(sequence=3), every_second(batch, 1.5))  # every second one
    everything = order_of(TempCLR(sequence=3, chain="all"), batch)  # 0, 2 and 4 as well
    assert torch.equal(shorter.terms["order_loss"].values, everything.terms["order_loss"].values)


def test_unknown_times_make_no_chain() -> None:
    output = order_of(TempCLR(), encoded([5, 5]))
    assert output.terms["order_loss"].values.shape == (0,)
    assert output.loss.isfinite()


def test_candidates_beside_the_text_itself_are_not_used() -> None:
    batch, single = encoded([5, 5], candidates=3), encoded([5, 5], candidates=3)
    single = single._replace(text=single.text._replace(pooled=single.text.pooled[:, :, :1]))
    assert torch.equal(loss_of(TempCLR(chain="all"), batch), loss_of(TempCLR(chain="all"), single))


def test_orders_are_drawn_for_a_position_in_the_whole_batch() -> None:
    batch, head = encoded([6, 6, 6, 6]), TempCLR(chain="all", negatives=7)

    def values(rows: Rows) -> Tensor:
        return order_of(head, batch, rows).terms["order_loss"].values

    parts = [values(Rows(i, 1, world_size=4, seed=5)) for i in range(4)]
    torch.testing.assert_close(torch.cat(parts), values(Rows(0, 4, seed=5)))
    assert not torch.equal(values(Rows(0, 4, seed=5)), values(Rows(0, 4, seed=6)))


@pytest.mark.ddp
@pytest.mark.parametrize(
    "numbers",
    [RAGGED, ([5, 4, 1, 1], [5, 4, 1, 1]), ([1, 1, 1, 1], [1, 1, 1, 1])],
    ids=["ragged", "a process without a chain", "no chain at all"],
)
def test_processes_train_as_one(
    numbers: Numbers, two_processes: Pool, four_processes: Pool
) -> None:
    head = TempCLR(chain="all", sequence=3, negatives=4).double()
    require_same_step(head, numbers, [two_processes, four_processes])


def test_what_to_change_where_no_sample_counts() -> None:
    batch = every_second(encoded([5, 2]), 1.0)
    head = TempCLR()
    order_of(head, batch)
    said = head.explain_empty("order_loss")
    assert re.search(r"sequence=5 .* the longest so far has 3\. .*gap=false", said)
    assert "chain=all" in said
    loose = TempCLR(gap=False, sequence=6)
    order_of(loose, batch)
    assert "the longest so far has 5" in loose.explain_empty("order_loss")
    assert "gap=false" not in loose.explain_empty("order_loss")
    assert "sampling.num_clips" in TempCLR(chain="all").explain_empty("order_loss")
    assert "contrastive" in head.explain_empty("contrastive")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"alpha": 1.5}, "alpha=1.5 .* from 0 to 1"),
        ({"sequence": 1}, "sequence=1 .* from 2 to 20"),
        ({"sequence": 21}, "sequence=21"),
        ({"negatives": 0}, "negatives=0"),
        ({"gamma": -0.1}, "gamma=-0.1"),
        ({"order_temperature": 0.0}, "order_temperature=0.0"),
        ({"metric": "euclid"}, "metric: expected one of dtw, otam, got 'euclid'"),
        ({"shuffle": "words"}, "shuffle: expected one of text, video, both"),
        ({"chain": "some"}, "chain: expected one of disjoint, all"),
        ({"shuffle": "both", "sequence": 2}, "a sequence of 3 or more"),
        ({"temperature": 0.0}, "temperature=0.0 of TempCLR"),
    ],
)
def test_refusals(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ArgumentError, match=match):
        TempCLR(**options)


def test_both_by_a_loop() -> None:
    batch = encoded([3, 3])
    head = TempCLR(shuffle="both", sequence=3, negatives=5, chain="all")
    orders = draw_orders([0, 1], 3, 5, seed=7).tolist()
    losses = []
    for sample in (0, 1):
        video, text = batch.video.pooled[sample], batch.text.pooled[sample, :, 0]
        identity, *others = orders[sample]
        pairs = [(identity, identity), *zip([others[-1], *others[:-1]], others, strict=True)]
        distances = torch.stack(
            [soft_dtw(cosine(video[clips], text[texts], eps=0.01), 0.1) for clips, texts in pairs]
        )
        losses.append((-distances).logsumexp(0) + distances[0])
    found = order_of(head, batch, Rows(0, 2, seed=7)).terms["order_loss"].values
    torch.testing.assert_close(found, torch.stack(losses), rtol=0, atol=1e-12)


def spans_of_step(head: TempCLR) -> Step:
    """Train a step on samples of which the last two have a chain without overlaps."""
    torch.manual_seed(0)
    encoders = nn.ModuleList([nn.Linear(5, 3, dtype=torch.float64) for _ in range(2)])
    local, rows = encode_own(encoders, ([4, 4, 4, 4], [4, 4, 4, 4]))
    apart = torch.tensor([1.5, 1.5, 0.5, 0.5])[rows.slice]
    starts = torch.arange(4, dtype=torch.float64).expand(rows.size, -1)
    spans = torch.stack([starts, starts + apart[:, None]], -1)
    return step_of(head, encoders, at(local, spans, spans), rows)


@pytest.mark.ddp
def test_chains_by_times_of_other_processes(two_processes: Pool, four_processes: Pool) -> None:
    head = TempCLR(sequence=4, negatives=23).double()
    alone = spans_of_step(head)
    head.zero_grad()
    for pool in (two_processes, four_processes):
        for together in pool.run(spans_of_step, head):
            torch.testing.assert_close(together, alone, rtol=0, atol=1e-9)
