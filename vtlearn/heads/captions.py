"""Captions of own clips, with the tokens that they are predicted from."""

from collections.abc import Sequence
from itertools import compress
from typing import NamedTuple

from torch import Tensor

from vtlearn.batch import EncodedBatch, Own
from vtlearn.errors import ArgumentError
from vtlearn.heads.base import Head
from vtlearn.heads.decoder_base import Decoder

__all__: list[str] = []


class CaptionedClips(NamedTuple):
    """Captions that have words, and their clips.

    Attributes:
        captions: Strings.
        tokens: Of one clip for each, (captions, frames, patches, width).
        token_length: How many frames of each clip count, (captions,), int64; None: all.
        kept: Which of the clips that were asked about they are, (captions,), int64.
    """

    captions: list[str]
    tokens: Tensor
    token_length: Tensor | None
    kept: Tensor


def captioned_clips(
    head: Head, decoder: Decoder, batch: EncodedBatch, sample: Tensor, position: Tensor
) -> CaptionedClips:
    """Take own clips whose captions have words that a decoder can predict.

    Args:
        head: An error names it.
        decoder: Says which captions have words.
        batch: What the tokens and strings come from.
        sample: Which of the own samples each clip is in, (clips,), int64.
        position: Which clip of its sample it is, (clips,), int64; text i belongs to clip i, and of
            its candidates the first is the caption.

    Returns:
        The captions with words, in the same order.

    Raises:
        ArgumentError: If the batch has no tokens.
    """
    own, tokens = own_tokens(head, batch)
    candidates = batch.text.pooled.shape[2]
    places = zip(sample.tolist(), position.tolist(), strict=True)
    captions = [own.texts[one][place * candidates] for one, place in places]
    with_words = decoder.has_words(captions)
    kept = with_words.nonzero().squeeze(1).to(tokens.device)
    clips = sample.to(tokens.device)[kept], position.to(tokens.device)[kept]
    return CaptionedClips(
        list(compress(captions, with_words.tolist())),
        tokens[clips],
        _at(own.video_token_length, clips),
        kept,
    )


def own_tokens(head: Head, batch: EncodedBatch) -> tuple[Own, Tensor]:
    """Return what is this process's own of a batch, and its clips' tokens.

    Args:
        head: An error names it.
        batch: Of a learner, or of plain tensors.

    Returns:
        Own tokens and strings; (own, clips, frames, patches, width).

    Raises:
        ArgumentError: If there are none.
    """
    own = batch.own
    if own is None or own.video_tokens is None:
        message = (
            f"{type(head).__name__} reads tokens, and this batch has none: give "
            "EncodedBatch.of(..., own=...)"
        )
        raise ArgumentError(message)
    return own, own.video_tokens


def _at(length: Tensor | None, clips: Sequence[Tensor]) -> Tensor | None:
    return None if length is None else length[tuple(x.to(length.device) for x in clips)]
