import torch

from vtlearn.batch import Sample, collate
from vtlearn.encoders import TextEncoder, VideoEncoder
from vtlearn.encoders.text import TinyText
from vtlearn.encoders.video import TinyVideo
from vtlearn.encoding import encode_batch, encode_clips, encode_texts, unneeded_modules

CPU = torch.device("cpu")
POOLED = frozenset({"video_pooled", "text_pooled"})
ALL = POOLED | {"video_tokens", "text_tokens", "texts"}
WORDS = ["chop the carrot", "stir the soup", "fry the egg"]


def encoders() -> tuple[TinyVideo, TinyText]:
    torch.manual_seed(0)
    text = TinyText(dim=8, width=8, hidden=8, vocab_size=60)
    text.build(WORDS * 4)
    return TinyVideo(dim=8, num_frames=2, size=16, width=4).eval(), text.eval()


def sample(name: str, clips: int, texts: int, candidates: int = 1) -> Sample:
    generator = torch.Generator().manual_seed(len(name) + clips)
    frames = torch.randint(0, 256, (clips, 2, 3, 16, 16), dtype=torch.uint8, generator=generator)
    strings = [WORDS[index % 3] for index in range(texts * candidates)]
    starts = [float(index) for index in range(clips)]
    return Sample.of(name, frames, starts, 4.0, texts=strings, candidates=candidates)


def test_each_clip_and_text_is_where_it_belongs() -> None:
    video, text = encoders()
    samples = [sample("a", 3, 1, 2), sample("b", 0, 2, 2), sample("cc", 1, 0, 2)]
    encoded = encode_batch(collate(samples), video, text, ALL, CPU)
    assert encoded.video.length.tolist() == [3, 0, 1]
    assert encoded.text.length.tolist() == [1, 2, 0]
    assert encoded.video.pooled.shape == (3, 3, 8)
    assert encoded.text.pooled.shape == (3, 2, 2, 8)
    for row, one in enumerate(samples):
        clips = video(one.clips).pooled
        torch.testing.assert_close(encoded.video.pooled[row, : len(clips)], clips)
        assert (encoded.video.pooled[row, len(clips) :] == 0).all()
        texts = text(text.tokenize(one.texts)).pooled.reshape(-1, 2, 8)
        torch.testing.assert_close(encoded.text.pooled[row, : len(texts)], texts)
    own = encoded.own
    assert own is not None
    assert own.texts == [one.texts for one in samples]
    assert own.text_ids == [[], [], []]
    assert own.video_tokens is not None
    assert own.video_tokens.shape == (3, 3, 2, 1, 32)
    assert own.video_token_length is not None
    assert own.video_token_length.tolist() == [[2, 2, 2], [0, 0, 0], [2, 0, 0]]
    assert own.text_tokens is not None
    assert own.text_tokens.shape[:3] == (3, 2, 2)
    assert encoded.clip_spans[0, 2].tolist() == [2, 2.5]
    assert encoded.clip_spans[1].isnan().all()


def test_what_is_not_needed_is_left_out() -> None:
    video, text = encoders()
    batch = collate([sample("a", 2, 2)])
    encoded = encode_batch(batch, video, text, frozenset({"video_tokens"}), CPU)
    assert encoded.video.pooled.shape == (1, 2, 0)
    assert encoded.text.pooled.shape == (1, 2, 1, 0)
    assert encoded.own is not None
    assert encoded.own.video_tokens is not None
    assert encoded.own.text_tokens is None
    without = encode_batch(batch, video, None, POOLED, CPU)
    assert without.text.pooled.shape == (1, 2, 1, 0)


def test_chunks_change_nothing() -> None:
    video, text = encoders()
    clips = sample("a", 5, 0).clips
    length = torch.full((5,), 2)
    whole, chunked = (encode_clips(video, clips, length, CPU, chunk=n) for n in (None, 2))
    torch.testing.assert_close(chunked, whole)
    strings = WORDS * 3
    whole, chunked = (encode_texts(text, strings, CPU, chunk=n) for n in (None, 2))
    torch.testing.assert_close(chunked.pooled, whole.pooled)
    assert encode_texts(text, [], CPU, chunk=2).pooled.shape == (0, 8)


def test_fewer_words_are_read_where_so_many_are_asked_for() -> None:
    video, text = encoders()
    one = sample("a", 1, 1)
    short, long = (one._replace(texts=[words]) for words in ("chop", "chop the carrot now"))
    needs = frozenset({"text_pooled"})
    first, cut, whole = (
        encode_batch(collate([x]), video, text, needs, CPU, max_words=n).text.pooled
        for x, n in ((short, 1), (long, 1), (long, None))
    )
    assert torch.equal(first, cut)
    assert not torch.equal(first, whole)


def test_layers_that_nothing_reads_are_named() -> None:
    video, text = encoders()
    both: dict[str, VideoEncoder | TextEncoder | None] = {"video": video, "text": text}
    assert list(unneeded_modules(both, POOLED)) == []
    assert list(unneeded_modules(both, frozenset({"video_tokens", "text_pooled"}))) == [
        "video_encoder.fc",
        "video_encoder.spread",
    ]
    assert list(unneeded_modules(both, frozenset({"video_pooled"}))) == ["text_encoder"]
    assert list(unneeded_modules({"video": video, "text": None}, POOLED)) == []
