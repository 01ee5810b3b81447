import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.encoders.video.s3d_by_hand import folded, slow_pool
from vtlearn.encoders.text.word2vec import Word2Vec
from vtlearn.encoders.video.s3d import S3D, Stem, stem_of
from vtlearn.encoders.video.s3d_layers import SelfGating
from vtlearn.errors import ArgumentError, CheckpointError

STEMS: tuple[Stem, ...] = ("plain", "space_to_depth")
MIXED = {
    "mixed_3b": (192, 64, 96, 128, 16, 32, 32),
    "mixed_3c": (256, 128, 128, 192, 32, 96, 64),
    "mixed_4b": (480, 192, 96, 208, 16, 48, 64),
    "mixed_4c": (512, 160, 112, 224, 24, 64, 64),
    "mixed_4d": (512, 128, 128, 256, 24, 64, 64),
    "mixed_4e": (512, 112, 144, 288, 32, 64, 64),
    "mixed_4f": (528, 256, 160, 320, 32, 128, 128),
    "mixed_5b": (832, 256, 160, 320, 32, 128, 128),
    "mixed_5c": (832, 384, 192, 384, 48, 128, 128),
}
Shapes = dict[str, tuple[int, ...]]


def clips(count: int, frames: int, size: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (count, frames, 3, size, size)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def small(stem: Stem = "plain") -> S3D:
    """A narrow network whose statistics and gates are far from their initial values."""
    torch.manual_seed(0)
    encoder = S3D(dim=8, width=0.06, stem=stem).double()
    for parameter in encoder.parameters():
        parameter.data.add_(0.2 * torch.randn_like(parameter))
    encoder.train()(clips(4, 8, 32))
    return encoder.eval()


def unit_shapes(name: str, inputs: int, outputs: int, kernel: tuple[int, int, int]) -> Shapes:
    return {f"{name}.conv1.weight": (outputs, inputs, *kernel)} | norm_shapes(
        f"{name}.bn1", outputs
    )


def norm_shapes(name: str, outputs: int) -> Shapes:
    names = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{one}": (outputs,) for one in names} | {f"{name}.num_batches_tracked": ()}


def separable_shapes(name: str, inputs: int, outputs: int) -> Shapes:
    return (
        unit_shapes(name, inputs, outputs, (1, 3, 3))
        | {f"{name}.conv2.weight": (outputs, outputs, 3, 1, 1)}
        | norm_shapes(f"{name}.bn2", outputs)
    )


def linear_shapes(name: str, inputs: int, outputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def published_shapes(stem: Stem) -> Shapes:
    first = (3, 64, (3, 7, 7)) if stem == "plain" else (24, 64, (2, 4, 4))
    shapes = unit_shapes("conv1", *first) | unit_shapes("conv_2b", 64, 64, (1, 1, 1))
    shapes |= separable_shapes("conv_2c", 64, 192) | linear_shapes("gating.fc", 192, 192)
    for name, (inputs, a, b1, b2, c1, c2, e) in MIXED.items():
        for unit, outputs in (("b0", a), ("b1_a", b1), ("b2_a", c1), ("b3_b", e)):
            shapes |= unit_shapes(f"{name}.conv_{unit}", inputs, outputs, (1, 1, 1))
        shapes |= separable_shapes(f"{name}.conv_b1_b", b1, b2)
        shapes |= separable_shapes(f"{name}.conv_b2_b", c1, c2)
        for branch, width in enumerate((a, b2, c2, e)):
            shapes |= linear_shapes(f"{name}.gating_b{branch}.fc", width, width)
    return shapes | linear_shapes("fc", 1024, 512)


@pytest.mark.parametrize(
    ("stem", "parameters"), [("plain", 9_649_872), ("space_to_depth", 9_670_800)]
)
def test_names_and_shapes_are_the_published_ones(stem: Stem, parameters: int) -> None:
    with torch.device("meta"):
        encoder = S3D(stem=stem)
    shapes = {name: tuple(value.shape) for name, value in encoder.state_dict().items()}
    assert shapes == published_shapes(stem)
    assert len(shapes) == 532
    assert sum(one.numel() for one in encoder.parameters()) == parameters


@pytest.mark.parametrize(
    ("stem", "parameters"), [("plain", 31_190_408), ("space_to_depth", 31_211_336)]
)
def test_with_the_text_tower_it_is_the_published_checkpoint(stem: Stem, parameters: int) -> None:
    with torch.device("meta"):
        both = S3D(stem=stem)
        text = Word2Vec()
        text.set_extra_state([f"word{index}" for index in range(66_249)])
    both.add_module("text_module", text)
    weights = {name: one for name, one in both.state_dict().items() if isinstance(one, Tensor)}
    assert len(weights) == 537
    assert weights["text_module.word_embd.weight"].shape == (66_250, 300)
    assert sum(one.numel() for one in both.parameters()) == parameters


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize(("frames", "tokens"), [(32, 4), (30, 4), (16, 2)])
@pytest.mark.parametrize("size", [200, 224])
def test_output_shapes_of_the_published_network(
    stem: Stem, frames: int, tokens: int, size: int
) -> None:
    with torch.device("meta"):
        encoded = S3D(stem=stem)(torch.zeros(2, frames, 3, size, size, dtype=torch.uint8))
    assert encoded.pooled.shape == (2, 512)
    assert encoded.tokens.shape == (2, tokens, 1, 1024)


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize(("frames", "half"), [(32, 16), (30, 15)])
def test_shapes_along_the_way(stem: Stem, frames: int, half: int) -> None:
    seen: dict[str, tuple[int, ...]] = {}
    with torch.device("meta"):
        encoder = S3D(stem=stem)
        for name in ("conv_2b", "conv_2c", "mixed_3c", "mixed_4f", "mixed_5c"):
            encoder.get_submodule(name).register_forward_hook(
                lambda _module, _inputs, output, name=name: seen.update({name: output.shape[1:]})
            )
        encoder(torch.zeros(1, frames, 3, 224, 224, dtype=torch.uint8))
    assert seen == {
        "conv_2b": (64, half, 56, 56),
        "conv_2c": (192, half, 56, 56),
        "mixed_3c": (480, half, 28, 28),
        "mixed_4f": (832, 8, 14, 14),
        "mixed_5c": (1024, 4, 7, 7),
    }


class Twin:
    """The network once more, as a list of equations on the weights."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        self.weights = weights

    def norm(self, name: str, x: Tensor) -> Tensor:
        names = ("running_mean", "running_var", "weight", "bias")
        values = [self.weights[f"{name}.{one}"][:, None, None, None] for one in names]
        mean, var, scale, shift = values
        return ((x - mean) / (var + 1e-5).sqrt() * scale + shift).clamp(min=0)

    def unit(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        kernel = self.weights[f"{name}.conv1.weight"]
        padding = [size // 2 for size in kernel.shape[2:]]
        x = self.norm(f"{name}.bn1", functional.conv3d(x, kernel, None, stride, padding))
        if f"{name}.conv2.weight" not in self.weights:
            return x
        kernel = self.weights[f"{name}.conv2.weight"]
        return self.norm(f"{name}.bn2", functional.conv3d(x, kernel, None, 1, (1, 0, 0)))

    def gate(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self.weights[f"{name}.fc.weight"], self.weights[f"{name}.fc.bias"]
        logit = torch.einsum("oc,bcthw->bo", weight, x) / x[0, 0].numel() + bias
        return torch.einsum("bcthw,bc->bcthw", x, 1 / (1 + (-logit).exp()))

    def inception(self, name: str, x: Tensor) -> Tensor:
        pooled = functional.max_pool3d(functional.pad(x, [1] * 6, value=-1e9), 3, 1)
        branches = (
            self.unit(f"{name}.conv_b0", x),
            self.unit(f"{name}.conv_b1_b", self.unit(f"{name}.conv_b1_a", x)),
            self.unit(f"{name}.conv_b2_b", self.unit(f"{name}.conv_b2_a", x)),
            self.unit(f"{name}.conv_b3_b", pooled),
        )
        gated = [self.gate(f"{name}.gating_b{i}", one) for i, one in enumerate(branches)]
        return torch.cat(gated, dim=1)

    def features(self, frames: Tensor) -> Tensor:
        x = frames.permute(0, 2, 1, 3, 4).double() / 255
        if stem_of(self.weights) == "plain":
            x = self.unit("conv1", x, stride=2)
        else:
            x = self.unit("conv1", folded(x))[:, :, 1:, 1:, 1:]
        x = self.unit("conv_2b", slow_pool(x, (1, 3, 3), (1, 2, 2)))
        x = self.gate("gating", self.unit("conv_2c", x))
        pools = {"3b": (1, 3, 1, 2), "4b": (3, 3, 2, 2), "5b": (2, 2, 2, 2)}
        for name in MIXED:
            if name[-2:] in pools:
                time, space, step, stride = pools[name[-2:]]
                x = slow_pool(x, (time, space, space), (step, stride, stride))
            x = self.inception(name, x)
        return x.mean((2, 3, 4))


@pytest.mark.parametrize("stem", STEMS)
def test_it_computes_what_its_twin_computes(stem: Stem) -> None:
    encoder, video = small(stem), clips(2, 14, 44)
    expected = Twin(encoder.state_dict()).features(video)
    with torch.no_grad():
        torch.testing.assert_close(encoder.features(video), expected)
        torch.testing.assert_close(encoder(video).pooled, encoder.fc(expected))


def test_tokens_average_to_the_features() -> None:
    encoder, video = small(), clips(2, 16, 32)
    with torch.no_grad():
        torch.testing.assert_close(encoder(video).tokens.mean((1, 2)), encoder.features(video))


@pytest.mark.parametrize(("frames", "size"), [(7, 32), (8, 33)])
def test_odd_clips_do_not_fold(frames: int, size: int) -> None:
    with pytest.raises(ArgumentError, match="even numbers, or stem='plain'"):
        small("space_to_depth")(clips(1, frames, size))
    small("plain")(clips(1, frames, size))


@pytest.mark.slow  # the whole network
def test_gating_is_always_applied() -> None:
    encoder, video = small(), clips(1, 8, 32)
    gates = [one for one in encoder.modules() if isinstance(one, SelfGating)]
    assert len(gates) == 1 + 4 * 9
    with torch.no_grad():
        for gate in gates:
            before = encoder(video).pooled
            gate.fc.bias.add_(0.5)
            assert not torch.equal(before, encoder(video).pooled)


def test_gradient_reaches_every_parameter() -> None:
    encoder = small().train()
    encoder(clips(2, 8, 32)).pooled.square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_frames_are_scaled_to_one_and_no_further() -> None:
    encoder = small()
    seen: list[Tensor] = []
    encoder.conv1.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    encoder(torch.full((1, 4, 3, 16, 16), 51, dtype=torch.uint8))
    assert torch.equal(seen[0], torch.full((1, 3, 4, 16, 16), 0.2, dtype=torch.float64))


@pytest.mark.parametrize("stem", STEMS)
def test_features_of_shorter_clips(stem: Stem) -> None:
    encoder, video = small(stem), clips(3, 14, 32)
    with torch.no_grad():
        features = encoder.features(video, torch.tensor([6, 14, 6]))
        torch.testing.assert_close(features[1:2], encoder.features(video[1:2]))
        torch.testing.assert_close(features[::2], encoder.features(video[::2, :6]))


def test_clips_of_unequal_length_are_not_trained_on() -> None:
    encoder, video = small().train(), clips(2, 8, 32)
    with pytest.raises(ArgumentError, match=r"\[5, 8\] frames long; S3D trains on clips of one"):
        encoder(video, torch.tensor([8, 5]))
    twin = small().train()
    pooled = encoder(video, torch.tensor([5, 5])).pooled
    torch.testing.assert_close(pooled, twin(video[:, :5]).pooled)
    torch.testing.assert_close(dict(encoder.state_dict()), dict(twin.state_dict()))


@pytest.mark.parametrize(
    ("stem", "expected"), [("plain", {(1, 64), (8, 64)}), ("space_to_depth", {(8, 64)})]
)
def test_pictures_are_accepted_by_stems_that_take_them(
    stem: Stem, expected: set[tuple[int, int]]
) -> None:
    encoder = S3D(num_frames=8, size=64, width=0.05, stem=stem)
    assert {(t, s) for t in range(10) for s in (32, 64) if encoder.accepts(t, s)} == expected


def test_one_frame_is_a_clip() -> None:
    assert small()(clips(2, 1, 32)).tokens.shape[1] == 1


@pytest.mark.parametrize("stem", STEMS)
def test_the_stem_shows_in_the_weights(stem: Stem) -> None:
    with torch.device("meta"):
        assert stem_of(S3D(stem=stem).state_dict()) == stem


def test_other_weights_have_no_stem() -> None:
    with pytest.raises(CheckpointError, match="is missing, but the first layer"):
        stem_of({"module.conv1.conv1.weight": torch.zeros(64, 3, 3, 7, 7)})
    with pytest.raises(CheckpointError, match=r"is \(64, 3, 7, 7\)"):
        stem_of({"conv1.conv1.weight": torch.zeros(64, 3, 7, 7)})


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"stem": "fancy"}, "choose plain or space_to_depth"),
        ({"width": 0.0}, "must be positive"),
        ({"dim": 0}, "must be positive"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, str | float], complaint: str) -> None:
    with pytest.raises(ArgumentError, match=complaint):
        S3D(**arguments)  # type: ignore[arg-type]


def test_batch_norms_are_the_published_ones() -> None:
    with torch.device("meta"):
        norms = [one for one in S3D().modules() if isinstance(one, nn.BatchNorm3d)]
    assert {(one.eps, one.momentum) for one in norms} == {(1e-5, 0.1)}
