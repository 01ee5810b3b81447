"""Step supervision: which steps of its task each frame shows, and in which order they are done."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import inf
from typing import Literal, NamedTuple, Self, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from vtlearn.alignment.costs import cosine
from vtlearn.alignment.sequence_distances import SequenceMetric, sequence_distances
from vtlearn.batch import EncodedBatch, Rows
from vtlearn.checks import require_choice, require_positive, require_share
from vtlearn.encoders.base import TextEncoder, VideoEncoder
from vtlearn.errors import ArgumentError
from vtlearn.heads.base import Aligner, HeadOutput, LossTerm
from vtlearn.heads.captions import own_tokens
from vtlearn.heads.chains import spread
from vtlearn.heads.permutation import draw_other_orders
from vtlearn.heads.tempclr import order_terms
from vtlearn.padding import frame_times, valid

__all__ = ["StepSupervision"]

Mode = Literal["exact", "reference"]

_STEPS = "steps"


class StepSupervision(Aligner):
    """Say of each frame which steps it shows, and tell the order of the steps from other orders.

    A sample is a whole video: its clips are windows that may overlap, its texts the annotated
    segments in temporal order, and then the steps of its task that it does not show, whose times
    are unknown (NaN). Equal texts are one step. A frame shows the steps of the segments that its
    middle lies in, of which there may be several.

    The loss is (1 - alpha) steps + alpha order. ``steps`` is the binary cross-entropy of the dot
    products of all frames and all steps, the mean over a video's, and then over videos. For the
    order, ``frames_per_step`` frames per segment, spread evenly over those that show a step, are
    compared with the segments, of which equal ones that follow each other are one: their distance
    has to be smaller than with the segments in other orders, by the cross-entropy of -distance. A
    video counts if it has two such segments and two such frames; the order is the mean over the
    videos that count, 0 where none does. Logged are both; ``order_accuracy``, the share of these
    that are nearest as they are; and ``counted``, the share of videos that count.

    Args:
        alpha: The share of the order, from 0 to 1; at 0 it is not computed.
        metric: The distance of frames and segments: soft-DTW, or OTAM both ways.
        gamma: Smoothing of the distance, in units of the cost, which is 1 - cosine.
        negatives: Other orders that the segments are compared in, drawn again in each step; one may
            be drawn twice, and none reads like the segments as they are.
        frames_per_step: Frames that are compared per segment, at most.
        shuffle_frames: Whether the frames of each run that shows the same steps change places in
            the other orders as well.
        mode: Where windows overlap, a second has several vectors: ``exact`` compares their mean, in
            temporal order; ``reference`` compares all, window by window, as the published code.

    Raises:
        ArgumentError: If a number is outside its range, or a choice is unknown.

    Source:
        Y. Yang, J. Ma, S. Huang, L. Chen, X. Lin, G. Han, S.-F. Chang, "TempCLR: Temporal Alignment
        Representation with Contrastive Learning", ICLR 2023, and its published code for CrossTask,
        whose defaults these are.

    Example:
        >>> from vtlearn.batch import Own
        >>> steps = torch.eye(2)
        >>> frames = 8 * torch.stack([steps[0], steps[0], steps[1], steps[1]])
        >>> texts, spans = ["stir", "bake"], torch.tensor([[[0.0, 2.0], [2.0, 4.0]]]).double()
        >>> own = Own(["v"], frames.view(1, 1, 4, 1, 2), None, None, None, [texts], [[]])
        >>> clip = torch.tensor([[[0.0, 4.0]]]).double()
        >>> batch = EncodedBatch.of(
        ...     torch.zeros(1, 1, 0), steps[None], clip_spans=clip, text_spans=spans, own=own
        ... )
        >>> output = StepSupervision(negatives=3)(batch)
        >>> {name: round(term.values.mean().item(), 2) for name, term in output.terms.items()}
        {'steps': 0.35, 'order_loss': 0.16, 'order_accuracy': 1.0}
    """

    needs = frozenset({"video_tokens", "text_pooled", "texts"})

    def __init__(
        self,
        *,
        alpha: float = 0.12,
        metric: SequenceMetric = "dtw",
        gamma: float = 0.1,
        negatives: int = 31,
        frames_per_step: int = 10,
        shuffle_frames: bool = False,
        mode: Mode = "exact",
    ) -> None:
        super().__init__(normalize=False)
        require_share(alpha=alpha)
        require_choice(get_args(SequenceMetric), metric=metric)
        require_choice(get_args(Mode), mode=mode)
        require_positive(negatives=negatives, frames_per_step=frames_per_step)
        if not 0 <= gamma < inf:
            message = f"gamma={gamma} of StepSupervision has to be 0 or more"
            raise ArgumentError(message)
        self.alpha, self.metric, self.gamma = alpha, metric, gamma
        self.negatives, self.frames_per_step = negatives, frames_per_step
        self.shuffle_frames, self.mode = shuffle_frames, mode

    @override
    def connect(self, video_encoder: VideoEncoder, text_encoder: TextEncoder | None) -> None:
        if not video_encoder.frame_vectors:
            message = (
                f"StepSupervision compares frames with steps, and {type(video_encoder).__name__} "
                "has no vector per frame that is as wide as a text's: choose another "
                "model.video_encoder, such as VideoCLIP"
            )
            raise ArgumentError(message)
        if text_encoder is not None and text_encoder.dim != video_encoder.dim:
            message = (
                f"StepSupervision compares frames with steps, and {type(video_encoder).__name__} "
                f"gives vectors of dim={video_encoder.dim}, {type(text_encoder).__name__} of "
                f"dim={text_encoder.dim}: give both the same dim"
            )
            raise ArgumentError(message)
        super().connect(video_encoder, text_encoder)

    def forward(self, batch: EncodedBatch, rows: Rows | None = None) -> HeadOutput:
        """Compare the frames of this process's own videos with the steps of their tasks.

        Args:
            batch: ``text.pooled`` is (batch, texts, candidates, dim), of which candidate 0 counts;
                ``own`` has a vector per frame, (own, clips, frames, 1, dim), and the strings.
            rows: The samples of the batch that belong to this process; None: all.

        Returns:
            The terms ``steps``, one loss per own video with clips and texts; ``order_loss``, one
            per own video that counts; and ``order_accuracy`` of these, of weight 0. Logged is
            ``counted``.

        Raises:
            ArgumentError: If there are no tokens, or several per frame; or no text of the whole
                batch has times.
        """
        rows = batch.all_rows() if rows is None else rows
        if batch.text_spans.shape[1] and batch.text_spans.isnan().any(2).all():
            message = (
                "StepSupervision learns when steps are done, and no text of the batch has times: "
                "set data to one with annotated segments, such as CrossTask with train_on=windows"
            )
            raise ArgumentError(message)
        with torch.autocast(batch.text.pooled.device.type, enabled=False):  # float32 or wider
            none = self.embed(batch.text.pooled.new_zeros(0))
            videos = list(self._videos(batch, rows))
            values = torch.stack([_frame_loss(one) for one in videos]) if videos else none
            terms = {_STEPS: LossTerm(values, weight=1 - self.alpha)}
            if self.alpha == 0:
                return HeadOutput(terms, {})
            ordered = [one for one in map(self._ordered, videos) if one is not None]
            costs = [self._costs(one, rows.seed) for one in ordered]
            logits = -self._distances(costs) if costs else none.reshape(0, 1 + self.negatives)
        share = values.new_tensor(len(logits) / max(rows.size, 1)).detach()
        return HeadOutput(terms | order_terms(logits, self.alpha), {"counted": share})

    @override
    def explain_empty(self, term: str) -> str:
        if term == _STEPS:
            return super().explain_empty(term)
        return (
            "no video of the epoch shows two different steps in two frames or more, so that their "
            "order is never compared: give videos of several annotated steps, or set "
            "model.head.init_args.alpha=0"
        )

    def _videos(self, batch: EncodedBatch, rows: Rows) -> Iterator["_Video"]:
        """Take the own videos that have clips and texts out of a batch."""
        own, tokens = own_tokens(self, batch)
        if tokens.shape[3] != 1:
            message = f"StepSupervision takes a vector per frame, and there are {tokens.shape[3]}"
            raise ArgumentError(message)
        local, size = batch.local(rows), tokens.shape[2]
        lengths = own.video_token_length
        if lengths is None:
            lengths = torch.full(tokens.shape[:2], size)
        lengths = lengths.cpu()
        counts = zip(local.video.length.tolist(), local.text.length.tolist(), strict=True)
        for index, (clips, texts) in enumerate(counts):
            if not clips or not texts:
                continue
            length = lengths[index, :clips]
            counted = valid(length, size)
            place = counted.flatten().nonzero().squeeze(1).to(tokens.device)
            frames = tokens[index, :clips, :, 0].flatten(0, 1)[place]
            times = frame_times(local.clip_spans[index, :clips], length, size)[counted]
            strings = own.texts[index]
            yield _Video.of(
                rows.start + index,
                *(self.embed(frames), times),
                self.embed(local.text.pooled[index, :texts, 0]),
                *(strings[:: len(strings) // texts], local.text_spans[index, :texts]),
            )

    def _ordered(self, video: "_Video") -> "_Video | None":
        """Keep the frames whose order is compared; None for a video that does not count."""
        shown = video.pick(video.labels.any(1).nonzero().squeeze(1))
        if self.mode == "exact":
            shown = shown.without_overlaps()
        count = len(shown.times)
        if count < 2 or len(shown.order) < 2:
            return None
        most = self.frames_per_step * len(shown.order)
        return shown.pick(torch.tensor(spread(range(count), min(count, most))))

    def _costs(self, video: "_Video", seed: int) -> Tensor:
        """Compare the frames of a video with its segments, as they are and in other orders.

        Args:
            video: Frames in their order, and the steps of the segments.
            seed: The step's.

        Returns:
            (1 + negatives, frames, segments), the first as they are.
        """
        rng = np.random.default_rng((seed, 0, video.sample))
        orders = draw_other_orders(video.order, self.negatives, rng)
        frames = torch.arange(len(video.times)).repeat(len(orders), 1)
        if self.shuffle_frames:
            frames[1:] = _shuffled_in_runs(video.labels, self.negatives, rng)
        # eps is the published code's
        cost = cosine(video.frames, video.steps[video.order], eps=0.01)
        frames, orders = frames.to(cost.device), orders.to(cost.device)
        return cost[frames[:, :, None], orders[:, None, :]]

    def _distances(self, costs: Sequence[Tensor]) -> Tensor:
        """Compute how far frames and segments of all videos are apart, (videos, 1 + negatives)."""
        sizes = torch.tensor([x.shape[1:] for x in costs], device=costs[0].device)
        frames, segments = sizes.amax(0).tolist()
        padded = [
            functional.pad(x, (0, segments - x.shape[2], 0, frames - x.shape[1])) for x in costs
        ]
        n, m = sizes[:, None].unbind(2)
        return sequence_distances(torch.stack(padded), self.metric, self.gamma, n=n, m=m)


class _Video(NamedTuple):
    """A video's frames, and the steps of its task.

    Attributes:
        sample: Its place in the whole batch.
        frames: Vectors of frames, window by window, (frames, dim).
        times: The middle of each in seconds, (frames,), on the CPU.
        labels: Which steps each shows, (frames, steps), bool, on the CPU.
        steps: A vector for each step, (steps, dim).
        order: The steps of the segments in temporal order, without repeats that follow each other.
    """

    sample: int
    frames: Tensor
    times: Tensor
    labels: Tensor
    steps: Tensor
    order: list[int]

    @classmethod
    def of(
        cls,
        sample: int,
        frames: Tensor,
        times: Tensor,
        vectors: Tensor,
        texts: Sequence[str],
        spans: Tensor,
    ) -> Self:
        """Find the steps among the texts, and which of them each frame shows.

        Args:
            sample: The video's place in the whole batch.
            frames: (frames, dim).
            times: (frames,).
            vectors: One per text, (texts, dim).
            texts: Segments and steps that are not shown; equal strings are one step.
            spans: When each is done, (texts, 2), seconds; NaN for never.
        """
        first: dict[str, int] = {}
        for place, text in enumerate(texts):
            first.setdefault(text, place)
        number = {text: step for step, text in enumerate(first)}
        step = torch.tensor([number[text] for text in texts])
        done = ~spans.isnan().any(1)
        start, end = spans.unbind(1)
        inside = (times[:, None] >= start) & (times[:, None] < end)
        labels = torch.zeros(len(times), len(first), dtype=torch.int64)
        labels.index_add_(1, step, inside.long())
        order = [one for one, _ in groupby(step[done].tolist())]
        return cls(sample, frames, times, labels > 0, vectors[list(first.values())], order)

    def pick(self, places: Tensor) -> Self:
        """Take some of the frames, (picked,), int64, on the CPU."""
        return self._replace(
            frames=self.frames[places.to(self.frames.device)],
            times=self.times[places],
            labels=self.labels[places],
        )

    def without_overlaps(self) -> Self:
        """Put the frames into temporal order, and the mean in place of several of one time."""
        # rounded, because one moment of two windows is computed twice
        times, place = self.times.round(decimals=6).unique(return_inverse=True)
        labels = torch.zeros(len(times), self.labels.shape[1], dtype=torch.bool)
        labels[place] = self.labels
        at = place.to(self.frames.device)
        sums = self.frames.new_zeros(len(times), self.frames.shape[1]).index_add(0, at, self.frames)
        count = at.bincount(minlength=len(times)).to(sums.dtype)
        return self._replace(frames=sums / count[:, None], times=times, labels=labels)


def _frame_loss(video: _Video) -> Tensor:
    logits = video.frames @ video.steps.T
    wanted = video.labels.to(logits)
    return functional.binary_cross_entropy_with_logits(logits, wanted)


def _shuffled_in_runs(labels: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    """Draw orders of frames that leave each run of equal labels in its place, (count, frames)."""
    changed = (labels[1:] != labels[:-1]).any(1)
    run = np.concatenate([[0], changed.cumsum(0).numpy()])
    return torch.from_numpy(
        np.stack([np.lexsort((rng.random(len(run)), run)) for _ in range(count)])
    )
