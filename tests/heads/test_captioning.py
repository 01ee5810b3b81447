import re
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn

from tests.heads.contract import AS_MANY, Numbers, Step, step_of
from tests.processes import Pool
from vtlearn.batch import EncodedBatch, Own, Rows
from vtlearn.distributed import process
from vtlearn.encoders.text import TinyText
from vtlearn.encoders.video import TinyVideo
from vtlearn.errors import ArgumentError
from vtlearn.heads import CaptioningDecoder, Head, HeadOutput, InfoNCE, Joint, TextDecoder
from vtlearn.hyperparameters import to_config

WORDS = ["chop the carrot", "fry an egg", "stir", "pour some milk now"]
LENGTHS = [3, 1, 2]


def made(**options: object) -> CaptioningDecoder:
    torch.manual_seed(0)
    decoder = TextDecoder(width=8, layers=1, heads=2, dropout=0.0, vocab_size=40)
    head = CaptioningDecoder(decoder, **options)  # type: ignore[arg-type]
    head.connect(TinyVideo(width=4), None)  # whose tokens are 32 wide
    head.build(WORDS * 3)
    return head.double()


def test_results_are_told_how_captions_are_searched_for() -> None:
    options = {"beams": 2, "length_penalty": 0.5, "max_new": 9}
    assert made(**options).search == options


def captions_of(lengths: Sequence[int], silent: Sequence[int] = ()) -> list[list[str]]:
    return [
        ["" if i + j in silent else WORDS[(i + j) % 4] for j in range(length)]
        for i, length in enumerate(lengths)
    ]


def batch_of(
    tokens: Tensor, clips: Sequence[int], texts: Sequence[Sequence[str]], candidates: int = 1
) -> EncodedBatch:
    """A batch of a model without a text encoder; tokens (batch, clips, frames, patches, width)."""
    frames = torch.full(tokens.shape[:2], tokens.shape[2])
    numbers = [len(own) // candidates for own in texts]
    ids = [str(i) for i in range(len(clips))]
    strings = [list(own) for own in texts]
    own = Own(ids, tokens, frames, None, None, strings, [[] for _ in texts])
    return EncodedBatch.of(
        torch.zeros(*tokens.shape[:2], 0),
        torch.zeros(len(texts), max(numbers, default=0), candidates, 0),
        video_length=torch.tensor(clips),
        text_length=torch.tensor(numbers),
        own=own,
    )


def given(lengths: Sequence[int] = LENGTHS, **options: Sequence[int]) -> EncodedBatch:
    generator = torch.Generator().manual_seed(3)
    shape = (len(lengths), max(lengths), 2, 2, 32)
    tokens = torch.randn(shape, dtype=torch.float64, generator=generator)
    return batch_of(tokens, lengths, captions_of(lengths, **options))


def clips_of(batch: EncodedBatch) -> Tensor:
    """The tokens of valid clips, (clips, frames, patches, width)."""
    assert batch.own is not None
    assert batch.own.video_tokens is not None
    lengths = batch.video.length.tolist()
    return torch.cat([x[:n] for x, n in zip(batch.own.video_tokens, lengths, strict=True)])


def values_of(head: CaptioningDecoder, batch: EncodedBatch, rows: Rows | None = None) -> Tensor:
    output: HeadOutput = head(batch, rows)
    assert list(output.terms) == ["caption"]
    return output.terms["caption"].values


def test_a_caption_counts_once_however_long_it_is() -> None:
    head, batch = made(), given()
    captions = [text for own in captions_of(LENGTHS) for text in own]
    wanted = head.decoder.losses(captions, clips_of(batch))
    torch.testing.assert_close(values_of(head, batch), wanted)
    output: HeadOutput = head(batch)
    torch.testing.assert_close(output.loss, wanted.mean())


def test_captions_without_words_have_no_loss() -> None:
    head = made()
    said = values_of(head, given(silent=(1, 2)))
    torch.testing.assert_close(said, values_of(head, given())[[0, 5]])
    nothing = values_of(head, given(silent=range(9)))
    assert nothing.shape == (0,)


def test_the_caption_is_the_first_of_the_candidates() -> None:
    head, batch = made(), given()
    texts = [[x for text in own for x in (text, "another")] for own in captions_of(LENGTHS)]
    two = batch_of(batch.own.video_tokens, LENGTHS, texts, candidates=2)  # type: ignore[union-attr, arg-type]
    assert torch.equal(values_of(head, two), values_of(head, batch))


def test_padding_is_not_read() -> None:
    head, batch = made(), given()
    assert batch.own is not None
    assert batch.own.video_tokens is not None
    poisoned = batch.own.video_tokens.clone()
    for tokens, length in zip(poisoned, LENGTHS, strict=True):
        tokens[length:] = torch.nan
    other = batch._replace(own=batch.own._replace(video_tokens=poisoned.requires_grad_()))
    values = values_of(head, other)
    assert torch.equal(values, values_of(head, batch))
    values.sum().backward()
    assert poisoned.grad is not None
    assert poisoned.grad.isfinite().all()
    assert head.generate(other) == head.generate(batch)


def test_it_writes_a_text_for_each_clip_as_it_is_told_to() -> None:
    head, batch = made(beams=2, length_penalty=0.5, max_new=4), given()
    wanted = head.decoder.generate(clips_of(batch), beams=2, length_penalty=0.5, max_new=4)
    assert head.generate(batch) == wanted
    assert len(wanted) == sum(LENGTHS)
    assert head.generate(given([1, 1])._replace(video=given([0, 0]).video)) == []


def test_likelihoods_are_those_of_valid_clips() -> None:
    head, batch = made(), given()
    found = head.log_likelihood(batch, WORDS)
    assert found.shape == (sum(LENGTHS), 4)
    torch.testing.assert_close(found, head.decoder.log_likelihood(clips_of(batch), WORDS))
    assert found[0, 0] == -values_of(head, batch)[0]


def test_a_batch_without_texts_has_no_loss() -> None:
    head, batch = made(), given()
    silent = batch_of(batch.own.video_tokens, LENGTHS, [[], [], []])  # type: ignore[union-attr, arg-type]
    assert values_of(head, silent).shape == (0,)
    assert len(head.generate(silent)) == sum(LENGTHS)


def test_it_neither_compares_nor_needs_a_text_encoder() -> None:
    head = made()
    assert head.needs == {"video_tokens", "texts"}
    assert head.aligner is None
    assert head.captioner is head
    joint = Joint({"pairs": InfoNCE(), "captions": made()})
    assert isinstance(joint.captioner, CaptioningDecoder)
    assert isinstance(joint.aligner, InfoNCE)


def test_the_decoder_is_connected_and_built_by_its_head() -> None:
    head: Head = CaptioningDecoder(TextDecoder(width=8, heads=2))
    needed = head.needs_vocabulary
    head.connect(TinyVideo(width=4), TinyText())
    head.build(WORDS * 3)
    assert (needed, head.needs_vocabulary) == (True, False)
    assert any(name.startswith("decoder.project") for name, _ in head.named_parameters())


def test_arguments_come_back() -> None:
    config = to_config(made(beams=3, max_new=9))["init_args"]
    assert config["beams"] == 3
    assert config["max_new"] == 9
    assert config["decoder"]["class_path"] == "vtlearn.heads.TextDecoder"


def test_an_empty_epoch_is_explained() -> None:
    said = made().explain_empty("caption")
    assert "CaptioningDecoder" in said
    assert "captions with words" in said


def unequal() -> EncodedBatch:
    batch = given()
    texts = [["chop"], ["stir"], ["fry", "pour"]]
    return batch_of(batch.own.video_tokens, LENGTHS, texts)  # type: ignore[union-attr, arg-type]


@pytest.mark.parametrize(
    ("act", "complaint"),
    [
        (lambda: made(beams=0), "beams must be positive, but is 0"),
        (lambda: made(max_new=0), "max_new must be positive, but is 0"),
        (lambda: made(length_penalty=-1.0), "length_penalty must be 0 or more"),
        (lambda: made()(unequal()), "sample 0 of the batch (counting from 0) has 3 clips and 1"),
        (lambda: made()(given()._replace(own=None)), "CaptioningDecoder reads tokens"),
        (lambda: made().generate(given()._replace(own=None)), "and this batch has none"),
    ],
)
def test_mistakes_are_named(act: Callable[[], object], complaint: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(complaint)):
        act()


# Processes


def train_step(head: CaptioningDecoder, numbers: Numbers) -> Step:
    """Encode own clips by a linear layer, and train as the learner and DDP do."""
    rank, world = process()
    torch.manual_seed(0)
    encoder = nn.Linear(5, 32, dtype=torch.float64)
    clips = torch.randn(len(numbers[0]), max(numbers[0]), 2, 2, 5, dtype=torch.float64)
    size = len(numbers[0]) // world
    rows = Rows(rank * size, size, world)
    lengths = numbers[0][rows.slice]
    own = clips[rows.slice, : max(lengths, default=0)]
    texts = captions_of(numbers[1], silent=(2,))[rows.slice]
    batch = batch_of(encoder(own), lengths, texts)
    return step_of(head, nn.ModuleList([encoder]), batch, rows)


UNEVEN = ("ragged", "processes without texts", "processes without clips", "no text at all")


@pytest.mark.ddp
@pytest.mark.parametrize("numbers", [AS_MANY[name] for name in UNEVEN], ids=UNEVEN)
def test_processes_train_as_one(
    numbers: Numbers, two_processes: Pool, four_processes: Pool
) -> None:
    head = made()
    alone = train_step(head, numbers)
    assert all(gradient.isfinite().all() for gradient in alone.gradients)
    head.zero_grad()
    for pool in (two_processes, four_processes):
        for together in pool.run(train_step, head, numbers):
            torch.testing.assert_close(together, alone, rtol=0, atol=1e-9)
