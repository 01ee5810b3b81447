from itertools import groupby, pairwise
from math import exp, log, nan
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.heads.contract import Step, step_of
from tests.processes import Pool
from vtlearn.alignment.soft_dtw import soft_dtw
from vtlearn.batch import EncodedBatch, Own, Rows
from vtlearn.distributed import process
from vtlearn.encoders.text import TinyText
from vtlearn.encoders.video import TinyVideo, VideoCLIP
from vtlearn.errors import ArgumentError
from vtlearn.heads import HeadOutput, StepSupervision
from vtlearn.heads.permutation import draw_other_orders
from vtlearn.padding import fold

DIM, FRAMES = 5, 4


class Video(NamedTuple):
    """A video: windows of a frame per second, starting there; segments, and steps not shown."""

    starts: list[float]
    length: list[int]
    texts: dict[int, tuple[str, float, float]]


def texts_of(*rows: tuple[str, float, float]) -> dict[int, tuple[str, float, float]]:
    return dict(enumerate(rows))


#: Windows that overlap by half; two steps at once; one step; a step and its repeat; nothing shown.
VIDEOS = [
    Video(
        [0.0, 2.0, 4.0],
        [4, 4, 3],
        texts_of(("a", 0.2, 1.9), ("b", 2.0, 4.6), ("a", 5.0, 6.9), ("c", nan, nan)),
    ),
    Video([0.0], [4], texts_of(("a", 0.0, 1.6), ("b", 1.1, 4.0))),
    Video([0.0, 2.0], [4, 1], texts_of(("c", 0.0, 5.0))),
    Video([1.0], [3], texts_of(("b", 1.0, 2.0), ("b", 3.0, 4.0), ("a", nan, nan))),
]
COUNT = 2  # of these count


def batch_of(
    frames: Tensor, texts: Tensor, videos: list[Video] = VIDEOS, fill: float = 0.0
) -> EncodedBatch:
    """Lay vectors of all windows' frames, (windows, frames, dim), and of all texts out."""
    clips, said = [len(one.starts) for one in videos], [len(one.texts) for one in videos]
    spans = torch.tensor(
        [(s, s + n) for one in videos for s, n in zip(one.starts, one.length, strict=True)]
    ).double()
    text_spans = torch.tensor(
        [text[1:] for one in videos for text in one.texts.values()], dtype=torch.float64
    )
    length = torch.tensor([n for one in videos for n in one.length])
    own = Own(
        [str(index) for index in range(len(videos))],
        fold(frames[:, :, None], clips, fill=fill),
        fold(length, clips),
        None,
        None,
        [[text for text, _, _ in one.texts.values()] for one in videos],
        [[] for _ in videos],
    )
    return EncodedBatch.of(
        fold(frames.new_zeros(len(frames), 0), clips),
        fold(texts, said, fill=fill),
        video_length=torch.tensor(clips),
        text_length=torch.tensor(said),
        clip_spans=fold(spans, clips, fill=nan),
        text_spans=fold(text_spans, said, fill=nan),
        own=own,
    )


def drawn(
    videos: list[Video] = VIDEOS, dtype: torch.dtype = torch.float64, dim: int = DIM
) -> tuple[Tensor, Tensor]:
    """Random vectors; equal texts have equal ones."""
    generator = torch.Generator().manual_seed(0)
    windows = sum(len(one.starts) for one in videos)
    frames = torch.randn(windows, FRAMES, dim, generator=generator, dtype=torch.float64)
    table = torch.randn(3, dim, generator=generator, dtype=torch.float64)
    names = [text for one in videos for text, _, _ in one.texts.values()]
    return frames.to(dtype), table[["abc".index(name) for name in names]].to(dtype)


def output_of(head: StepSupervision, batch: EncodedBatch, rows: Rows | None = None) -> HeadOutput:
    output: HeadOutput = head(batch, rows)
    return output


def frames_by_hand(video: Video, frames: Tensor) -> list[tuple[float, Tensor]]:
    """The frames that count, window by window, with their times."""
    return [
        (start + t + 0.5, frames[window, t])
        for window, (start, length) in enumerate(zip(video.starts, video.length, strict=True))
        for t in range(length)
    ]


def shown_at(video: Video, time: float) -> set[str]:
    return {text for text, start, end in video.texts.values() if start <= time < end}


def split(values: Tensor, counts: list[int]) -> list[Tensor]:
    return list(values.split(counts))


def test_every_frame_and_every_step_by_a_loop() -> None:
    frames, texts = drawn()
    of_video = split(frames, [len(one.starts) for one in VIDEOS])
    of_text = split(texts, [len(one.texts) for one in VIDEOS])
    wanted = []
    for video, windows, vectors in zip(VIDEOS, of_video, of_text, strict=True):
        step = {text: vectors[k] for k, (text, _, _) in video.texts.items()}
        losses = []
        for time, frame in frames_by_hand(video, windows):
            for name, vector in step.items():
                p = 1 / (1 + exp(-float(frame @ vector)))
                losses.append(-log(p if name in shown_at(video, time) else 1 - p))
        wanted.append(sum(losses) / len(losses))
    term = output_of(StepSupervision(), batch_of(frames, texts)).terms["steps"]
    torch.testing.assert_close(term.values, torch.tensor(wanted, dtype=torch.float64))
    assert term.weight == pytest.approx(0.88)


@pytest.mark.parametrize("mode", ["exact", "reference"])
@pytest.mark.parametrize("shuffle_frames", [False, True])
def test_the_order_by_a_loop(mode: Any, shuffle_frames: bool) -> None:
    frames, texts = drawn()
    head = StepSupervision(mode=mode, frames_per_step=2, negatives=6, shuffle_frames=shuffle_frames)
    wanted = []
    for sample in range(COUNT):
        video = VIDEOS[sample]
        first = sum(len(one.starts) for one in VIDEOS[:sample])
        shown = [
            (time, frame)
            for time, frame in frames_by_hand(video, frames[first : first + len(video.starts)])
            if shown_at(video, time)
        ]
        if mode == "exact":  # in temporal order, the mean of those of one second
            times = sorted({time for time, _ in shown})
            shown = [
                (at, torch.stack([frame for time, frame in shown if time == at]).mean(0))
                for at in times
            ]
        names = [text for text, _ in groupby(
            text for text, start, _ in video.texts.values() if start == start
        )]  # fmt: skip
        most = min(len(shown), 2 * len(names))
        kept = [shown[int(place)] for place in np.linspace(0, len(shown) - 1, most)]
        vectors = {text: texts["abc".index(text)] for text in "ab"}
        vectors |= {name: texts[k] for k, (name, _, _) in VIDEOS[0].texts.items()}
        rng = np.random.default_rng((5, 0, sample))
        orders = draw_other_orders(["abc".index(name) for name in names], 6, rng)
        assert all([names[k] for k in order] != names for order in orders[1:].tolist())
        places = [list(range(len(kept)))] * 7
        if shuffle_frames:
            states = [sorted(shown_at(video, time)) for time, _ in kept]
            run = np.cumsum([0, *(one != other for one, other in pairwise(states))])
            places[1:] = [np.lexsort((rng.random(len(kept)), run)).tolist() for _ in range(6)]
            for order in places:
                assert [states[k] for k in order] == states
        distances = []
        for order, place in zip(orders.tolist(), places, strict=True):
            cost = torch.stack(
                [torch.stack([_cost(kept[k][1], vectors[names[j]]) for j in order]) for k in place]
            )
            distances.append(soft_dtw(cost, 0.1))
        logits = -torch.stack(distances)
        wanted.append(logits.logsumexp(0) - logits[0])
    output = output_of(head, batch_of(frames, texts), Rows(0, 4, seed=5))
    found = output.terms["order_loss"]
    torch.testing.assert_close(found.values, torch.stack(wanted), rtol=0, atol=1e-12)
    assert found.weight == pytest.approx(0.12)
    assert output.logs["counted"].item() == COUNT / 4


def _cost(frame: Tensor, step: Tensor) -> Tensor:
    cosine: Tensor = (frame @ step) / (frame.norm() * step.norm() + 0.01)
    return 1 - cosine


def test_both_modes_agree_where_windows_do_not_overlap() -> None:
    videos = [Video([0.0, 4.0], [4, 4], texts_of(("a", 0.0, 3.0), ("b", 3.5, 7.0)))]
    batch = batch_of(*drawn(videos), videos)
    modes: tuple[Any, Any] = ("exact", "reference")
    exact, reference = (output_of(StepSupervision(mode=mode), batch) for mode in modes)
    torch.testing.assert_close(exact.loss, reference.loss)


def test_an_encoder_need_not_say_how_many_frames_count() -> None:
    videos = [Video([0.0, 4.0], [4, 4], texts_of(("a", 0.0, 3.0), ("b", 3.5, 7.0)))]
    batch = batch_of(*drawn(videos), videos)
    assert batch.own is not None
    silent = batch._replace(own=batch.own._replace(video_token_length=None))
    assert torch.equal(*(output_of(StepSupervision(), x).loss for x in (batch, silent)))


def test_a_perfect_model_has_next_to_no_loss_and_finds_the_order() -> None:
    texts = torch.eye(3).double()[[0, 1, 0, 2]]
    video = VIDEOS[0]
    frames = torch.full((3, FRAMES, 3), -30.0).double()
    for window, (start, length) in enumerate(zip(video.starts, video.length, strict=True)):
        for t in range(length):
            for name in shown_at(video, start + t + 0.5):
                frames[window, t, "abc".index(name)] = 30
    batch = batch_of(frames, texts, [video])
    output = output_of(StepSupervision(), batch)
    assert output.terms["steps"].values.item() < 1e-9
    assert output.terms["order_accuracy"].values.tolist() == [1.0]
    wrong = batch_of(-frames, texts, [video])
    assert output_of(StepSupervision(), wrong).terms["steps"].values.item() > 20


def test_padding_changes_nothing_and_gets_no_gradient() -> None:
    frames, texts = drawn()
    clean, poisoned = batch_of(frames, texts), batch_of(frames, texts, fill=nan)
    head = StepSupervision()
    assert poisoned.own is not None
    tokens = poisoned.own.video_tokens
    assert tokens is not None
    length = poisoned.own.video_token_length
    assert length is not None
    beyond = torch.arange(FRAMES) >= length[:, :, None]
    tokens[beyond] = nan
    tokens.requires_grad_()
    output = output_of(head, poisoned)
    assert torch.equal(output.loss, output_of(head, clean).loss)
    output.loss.backward()
    assert tokens.grad is not None
    assert (tokens.grad[beyond] == 0).all()
    assert (tokens.grad[~beyond] != 0).any()


def test_a_sample_without_clips_or_texts_takes_no_part() -> None:
    frames, texts = drawn()
    batch = batch_of(frames, texts)
    lonely = batch._replace(
        video=batch.video._replace(length=batch.video.length * torch.tensor([1, 0, 1, 1])),
        text=batch.text._replace(length=batch.text.length * torch.tensor([1, 1, 0, 1])),
    )
    both, some = (output_of(StepSupervision(), x).terms for x in (batch, lonely))
    for name, places in (("steps", [0, 3]), ("order_loss", [0])):
        assert torch.equal(some[name].values, both[name].values[places])
    nothing = batch._replace(video=batch.video._replace(length=batch.video.length * 0))
    empty = output_of(StepSupervision(), nothing)
    assert [len(term.values) for term in empty.terms.values()] == [0, 0, 0]
    assert empty.loss == 0


@pytest.mark.parametrize("metric", ["dtw", "otam"])
def test_gradcheck(metric: Any) -> None:
    videos = VIDEOS[1:3]
    head = StepSupervision(metric=metric, negatives=3, alpha=0.5)
    frames, texts = drawn(videos, dim=3)

    def loss(frames: Tensor, texts: Tensor) -> Tensor:
        return output_of(head, batch_of(frames, texts, videos)).loss

    assert torch.autograd.gradcheck(loss, (frames.requires_grad_(), texts.requires_grad_()))


def test_bf16_features_are_compared_in_float32_under_autocast_too() -> None:
    frames, texts = drawn(dtype=torch.bfloat16)
    found = output_of(StepSupervision(), batch_of(frames, texts)).loss
    assert found.dtype == torch.float32
    wide = output_of(StepSupervision(), batch_of(frames.double(), texts.double())).loss
    torch.testing.assert_close(found.double(), wide, rtol=1e-4, atol=1e-5)
    batch = batch_of(frames.float(), texts.float())
    wanted = output_of(StepSupervision(), batch).loss
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(output_of(StepSupervision(), batch).loss, wanted)


def test_the_order_of_the_batch_does_not_matter_but_for_what_is_drawn() -> None:
    frames, texts = drawn()
    turned = VIDEOS[::-1]
    windows = split(frames, [len(one.starts) for one in VIDEOS])[::-1]
    said = split(texts, [len(one.texts) for one in VIDEOS])[::-1]
    head = StepSupervision(alpha=0.0)
    one = output_of(head, batch_of(frames, texts)).terms["steps"].values
    other = output_of(head, batch_of(torch.cat(windows), torch.cat(said), turned))
    assert list(other.terms) == ["steps"]
    torch.testing.assert_close(other.terms["steps"].values, one.flip(0))


def step_on(head: StepSupervision, videos: list[Video] = VIDEOS) -> Step:
    """Train a step on this process's share, as the learner does."""
    rank, world = process()
    rows = Rows(rank * len(videos) // world, len(videos) // world, world, seed=3)
    torch.manual_seed(0)
    encoders = nn.ModuleList([nn.Linear(DIM, 3, dtype=torch.float64) for _ in range(2)])
    shares = [
        split(x, counts)[rows.slice]
        for x, counts in zip(
            drawn(videos),
            ([len(one.starts) for one in videos], [len(one.texts) for one in videos]),
            strict=True,
        )
    ]
    frames, texts = (
        encoder(torch.cat(share)) for encoder, share in zip(encoders, shares, strict=True)
    )
    return step_of(head, encoders, batch_of(frames, texts, videos[rows.slice]), rows)


@pytest.mark.ddp
def test_two_and_four_processes_train_as_one(two_processes: Pool, four_processes: Pool) -> None:
    head = StepSupervision(negatives=5, shuffle_frames=True)
    alone = step_on(head)
    assert all(torch.isfinite(gradient).all() for gradient in alone.gradients)
    for pool in (two_processes, four_processes):  # two of the four have nothing for the order
        for together in pool.run(step_on, head):
            torch.testing.assert_close(together, alone, rtol=0, atol=1e-9)


def test_orders_are_drawn_for_a_position_in_the_whole_batch() -> None:
    video = VIDEOS[0]
    frames, texts = drawn([video])
    batch = batch_of(frames.repeat(2, 1, 1), texts.repeat(2, 1), [video] * 2)
    values = output_of(StepSupervision(), batch, Rows(0, 2, seed=1)).terms["order_loss"].values
    assert values[0] != values[1]
    assert batch.own is not None
    whole = EncodedBatch.of(
        batch.video.pooled, batch.text.pooled, clip_spans=batch.clip_spans,
        text_spans=batch.text_spans, video_length=batch.video.length,
        text_length=batch.text.length, own=batch_of(frames, texts, [video]).own,
    )  # fmt: skip
    own = output_of(StepSupervision(), whole, Rows(1, 1, world_size=2, seed=1))
    torch.testing.assert_close(own.terms["order_loss"].values, values[1:])


def test_a_model_that_compares_frames_gives_a_loss() -> None:
    sizes = {"width": 8, "layers": 1, "heads": 2, "feedforward": 8, "num_frames": FRAMES}
    video = VideoCLIP(input_dim=DIM, vocab_size=2, cls_id=0, sep_id=1, **sizes)  # type: ignore[arg-type]
    head = StepSupervision()
    head.connect(video, TinyText(dim=8, width=8, hidden=8))
    frames, texts = drawn(VIDEOS[:1], torch.float32, 8)
    encoded = video(frames[:, :, :DIM], torch.tensor(VIDEOS[0].length))
    output = output_of(head, batch_of(encoded.tokens[:, :, 0], texts, VIDEOS[:1]))
    assert output.loss.isfinite()


def test_what_is_compared_is_what_is_scored() -> None:
    head = StepSupervision()
    assert head.similarity == "dot"
    x = torch.randn(3, 4).double()
    assert torch.equal(head.embed(x), x)
    assert "alpha=0" in head.explain_empty("order_loss")
    assert "steps" in head.explain_empty("steps")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"alpha": 1.5}, r"alpha=1.5 has to be from 0 to 1"),
        ({"gamma": -0.1}, r"gamma=-0.1"),
        ({"negatives": 0}, "negatives must be positive"),
        ({"frames_per_step": 0}, "frames_per_step must be positive"),
        ({"metric": "euclid"}, "metric: expected one of dtw, otam, got 'euclid'"),
        ({"mode": "fast"}, "mode: expected one of exact, reference"),
    ],
)
def test_refusals(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ArgumentError, match=match):
        StepSupervision(**options)


def test_encoders_without_a_vector_per_frame_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"TinyVideo has no vector per frame .* VideoCLIP"):
        StepSupervision().connect(TinyVideo(dim=8, width=4), TinyText(dim=8))
    batch = batch_of(*drawn())
    with pytest.raises(ArgumentError, match=r"StepSupervision reads tokens, .*own=\.\.\."):
        output_of(StepSupervision(), batch._replace(own=None))
    assert batch.own is not None
    assert batch.own.video_tokens is not None
    several = batch.own._replace(video_tokens=batch.own.video_tokens.repeat(1, 1, 1, 4, 1))
    with pytest.raises(ArgumentError, match="a vector per frame, and there are 4"):
        output_of(StepSupervision(), batch._replace(own=several))


def test_encoders_of_different_widths_are_refused() -> None:
    sizes = {"width": 8, "layers": 1, "heads": 2, "feedforward": 8, "num_frames": FRAMES}
    video = VideoCLIP(input_dim=DIM, vocab_size=2, cls_id=0, sep_id=1, **sizes)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"VideoCLIP gives .* dim=8, TinyText of dim=4: give"):
        StepSupervision().connect(video, TinyText(dim=4, width=8, hidden=8))


def test_texts_without_times_are_refused() -> None:
    batch = batch_of(*drawn())
    unknown = batch._replace(text_spans=torch.full_like(batch.text_spans, torch.nan))
    with pytest.raises(ArgumentError, match="no text of the batch has times: set data to one"):
        output_of(StepSupervision(), unknown)
