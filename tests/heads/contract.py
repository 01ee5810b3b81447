"""What every contrastive head has to keep, whatever it computes."""

from collections.abc import Sequence
from typing import NamedTuple, cast

import pytest
import torch
from torch import Tensor, nn

from tests.heads.batches import CLIPS, LENGTHS, TEXTS, encoded, with_pooled
from tests.processes import Pool
from vtlearn.batch import EncodedBatch, Rows
from vtlearn.distributed import gather_batch, process, sum_counts, zero_reaching
from vtlearn.errors import ArgumentError
from vtlearn.heads import Aligner, Contrastive, Head, HeadOutput
from vtlearn.heads.base import total_loss
from vtlearn.heads.contrastive import Embeddings
from vtlearn.padding import fold, valid

#: How many clips and texts each sample has.
Numbers = tuple[list[int], list[int]]

RAGGED: Numbers = (LENGTHS, LENGTHS)
DIFFERENT: Numbers = (CLIPS, TEXTS)

#: What every head takes, on any number of processes.
AS_MANY: dict[str, Numbers] = {
    "equal": ([4, 4, 4, 4], [4, 4, 4, 4]),
    "ragged": RAGGED,
    "processes without texts": ([4, 2, 3, 1], [4, 2, 0, 0]),
    "processes without clips": ([0, 0, 3, 1], [2, 5, 3, 1]),
    "processes without both": ([3, 1, 0, 0], [3, 1, 0, 0]),
    "no pair at all": ([3, 0, 2, 0], [0, 1, 0, 4]),
    "no text at all": ([3, 1, 2, 0], [0, 0, 0, 0]),
    "no clip at all": ([0, 0, 0, 0], [3, 1, 2, 0]),
    "nothing at all": ([0, 0, 0, 0], [0, 0, 0, 0]),
}


class Step(NamedTuple):
    """What a training step comes to: the loss of the whole batch, and DDP's gradients."""

    loss: Tensor
    gradients: list[Tensor]


def loss_of(head: Aligner, batch: EncodedBatch, rows: Rows | None = None) -> Tensor:
    output: HeadOutput = head(batch, rows)
    return output.loss


def encode_own(encoders: nn.ModuleList, numbers: Numbers) -> tuple[EncodedBatch, Rows]:
    """Encode this process's samples, padded to its own longest by NaN, as a learner does."""
    rank, world = process()
    whole, own = encoded(*numbers), len(numbers[0]) // world
    rows = Rows(rank * own, own, world, seed=3)
    clips, texts = (lengths[rows.slice] for lengths in numbers)
    candidates = 2 if any(texts) else 1  # a batch without texts cannot know how many there are
    local = whole.local(rows)
    video, text = (
        encoder(x.pooled[valid(x.length, x.pooled.shape[1])])
        for encoder, x in zip(encoders, (local.video, local.text), strict=True)
    )
    batch = EncodedBatch.of(
        fold(video, clips, fill=torch.nan),
        fold(text, texts, fill=torch.nan)[:, :, :candidates],
        video_length=torch.tensor(clips),
        text_length=torch.tensor(texts),
    )
    return batch, rows


def train_step(head: Aligner, numbers: Numbers) -> Step:
    """Encode, gather, compute losses and share them out as the learner does, and DDP after it."""
    torch.manual_seed(0)
    encoders = nn.ModuleList([nn.Linear(5, 3, dtype=torch.float64) for _ in range(2)])
    return step_of(head, encoders, *encode_own(encoders, numbers))


def step_of(head: Head, encoders: nn.ModuleList, local: EncodedBatch, rows: Rows) -> Step:
    """Gather what is encoded, compute losses and share them out, and DDP after it."""
    batch = gather_batch(local)
    output: HeadOutput = head(batch, rows)
    counts = sum_counts([len(term.values) for term in output.terms.values()])
    loss = total_loss(output.terms, counts, rows.world_size)
    (loss + zero_reaching(local, batch, head.parameters())).backward()
    parameters = [p for p in (*encoders.parameters(), *head.parameters()) if p.requires_grad]
    averaged = [cast("Tensor", parameter.grad).clone() for parameter in parameters]
    averaged.append(loss.detach().clone())
    if rows.world_size > 1:
        for tensor in averaged:
            torch.distributed.all_reduce(tensor)
            tensor.div_(rows.world_size)
    return Step(averaged.pop(), averaged)


def refusal(head: Aligner, numbers: Numbers) -> str:
    """Return what this process says when the head is given the batch."""
    try:
        train_step(head, numbers)
    except ArgumentError as error:
        return str(error)
    return ""


def require_same_step(
    head: Aligner, numbers: Numbers, pools: Sequence[Pool], grid_memory: int | None = None
) -> None:
    alone = train_step(head, numbers)
    assert all(torch.isfinite(gradient).all() for gradient in alone.gradients)
    head.zero_grad()
    if grid_memory is not None:
        assert isinstance(head, Contrastive)
        head.grid_memory = grid_memory
    for pool in pools:
        for together in pool.run(train_step, head, numbers):
            torch.testing.assert_close(together, alone, rtol=0, atol=1e-9)


class ContrastContract:
    """Inherit from one of the two below, and give ``head``."""

    @pytest.fixture
    def head(self) -> Contrastive:
        raise NotImplementedError

    #: A batch that every head of the kind takes, and one that is quickly differentiated.
    numbers: Numbers = RAGGED
    few: Numbers = ([2, 1], [2, 1])
    #: How many items ``numbers`` makes: in all, and those of samples 1 and 2.
    counts = (10, 5)

    def test_padding_changes_nothing_and_gets_no_gradient(self, head: Contrastive) -> None:
        numbers = self.numbers
        clean, poisoned = encoded(*numbers), encoded(*numbers, fill=torch.nan)
        assert torch.equal(loss_of(head, clean), loss_of(head, poisoned))
        pooled = [x.pooled.requires_grad_() for x in (poisoned.video, poisoned.text)]
        loss_of(head, with_pooled(poisoned, *pooled)).backward()
        for x, lengths in zip(pooled, numbers, strict=True):
            assert x.grad is not None
            assert torch.isfinite(x.grad).all()
            assert all((x.grad[sample, n:] == 0).all() for sample, n in enumerate(lengths))
            assert (x.grad[0, 0] != 0).any()

    def test_more_padding_changes_nothing(self, head: Contrastive) -> None:
        batch = encoded(*self.numbers)
        more = [
            torch.cat([x.pooled, torch.full_like(x.pooled, torch.nan)], 1)
            for x in (batch.video, batch.text)
        ]
        torch.testing.assert_close(
            loss_of(head, with_pooled(batch, *more)), loss_of(head, batch), rtol=1e-12, atol=1e-12
        )

    def test_order_of_the_batch_does_not_matter(self, head: Contrastive) -> None:
        batch = encoded(*self.numbers)
        order = torch.tensor([2, 0, 3, 1])
        shuffled = batch._replace(
            video=type(batch.video)(*(x[order] for x in batch.video)),
            text=type(batch.text)(*(x[order] for x in batch.text)),
        )
        torch.testing.assert_close(loss_of(head, shuffled), loss_of(head, batch))

    def test_samples_without_clips_or_without_texts_take_no_part(self, head: Contrastive) -> None:
        lonely = encoded([4, 3, 2, 0], [4, 0, 2, 3])
        pair = lonely._replace(
            video=type(lonely.video)(*(x[[0, 2]] for x in lonely.video)),
            text=type(lonely.text)(*(x[[0, 2]] for x in lonely.text)),
        )
        head.eval()  # what is drawn at random is drawn for a position in the batch
        assert torch.equal(loss_of(head, lonely), loss_of(head, pair))

    def test_gradcheck(self, head: Contrastive) -> None:
        batch = encoded(*self.few, dim=3)

        def loss(clips: Tensor, texts: Tensor) -> Tensor:
            return loss_of(head, with_pooled(batch, clips, texts))

        inputs = (batch.video.pooled.requires_grad_(), batch.text.pooled.requires_grad_())
        assert torch.autograd.gradcheck(loss, inputs)

    def test_bf16_features_are_compared_in_float32(self, head: Contrastive) -> None:
        batch = encoded(*self.numbers, dtype=torch.bfloat16)
        loss = loss_of(head, batch)
        assert loss.dtype == torch.float32
        wide = with_pooled(batch, batch.video.pooled.double(), batch.text.pooled.double())
        torch.testing.assert_close(loss.double(), loss_of(head, wide), rtol=1e-4, atol=1e-5)

    def test_autocast_does_not_reach_the_logits(self, head: Contrastive) -> None:
        batch = encoded(*self.numbers, dtype=torch.float32)
        head.float()
        wanted = loss_of(head, batch)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(loss_of(head, batch), wanted)

    def test_autocast_does_not_reach_the_match(self, head: Contrastive) -> None:
        clip, texts = torch.randn(5), torch.randn(7, 5)
        head.float()
        wanted = head.match(clip, texts)
        with torch.autocast("cpu", torch.bfloat16):
            found = head.match(clip, texts)
        assert torch.equal(found, wanted)
        half = head.match(clip.bfloat16(), texts.bfloat16())
        assert found.dtype == half.dtype == torch.float32

    def test_one_term_with_a_loss_per_own_item(self, head: Contrastive) -> None:
        batch = encoded(*self.numbers)
        output: HeadOutput = head(batch)
        own: HeadOutput = head(batch, Rows(1, 2, world_size=2))
        assert list(output.terms) == list(own.terms) == ["contrastive"]
        assert set(output.logs) == {"temperature", "batch_accuracy"}
        assert not any(value.requires_grad for value in output.logs.values())
        counts = [len(x.terms["contrastive"].values) for x in (output, own)]
        assert counts == [*self.counts]

    @pytest.mark.ddp
    @pytest.mark.parametrize("numbers", AS_MANY.values(), ids=AS_MANY)
    def test_two_and_four_processes_train_as_one(
        self, head: Contrastive, numbers: Numbers, two_processes: Pool, four_processes: Pool
    ) -> None:
        require_same_step(head, numbers, [two_processes, four_processes])

    @pytest.mark.parametrize("pairs", [1, 3])
    def test_tiles_change_no_gradient(
        self, head: Contrastive, pairs: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = train_step(head, self.numbers)
        head.zero_grad()
        batch, logits, tiles = encoded(*self.numbers), head.logits, list[int]()
        items = head.paired_items(batch, batch.all_rows())
        head.grid_memory = pairs * 8 * head.floats_per_pair(items.video, items.text)

        def watched(video: Embeddings, text: Embeddings) -> Tensor:
            tiles.append(len(video.length) * len(text.length))
            return logits(video, text)

        monkeypatch.setattr(head, "logits", watched)
        torch.testing.assert_close(train_step(head, self.numbers), whole, rtol=0, atol=1e-10)
        assert max(tiles) == pairs

    @pytest.mark.ddp
    def test_processes_train_as_one_in_tiles(
        self, head: Contrastive, two_processes: Pool, four_processes: Pool
    ) -> None:
        require_same_step(head, self.numbers, [two_processes, four_processes], grid_memory=1)

    def test_align_of_one_video(self, head: Contrastive) -> None:
        video, text = torch.randn(4, 5).double(), torch.randn(3, 5).double()
        alignment = head.align(video, text)
        assert alignment.cost.shape == alignment.expected.shape == (4, 3)
        assert ((alignment.expected >= 0) & (alignment.expected <= 1 + 1e-9)).all()
        cells = alignment.path.cells[: int(alignment.path.length)]
        assert (cells.diff(dim=0) >= 0).all()

    def test_match_is_the_dot_product_of_what_is_embedded(self, head: Contrastive) -> None:
        clip, texts = torch.randn(5).double(), torch.randn(3, 5).double()
        wanted = torch.stack([head.embed(clip) @ head.embed(text) for text in texts])
        torch.testing.assert_close(head.match(clip, texts), wanted)


class SingleItemContract(ContrastContract):
    """For heads where clip i belongs to text i."""

    @pytest.mark.parametrize("numbers", [DIFFERENT, ([2, 2, 2, 3], [2, 2, 2, 4])])
    def test_as_many_texts_as_clips_or_refused(self, head: Contrastive, numbers: Numbers) -> None:
        sample = next(i for i, (n, m) in enumerate(zip(*numbers, strict=True)) if n != m)
        message = (
            f"{type(head).__name__} takes .* sample {sample} of the batch .* has "
            f"{numbers[0][sample]} clips and {numbers[1][sample]} texts: set model.head .* S2DTW"
        )
        with pytest.raises(ArgumentError, match=message):
            head(encoded(*numbers))

    @pytest.mark.ddp
    def test_every_process_refuses(
        self, head: Contrastive, two_processes: Pool, four_processes: Pool
    ) -> None:
        alone = refusal(head, DIFFERENT)
        assert type(head).__name__ in alone
        for pool in (two_processes, four_processes):
            assert set(pool.run(refusal, head, DIFFERENT)) == {alone}


class WholeSampleContract(ContrastContract):
    """For heads whose items are whole samples."""

    numbers = DIFFERENT
    few = ([2, 1], [1, 3])
    counts = (4, 2)

    @pytest.mark.ddp
    def test_processes_train_as_one_where_clips_and_texts_differ(
        self, head: Contrastive, two_processes: Pool, four_processes: Pool
    ) -> None:
        require_same_step(head, DIFFERENT, [two_processes, four_processes])
