"""What every encoder keeps, whatever it computes."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import vtlearn.encoders.text as text_encoders
import vtlearn.encoders.video as video_encoders
from vtlearn.batch import Encoded
from vtlearn.encoders.base import TextEncoder, Tokens, VideoEncoder
from vtlearn.encoders.text import Bert, TinyText, Word2Vec
from vtlearn.encoders.video import S3D, CachedFeatures, TimeSformer, TinyVideo, VideoCLIP
from vtlearn.errors import ArgumentError

SMALL_BERT: dict[str, Any] = {"width": 8, "layers": 2, "heads": 2, "feedforward": 16}
TEXTS = ["chop the carrot", "stir the soup", "", "word never heard"]
FRAMES = 12
SMALL_TIMESFORMER: dict[str, Any] = {
    "dim": 6,
    "num_frames": FRAMES,
    "size": 16,
    "patch": 8,
    "width": 8,
    "layers": 2,
    "heads": 2,
}
VIDEO: dict[str, Callable[[], VideoEncoder]] = {
    "TinyVideo": lambda: TinyVideo(dim=6, num_frames=FRAMES, size=32, width=4),
    "TinyVideo with patches": lambda: TinyVideo(
        dim=6, num_frames=FRAMES, size=64, width=4, patches=True
    ),
    "S3D": lambda: S3D(dim=6, num_frames=FRAMES, size=16, width=0.05),
    "S3D of even numbers": lambda: S3D(
        dim=6, num_frames=FRAMES, size=16, width=0.05, stem="space_to_depth"
    ),
    "TimeSformer": lambda: TimeSformer(**SMALL_TIMESFORMER),
    "TimeSformer that recomputes": lambda: TimeSformer(**SMALL_TIMESFORMER, grad_checkpoint=True),
    "CachedFeatures": lambda: CachedFeatures(dim=6, input_dim=10, num_frames=FRAMES, heads=2),
    "CachedFeatures without layers": lambda: CachedFeatures(
        dim=6, input_dim=10, num_frames=FRAMES, heads=2, layers=0
    ),
    "VideoCLIP": lambda: VideoCLIP(
        input_dim=10, num_frames=FRAMES, vocab_size=2, cls_id=0, sep_id=1, **SMALL_BERT
    ),
    "VideoCLIP without [CLS]": lambda: VideoCLIP(
        input_dim=10, num_frames=FRAMES, vocab_size=103, see_cls=False, **SMALL_BERT
    ),
}
TEXT: dict[str, Callable[[], TextEncoder]] = {
    "TinyText": lambda: TinyText(dim=6, width=8, hidden=12),
    "Word2Vec": lambda: Word2Vec(dim=6, hidden=12, embedding_dim=4),
    "Word2Vec without pads": lambda: Word2Vec(dim=6, hidden=12, embedding_dim=4, mask_pad=True),
    "Bert": lambda: Bert(max_words=12, **SMALL_BERT),
}


@pytest.fixture(params=VIDEO)
def video(request: pytest.FixtureRequest) -> VideoEncoder:
    torch.manual_seed(0)
    return VIDEO[request.param]()


@pytest.fixture(params=TEXT)
def text(request: pytest.FixtureRequest) -> TextEncoder:
    torch.manual_seed(0)
    encoder = TEXT[request.param]()
    encoder.build(TEXTS[:2] * 5)
    return encoder


def clips(encoder: VideoEncoder, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    if isinstance(encoder, CachedFeatures | VideoCLIP):
        return torch.randn(count, FRAMES, encoder.size, generator=generator)
    shape = (count, FRAMES, 3, encoder.size, encoder.size)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def trainable(encoder: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, one) for name, one in encoder.named_parameters() if one.requires_grad]


def assert_no_rows_reach_every_parameter(
    encoder: VideoEncoder | TextEncoder, given: Tensor | Tokens, training: bool
) -> None:
    encoder.train(training)
    before = {name: value.clone() for name, value in encoder.named_buffers()}
    encoded: Encoded = encoder(given)
    assert encoded.tokens is not None
    assert encoded.token_length is not None
    assert len(encoded.pooled) == len(encoded.tokens) == len(encoded.token_length) == 0
    assert encoded.pooled.shape[1:] == (encoder.dim,)
    assert encoded.tokens.shape[-1] == encoder.token_width
    (encoded.pooled[:0].sum() + encoded.tokens[:0].sum()).backward()
    for name, parameter in trainable(encoder):
        assert parameter.grad is not None, name
        assert (parameter.grad == 0).all(), name
    for name, value in encoder.named_buffers():
        assert "running" not in name or torch.equal(value, before[name]), name


def assert_only_pooled_reaches(modules: tuple[str, ...], encoder: nn.Module, tokens: Any) -> None:
    tokens.sin().sum().backward()
    for name, parameter in trainable(encoder):
        assert (parameter.grad is None) == (name.split(".")[0] in modules), name
    assert set(modules) <= {name for name, _ in encoder.named_children()}


def test_every_encoder_is_tried_here() -> None:
    def kinds(module: object, base: type) -> set[type]:
        return {
            kind
            for _, kind in inspect.getmembers(module, inspect.isclass)
            if issubclass(kind, base)
        }

    assert {type(make()) for make in VIDEO.values()} == kinds(video_encoders, VideoEncoder)
    assert {type(make()) for make in TEXT.values()} == kinds(text_encoders, TextEncoder)


def test_a_clips_vector_does_not_depend_on_its_neighbours(video: VideoEncoder) -> None:
    frames = clips(video.eval(), 3)
    whole = video(frames).pooled
    assert whole.shape == (3, video.dim)
    torch.testing.assert_close(whole[1:2], video(frames[1:2]).pooled, rtol=1e-4, atol=1e-5)


def test_video_tokens_have_four_axes_and_a_length(video: VideoEncoder) -> None:
    encoded: Encoded = video(clips(video, 3))
    assert encoded.tokens is not None
    assert encoded.token_length is not None
    steps = -(-FRAMES // 8) if isinstance(video, S3D) else FRAMES
    places = 4 if isinstance(video, TimeSformer) or getattr(video, "patches", False) else 1
    assert encoded.tokens.shape == (3, steps, places, video.token_width)
    assert encoded.token_length.tolist() == [steps] * 3
    assert encoded.token_length.dtype == torch.int64


def test_a_shorter_clip_is_the_cut_clip(video: VideoEncoder) -> None:
    frames, length = clips(video.eval(), 4), torch.tensor([FRAMES, 4, 10, 4])
    with (
        torch.no_grad()
    ):  # where torch has a faster transformer; the gradient's tests have the other
        encoded: Encoded = video(frames, length)
        assert encoded.tokens is not None
        assert encoded.token_length is not None
        assert encoded.token_length.dtype == torch.int64
        assert encoded.tokens.shape == video(frames).tokens.shape
        for i, count in enumerate(length.tolist()):
            cut = video(frames[i : i + 1, :count])
            valid = int(encoded.token_length[i])
            assert cut.token_length.tolist() == [valid]
            torch.testing.assert_close(encoded.pooled[i], cut.pooled[0], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(
                encoded.tokens[i, :valid], cut.tokens[0], rtol=1e-4, atol=1e-5
            )
            assert (encoded.tokens[i, valid:] == 0).all()


def test_full_lengths_change_nothing(video: VideoEncoder) -> None:
    frames = clips(video.eval(), 3)
    one, other = video(frames), video(frames, torch.full((3,), FRAMES))
    assert all(torch.equal(x, y) for x, y in zip(one, other, strict=True))


def test_lengths_must_fit_the_clips(video: VideoEncoder) -> None:
    with pytest.raises(ArgumentError, match=f"from 1 to {FRAMES}"):
        video(clips(video, 2), torch.tensor([FRAMES, 0]))


@pytest.mark.parametrize("training", [True, False])
def test_no_clips_reach_every_parameter(video: VideoEncoder, training: bool) -> None:
    assert_no_rows_reach_every_parameter(video, clips(video, 0), training)


def test_a_batch_of_no_clips_has_no_lengths(video: VideoEncoder) -> None:
    encoded = video(clips(video, 0), torch.empty(0, dtype=torch.int64))
    assert encoded.token_length.tolist() == []


def test_pooled_modules_are_what_video_tokens_do_not_reach(video: VideoEncoder) -> None:
    assert_only_pooled_reaches(video.pooled_modules, video, video(clips(video, 2)).tokens)


def test_an_encoder_accepts_what_it_was_made_for(video: VideoEncoder) -> None:
    assert video.accepts(video.num_frames, video.size)
    assert not video.accepts(video.num_frames, video.size + 2)
    assert not video.accepts(video.num_frames + 2, video.size)


@pytest.mark.parametrize("shape", [(1, 32), (1, 16), (1, 10), (5, 10)])
def test_what_is_accepted_can_be_encoded(video: VideoEncoder, shape: tuple[int, int]) -> None:
    frames, size = shape
    if video.accepts(frames, size):
        one = clips(video, 1)[:, :frames]
        assert video.eval()(one).pooled.isfinite().all()


def test_a_texts_vector_does_not_depend_on_its_neighbours(text: TextEncoder) -> None:
    text.eval()
    assert not text.needs_vocabulary
    whole = text(text.tokenize(TEXTS)).pooled
    assert whole.shape == (4, text.dim)
    assert torch.isfinite(whole).all()
    alone = text(text.tokenize(TEXTS[1:2])).pooled
    torch.testing.assert_close(whole[1:2], alone, rtol=1e-4, atol=1e-5)


def test_text_tokens_have_the_length_of_the_text(text: TextEncoder) -> None:
    tokens = text.tokenize(TEXTS)
    encoded: Encoded = text(tokens)
    assert encoded.tokens is not None
    assert encoded.token_length is not None
    assert encoded.tokens.shape == (*tokens.ids.shape, text.token_width)
    assert torch.equal(encoded.token_length, tokens.length)
    assert encoded.token_length.dtype == torch.int64


@pytest.mark.parametrize("max_words", [1, 40])
def test_more_or_fewer_words_are_read_when_asked(text: TextEncoder, max_words: int) -> None:
    tokens = text.tokenize(["chop the carrot " * 20], max_words)
    assert tokens.ids.shape == (1, max_words)
    assert tokens.length.tolist() == [max_words]
    assert text.eval()(tokens).pooled.shape == (1, text.dim)
    with pytest.raises(ArgumentError, match="max_words=0"):
        text.tokenize(TEXTS, max_words=0)


@pytest.mark.parametrize("training", [True, False])
def test_no_texts_reach_every_parameter(text: TextEncoder, training: bool) -> None:
    assert_no_rows_reach_every_parameter(text, text.tokenize([]), training)


def test_pooled_modules_are_what_text_tokens_do_not_reach(text: TextEncoder) -> None:
    assert_only_pooled_reaches(text.pooled_modules, text, text(text.tokenize(TEXTS)).tokens)


#: Another value of each argument of encoders.
OTHER: dict[str, Any] = {
    "num_frames": 6,
    "size": 64,
    "heads": 1,
    "lowercase": True,
    "mask_pad": True,
    "cls_id": 1,
    "sep_id": 0,
    "see_cls": False,
    "dropout": 0.5,
    "max_words": 5,
    "trainable_embeddings": False,
    "min_count": 2,
    "vocab_size": 500,
    "vocabulary": "absent.txt",
    "embeddings": "absent.pth",
    "max_positions": 40,
    "dim": 12,
    "hidden": 24,
    "input_dim": 20,
    "layers": 3,
    "feedforward": 32,
    "embedding_dim": 5,
    "stem": "space_to_depth",
    "patches": True,
    "patch": 4,
    "weights": "./absent",
    "grad_checkpoint": True,
}


def shapes(encoder: nn.Module) -> dict[str, Any]:
    state = encoder.state_dict()
    return {name: value.shape for name, value in state.items() if isinstance(value, Tensor)}


@pytest.mark.parametrize(
    "name",
    ["TinyVideo", "S3D", "TimeSformer", "CachedFeatures", "VideoCLIP without [CLS]", *TEXT],
)
def test_arguments_that_weights_do_not_show_are_declared(name: str) -> None:
    encoder = VIDEO[name]() if name in VIDEO else TEXT[name]()
    kind, own = type(encoder), shapes(encoder)
    declared = {*encoder.unseen_arguments, *encoder.uncompared_arguments}
    arguments = set(inspect.signature(kind).parameters)
    assert declared <= arguments
    if isinstance(encoder, TextEncoder):  # its table is of its vocabulary's size in the end
        arguments.discard("vocab_size")
    others = {**OTHER, "width": 2 * encoder.arguments.get("width", 8)}
    for argument in arguments:
        needed = {"vocabulary": "absent.txt"} if argument == "embeddings" else {}
        other = kind(**{**encoder.arguments, **needed, argument: others[argument]})
        assert (shapes(other) == own) == (argument in declared), argument
