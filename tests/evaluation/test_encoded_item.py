import math

import pytest
import torch

from vtlearn.batch import EncodedBatch, Own
from vtlearn.encoders.base import VideoEncoder
from vtlearn.encoders.video import S3D, TinyVideo
from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.evaluation.encoded_item import EncodedItem, as_is, embedded, encoded_items

WINDOWS = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
SPANS = torch.tensor([[0.0, 2.0], [1.5, 3.5]], dtype=torch.float64)


def doubled_plus_one(vectors: torch.Tensor) -> torch.Tensor:
    return 2 * vectors + 1  # shows how often it was applied


def test_each_pooling_of_a_clip_by_hand() -> None:
    item = EncodedItem("v", windows=WINDOWS, embed=doubled_plus_one)
    assert item.clip("raw").tolist() == [1.5, 3.0]
    assert item.clip("unit").tolist() == pytest.approx([0.3, 0.9])
    assert item.clip("head").tolist() == [2 * 4 + 1, 2 * 7 + 1]  # the mean of the embedded, again
    assert item.embedded(WINDOWS[0], "head").tolist() == [7, 9]


@pytest.mark.parametrize("pooling", ["head", "raw", "unit"])
def test_vectors_become_float32_or_wider(pooling: str) -> None:
    for dtype, wide in ((torch.bfloat16, torch.float32), (torch.float64, torch.float64)):
        vectors = embedded(torch.ones(2, 3, dtype=dtype), pooling, as_is)  # type: ignore[arg-type]
        assert vectors.dtype == wide


def test_a_zero_vector_stays_zero_at_unit_length() -> None:
    assert embedded(torch.zeros(2), "unit", as_is).tolist() == [0, 0]


def test_times_are_the_centres_of_spans() -> None:
    assert EncodedItem("v", window_spans=SPANS).window_times.tolist() == [1.0, 2.5]


def test_logits_are_those_of_every_window_and_text() -> None:
    def match(clip: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        return 10 * (texts @ clip)

    texts = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    item = EncodedItem("v", windows=WINDOWS, texts=texts, match=match)
    assert item.match().tolist() == [[30, 40, 70], [0, 20, 20]]
    assert item.match(texts[:1]).tolist() == [[30], [0]]
    empty = EncodedItem("v", windows=WINDOWS[:0], texts=texts, match=match)
    assert empty.match().shape == (0, 3)


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("windows", "add 'windows' to the protocol's needs"),
        ("window_spans", "add 'windows'"),
        ("frames", "add 'frames'"),
        ("frame_times", "add 'frames'"),
        ("features", "add 'features'"),
        ("captions", "add 'caption'"),
        ("caption", "add 'caption'"),
        ("texts", r"model\.text_encoder"),
    ],
)
def test_what_was_not_computed_is_refused_by_name(name: str, way_out: str) -> None:
    with pytest.raises(ArgumentError, match=f"item 'v' came without .*{way_out}"):
        getattr(EncodedItem("v"), name)


def test_logits_that_no_head_gives_are_refused() -> None:
    with pytest.raises(ArgumentError, match="without match: add 'match'"):
        EncodedItem("v", windows=WINDOWS, texts=WINDOWS).match()


def test_an_item_without_windows_has_no_clip() -> None:
    with pytest.raises(EvaluationError, match="'v' has no window"):
        EncodedItem("v", windows=WINDOWS[:0]).clip("raw")


def test_one_caption_is_of_one_window() -> None:
    assert EncodedItem("v", captions=["chop"]).caption == "chop"
    with pytest.raises(EvaluationError, match="'v' has 2 windows with a caption each"):
        EncodedItem("v", captions=["chop", "stir"]).caption  # noqa: B018 - a property


def test_parts_become_one_item_that_holds_copies() -> None:
    source = WINDOWS.clone()
    parts = [
        EncodedItem(
            "v",
            windows=source[:1],
            window_spans=SPANS[:1],
            captions=["chop"],
            texts=WINDOWS,
            text_ids=["a", "b"],
        ),
        EncodedItem(
            "v", windows=source[1:], window_spans=SPANS[1:], captions=["stir"], texts=WINDOWS[:0]
        ),
    ]
    whole = EncodedItem.joined(parts, embed=doubled_plus_one)
    source.zero_()
    assert torch.equal(whole.windows, WINDOWS)
    assert torch.equal(whole.window_spans, SPANS)
    assert torch.equal(whole.texts, WINDOWS)
    assert whole.text_ids == ["a", "b"]
    assert whole.captions == ["chop", "stir"]
    assert whole.embed is doubled_plus_one
    with pytest.raises(ArgumentError, match="without features"):
        whole.features  # noqa: B018 - a property


def test_an_item_of_one_part_holds_copies_as_well() -> None:
    source = WINDOWS.clone()
    whole = EncodedItem.joined([EncodedItem("v", windows=source)])
    source.zero_()  # as a loader that reuses its memory would
    assert torch.equal(whole.windows, WINDOWS)


def batch() -> EncodedBatch:
    """Two samples: 2 clips of 2 and 1 frames with 1 text, and 1 clip of 2 frames with 2 texts."""
    video = torch.arange(8.0).reshape(2, 2, 2)
    text = torch.arange(8.0).reshape(2, 2, 2) + 100
    tokens = torch.arange(16.0).reshape(2, 2, 2, 1, 2)
    spans = torch.tensor([[[0.0, 2.0], [4.0, 5.0]], [[1.0, 3.0], [math.nan, math.nan]]]).double()
    return EncodedBatch.of(
        video,
        text,
        video_length=torch.tensor([2, 1]),
        text_length=torch.tensor([1, 2]),
        clip_spans=spans,
        own=Own(
            ["v", "w"],
            tokens,
            torch.tensor([[2, 1], [2, 0]]),
            None,
            None,
            [["a"], ["b", "c"]],
            [["v/0"], ["w/0", "w/1"]],
        ),
    )


def test_items_of_a_batch_leave_padding_out() -> None:
    one, other = encoded_items(
        batch(),
        frozenset({"windows", "frames", "features"}),
        captions=["chop", "stir", "fry"],
    )
    assert (one.id, one.text_ids, one.captions) == ("v", ["v/0"], ["chop", "stir"])
    assert one.windows.tolist() == [[0, 1], [2, 3]]
    assert one.texts.tolist() == [[100, 101]]
    assert one.frames.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert one.frame_times.tolist() == [0.5, 1.5, 4.5]
    assert one.features.tolist() == [[1, 2], [4, 5]]
    assert (other.id, other.text_ids, other.caption) == ("w", ["w/0", "w/1"], "fry")
    assert other.windows.tolist() == [[4, 5]]
    assert other.window_spans.tolist() == [[1, 3]]
    assert other.texts.tolist() == [[104, 105], [106, 107]]
    assert other.frames.tolist() == [[8, 9], [10, 11]]
    assert other.frame_times.tolist() == [1.5, 2.5]
    assert other.features.tolist() == [[9, 10]]


def test_items_of_a_batch_have_only_what_is_needed() -> None:
    item = next(encoded_items(batch(), frozenset({"caption"}), captions=["chop", "stir", "fry"]))
    with pytest.raises(ArgumentError, match="without windows"):
        item.windows  # noqa: B018 - a property
    with pytest.raises(ArgumentError, match="without frames"):
        item.frames  # noqa: B018 - a property


def test_vectors_of_width_zero_are_no_texts() -> None:
    without = batch()._replace(text=batch().text._replace(pooled=torch.zeros(2, 2, 1, 0)))
    item = next(encoded_items(without, frozenset({"windows"})))
    with pytest.raises(ArgumentError, match="without texts"):
        item.texts  # noqa: B018 - a property


def test_frames_of_an_encoder_that_has_none_are_refused() -> None:
    own = batch().own
    assert own is not None
    assert own.video_tokens is not None
    for tokens in (None, own.video_tokens.expand(2, 2, 2, 4, 2)):
        encoded = batch()._replace(own=own._replace(video_tokens=tokens))
        with pytest.raises(ArgumentError, match="'v' came without tokens of one vector per frame"):
            list(encoded_items(encoded, frozenset({"frames"})))


@pytest.mark.parametrize("encoder", [S3D(width=0.05), TinyVideo(width=4)])
def test_features_are_the_mean_of_tokens(encoder: VideoEncoder) -> None:
    """Of S3D that is what linear probes take."""
    generator = torch.Generator().manual_seed(0)
    shape = (1, 3, 16, 3, 32, 32)
    clips = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    length = torch.tensor([16, 4, 9])
    encoded = encoder.eval()(clips[0], length)
    own = Own(["v"], encoded.tokens[None], encoded.token_length[None], None, None, [[]], [[]])
    video, text = encoded.pooled[None], torch.zeros(1, 0, 0)
    (item,) = encoded_items(EncodedBatch.of(video, text, own=own), frozenset({"features"}))
    if isinstance(encoder, S3D):
        torch.testing.assert_close(item.features, encoder.features(clips[0], length))
    assert item.features.shape == (3, encoder.token_width)
    for clip, frames in enumerate(length.tolist()):
        alone = encoder(clips[0, clip : clip + 1, :frames]).tokens
        torch.testing.assert_close(item.features[clip], alone[0].mean((0, 1)))


def test_features_are_of_all_patches_and_of_frames_that_count() -> None:
    own = batch().own
    assert own is not None
    assert own.video_tokens is not None
    patches = torch.cat([own.video_tokens, own.video_tokens + 2], 3)
    patches[0, 1, 1:] = torch.nan  # a clip of one frame
    encoded = batch()._replace(own=own._replace(video_tokens=patches))
    one, _ = encoded_items(encoded, frozenset({"features"}))
    assert one.features.tolist() == [[2, 3], [5, 6]]
    all_count = own._replace(video_token_length=None)
    one, other = encoded_items(batch()._replace(own=all_count), frozenset({"features"}))
    assert one.features.tolist() == [[1, 2], [5, 6]]
    assert other.features.tolist() == [[9, 10]]


def test_features_of_an_encoder_without_tokens_are_refused() -> None:
    own = batch().own
    assert own is not None
    encoded = batch()._replace(own=own._replace(video_tokens=None))
    with pytest.raises(ArgumentError, match="'v' came without tokens, of which features"):
        list(encoded_items(encoded, frozenset({"features"})))
