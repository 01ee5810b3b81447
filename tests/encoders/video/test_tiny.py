import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from vtlearn.encoders.video.tiny import TinyVideo
from vtlearn.errors import ArgumentError


def clips(count: int = 2, frames: int = 8, height: int = 32, width: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (count, frames, 3, height, width)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def small() -> TinyVideo:
    torch.manual_seed(0)
    encoder = TinyVideo(dim=16, width=4)
    encoder.train()(clips(8))  # running statistics worth testing with
    return encoder.eval()


def twin(encoder: TinyVideo, frames: Tensor) -> Tensor:
    """Three-dimensional convolutions throughout, from the weights alone."""
    weights = encoder.state_dict()

    def norm(x: Tensor, name: str) -> Tensor:
        names = ("running_mean", "running_var", "weight", "bias")
        values = [weights[f"{name}.{one}"][:, None, None, None] for one in names]
        mean, var, scale, shift = values
        normal: Tensor = (x - mean) / (var + 1e-5).sqrt() * scale + shift
        return normal

    x = (frames.transpose(1, 2).double() / 255 - 0.5) / 0.25
    x = functional.conv3d(x, weights["stem.weight"][:, :, None], None, (1, 4, 4), (0, 3, 3))
    x = norm(x, "norm").relu()
    for index in range(3):
        name, step = f"blocks.{index}", (1, 2, 2)
        y = functional.conv3d(x, weights[f"{name}.space.weight"][:, :, None], None, step, (0, 1, 1))
        y = norm(y, f"{name}.norm1").relu()
        y = functional.conv3d(y, weights[f"{name}.time.weight"][..., None], None, 1, (1, 0, 0))
        x = functional.conv3d(x, weights[f"{name}.shortcut.mix.weight"][:, :, None], None, step)
        x = (norm(y, f"{name}.norm2") + norm(x, f"{name}.shortcut.norm")).relu()
    x = functional.linear(x.mean((2, 3, 4)), weights["fc.weight"], weights["fc.bias"])
    return norm(x[:, :, None, None, None], "spread").flatten(1)


@pytest.mark.parametrize(("frames", "height", "width"), [(8, 64, 64), (5, 33, 47), (1, 32, 32)])
def test_folding_time_into_the_batch_is_convolving_in_three_dimensions(
    frames: int, height: int, width: int
) -> None:
    encoder = small().double()
    video = clips(3, frames, height, width)
    torch.testing.assert_close(encoder(video).pooled, twin(encoder, video))


def test_shapes() -> None:
    encoded = small()(clips(3, 6))
    assert encoded.pooled.shape == (3, 16)
    assert encoded.tokens.shape == (3, 6, 1, 32)


def test_frames_that_do_not_count_are_not_part_of_the_statistics() -> None:
    video, length = clips(2, 8), torch.tensor([5, 3])
    other = video.clone()
    other[0, 5:], other[1, 3:] = 0, 255
    encoders = [small().double().train() for _ in range(3)]
    inputs = (video, other, video[:, :5])
    pooled = [
        encoder(frames, length).pooled for encoder, frames in zip(encoders, inputs, strict=True)
    ]
    for i in (1, 2):
        torch.testing.assert_close(pooled[i], pooled[0])
        torch.testing.assert_close(dict(encoders[i].state_dict()), dict(encoders[0].state_dict()))


def test_a_shorter_clip_in_training_is_the_cut_clip() -> None:
    video = clips(2, 8)
    padded, cut = small().double().train(), small().double().train()
    one, other = padded(video, torch.tensor([5, 5])), cut(video[:, :5])
    torch.testing.assert_close(one.pooled, other.pooled)
    torch.testing.assert_close(dict(padded.state_dict()), dict(cut.state_dict()))
    for pooled in (one.pooled, other.pooled):
        pooled.square().sum().backward()
    for name, parameter in padded.named_parameters():
        torch.testing.assert_close(parameter.grad, cut.get_parameter(name).grad, msg=name)


@pytest.mark.parametrize("size", [64, 32, 48])
def test_patches_are_the_places_of_the_last_layer(size: int) -> None:
    encoder, apart = small().double(), TinyVideo(dim=16, width=4, patches=True).double().eval()
    apart.load_state_dict(encoder.state_dict())
    video, length, kept = clips(3, 6, size, size), torch.tensor([6, 2, 5]), []
    apart.blocks[-1].register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    for given in (None, length):
        one, other = encoder(video, given), apart(video, given)
        assert torch.equal(other.pooled, one.pooled)
        side = -(-size // 32)
        assert other.tokens.shape == (3, 6, side * side, 32)
        torch.testing.assert_close(other.tokens.mean(2, keepdim=True), one.tokens)
        last = kept.pop()
        for row in range(side):
            for column in range(side):
                token = other.tokens[0, :, row * side + column]
                assert torch.equal(token, last[:6, :, row, column])
    assert (apart(video, length).tokens[1, 2:] == 0).all()


def test_shorter_clips_and_pictures_are_accepted() -> None:
    encoder = TinyVideo(num_frames=3, size=64)
    accepted = {(t, s) for t in range(6) for s in (32, 64) if encoder.accepts(t, s)}
    assert accepted == {(1, 64), (2, 64), (3, 64)}


def test_a_reversed_clip_is_another() -> None:
    encoder, video = small(), clips()
    forward, backward = encoder(video).pooled, encoder(video.flip(1)).pooled
    assert (forward - backward).abs().max() > 1e-3


def test_clips_do_not_see_each_other() -> None:
    encoder, video = small(), clips(4)
    alone = torch.cat([encoder(one[None]).pooled for one in video])
    torch.testing.assert_close(encoder(video).pooled, alone)


def test_strides_of_the_frames_do_not_matter() -> None:
    encoder, video = small(), clips()
    other = video.transpose(0, 1).contiguous().transpose(0, 1)
    torch.testing.assert_close(encoder(other).pooled, encoder(video).pooled)


def test_gradient_reaches_every_parameter() -> None:
    encoder = small().train()
    encoder(clips()).pooled.square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_no_layer_is_a_strided_convolution_of_single_pixels() -> None:
    # oneDNN writes past its buffer in that layer's backward pass, where there are few channels
    layers = [one for one in TinyVideo().modules() if isinstance(one, nn.Conv2d)]
    assert layers
    assert not [one for one in layers if one.kernel_size == (1, 1) and one.stride != (1, 1)]


def test_it_computes_in_the_dtype_of_its_weights() -> None:
    assert small().bfloat16()(clips()).pooled.dtype == torch.bfloat16


def test_scaled_frames_are_refused() -> None:
    with pytest.raises(ArgumentError, match="scales them itself"):
        small()(clips() / 255)


def test_numbers_must_be_positive() -> None:
    with pytest.raises(ArgumentError, match="must be positive"):
        TinyVideo(width=0)
