"""Encode a batch of samples: flatten, encode, fold back.

The same functions serve training, evaluation, prediction and alignment. Encoders are called on no
clips or no texts as well, so that their parameters have a part in every batch.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from vtlearn.batch import Batch, Encoded, EncodedBatch, Features, Own
from vtlearn.encoders.base import TextEncoder, VideoEncoder
from vtlearn.large_batches import encode_again_in_backward
from vtlearn.padding import fold

__all__ = ["encode_batch", "encode_clips", "encode_texts", "unneeded_modules"]


def encode_batch(
    batch: Batch,
    video_encoder: VideoEncoder,
    text_encoder: TextEncoder | None,
    needs: frozenset[str],
    device: torch.device,
    *,
    chunk: int | None = None,
    recompute: bool = False,
    max_words: int | None = None,
) -> EncodedBatch:
    """Encode samples, and lay out what is needed of the answers.

    Args:
        batch: Samples; either clips or texts may be none.
        video_encoder: Encodes their clips.
        text_encoder: Encodes their texts; None for a model without one.
        needs: What is kept of the answers: ``video_pooled``, ``text_pooled``, ``video_tokens``,
            ``text_tokens``.
        device: Where the encoders are.
        chunk: How many clips are on the device at once; None: all.
        recompute: Encode texts in chunks as well, and each chunk again in the backward, so that
            the activations of one are in memory at a time.
        max_words: How many words of a text are read; None: as many as the text encoder was made
            for.

    Returns:
        Features (batch, clips, dim) and (batch, texts, candidates, dim), zero where padded; tokens
        and strings in ``own``. What is not needed has width 0, or is None.
    """
    video = Encoded(torch.zeros(len(batch.clips), 0, device=device))
    text = Encoded(torch.zeros(len(batch.texts), 0, device=device))
    if needs & {"video_pooled", "video_tokens"}:
        video = encode_clips(
            video_encoder, batch.clips, batch.frame_length, device, chunk=chunk, recompute=recompute
        )
    if text_encoder is not None and needs & {"text_pooled", "text_tokens"}:
        text = (
            _encode_texts_again(text_encoder, batch.texts, device, chunk, max_words)
            if recompute and chunk
            else encode_texts(text_encoder, batch.texts, device, max_words=max_words)
        )
    video, text = _needed(video, "video", needs), _needed(text, "text", needs)
    no_ids = [0] * len(batch.ids)

    def by_clip(x: Tensor) -> Tensor:
        return fold(x, batch.num_clips)

    def by_text(x: Tensor) -> Tensor:
        shape = (sum(batch.num_texts), batch.candidates)
        return fold(x.reshape(*shape, *x.shape[1:]), batch.num_texts)

    return EncodedBatch(
        video=Features(by_clip(video.pooled), _counts(batch.num_clips, device)),
        text=Features(by_text(text.pooled), _counts(batch.num_texts, device)),
        clip_spans=fold(batch.clip_spans, batch.num_clips, fill=torch.nan),
        text_spans=fold(batch.text_spans, batch.num_texts, fill=torch.nan),
        own=Own(
            ids=batch.ids,
            video_tokens=_if_any(video.tokens, by_clip),
            video_token_length=_if_any(video.token_length, by_clip),
            text_tokens=_if_any(text.tokens, by_text),
            text_token_length=_if_any(text.token_length, by_text),
            texts=_split(batch.texts, [number * batch.candidates for number in batch.num_texts]),
            text_ids=_split(batch.text_ids, batch.num_texts if batch.text_ids else no_ids),
        ),
    )


def encode_clips(
    encoder: VideoEncoder,
    clips: Tensor,
    frame_length: Tensor,
    device: torch.device,
    *,
    chunk: int | None = None,
    recompute: bool = False,
) -> Encoded:
    """Encode clips, so many at a time.

    Args:
        encoder: Encodes them.
        clips: (clips, frames, ...), on any device.
        frame_length: (clips,), int64, on the CPU: encoders read it.
        device: Where the encoder is.
        chunk: How many are on the device at once; None: all.
        recompute: Encode each chunk again in the backward, where there is a ``chunk``.

    Returns:
        One row per clip.
    """

    def encode(x: Tensor, length: Tensor) -> Encoded:
        encoded: Encoded = encoder(x.to(device, non_blocking=True), length)
        return encoded

    size = max(1, chunk or len(clips))
    chunks = zip(clips.split(size), frame_length.split(size), strict=True)
    calls = [partial(encode, x, length) for x, length in chunks]
    again = recompute and chunk is not None
    return _join([encode_again_in_backward(call, device) if again else call() for call in calls])


def encode_texts(
    encoder: TextEncoder,
    texts: Sequence[str],
    device: torch.device,
    *,
    chunk: int | None = None,
    max_words: int | None = None,
) -> Encoded:
    """Tokenise and encode texts.

    Args:
        encoder: Encodes them.
        texts: One string per text.
        device: Where the encoder is.
        chunk: How many are encoded at once; None: all.
        max_words: How many words of a text are read; None: as many as the encoder was made for.

    Returns:
        One row per text.
    """
    size = max(1, chunk or len(texts))
    parts: list[Encoded] = []
    for first in range(0, max(1, len(texts)), size):
        tokens = encoder.tokenize(texts[first : first + size], max_words)
        parts.append(encoder(type(tokens)(*(x.to(device) for x in tokens))))
    if len(parts) == 1:
        return parts[0]
    return Encoded(torch.cat([part.pooled for part in parts]))  # words may differ in number


def _encode_texts_again(
    encoder: TextEncoder,
    texts: Sequence[str],
    device: torch.device,
    chunk: int,
    max_words: int | None,
) -> Encoded:
    """Encode texts in chunks, each again in the backward."""

    def encode(*rows: Tensor) -> Encoded:
        encoded: Encoded = encoder(type(tokens)(*(x.to(device) for x in rows)))
        return encoded

    # all at once: what a text is padded to, by the longest of a call, may be part of its vector
    tokens = encoder.tokenize(texts, max_words)
    calls = [partial(encode, *rows) for rows in zip(*(x.split(chunk) for x in tokens), strict=True)]
    return _join([encode_again_in_backward(call, device) for call in calls])


def unneeded_modules(
    encoders: dict[str, VideoEncoder | TextEncoder | None], needs: frozenset[str]
) -> Iterator[str]:
    """Name the modules whose output is not needed: a loss that must reach all others trains those.

    Args:
        encoders: The encoders of ``video`` and ``text``.
        needs: What the head reads.

    Yields:
        Names such as ``video_encoder.fc``, of modules that have parameters.
    """
    for kind, encoder in encoders.items():
        if encoder is None or f"{kind}_pooled" in needs:
            continue
        reads_tokens = f"{kind}_tokens" in needs
        for name in encoder.pooled_modules if reads_tokens else ("",):
            if any(True for _ in encoder.get_submodule(name).parameters()):
                yield f"{kind}_encoder.{name}".rstrip(".")


def _needed(encoded: Encoded, kind: str, needs: frozenset[str]) -> Encoded:
    """Leave out of an encoder's answer what is not needed."""
    if f"{kind}_pooled" not in needs:
        encoded = encoded._replace(pooled=encoded.pooled[:, :0])
    if f"{kind}_tokens" not in needs:
        encoded = encoded._replace(tokens=None, token_length=None)
    return encoded


def _if_any(x: Tensor | None, layout: Callable[[Tensor], Tensor]) -> Tensor | None:
    return None if x is None else layout(x)


def _counts(numbers: Sequence[int], device: torch.device) -> Tensor:
    return torch.tensor(numbers, dtype=torch.int64, device=device)


def _join(parts: Sequence[Encoded]) -> Encoded:
    if len(parts) == 1:
        return parts[0]
    pooled, tokens, lengths = zip(*parts, strict=True)
    return Encoded(torch.cat(pooled), _joined(tokens), _joined(lengths))


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    present = [part for part in parts if part is not None]
    return torch.cat(present) if present else None


def _split(values: Sequence[str], counts: Sequence[int]) -> list[list[str]]:
    remaining = iter(values)
    return [[next(remaining) for _ in range(count)] for count in counts]
