import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW
from torch.utils.data import DataLoader

from tests.heads.contract import Step, step_of
from tests.models import quiet_trainer, tiny_learner
from tests.plain_encoders import WIDTH, WORDS, PlainText, PlainVideo
from tests.processes import Pool
from vtlearn import encoding
from vtlearn.batch import Rows, Sample, collate
from vtlearn.distributed import process
from vtlearn.errors import ArgumentError
from vtlearn.heads import (
    MILNCE,
    S2DTW,
    CaliNCE,
    CaptioningDecoder,
    FewShot,
    Head,
    InfoNCE,
    Joint,
    SoftDTW,
    StepSupervision,
    TempCLR,
    TextDecoder,
)
from vtlearn.large_batches import check_batches
from vtlearn.learner import VideoTextLearner

#: How many clips and texts each sample has.
RAGGED = [(4, 4), (2, 2), (3, 3), (1, 1)]
DIFFERENT = [(4, 3), (2, 5), (1, 1), (3, 2)]
SPARSE = [(4, 4), (2, 2), (0, 3), (0, 0)]
VIDEOS = [(3, 0)] * 8


def decoder() -> TextDecoder:
    return TextDecoder(width=8, layers=1, heads=2, dropout=0.0, vocab_size=40)


def joint(tiles: dict[str, Any]) -> Joint:
    return Joint({"pairs": InfoNCE(**tiles), "order": S2DTW(**tiles)}, {"order": 0.5})


#: Every head there is, given what makes tiles, and samples that it takes.
HEADS: dict[str, tuple[Callable[[Any], Head], list[list[tuple[int, int]]]]] = {
    "InfoNCE": (lambda tiles: InfoNCE(learn_temperature=True, **tiles), [RAGGED, SPARSE]),
    "MILNCE": (lambda tiles: MILNCE(neighbours=1, **tiles), [RAGGED, SPARSE]),
    "SoftDTW": (lambda tiles: SoftDTW(learn_temperature=True, **tiles), [DIFFERENT, SPARSE]),
    "S2DTW": (lambda tiles: S2DTW(permute=True, **tiles), [DIFFERENT]),
    "S2DTW of texts": (lambda tiles: S2DTW(direction="text_to_video", **tiles), [DIFFERENT]),
    "S2DTW of videos": (lambda tiles: S2DTW(direction="video_to_text", **tiles), [DIFFERENT]),
    "TempCLR": (lambda tiles: TempCLR(chain="all", sequence=2, **tiles), [RAGGED]),
    "CaliNCE": (
        lambda tiles: CaliNCE(
            warmup_steps=0, negatives="hard", calibrate_negatives=True, predictor=decoder(), **tiles
        ),
        [RAGGED, SPARSE],
    ),
    "Joint": (joint, [RAGGED]),
    "CaptioningDecoder": (lambda _: CaptioningDecoder(decoder()), [RAGGED]),
    "StepSupervision": (lambda _: StepSupervision(negatives=3), [RAGGED]),
    "FewShot": (lambda _: FewShot(negatives=3), [VIDEOS]),
}


def samples_of(numbers: Sequence[tuple[int, int]], candidates: int = 1) -> list[Sample]:
    generator = torch.Generator().manual_seed(0)
    samples = []
    for number, (clips, texts) in enumerate(numbers):
        frames = torch.randn(clips, 2, WIDTH, generator=generator, dtype=torch.float64)
        starts = [2.0 * clip for clip in range(clips)]
        lengths = [1 + (number + place) % 5 for place in range(texts * candidates)]
        captions = [
            " ".join(WORDS[(number + place + i) % len(WORDS)] for i in range(length))
            for place, length in enumerate(lengths)
        ]
        spans = [(2.0 * place, 2.0 * place + 2) for place in range(texts)]
        samples.append(
            Sample.of(
                str(number), frames, starts, 1.0, texts=captions, text_spans=spans,
                candidates=candidates,
            )
        )  # fmt: skip
    return samples


def learner_of(
    name: str,
    chunk: int | None = None,
    grid_memory: int | None = None,
    dropout: float = 0.0,
    words: int = 1,
) -> VideoTextLearner:
    torch.manual_seed(0)
    tiles = {} if grid_memory is None else {"grid_memory": grid_memory}
    encoders = PlainVideo(dropout), PlainText(dropout, words)
    learner = VideoTextLearner(*encoders, HEADS[name][0](tiles), encode_chunk=chunk)
    if learner.head.needs_vocabulary:
        learner.head.build(WORDS * 3)
    return learner.double().train()


def step(learner: VideoTextLearner, samples: Sequence[Sample], seed: int = 3) -> Step:
    """Train on this process's samples, as the learner and DDP after it."""
    rank, world = process()
    size = len(samples) // world
    rows = Rows(rank * size, size, world, seed)
    local = learner.encode(collate(samples[rows.slice]))
    encoders = nn.ModuleList([learner.video_encoder, learner.text_encoder or nn.Identity()])
    learner.zero_grad()
    return step_of(learner.head, encoders, local, rows)


def first_step(
    name: str,
    numbers: list[tuple[int, int]],
    chunk: int | None = None,
    grid_memory: int | None = None,
    words: int = 1,
) -> Step:
    candidates = 2 if name == "MILNCE" else 1
    learner = learner_of(name, chunk, grid_memory, words=words)
    return step(learner, samples_of(numbers, candidates))


def several_steps(chunk: int | None, grid_memory: int | None, count: int = 20) -> list[Tensor]:
    """Train as DDP does: each process takes the mean of all gradients."""
    learner = learner_of("S2DTW", chunk, grid_memory, words=5)
    parameters = [p for p in learner.parameters() if p.requires_grad]
    optimizer = AdamW(parameters, lr=0.05)
    for seed in range(count):
        gradients = step(learner, samples_of(DIFFERENT), seed).gradients
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()
    return [parameter.detach() for parameter in parameters]


CASES = [
    pytest.param(name, numbers, id=f"{name} {numbers}")
    for name, (_, cases) in HEADS.items()
    for numbers in cases
]


@pytest.mark.parametrize("chunk", [1, 3, 100])
@pytest.mark.parametrize(("name", "numbers"), CASES)
def test_chunks_and_tiles_change_no_gradient(
    name: str, numbers: list[tuple[int, int]], chunk: int
) -> None:
    plain = first_step(name, numbers)
    assert any((gradient != 0).any() for gradient in plain.gradients)
    for grid_memory in (None, 1):
        found = first_step(name, numbers, chunk, grid_memory)
        torch.testing.assert_close(found, plain, rtol=0, atol=1e-10)


@pytest.mark.ddp
@pytest.mark.parametrize(("name", "numbers"), CASES)
def test_two_processes_train_as_one(
    name: str, numbers: list[tuple[int, int]], two_processes: Pool
) -> None:
    require_one(name, numbers, two_processes)


@pytest.mark.ddp
@pytest.mark.slow
@pytest.mark.parametrize(("name", "numbers"), CASES)
def test_four_processes_train_as_one(
    name: str, numbers: list[tuple[int, int]], four_processes: Pool
) -> None:
    require_one(name, numbers, four_processes)


def require_one(name: str, numbers: list[tuple[int, int]], pool: Pool) -> None:
    alone = first_step(name, numbers, words=5)
    for options in (None, None), (2, 1):
        for together in pool.run(first_step, name, numbers, *options, 5):
            torch.testing.assert_close(together, alone, rtol=0, atol=1e-9)


@pytest.mark.ddp
@pytest.mark.parametrize("options", [(None, None), (2, 1)], ids=["whole", "chunks and tiles"])
def test_twenty_steps_of_two_processes_end_where_one_does(
    options: tuple[int | None, int | None], two_processes: Pool
) -> None:
    alone, untrained = several_steps(None, None), several_steps(None, None, count=0)
    assert all(not torch.equal(x, y) for x, y in zip(alone, untrained, strict=True))
    for together in two_processes.run(several_steps, *options):
        torch.testing.assert_close(together, alone, rtol=0, atol=1e-9)


def test_dropout_is_drawn_alike_both_times(monkeypatch: pytest.MonkeyPatch) -> None:
    def dropped_step() -> Step:
        learner = learner_of("S2DTW", chunk=3, dropout=0.5)
        torch.manual_seed(1)
        return step(learner, samples_of(DIFFERENT))

    again = dropped_step()
    monkeypatch.setattr(encoding, "encode_again_in_backward", lambda encode, _: encode())
    torch.testing.assert_close(again, dropped_step(), rtol=0, atol=1e-10)


def test_each_chunk_is_encoded_twice_and_its_gradient_added_once() -> None:
    learner, calls = learner_of("InfoNCE", chunk=4), list[Tensor]()
    assert isinstance(learner.video_encoder, PlainVideo)
    for parameter in learner.video_encoder.parameters():
        parameter.register_post_accumulate_grad_hook(calls.append)
    step(learner, samples_of(RAGGED))
    assert learner.video_encoder.seen == [4, 4, 2, 2, 4, 4]
    assert len(calls) == len(list(learner.video_encoder.parameters()))
    learner.video_encoder.seen.clear()
    learner.eval()
    learner.encode(collate(samples_of(RAGGED)))
    assert learner.video_encoder.seen == [10]


def test_no_clips_and_no_texts_are_one_empty_chunk() -> None:
    learner = learner_of("InfoNCE", chunk=2)
    encoded = learner.encode(collate(samples_of([(0, 0), (0, 0)])))
    (encoded.video.pooled.sum() + encoded.text.pooled.sum()).backward()
    assert encoded.video.pooled.requires_grad
    assert all(p.grad is not None for p in learner.video_encoder.parameters())


def trained(folder: Path, chunk: int | None, **options: Any) -> dict[str, Tensor]:
    learner = learner_of("S2DTW", chunk)
    learner._optimizer = partial(SGD, lr=0.1)
    batches: DataLoader[Any] = DataLoader(samples_of(DIFFERENT * 4), 4, collate_fn=collate)  # type: ignore[arg-type]
    quiet_trainer(folder, max_epochs=2, **options).fit(learner, batches)
    return {name: x for name, x in learner.state_dict().items() if isinstance(x, Tensor)}


@pytest.mark.parametrize(
    "options",
    [
        {"accumulate_grad_batches": 2, "gradient_clip_val": 0.05, "precision": "64-true"},
        {"precision": "bf16-mixed"},
    ],
    ids=str,
)
def test_a_trainer_clips_accumulates_and_rounds_as_without_chunks(
    options: dict[str, Any], tmp_path: Path
) -> None:
    whole, chunked = (trained(tmp_path, chunk, **options) for chunk in (None, 3))
    start = learner_of("S2DTW").state_dict()
    name = "video_encoder.out.weight"
    assert not torch.allclose(whole[name].double(), start[name])
    torch.testing.assert_close(chunked, whole, rtol=0, atol=1e-10)


@pytest.mark.parametrize("chunk", [0, -2])
def test_a_chunk_has_at_least_one(chunk: int) -> None:
    with pytest.raises(ArgumentError, match=f"encode_chunk must be positive, but is {chunk}"):
        learner_of("InfoNCE", chunk)


def test_statistics_of_a_chunk_are_refused() -> None:
    learner = tiny_learner()
    check_batches(learner, learner.head, None, 1)
    with pytest.raises(
        ArgumentError,
        match=r"encode_chunk=4: video_encoder\.\S+ \(and \d+ more\) is a BatchNorm .* "
        r"model\.frozen=\[video_encoder\.\S+, \.\.\.\], or leave model\.encode_chunk out",
    ):
        check_batches(learner, learner.head, 4, 1)
    learner.video_encoder.eval()
    with pytest.raises(ArgumentError, match=r"text_encoder\.spread is .*frozen=\[text_encoder"):
        check_batches(learner, learner.head, 4, 1)
    learner.eval()
    check_batches(learner, learner.head, 4, 1)
    learner.video_encoder.add_module("always", nn.BatchNorm1d(2, track_running_stats=False))
    learner.eval()
    with pytest.raises(ArgumentError, match=r"video_encoder\.always is a BatchNorm"):
        check_batches(learner, learner.head, 4, 1)


def test_a_training_is_refused_before_its_first_step(tmp_path: Path) -> None:
    tiny = tiny_learner()
    learner = VideoTextLearner(tiny.video_encoder, PlainText8(), S2DTW(), encode_chunk=2)
    batches: DataLoader[Any] = DataLoader(samples_of(DIFFERENT), 4, collate_fn=collate)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"model\.encode_chunk=2"):
        quiet_trainer(tmp_path).fit(learner, batches)


class PlainText8(PlainText):
    dim = 8


@pytest.mark.parametrize(
    ("name", "batches", "warned"),
    [("Joint", 2, 1), ("S2DTW", 4, 1), ("S2DTW", 1, 0), ("CaptioningDecoder", 4, 0)],
)
def test_accumulation_is_no_larger_contrast(
    name: str, batches: int, warned: int, caplog: pytest.LogCaptureFixture
) -> None:
    learner = learner_of(name)
    with caplog.at_level(logging.WARNING, "vtlearn.large_batches"):
        check_batches(learner, learner.head, None, batches)
    assert len(caplog.records) == warned
    assert all("model.encode_chunk" in record.getMessage() for record in caplog.records)
