"""What every contrastive head has to keep, whatever it computes."""

from typing import cast

import pytest
import torch
from torch import Tensor

from tests.heads.batches import LENGTHS, features, of_lengths, with_pooled
from tests.processes import Pool
from vtlearn.batch import TextFeatures, VideoFeatures
from vtlearn.distributed import gather, process
from vtlearn.heads import AlignmentHead, Grid, HeadOutput


def loss_of(head: AlignmentHead, video: VideoFeatures, text: TextFeatures, **grid: int) -> Tensor:
    output: HeadOutput = head(video, text, Grid(0, len(video.length), **grid))
    return output.loss


def parameter_gradients(head: AlignmentHead, lengths: list[int]) -> list[Tensor]:
    """Gradients of a linear encoder each, and of the head, as DDP would average them."""
    rank, world = process()
    video, text = features(lengths)
    torch.manual_seed(0)
    encoders = torch.nn.ModuleList([torch.nn.Linear(5, 3, dtype=torch.float64) for _ in range(2)])
    own = len(lengths) // world
    mine = slice(rank * own, (rank + 1) * own)
    encoded = with_pooled(
        VideoFeatures(video.pooled, None, gather(video.length[mine])),
        TextFeatures(text.pooled, None, gather(text.length[mine])),
        gather(encoders[0](video.pooled[mine])),
        gather(encoders[1](text.pooled[mine])),
    )
    output: HeadOutput = head(*encoded, Grid(rank * own, own, world, seed=3))
    output.loss.backward()
    parameters = [*encoders.parameters(), *head.parameters()]
    gradients = [cast("Tensor", parameter.grad).clone() for parameter in parameters]
    if world > 1:
        for gradient in gradients:
            torch.distributed.all_reduce(gradient)
            gradient.div_(world)
    return gradients


class ContrastContract:
    """Inherit, and give ``head``."""

    @pytest.fixture
    def head(self) -> AlignmentHead:
        raise NotImplementedError

    def test_padding_changes_nothing_and_gets_no_gradient(self, head: AlignmentHead) -> None:
        clean, poisoned = features(LENGTHS), of_lengths(LENGTHS)
        assert torch.equal(loss_of(head, *clean), loss_of(head, *poisoned))
        video, text = poisoned
        clips = video.pooled.requires_grad_()
        captions = text.pooled.requires_grad_()
        loss_of(head, *with_pooled(video, text, clips, captions)).backward()
        for gradient in (clips.grad, captions.grad):
            assert gradient is not None
            assert torch.isfinite(gradient).all()
            assert all((gradient[row, length:] == 0).all() for row, length in enumerate(LENGTHS))

    def test_order_of_the_batch_does_not_matter(self, head: AlignmentHead) -> None:
        video, text = features()
        order = torch.tensor([2, 0, 3, 1])
        shuffled = (
            VideoFeatures(video.pooled[order], None, video.length[order]),
            TextFeatures(text.pooled[order], None, text.length[order]),
        )
        torch.testing.assert_close(loss_of(head, *shuffled), loss_of(head, video, text))

    def test_gradcheck(self, head: AlignmentHead) -> None:
        video, text = features([2, 1], clips=2, dim=3)

        def loss(clips: Tensor, captions: Tensor) -> Tensor:
            return loss_of(head, *with_pooled(video, text, clips, captions))

        inputs = (video.pooled.requires_grad_(), text.pooled.requires_grad_())
        assert torch.autograd.gradcheck(loss, inputs)

    def test_bf16_features_are_scored_in_float32(self, head: AlignmentHead) -> None:
        video, text = features(dtype=torch.bfloat16)
        loss = loss_of(head, video, text)
        assert loss.dtype == torch.float32
        wide = with_pooled(video, text, video.pooled.double(), text.pooled.double())
        torch.testing.assert_close(loss.double(), loss_of(head, *wide), rtol=1e-4, atol=1e-5)

    def test_autocast_does_not_reach_the_scores(self, head: AlignmentHead) -> None:
        video, text = features(dtype=torch.float32)
        head.float()
        wanted = loss_of(head, video, text)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(loss_of(head, video, text), wanted)

    @pytest.mark.ddp
    @pytest.mark.parametrize("lengths", [[4, 4, 4, 4], LENGTHS, [3, 1, 0, 0]])
    def test_two_processes_give_the_gradients_of_one(
        self, head: AlignmentHead, lengths: list[int], two_processes: Pool
    ) -> None:
        alone = parameter_gradients(head, lengths)
        head.zero_grad()
        for together in two_processes.run(parameter_gradients, head, lengths):
            for one, two in zip(alone, together, strict=True):
                torch.testing.assert_close(two, one, rtol=0, atol=1e-9)

    def test_align_of_one_video(self, head: AlignmentHead) -> None:
        video, text = of_lengths([3])
        alignment = head.align(video, text)
        assert alignment.cost.shape == alignment.expected.shape == (3, 3)
        assert ((alignment.expected >= 0) & (alignment.expected <= 1 + 1e-9)).all()
        cells = alignment.path.cells[: int(alignment.path.length)]
        assert (cells.diff(dim=0) >= 0).all()
