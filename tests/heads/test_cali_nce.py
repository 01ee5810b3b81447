from typing import Any

import pytest
import torch
from torch import Tensor

from tests.heads.batches import LENGTHS, encoded
from tests.heads.contract import (
    AS_MANY,
    RAGGED,
    Numbers,
    SingleItemContract,
    loss_of,
    require_same_step,
)
from tests.processes import Pool
from vtlearn.batch import EncodedBatch, Own, Rows
from vtlearn.encoders.text import TinyText
from vtlearn.encoders.video import TinyVideo
from vtlearn.errors import ArgumentError
from vtlearn.heads import CaliNCE, Contrastive, HeadOutput, InfoNCE, Joint, TextDecoder

#: With as many wrong pairs as there are, or none, a position in the batch draws nothing.
OPTIONS: list[dict[str, Any]] = [
    {"num_negatives": 9},
    {"num_negatives": 9, "negatives": "hard", "weight": "score", "correspondence": "bilinear"},
    {"num_negatives": 9, "weight": "none", "learn_temperature": True},
    {"num_negatives": 9, "calibrate_negatives": True, "normalizer": "none", "weight": "score"},
]


def made(dim: int = 5, **options: Any) -> CaliNCE:
    torch.manual_seed(1)
    head = CaliNCE(**({"warmup_steps": 0} | options))
    head.connect(TinyVideo(dim=dim, width=4), TinyText(dim=dim))
    return head.double()


def output_of(head: CaliNCE, batch: EncodedBatch, rows: Rows | None = None) -> HeadOutput:
    output: HeadOutput = head(batch, rows)
    return output


def values_of(head: CaliNCE, batch: EncodedBatch, rows: Rows | None = None) -> dict[str, Tensor]:
    return {name: term.values for name, term in output_of(head, batch, rows).terms.items()}


def narrow(head: Contrastive, **options: Any) -> CaliNCE:
    """Make the same for vectors of width 3."""
    return made(dim=3, **head.arguments | options)


class TestCaliNCE(SingleItemContract):
    @pytest.fixture(params=OPTIONS, ids=str)
    def head(self, request: pytest.FixtureRequest) -> CaliNCE:
        return made(**request.param)

    def test_one_term_with_a_loss_per_own_item(self, head: Contrastive) -> None:
        batch = encoded(LENGTHS)
        output: HeadOutput = head(batch)
        own: HeadOutput = head(batch, Rows(1, 2, world_size=2))
        assert list(output.terms) == list(own.terms) == ["correspondence", "contrastive"]
        logs = {"p_own", "p_other", "effective_items", "weights_dropped"}
        assert set(output.logs) == {"temperature", "batch_accuracy", *logs}
        assert not any(value.requires_grad for value in output.logs.values())
        for name in output.terms:
            assert [len(x.terms[name].values) for x in (output, own)] == [10, 5]

    def test_match_is_the_dot_product_of_what_is_embedded(self, head: Contrastive) -> None:
        clip, texts = torch.randn(5).double(), torch.randn(3, 5).double()
        batch = EncodedBatch.of(clip.expand(3, 1, 5), texts[:, None])
        assert isinstance(head, CaliNCE)
        scores = head._scores(head.paired_items(batch, batch.all_rows()), batch.all_rows())
        torch.testing.assert_close(head.match(clip, texts), scores.own)

    def test_samples_without_clips_or_without_texts_take_no_part(self, head: Contrastive) -> None:
        lonely = encoded([4, 3, 2, 0], [4, 0, 2, 3])
        pair = lonely._replace(
            video=type(lonely.video)(*(x[[0, 2]] for x in lonely.video)),
            text=type(lonely.text)(*(x[[0, 2]] for x in lonely.text)),
        )
        torch.testing.assert_close(
            loss_of(self.all_negatives(head), lonely), loss_of(self.all_negatives(head), pair)
        )

    def test_gradcheck(self, head: Contrastive) -> None:
        # what is weighed has another gradient than its value has: none passes through weights
        super().test_gradcheck(narrow(head, warmup_steps=1, calibrate_negatives=False))

    @pytest.mark.ddp
    @pytest.mark.parametrize("numbers", AS_MANY.values(), ids=AS_MANY)
    def test_two_and_four_processes_train_as_one(
        self, head: Contrastive, numbers: Numbers, two_processes: Pool, four_processes: Pool
    ) -> None:
        require_same_step(narrow(head), numbers, [two_processes, four_processes])

    @pytest.mark.ddp
    def test_processes_train_as_one_in_tiles(
        self, head: Contrastive, two_processes: Pool, four_processes: Pool
    ) -> None:
        super().test_processes_train_as_one_in_tiles(narrow(head), two_processes, four_processes)

    @pytest.mark.parametrize("pairs", [1, 3])
    def test_tiles_change_no_gradient(
        self, head: Contrastive, pairs: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        super().test_tiles_change_no_gradient(narrow(head), pairs, monkeypatch)

    @staticmethod
    def all_negatives(head: Contrastive) -> CaliNCE:
        assert isinstance(head, CaliNCE)
        head.num_negatives = 5  # of 6 items
        return head


def test_without_weights_it_is_info_nce_beside_the_correspondence() -> None:
    batch = encoded()
    wanted: HeadOutput = InfoNCE()(batch)
    for options in ({"weight": "none"}, {"warmup_steps": 1}, {"correspondence_weight": 0}):
        found = values_of(made(**options), batch)
        torch.testing.assert_close(found["contrastive"], wanted.terms["contrastive"].values)


def test_weights_end_the_warm_up() -> None:
    batch, head = encoded(), made(warmup_steps=5, weight="score")
    early = output_of(head, batch, Rows(0, 4, step=4))
    late = output_of(head, batch, Rows(0, 4, step=5))
    assert early.logs["effective_items"] == 10
    assert late.logs["effective_items"] < 10


@pytest.mark.parametrize("normalizer", ["mean", "softmax"])
def test_equal_weights_are_training_side_by_side(normalizer: str) -> None:
    batch = encoded()
    head = made(normalizer=normalizer, weight="score")
    assert head.scorer is not None
    for parameter in head.scorer.parameters():
        parameter.data.zero_()  # p is a half for each pair
    alike = values_of(made(weight="none"), batch)["contrastive"]
    torch.testing.assert_close(values_of(head, batch)["contrastive"], alike)
    half = values_of(made(normalizer="none", weight="score"), batch)["contrastive"]
    assert not torch.allclose(half, alike)


def test_p_of_own_pairs_like_that_of_others_is_all_ones() -> None:
    head = made(weight="excess")
    assert head.scorer is not None
    for parameter in head.scorer.parameters():
        parameter.data.zero_()
    output = output_of(head, encoded())
    assert output.logs["weights_dropped"] == 1
    assert output.logs["effective_items"] == 10


def test_weights_by_hand() -> None:
    batch, head = encoded(), made(weight="score", power=2.0)
    items = head.paired_items(batch, batch.all_rows())
    p = head._scores(items, batch.all_rows()).own.detach().sigmoid() ** 2
    losses: HeadOutput = InfoNCE()(batch)
    wanted = losses.terms["contrastive"].values * p / p.mean()
    torch.testing.assert_close(values_of(head, batch)["contrastive"], wanted)


def test_no_gradient_reaches_the_scorer_through_the_contrast() -> None:
    batch, head = encoded(), made(calibrate_negatives=True)
    batch.video.pooled.requires_grad_()
    output_of(head, batch).terms["contrastive"].values.sum().backward()
    assert head.scorer is not None
    assert all(x.grad is None or not x.grad.any() for x in head.scorer.parameters())


def test_detached_correspondence_trains_the_scorer_alone() -> None:
    for detach in (True, False):
        batch, head = encoded(), made(detach=detach)
        video = batch.video.pooled.requires_grad_()
        output_of(head, batch).terms["correspondence"].values.sum().backward()
        assert head.scorer is not None
        assert any(x.grad is not None and x.grad.any() for x in head.scorer.parameters())
        assert (video.grad is None or not video.grad.any()) == detach


def test_the_correspondence_by_a_loop() -> None:
    batch, head = encoded([2, 1]), made(num_negatives=2)
    items = head.paired_items(batch, batch.all_rows())
    video, text = head._vectors(items)
    losses = []
    assert head.scorer is not None
    for i in range(3):
        others = [j for j in range(3) if j != i]
        own = -head.scorer(video[i], text[i]).sigmoid().log()
        wrong = [-(1 - head.scorer(video[i], text[j]).sigmoid()).log() for j in others]
        wrong += [-(1 - head.scorer(video[j], text[i]).sigmoid()).log() for j in others]
        losses.append(own / 2 + sum(wrong) / 4 / 2)
    torch.testing.assert_close(values_of(head, batch)["correspondence"], torch.stack(losses))


def test_one_item_has_no_wrong_pair() -> None:
    output = output_of(made(), encoded([1]))
    assert output.loss.isfinite()
    assert output.logs["p_other"] == 0


def test_calibrated_negatives_by_a_loop() -> None:
    batch, head = encoded([3]), made(calibrate_negatives=True, weight="none", temperature=0.5)
    items = head.paired_items(batch, batch.all_rows())
    video, text = head._vectors(items)
    unit = items.video.vectors @ items.text.vectors[:, 0].T / 0.5
    assert head.scorer is not None
    losses = []
    for i in range(3):
        both = []
        for pairs in ([(i, j) for j in range(3)], [(j, i) for j in range(3)]):
            terms = [
                unit[v, t].exp() * (1 if v == t else 1 - head.scorer(video[v], text[t]).sigmoid())
                for v, t in pairs
            ]
            both.append(torch.stack(terms).sum().log() - unit[i, i])
        losses.append(torch.stack(both).mean())
    torch.testing.assert_close(values_of(head, batch)["contrastive"], torch.stack(losses))


def test_the_order_of_the_batch_permutes_the_weights() -> None:
    batch, head = encoded([1] * 6), made(num_negatives=5)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    shuffled = batch._replace(
        video=type(batch.video)(*(x[order] for x in batch.video)),
        text=type(batch.text)(*(x[order] for x in batch.text)),
    )
    torch.testing.assert_close(
        values_of(head, shuffled)["contrastive"], values_of(head, batch)["contrastive"][order]
    )


WORDS = ["chop the carrot", "fry an egg", "stir", "pour some milk now"]


def with_words(numbers: Numbers = (LENGTHS, LENGTHS), silent: tuple[int, ...] = ()) -> EncodedBatch:
    """Give a batch tokens of two frames, and captions; some of these say nothing."""
    batch = encoded(numbers[0], numbers[1], candidates=1)
    generator = torch.Generator().manual_seed(3)
    clips, most = batch.video.pooled.shape[:2]
    tokens = torch.randn(clips, most, 2, 1, 32, dtype=torch.float64, generator=generator)
    texts = [
        ["" if i + j in silent else WORDS[(i + j) % 4] for j in range(number)]
        for i, number in enumerate(numbers[1])
    ]
    length = torch.full((clips, most), 2)
    ids = [str(i) for i in range(clips)]
    return batch._replace(own=Own(ids, tokens, length, None, None, texts, [[] for _ in texts]))


def predicting(**options: Any) -> CaliNCE:
    torch.manual_seed(2)
    decoder = TextDecoder(width=8, layers=1, heads=2, dropout=0.0, vocab_size=40)
    head = CaliNCE(predictor=decoder, **({"warmup_steps": 0} | options))
    head.connect(TinyVideo(dim=5, width=4), TinyText(dim=5))
    head.build(WORDS * 3)
    return head.double()


def test_what_is_predicted_is_weighed() -> None:
    batch = with_words()
    head, plain = predicting(weight="score"), predicting(calibrate_prediction=False)
    items = head.paired_items(batch, batch.all_rows())
    p = head._scores(items, batch.all_rows()).own.detach().sigmoid()
    bare = values_of(plain, batch)["prediction"]
    own = batch.own
    assert own is not None
    assert own.video_tokens is not None
    assert head.predictor is not None
    wanted = head.predictor.losses(
        [text for texts in own.texts for text in texts],
        own.video_tokens[items.sample, items.position],
        torch.full((10,), 2),
    )
    torch.testing.assert_close(bare, wanted)
    torch.testing.assert_close(values_of(head, batch)["prediction"], bare * p / p.mean())


def test_captions_without_words_are_no_item_of_the_prediction() -> None:
    output = output_of(predicting(), with_words(silent=(0, 2)))
    assert len(output.terms["prediction"].values) < 10
    assert len(output.terms["contrastive"].values) == 10
    silent = output_of(predicting(), with_words(silent=tuple(range(9))))
    assert silent.terms["prediction"].values.shape == (0,)
    assert silent.loss.isfinite()


def test_words_are_hidden_for_a_position_in_the_whole_batch() -> None:
    batch, head = with_words(([2] * 4, [2] * 4)), predicting(predict="mlm")
    whole = values_of(head, batch, Rows(0, 4, seed=5))["prediction"]
    own = batch.own
    assert own is not None
    parts = []
    for row in range(4):
        mine = Own(
            own.ids[row : row + 1],
            own.video_tokens[row : row + 1] if own.video_tokens is not None else None,
            own.video_token_length[row : row + 1] if own.video_token_length is not None else None,
            *(None, None, own.texts[row : row + 1], own.text_ids[row : row + 1]),
        )
        rows = Rows(row, 1, world_size=4, seed=5)
        parts.append(values_of(head, batch._replace(own=mine), rows)["prediction"])
    torch.testing.assert_close(torch.cat(parts), whole)
    assert not torch.equal(values_of(head, batch, Rows(0, 4, seed=6))["prediction"], whole)


def test_what_is_not_weighed_is_not_made() -> None:
    pairs, words = {"video_pooled", "text_pooled"}, {"video_tokens", "texts"}
    assert predicting().needs == pairs | words
    assert predicting(prediction_weight=0).needs == pairs
    assert predicting(prediction_weight=0).predictor is None
    alone = predicting(contrast_weight=0, correspondence_weight=0)
    assert alone.needs == words
    assert list(output_of(alone, with_words()).terms) == ["prediction"]
    assert made(correspondence_weight=0).scorer is None
    assert list(output_of(made(contrast_weight=0), encoded()).terms) == ["correspondence"]


@pytest.mark.ddp
@pytest.mark.parametrize("options", [{}, {"negatives": "hard", "weight": "score"}], ids=str)
def test_processes_draw_and_weigh_as_one(
    options: dict[str, Any], two_processes: Pool, four_processes: Pool
) -> None:
    require_same_step(made(dim=3, **options), RAGGED, [two_processes, four_processes])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"weight": "p"}, "weight: expected one of excess, score, none, got 'p'"),
        ({"correspondence": "cosine"}, "correspondence: expected one of mlp, bilinear"),
        ({"negatives": "easy"}, "negatives: expected one of uniform, hard"),
        ({"normalizer": "sum"}, "normalizer: expected one of mean, none, softmax"),
        ({"predict": "mlm"}, r"predict=mlm needs model\.head\.init_args\.predictor"),
        ({"num_negatives": 0}, "num_negatives"),
        ({"least": 2.0}, "least must be from 0 to 1, but is 2.0$"),
        ({"warmup_steps": -1}, "warmup_steps must be 0 or more, but is -1$"),
        ({"contrast_weight": -1.0}, "^contrast_weight must be 0 or more, but is -1.0$"),
        ({"prediction_weight": float("nan")}, "prediction_weight must be 0 or more, but is nan"),
        ({"contrast_weight": 0, "correspondence_weight": 0}, "nothing to train"),
        (
            {"calibrate_negatives": True, "correspondence_weight": 0},
            "calibrate_negatives takes .* correspondence_weight=0",
        ),
    ],
)
def test_refusals(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ArgumentError, match=match):
        CaliNCE(**options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"warmup_steps": 12}, "all 12 steps of this training are in warmup_steps=12"),
        ({"warmup_steps": 11}, ""),
        ({"warmup_steps": 12, "weight": "none"}, ""),
        ({"correspondence_weight": 0}, "nothing to weigh by: weight=excess is none here"),
        ({"correspondence_weight": 0, "weight": "none"}, ""),
        ({"contrast_weight": 0}, ""),
    ],
)
def test_a_training_without_weights_is_told_so(
    options: dict[str, Any], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    Joint({"a": made(**options)}).begin(12)
    assert len(caplog.records) == bool(said)
    assert said in caplog.text


def test_a_prediction_of_plain_tensors_is_refused() -> None:
    with pytest.raises(ArgumentError, match="own="):
        predicting()(encoded())


def test_hard_negatives_are_drawn_by_the_learned_temperature() -> None:
    learned = made(negatives="hard", learn_temperature=True, temperature=1.0)
    fixed = made(negatives="hard", temperature=0.01)
    fixed.scorer = learned.scorer
    batch = encoded([1] * 40)
    before = values_of(learned, batch)["correspondence"]
    assert learned.log_scale is not None
    learned.log_scale.data.fill_(torch.tensor(100.0).log())
    after = values_of(learned, batch)["correspondence"]
    torch.testing.assert_close(after, values_of(fixed, batch)["correspondence"])
    assert not torch.equal(after, before)
