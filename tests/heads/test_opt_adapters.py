import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from vtlearn.heads.opt_adapters import Adapter, Kind, Memory, Video

WIDTH, TOKEN_WIDTH, PATCHES, HEADS, NARROW = 8, 6, 3, 2, 4


def made(kind: Kind = "separable", num_frames: int = 8) -> Adapter:
    torch.manual_seed(0)
    adapter = Adapter(WIDTH, TOKEN_WIDTH, num_frames, reduction=2, heads=HEADS, kind=kind)
    for parameter in adapter.parameters():  # far from where it does nothing
        parameter.data += 0.5 * torch.randn_like(parameter)
    return adapter.double()


def given(clips: int = 3, frames: int = 8, rows: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(frames)
    words = torch.randn(clips * rows, 5, WIDTH, dtype=torch.float64, generator=generator)
    shape = (clips, frames, PATCHES, TOKEN_WIDTH)
    return words, torch.randn(shape, dtype=torch.float64, generator=generator)


def read(adapter: Adapter, words: Tensor, tokens: Tensor, length: Tensor | None = None) -> Tensor:
    result: Tensor = adapter(words, adapter.remember(Video.of(tokens, length)))
    return result


def attend(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """One query, (narrow,), attends to entries (entries, narrow), head by head."""
    found = []
    for q, k, v in zip(
        query.chunk(HEADS), keys.chunk(HEADS, 1), values.chunk(HEADS, 1), strict=True
    ):
        found.append((k @ q / math.sqrt(len(q))).softmax(0) @ v)
    return torch.cat(found)


def by_hand(adapter: Adapter, word: Tensor, clip: Tensor) -> Tensor:
    """One word of one clip, (frames, patches, width), all of whose frames count."""
    query = adapter.query(adapter.norm1(word))
    frames, rows = len(clip), len(adapter.time)
    time = torch.stack([adapter.time[t * rows // frames] for t in range(frames)])
    if adapter.kind == "separable":
        each = [attend(query, adapter.space_key(z), adapter.space_value(z)) for z in clip]
        entries = torch.stack(each) + time
        read = attend(query, adapter.time_key(entries), adapter.time_value(entries))
    else:
        picture, entries = clip.mean(0), clip.mean(1) + time
        read = attend(query, adapter.space_key(picture), adapter.space_value(picture))
        read = read + attend(query, adapter.time_key(entries), adapter.time_value(entries))
    word = word + adapter.alpha.tanh() * adapter.out(read)
    result: Tensor = word + adapter.up(functional.gelu(adapter.down(adapter.norm2(word))))
    return result


@pytest.mark.parametrize("frames", [1, 4, 8, 16])
@pytest.mark.parametrize("kind", ["separable", "pooled"])
def test_it_is_a_loop_over_words_and_frames(kind: Kind, frames: int) -> None:
    adapter, (words, tokens) = made(kind), given(2, frames)
    wanted = [
        [by_hand(adapter, word, clip) for word in row]
        for row, clip in zip(words, tokens, strict=True)
    ]
    found = read(adapter, words, tokens)
    torch.testing.assert_close(found, torch.stack([torch.stack(row) for row in wanted]))


@pytest.mark.parametrize("kind", ["separable", "pooled"])
def test_several_rows_may_read_a_clip(kind: Kind) -> None:
    adapter, (words, tokens) = made(kind), given(rows=4)
    found = read(adapter, words, tokens)
    torch.testing.assert_close(found, read(adapter, words, tokens.repeat_interleave(4, 0)))


@pytest.mark.parametrize("kind", ["separable", "pooled"])
def test_frames_that_do_not_count_change_nothing(kind: Kind) -> None:
    adapter, (words, tokens), length = made(kind), given(), torch.tensor([1, 8, 5])
    poisoned = tokens.clone()
    for clip, number in zip(poisoned, length.tolist(), strict=True):
        clip[number:] = torch.nan
    poisoned.requires_grad_()
    found = read(adapter, words, poisoned, length)
    for row, number in enumerate(length.tolist()):
        alone = read(adapter, words[row : row + 1], tokens[row : row + 1, :number])
        torch.testing.assert_close(found[row], alone[0])
    found.sum().backward()
    assert poisoned.grad is not None
    assert poisoned.grad.isfinite().all()
    assert (poisoned.grad[0, 1:] == 0).all()
    assert (poisoned.grad[2, 4] != 0).any()


def test_a_picture_is_a_clip_of_its_first_frame() -> None:
    adapter, (words, tokens) = made(), given(frames=1)
    before = read(adapter, words, tokens)
    adapter.time.data[1:] = 99
    assert torch.equal(read(adapter, words, tokens), before)
    adapter.time.data[0] += 1
    assert not torch.equal(read(adapter, words, tokens), before)


def test_a_clip_without_frames_is_one_of_zeros() -> None:
    adapter, (words, tokens) = made(), given()
    none = read(adapter, words, tokens, torch.tensor([0, 0, 0]))
    torch.testing.assert_close(none, read(adapter, words, 0 * tokens[:, :1]))


@pytest.mark.parametrize("kind", ["separable", "pooled"])
def test_at_first_it_adds_nothing(kind: Kind) -> None:
    adapter = Adapter(WIDTH, TOKEN_WIDTH, 8, reduction=2, heads=HEADS, kind=kind).double()
    words, tokens = given()
    assert torch.equal(read(adapter, words, tokens), words)
    read(adapter, words, tokens).square().sum().backward()
    assert adapter.alpha.grad is not None
    assert adapter.alpha.grad != 0  # and yet it learns
    assert (adapter.up.weight.grad != 0).any()  # type: ignore[union-attr]
    assert 0.01 < adapter.time.std() < 0.03


@pytest.mark.parametrize("kind", ["separable", "pooled"])
def test_gradcheck(kind: Kind) -> None:
    adapter, (words, tokens) = made(kind), given(2, 3)
    inputs = (words[:, :2].clone().requires_grad_(), tokens.requires_grad_())
    length = torch.tensor([3, 2])
    assert torch.autograd.gradcheck(lambda x, z: read(adapter, x, z, length), inputs)


def test_some_clips_of_a_memory() -> None:
    for kind in ("separable", "pooled"):
        adapter, (words, tokens) = made(kind), given()
        memory: Memory = adapter.remember(Video.of(tokens, None))
        some = adapter(words[1:], memory.of_clips(slice(1, 3)))
        torch.testing.assert_close(some, adapter(words, memory)[1:])
