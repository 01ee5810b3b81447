import pickle
from collections.abc import Sequence
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from vtlearn import heads
from vtlearn.batch import Encoded, EncodedBatch, Rows
from vtlearn.encoders.base import TextEncoder, Tokens, VideoEncoder
from vtlearn.errors import ArgumentError
from vtlearn.heads import Aligner, Head, HeadOutput, InfoNCE, LossTerm
from vtlearn.heads.base import total_loss, unit_length


def test_zero_vectors_stay_zero_with_zero_gradient() -> None:
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
    unit_length(x).sum().backward()
    assert unit_length(x)[1].tolist() == [0, 0]
    assert x.grad is not None
    assert x.grad[1].tolist() == [0, 0]
    assert torch.isfinite(x.grad).all()


def test_unit_length_is_differentiable() -> None:
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(unit_length, (x,))
    torch.testing.assert_close(unit_length(x).norm(dim=1), torch.ones(3, dtype=torch.float64))


def test_half_precision_is_widened() -> None:
    x = torch.tensor([[60000.0, 60000.0]], dtype=torch.float16)  # its square overflows float16
    torch.testing.assert_close(unit_length(x), torch.full((1, 2), 2**-0.5))


class Clips(VideoEncoder):
    """Vectors of a given width; tokens as well where asked for."""

    num_frames = size = 1

    def __init__(self, dim: int = 3, token_width: int | None = None) -> None:
        super().__init__()
        self.dim, self.token_width = dim, token_width

    def forward(self, frames: Tensor, frame_length: Tensor | None = None) -> Encoded:
        del frame_length
        return Encoded(frames.flatten(1))


class Sentences(TextEncoder):
    def __init__(self, dim: int = 4, token_width: int | None = None) -> None:
        super().__init__()
        self.dim, self.token_width = dim, token_width

    def tokenize(self, texts: Sequence[str], max_words: int | None = None) -> Tokens:
        del max_words
        return Tokens(torch.zeros(len(texts), 1), torch.ones(len(texts)))

    def forward(self, tokens: Tokens) -> Encoded:
        return Encoded(tokens.ids)


class Plain(Aligner):
    """The mean of all clips' squares: one loss per sample."""

    needs = frozenset({"video_pooled"})

    def forward(self, batch: EncodedBatch, rows: Rows | None = None) -> HeadOutput:
        own = batch.video.pooled[(rows or batch.all_rows()).slice]
        return HeadOutput({"square": LossTerm(own.square().mean((1, 2)))}, {})


class Projection(Plain):
    """The same after a layer of the encoder's width."""

    def make_layers(self, video_encoder: VideoEncoder, text_encoder: TextEncoder | None) -> None:
        del text_encoder
        self.layer = nn.Linear(video_encoder.dim, 2)

    def forward(self, batch: EncodedBatch, rows: Rows | None = None) -> HeadOutput:
        features = batch.video._replace(pooled=self.layer(batch.video.pooled))
        return super().forward(batch._replace(video=features), rows)


class Joint(Plain):
    def __init__(self, *parts: Head) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)


class NeedsTokens(Plain):
    needs = frozenset({"video_tokens", "text_tokens"})


class NeedsTexts(Plain):
    needs = frozenset({"video_pooled", "texts"})


class Misspelt(Plain):
    needs = frozenset({"video"})


BATCH = EncodedBatch.of(torch.randn(2, 4, 3), torch.randn(2, 4, 3))


class TestConnect:
    def test_layers_are_made_once(self) -> None:
        head = Projection()
        assert list(head.parameters()) == []
        head.connect(Clips(3), Sentences(4))
        weight = head.layer.weight
        head.connect(Clips(3), Sentences(4))
        assert head.layer.weight is weight
        assert head(BATCH).loss.requires_grad

    def test_forward_before_it_is_refused(self) -> None:
        with pytest.raises(ArgumentError, match=r"Projection has layers .* connect\("):
            Projection()(BATCH)

    def test_a_head_without_such_layers_works_unconnected(self) -> None:
        torch.testing.assert_close(Plain()(BATCH).loss, BATCH.video.pooled.square().mean())

    @pytest.mark.parametrize(
        "others",
        [
            (Clips(5), Sentences()),
            (Clips(3, 7), Sentences()),
            (Clips(), Sentences(5)),
            (Clips(), None),
        ],
    )
    def test_other_widths_are_refused(
        self, others: tuple[VideoEncoder, TextEncoder | None]
    ) -> None:
        head = Projection()
        head.connect(Clips(3), Sentences(4))
        with pytest.raises(ArgumentError, match=r"Projection was connected .* build a new head"):
            head.connect(*others)
        assert head.layer.in_features == 3

    def test_parts_are_connected_however_deep_they_lie(self) -> None:
        inner = Projection()
        head = Joint(Plain(), Joint(inner))
        head.connect(Clips(3), None)
        assert inner.layer.in_features == 3
        head.connect(Clips(3), None)

    def test_a_part_that_cannot_be_given_its_needs_is_named(self) -> None:
        with pytest.raises(ArgumentError, match="NeedsTokens needs video tokens, and Clips"):
            Joint(NeedsTokens()).connect(Clips(), Sentences())

    def test_a_connected_head_survives_pickling(self) -> None:
        head = Projection()
        head.connect(Clips(3), None)
        same = pickle.loads(pickle.dumps(head))  # noqa: S301 - our own
        assert torch.equal(same(BATCH).loss, head(BATCH).loss)

    def test_needs_are_checked_by_both_names(self) -> None:
        with pytest.raises(ArgumentError, match="NeedsTokens needs video tokens, and Clips gives"):
            NeedsTokens().connect(Clips(), Sentences(4, 8))
        with pytest.raises(ArgumentError, match="NeedsTokens needs text tokens, and Sentences gi"):
            NeedsTokens().connect(Clips(3, 8), Sentences())
        NeedsTokens().connect(Clips(3, 8), Sentences(4, 8))

    def test_no_text_encoder(self) -> None:
        with pytest.raises(ArgumentError, match="InfoNCE needs a text encoder, and model"):
            InfoNCE().connect(Clips(), None)
        with pytest.raises(ArgumentError, match="NeedsTokens needs a text encoder"):
            NeedsTokens().connect(Clips(3, 8), None)
        NeedsTexts().connect(Clips(), None)  # strings are read without one

    def test_unknown_needs_are_refused(self) -> None:
        with pytest.raises(ArgumentError, match=r"Misspelt.needs has \['video'\]; .*video_pooled"):
            Misspelt().connect(Clips(), Sentences())


def test_a_head_has_no_vocabulary_unless_it_says_so() -> None:
    head = Plain()
    head.build(["chop the carrot"])
    assert not head.needs_vocabulary


class TestTotalLoss:
    TERMS: ClassVar = {
        "clip": LossTerm(torch.tensor([1.0, 2.0])),
        "video": LossTerm(torch.tensor([4.0]), weight=0.25),
    }

    def test_weights_and_shares(self) -> None:
        assert total_loss(self.TERMS, [2, 1]) == 1.5 + 0.25 * 4
        assert total_loss(self.TERMS, [6, 4], world_size=3) == 3 * 3 / 6 + 0.25 * 3 * 4 / 4

    def test_no_items_at_all_give_zero_with_a_gradient(self) -> None:
        values = torch.zeros(0, requires_grad=True)
        loss = total_loss({"clip": LossTerm(values)}, [0], world_size=2)
        assert loss == 0
        assert loss.requires_grad

    def test_processes_average_to_the_loss_of_the_batch(self) -> None:
        values = torch.rand(7, dtype=torch.float64)
        parts = [{"clip": LossTerm(part)} for part in values.split([4, 0, 3])]
        shares = torch.stack([total_loss(part, [7], world_size=3) for part in parts])
        torch.testing.assert_close(shares.mean(), values.mean())

    def test_a_count_per_term(self) -> None:
        with pytest.raises(ValueError, match="shorter"):
            total_loss(self.TERMS, [3])

    def test_the_loss_of_one_process(self) -> None:
        assert HeadOutput(self.TERMS, {}).loss == total_loss(self.TERMS, [2, 1])


class TestAligner:
    def test_embeds_by_cosine_or_as_it_is(self) -> None:
        pooled = torch.tensor([[3.0, 4.0]], dtype=torch.bfloat16)
        assert Plain(normalize=False).embed(pooled).tolist() == [[3, 4]]
        torch.testing.assert_close(Plain().embed(pooled), torch.tensor([[0.6, 0.8]]))
        assert (Plain().similarity, Plain(normalize=False).similarity) == ("cosine", "dot")

    def test_match(self) -> None:
        clip, texts = torch.tensor([2.0, 0.0]), torch.tensor([[3.0, 4.0], [0.0, 1.0]])
        torch.testing.assert_close(Plain().match(clip, texts), torch.tensor([0.6, 0.0]))
        assert Plain(normalize=False).match(clip, texts).tolist() == [6, 0]

    def test_align(self) -> None:
        eye = torch.eye(3)
        alignment = Plain().align(eye[[0, 0, 1, 2]], eye)
        assert alignment.cost.argmin(1).tolist() == [0, 0, 1, 2]
        cells = alignment.path.cells[: int(alignment.path.length)]
        assert cells.tolist() == [[0, 0], [1, 0], [2, 1], [3, 2]]
        assert alignment.expected[0, 0] == alignment.expected[3, 2] == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("AlignmentHead", "heads.Aligner"),
        ("Grid", "batch.Rows"),
        ("SequenceContrast", "Contrastive"),
    ],
)
def test_an_old_name_says_what_it_is_called_now(old: str, new: str) -> None:
    with pytest.raises(
        ImportError, match=f"vtlearn.heads.{old} is now vtlearn.*{new}: .*CHANGELOG"
    ):
        exec(f"from vtlearn.heads import {old}")  # noqa: S102 - what a user's file says
    assert not hasattr(heads, "Nothing")
