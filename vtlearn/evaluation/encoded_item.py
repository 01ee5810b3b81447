"""An item as a protocol sees it: what the model's encoders made of a clip, a video, a picture."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Literal, Self, TypeVar, cast

import torch
from torch import Tensor
from torch.nn import functional

from vtlearn.batch import EncodedBatch, Own
from vtlearn.errors import ArgumentError, EvaluationError
from vtlearn.padding import frame_times, valid

__all__ = ["EncodedItem", "Pooling"]

ValueT = TypeVar("ValueT")

#: How an item's windows become one vector.
Pooling = Literal["head", "raw", "unit"]

#: What a protocol may need of an item.
NEEDS = frozenset({"windows", "frames", "features", "match", "caption"})

#: A head's embedding: (..., dim) to (..., dim).
Embed = Callable[[Tensor], Tensor]

#: A head's logits of one window, (dim,), and several texts, (texts, dim): (texts,).
Match = Callable[[Tensor, Tensor], Tensor]


class EncodedItem:
    """One evaluation item after encoding, or one part of a long video.

    It has what the protocols of its task need, and no more. Vectors are raw, as the encoders pooled
    them; :meth:`embedded` and :meth:`clip` turn them into what is compared.

    Args:
        item_id: The item's id.
        windows: One vector per window, (windows, dim).
        window_spans: Start and end of each window in seconds, (windows, 2), float64.
        frames: One vector per frame of every window, (frames, dim).
        frame_times: The centre of each frame in seconds, (frames,), float64.
        features: The mean of the video encoder's tokens of each window, (windows, width).
        captions: One string per window, as the head wrote it.
        texts: One vector per text of the item, (texts, dim).
        text_ids: Ids of the texts.
        embed: The head's embedding; None for vectors that are compared as they are.
        match: The head's logits of one window, (dim,), and several texts, (texts, dim).

    Attributes:
        id: The item's id.
        text_ids: Ids of the texts.
        embed: The head's embedding.

    Example:
        >>> item = EncodedItem("v", windows=torch.tensor([[3.0, 0.0], [0.0, 1.0]]))
        >>> item.clip("raw"), item.clip("unit")
        (tensor([1.5000, 0.5000]), tensor([0.5000, 0.5000]))
    """

    def __init__(
        self,
        item_id: str,
        *,
        windows: Tensor | None = None,
        window_spans: Tensor | None = None,
        frames: Tensor | None = None,
        frame_times: Tensor | None = None,
        features: Tensor | None = None,
        captions: Sequence[str] | None = None,
        texts: Tensor | None = None,
        text_ids: Sequence[str] = (),
        embed: Embed | None = None,
        match: Match | None = None,
    ) -> None:
        self.id = item_id
        self.text_ids = list(text_ids)
        self.embed: Embed = embed or as_is
        self._match = match
        self._captions = captions
        self._tensors = {
            "windows": windows,
            "window_spans": window_spans,
            "frames": frames,
            "frame_times": frame_times,
            "features": features,
            "texts": texts,
        }

    @classmethod
    def joined(
        cls, parts: Sequence[Self], *, embed: Embed | None = None, match: Match | None = None
    ) -> Self:
        """Make one item of the parts of a long video.

        Args:
            parts: In their order; the first has the texts.
            embed: The head's embedding.
            match: The head's logits.

        Returns:
            An item whose windows, frames and captions are those of all parts. Its vectors are
            copies, so that they keep no batch alive.
        """
        first = parts[0]
        tensors: dict[str, Tensor] = {}
        for name, tensor in first._tensors.items():  # noqa: SLF001 - our own kind
            if tensor is not None:
                several = [tensor] if name == "texts" else [getattr(part, name) for part in parts]
                tensors[name] = torch.cat(several)
        captions = None
        if first._captions is not None:  # noqa: SLF001 - our own kind
            captions = [caption for part in parts for caption in part.captions]
        return cls(
            first.id,
            **tensors,
            captions=captions,
            text_ids=first.text_ids,
            embed=embed,
            match=match,
        )

    @property
    def windows(self) -> Tensor:
        """One raw vector per window, (windows, dim)."""
        return self._tensor("windows")

    @property
    def window_spans(self) -> Tensor:
        """Start and end of each window in seconds, (windows, 2), float64, on the CPU."""
        return self._tensor("window_spans")

    @property
    def window_times(self) -> Tensor:
        """The centre of each window in seconds, (windows,), float64, on the CPU."""
        return self.window_spans.mean(1)

    @property
    def frames(self) -> Tensor:
        """One raw vector per frame of every window, (frames, dim); for ``frames``."""
        return self._tensor("frames")

    @property
    def frame_times(self) -> Tensor:
        """The centre of each frame in seconds, (frames,), float64, on the CPU; for ``frames``."""
        return self._tensor("frame_times")

    @property
    def features(self) -> Tensor:
        """The mean of each window's tokens, (windows, width); for ``features``."""
        return self._tensor("features")

    @property
    def texts(self) -> Tensor:
        """One raw vector per text of the item, (texts, dim)."""
        return self._tensor("texts")

    @property
    def captions(self) -> Sequence[str]:
        """What the head wrote for each window; for ``caption``."""
        return self._required("caption", self._captions)

    @property
    def caption(self) -> str:
        """What the head wrote for an item of one window; for ``caption``."""
        if len(self.captions) != 1:
            message = (
                f"The item {self.id!r} has {len(self.captions)} windows with a caption each; one "
                "window was expected."
            )
            raise EvaluationError(message)
        return self.captions[0]

    def match(self, texts: Tensor | None = None) -> Tensor:
        """Compute the head's logits of every window and text; for ``match``.

        Args:
            texts: Raw vectors, (texts, dim); None: those of the item.

        Returns:
            (windows, texts), unbounded; higher is better.
        """
        match = self._required("match", self._match)
        texts = self.texts if texts is None else texts
        logits = [match(window, texts) for window in self.windows]
        return torch.stack(logits) if logits else texts.new_zeros(0, len(texts))

    def clip(self, pooling: Pooling) -> Tensor:
        """Pool the windows to one vector.

        Args:
            pooling: ``head`` embeds the mean of the embedded windows, ``raw`` takes the mean of the
                windows, ``unit`` the mean of the windows at unit length.

        Returns:
            (dim,), float32 or wider.

        Raises:
            EvaluationError: If the item has no window.
        """
        if not len(self.windows):
            message = f"The item {self.id!r} has no window to pool."
            raise EvaluationError(message)
        mean = self.embedded(self.windows, pooling).mean(0)
        return self.embed(mean) if pooling == "head" else mean

    def embedded(self, vectors: Tensor, pooling: Pooling) -> Tensor:
        """Turn raw vectors into what a protocol compares.

        Args:
            vectors: (..., dim): windows, frames or texts.
            pooling: ``head`` embeds them, ``raw`` leaves them, ``unit`` scales them to unit length.

        Returns:
            (..., dim), float32 or wider.
        """
        return embedded(vectors, pooling, self.embed)

    def _tensor(self, name: str) -> Tensor:
        return self._required(name, self._tensors[name])

    def _required(self, name: str, value: ValueT | None) -> ValueT:
        if value is None:
            need = {"window_spans": "windows", "frame_times": "frames"}.get(name, name)
            way_out = (
                f"add {need!r} to the protocol's needs"
                if need in NEEDS
                else "the protocol needs a model with a text encoder (model.text_encoder)"
            )
            message = f"The item {self.id!r} came without {name}: {way_out}."
            raise ArgumentError(message)
        return value


def encoded_items(
    batch: EncodedBatch,
    needs: frozenset[str],
    *,
    captions: Sequence[str] | None = None,
) -> Iterator[EncodedItem]:
    """Take the items, or parts of items, out of an encoded batch.

    Args:
        batch: Samples of this process alone: pooled vectors for ``windows``, tokens for
            ``features``, and for ``frames`` tokens of one vector per frame.
        needs: What of it is needed.
        captions: One string per clip.

    Yields:
        One item per sample.

    Raises:
        ArgumentError: If frames are needed, and the tokens are not one vector per frame; or if
            features are, and there are no tokens.
    """
    own = cast("Own", batch.own)
    lengths = batch.video.length.tolist()
    remaining = iter(captions or ())
    has_texts = batch.text.pooled.shape[-1] > 0  # or there is no text encoder
    for index, text_length in enumerate(batch.text.length.tolist()):
        length = lengths[index]
        spans = batch.clip_spans[index, :length]
        frames, times = _frames(own, index, spans) if "frames" in needs else (None, None)
        yield EncodedItem(
            own.ids[index],
            windows=batch.video.pooled[index, :length] if "windows" in needs else None,
            window_spans=spans,
            frames=frames,
            frame_times=times,
            features=_features(own, index, length) if "features" in needs else None,
            captions=None if captions is None else list(islice(remaining, length)),
            texts=batch.text.pooled[index, :text_length, 0] if has_texts else None,
            text_ids=own.text_ids[index],
        )


def embedded(vectors: Tensor, pooling: Pooling, embed: Embed) -> Tensor:
    """Turn raw vectors into what a protocol compares.

    Args:
        vectors: (..., dim), any floating dtype.
        pooling: ``head`` embeds them, ``raw`` leaves them, ``unit`` scales them to unit length.
        embed: The head's embedding.

    Returns:
        (..., dim), float32 or wider.

    Example:
        >>> embedded(torch.tensor([3.0, 4.0]), "unit", as_is)
        tensor([0.6000, 0.8000])
    """
    if pooling == "head":
        return embed(vectors)
    wide = as_is(vectors)
    return functional.normalize(wide, dim=-1) if pooling == "unit" else wide


def as_is(vectors: Tensor) -> Tensor:
    """Take vectors for embeddings as they are, in float32 or wider.

    Args:
        vectors: (..., dim), any floating dtype.

    Example:
        >>> as_is(torch.ones(1, dtype=torch.bfloat16))
        tensor([1.])
    """
    return vectors.to(torch.promote_types(vectors.dtype, torch.float32))


def _features(own: Own, index: int, windows: int) -> Tensor:
    """Average the tokens of each of a sample's clips, over frames that count and all patches."""
    if own.video_tokens is None:
        message = f"The item {own.ids[index]!r} came without tokens, of which features are made."
        raise ArgumentError(message)
    tokens, lengths = own.video_tokens[index, :windows], own.video_token_length
    size = tokens.shape[1]
    length = torch.full((windows,), size) if lengths is None else lengths[index, :windows]
    length = length.to(tokens.device)
    counted = tokens.masked_fill(~valid(length, size)[:, :, None, None], 0)
    return counted.sum(1).mean(1) / length[:, None]


def _frames(own: Own, index: int, spans: Tensor) -> tuple[Tensor, Tensor]:
    """Lay the frames of a sample's clips end to end, and give the time of each."""
    tokens, lengths = own.video_tokens, own.video_token_length
    if tokens is None or tokens.shape[3] != 1:
        message = f"The item {own.ids[index]!r} came without tokens of one vector per frame."
        raise ArgumentError(message)
    clips = tokens[index, : len(spans), :, 0]
    size = clips.shape[1]
    length = torch.full((len(spans),), size) if lengths is None else lengths[index].cpu()
    length = length[: len(spans)]
    mask = valid(length, size)
    return clips[mask.to(clips.device)], frame_times(spans, length, size)[mask]
