"""Adapters: what lets the layers of a language model read a clip.

An adapter follows a layer and adds to its output what the words find in the clip's tokens. It adds
nothing at first: a model with untrained adapters is the model without them, to the last bit.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vtlearn.errors import ArgumentError
from vtlearn.padding import valid

__all__: list[str] = []

Kind = Literal["separable", "pooled"]

_INITIAL_SCALE = 0.02  # of the time embedding


class Video(NamedTuple):
    """Tokens of clips, and which of their frames count.

    Attributes:
        tokens: (clips, frames, patches, width), zero in frames that do not count.
        length: How many frames of each clip count, (clips,), int64, at least 1.
    """

    tokens: Tensor
    length: Tensor

    @classmethod
    def of(cls, tokens: Tensor, token_length: Tensor | None) -> "Video":
        """Leave out what does not count.

        Args:
            tokens: (clips, frames, patches, width); anything where a frame does not count.
            token_length: (clips,); None: all frames. A clip without frames is one of zeros.
        """
        clips, frames = tokens.shape[:2]
        if token_length is None:
            token_length = torch.full((clips,), frames)
        length = token_length.to(tokens.device)
        counted = valid(length, frames)
        return cls(tokens.masked_fill(~counted[:, :, None, None], 0), length.clamp(min=1))

    def counted(self) -> Tensor:
        """Tell which frames count, (clips, frames), bool."""
        return valid(self.length, self.tokens.shape[1])


class Memory(NamedTuple):
    """What an adapter has computed of clips before it sees words.

    Attributes:
        space_keys: (clips, times, heads, patches, width / heads); ``pooled`` has one time.
        space_values: The same.
        time: What is added to a frame before time is read, (clips, frames, width).
        time_keys: (clips, heads, frames, width / heads) of ``pooled``; None where they depend on
            the words.
        time_values: The same.
        counted: Which frames count, (clips, 1, 1, frames), bool.
    """

    space_keys: Tensor
    space_values: Tensor
    time: Tensor
    time_keys: Tensor | None
    time_values: Tensor | None
    counted: Tensor

    def of_clips(self, clips: slice) -> "Memory":
        """Take some of the clips."""
        return Memory(*(None if x is None else x[clips] for x in self))  # type: ignore[arg-type]


class Adapter(nn.Module):
    """Let words read a clip, then transform each word by a narrow layer.

    ``separable``: a word attends to the patches of each frame by itself, then to what it found in
    the frames. ``pooled``: it attends to the patches averaged over frames, and to the frames
    averaged over patches, and adds up both, which costs frames + patches instead of their product.
    Queries are the same for space and time. A position in time is embedded by the place of a frame
    among those of its clip that count, so that padding changes nothing and a picture is a clip of
    its first frame.

    Args:
        width: Width of words.
        token_width: Width of the clip's tokens.
        num_frames: Rows of the time embedding; of other numbers of frames each takes the nearest.
        reduction: By how much the adapter is narrower than the words.
        heads: Attention heads.
        kind: How space and time are read.

    Source: Lialin et al., 2023, Figure 1's caption (adapters with separable cross-attention); the
        rest is our own.
    """

    def __init__(
        self,
        width: int,
        token_width: int,
        num_frames: int,
        *,
        reduction: int,
        heads: int,
        kind: Kind,
    ) -> None:
        super().__init__()
        narrow = width // reduction
        self.heads, self.kind = heads, kind
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query = nn.Linear(width, narrow)
        self.space_key = nn.Linear(token_width, narrow)
        self.space_value = nn.Linear(token_width, narrow)
        of_time = narrow if kind == "separable" else token_width
        self.time = nn.Parameter(_INITIAL_SCALE * torch.randn(num_frames, of_time))
        self.time_key = nn.Linear(of_time, narrow)
        self.time_value = nn.Linear(of_time, narrow)
        self.out = nn.Linear(narrow, width)
        self.alpha = nn.Parameter(torch.zeros(()))
        self.down = nn.Linear(width, narrow)
        self.up = nn.Linear(narrow, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def remember(self, video: Video) -> Memory:
        """Compute what does not depend on words.

        Args:
            video: Of the clips that words will read.

        Returns:
            Of each clip, for :meth:`forward`.
        """
        tokens, counted = video.tokens.to(self.time.dtype), video.counted()
        time = self._time(video)
        keys = values = None
        if self.kind == "pooled":
            frames = tokens.mean(2) + time
            keys, values = (_split(x(frames), self.heads) for x in (self.time_key, self.time_value))
            number = video.length.to(tokens.dtype)[:, None, None, None]
            tokens = tokens.sum(1, keepdim=True) / number
        return Memory(
            _split(self.space_key(tokens), self.heads),
            _split(self.space_value(tokens), self.heads),
            time,
            keys,
            values,
            counted[:, None, None],
        )

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        """Add to words what they find in their clip.

        Args:
            x: (rows, words, width); the same number of rows for each clip, one after another.
            memory: Of the clips.

        Returns:
            (rows, words, width).
        """
        rows, words, width = x.shape
        clips = len(memory.counted)
        query = self.query(self.norm1(x)).reshape(clips, rows * words // clips, -1)
        by_heads = _split(query, self.heads)  # all words of a clip: no key is ever copied
        read = self._separable if self.kind == "separable" else self._pooled
        found = self.out(read(by_heads, memory)).reshape(rows, words, width)
        x = x + torch.tanh(self.alpha) * found
        result: Tensor = x + self.up(functional.gelu(self.down(self.norm2(x))))
        return result

    def _separable(self, query: Tensor, memory: Memory) -> Tensor:
        """Attend to patches frame by frame, then to frames: (clips, heads, words, e) to (.., r)."""
        clips, heads, words, each = query.shape
        frames = memory.time.shape[1]
        queries = query[:, None].expand(-1, frames, -1, -1, -1).flatten(0, 1)
        keys, values = memory.space_keys.flatten(0, 1), memory.space_values.flatten(0, 1)
        of_frames = functional.scaled_dot_product_attention(queries, keys, values)
        by_word = of_frames.reshape(clips, frames, heads, words, each).permute(0, 3, 1, 2, 4)
        found = by_word.flatten(3) + memory.time[:, None]  # (clips, words, frames, width)
        keys, values = (_split(x(found), heads) for x in (self.time_key, self.time_value))
        read = functional.scaled_dot_product_attention(
            query.transpose(1, 2).flatten(0, 1)[:, :, None],
            keys.flatten(0, 1),
            values.flatten(0, 1),
            memory.counted.repeat_interleave(words, 0),
        )
        return read.reshape(clips, words, heads * each)

    def _pooled(self, query: Tensor, memory: Memory) -> Tensor:
        """Attend to averages over frames, and over patches."""
        space = functional.scaled_dot_product_attention(
            query, memory.space_keys[:, 0], memory.space_values[:, 0]
        )
        if memory.time_keys is None or memory.time_values is None:  # made by remember()
            return space
        time = functional.scaled_dot_product_attention(
            query, memory.time_keys, memory.time_values, memory.counted
        )
        return (space + time).transpose(1, 2).flatten(2)

    def _time(self, video: Video) -> Tensor:
        """Embed the frames of each clip, (clips, frames, width)."""
        rows, frames = len(self.time), video.tokens.shape[1]
        places = torch.arange(frames, device=video.length.device) * rows
        nearest = (places // video.length[:, None]).clamp(max=rows - 1)
        embedded: Tensor = self.time[nearest]
        return embedded


def require_division(width: int, reduction: int, heads: int) -> None:
    """Refuse adapters whose heads would have no whole width.

    Args:
        width: Of the words.
        reduction: By how much adapters are narrower.
        heads: Of an adapter.

    Raises:
        ArgumentError: If the narrower width does not divide by the heads.
    """
    narrow = width // reduction
    if not narrow or narrow % heads:
        message = (
            f"adapters of width {width} / reduction={reduction} have to divide by "
            f"adapter_heads={heads}"
        )
        raise ArgumentError(message)


def _split(x: Tensor, heads: int) -> Tensor:
    """Turn (..., entries, width) into (..., heads, entries, width / heads)."""
    return x.reshape(*x.shape[:-1], heads, x.shape[-1] // heads).transpose(-3, -2)
