import copy
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from vtlearn.checkpoints import load_learner
from vtlearn.encoders.text import TinyText
from vtlearn.encoders.video.timesformer import TimeSformer
from vtlearn.errors import ArgumentError, CheckpointError
from vtlearn.heads import InfoNCE
from vtlearn.learner import VideoTextLearner
from vtlearn.parameters import weights_follow

SMALL: dict[str, Any] = {"dim": 6, "size": 32, "width": 16, "layers": 2, "heads": 4}
OTHER: dict[str, Any] = {
    "dim": 5,
    "num_frames": 4,
    "size": 24,
    "patch": 8,
    "width": 12,
    "layers": 3,
    "heads": 2,
}
#: SMALL in transformers' words.
THEIRS: dict[str, Any] = {
    "image_size": 32,
    "hidden_size": 16,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}


def clips(count: int = 2, frames: int = 8, size: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(frames)
    shape = (count, frames, 3, size, size)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def small(**options: Any) -> TimeSformer:
    """A TimeSformer whose weights are large enough for every part to count, in float64."""
    torch.manual_seed(0)
    encoder = TimeSformer(**SMALL | options).double().eval()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    return encoder


def by_hand(weights: Mapping[str, Tensor], frames: Tensor, patch: int, heads: int) -> Tensor:
    """[CLS] and patches after the last norm, (clips, 1 + frames * places, width), frame by frame.

    Divided attention as the paper's figure 2 has it, from the weights alone, patch by patch.
    """
    clips, times, _, size, _ = frames.shape
    places = (size // patch) ** 2

    def linear(x: Tensor, name: str) -> Tensor:
        return functional.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def norm(x: Tensor, name: str) -> Tensor:
        scale, shift = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return functional.layer_norm(x, x.shape[-1:], scale, shift, 1e-6)

    def attend(x: Tensor, name: str) -> Tensor:
        """Self-attention among the last axis but one."""
        q, k, v = linear(x, f"{name}.attention.qkv").chunk(3, -1)
        q, k, v = (y.unflatten(-1, (heads, -1)).transpose(-3, -2) for y in (q, k, v))
        weight = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(-1)
        return linear((weight @ v).transpose(-3, -2).flatten(-2), f"{name}.output.dense")

    pixels = (frames.double() / 255 - 0.45) / 0.225
    squares = pixels.unflatten(3, (-1, patch)).unflatten(5, (-1, patch))  # b t c row y column x
    squares = squares.permute(0, 1, 3, 5, 2, 4, 6).reshape(clips, times, places, -1)
    kernel = weights["embeddings.patch_embeddings.projection.weight"].flatten(1)
    x = squares @ kernel.T + weights["embeddings.patch_embeddings.projection.bias"]
    where = weights["embeddings.position_embeddings"][0]
    when = weights["embeddings.time_embeddings"][0]
    nearest = [t * len(when) // times for t in range(times)]
    x = x + where[1:] + when[nearest][:, None]
    cls = (weights["embeddings.cls_token"][0, 0] + where[0]).expand(clips, -1)
    depth = len({name.split(".")[2] for name in weights if name.startswith("encoder.layer")})
    for name in (f"encoder.layer.{index}" for index in range(depth)):
        over_time = norm(x, f"{name}.temporal_layernorm").transpose(1, 2)
        over_time = attend(over_time, f"{name}.temporal_attention").transpose(1, 2)
        x = x + linear(over_time, f"{name}.temporal_dense")
        both = torch.cat([cls[:, None, None].expand(-1, times, -1, -1), x], 2)
        both = attend(norm(both, f"{name}.layernorm_before"), f"{name}.attention")
        cls, x = cls + both[:, :, 0].mean(1), x + both[:, :, 1:]
        both = torch.cat([cls[:, None], x.flatten(1, 2)], 1)
        hidden = linear(norm(both, f"{name}.layernorm_after"), f"{name}.intermediate.dense")
        both = both + linear(functional.gelu(hidden), f"{name}.output.dense")
        cls, x = both[:, 0], both[:, 1:].unflatten(1, (times, places))
    return norm(torch.cat([cls[:, None], x.flatten(1, 2)], 1), "layernorm")


@pytest.mark.parametrize("frames", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("sizes", [SMALL, OTHER], ids=["small", "other"])
def test_it_is_divided_attention_for_any_number_of_frames(
    sizes: dict[str, Any], frames: int
) -> None:
    encoder = small(**sizes)
    video = clips(3, frames, encoder.size)
    encoded = encoder(video)
    hidden = by_hand(
        encoder.timesformer.state_dict(), video, sizes.get("patch", 16), sizes["heads"]
    )
    wanted = functional.linear(hidden[:, 0], encoder.fc.weight, encoder.fc.bias)
    torch.testing.assert_close(encoded.pooled, wanted, rtol=1e-9, atol=1e-9)
    tokens = hidden[:, 1:].unflatten(1, (frames, -1))
    torch.testing.assert_close(encoded.tokens, tokens, rtol=1e-9, atol=1e-9)
    assert encoded.token_length.tolist() == [frames] * 3


def test_as_many_frames_as_it_has_are_transformers_to_the_bit() -> None:
    encoder = small().float()
    video = clips()
    encoder(clips(1, 3))  # which leaves nothing behind
    theirs = encoder.timesformer((video / 255 - 0.45) / 0.225).last_hidden_state
    encoded = encoder(video)
    assert torch.equal(encoded.pooled, encoder.fc(theirs[:, 0]))
    for place in range(4):
        for time in range(8):
            assert torch.equal(encoded.tokens[:, time, place], theirs[:, 1 + 8 * place + time])


@pytest.mark.parametrize("frames", [1, 4, 8, 16])
def test_recomputing_layers_changes_no_gradient(frames: int) -> None:
    gradients = []
    for recompute in (False, True):
        encoder = small(grad_checkpoint=recompute).train()
        encoded = encoder(clips(2, frames))
        encoder(clips(2, 3))  # other clips before the backward pass
        (encoded.pooled.sin().sum() + encoded.tokens.sin().sum()).backward()
        gradients.append({name: one.grad for name, one in encoder.named_parameters()})
        assert all(one is not None for one in gradients[-1].values())
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("recompute", [False, True])
def test_layers_are_kept_unless_they_are_recomputed(recompute: bool) -> None:
    encoder, calls = small(grad_checkpoint=recompute).train(), []
    encoder.timesformer.encoder.layer[0].register_forward_pre_hook(lambda *_: calls.append(1))
    encoder(clips()).pooled.sum().backward()
    assert len(calls) == 1 + recompute
    with torch.no_grad():
        encoder(clips())
    assert len(calls) == 2 + recompute


def test_clips_of_several_lengths_have_the_gradients_of_the_cut_clips() -> None:
    video, length = clips(3), torch.tensor([8, 1, 4])
    noisy = video.clone()
    noisy[1, 1:], noisy[2, 4:] = 255, 0
    padded, cut = small(grad_checkpoint=True).train(), small().train()
    encoded = padded(noisy, length)
    (encoded.pooled.sin().sum() + encoded.tokens.sin().sum()).backward()
    for i, count in enumerate(length.tolist()):
        one = cut(video[i : i + 1, :count])
        (one.pooled.sin().sum() + one.tokens.sin().sum()).backward()
    for name, parameter in padded.named_parameters():
        torch.testing.assert_close(parameter.grad, cut.get_parameter(name).grad, msg=name)


def test_every_parameter_trains_but_for_biases_of_keys() -> None:
    encoder = small().train()
    encoded = encoder(clips())
    (encoded.pooled.sin().sum() + encoded.tokens.sin().sum()).backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_shorter_clips_and_pictures_are_accepted() -> None:
    encoder = TimeSformer(**SMALL, num_frames=3)
    accepted = {(t, s) for t in range(6) for s in (16, 32) if encoder.accepts(t, s)}
    assert accepted == {(1, 32), (2, 32), (3, 32)}


def test_names_are_those_of_published_weights() -> None:
    from transformers import TimesformerConfig, TimesformerForVideoClassification

    encoder = TimeSformer(**SMALL)
    config = TimesformerConfig(**THEIRS)
    theirs = TimesformerForVideoClassification(config).state_dict()
    shapes = {name: one.shape for name, one in theirs.items() if "classifier" not in name}
    ours = {name: one.shape for name, one in encoder.state_dict().items() if name[:3] != "fc."}
    assert ours == shapes


def test_copies_are_alike_and_know_their_own_frames() -> None:
    encoder = small()
    for twin in (copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))):  # noqa: S301
        assert torch.equal(twin(clips(2, 4)).pooled, encoder(clips(2, 4)).pooled)


def test_it_computes_in_the_dtype_of_its_weights() -> None:
    assert small().bfloat16()(clips(2, 3)).pooled.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layers": 0}, "layers must be positive"),
        ({"dim": -1}, "dim must be positive"),
        ({"patch": 12}, "patch=12 has to divide size=32"),
        ({"heads": 3}, "heads=3 has to divide width=16"),
    ],
)
def test_refusals(options: dict[str, int], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        TimeSformer(**SMALL | options)


def test_frames_of_another_size_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"frames are 48 x 48 pixels.* reads 32 x 32"):
        small()(clips(1, 8, 48))
    with pytest.raises(ArgumentError, match="scales them itself"):
        small()(clips() / 255)


# Published weights


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A classifier as published ones are, of 8 frames."""
    from transformers import TimesformerConfig, TimesformerForVideoClassification

    torch.manual_seed(1)
    config = TimesformerConfig(**THEIRS)
    model = TimesformerForVideoClassification(config)
    nn.init.normal_(model.timesformer.embeddings.time_embeddings)
    model.save_pretrained(tmp_path / "published")
    return str(tmp_path / "published")


def test_published_weights_are_read(folder: str) -> None:
    from transformers import TimesformerModel

    encoder = TimeSformer(**SMALL, weights=folder)
    assert encoder.timesformer.origin == folder
    theirs = TimesformerModel.from_pretrained(folder)
    assert encoder.training
    video = clips()
    wanted = theirs((video / 255 - 0.45) / 0.225).last_hidden_state
    assert torch.equal(encoder(video).pooled, encoder.fc(wanted[:, 0]))


def test_published_weights_give_as_many_frames_as_are_asked_for(folder: str) -> None:
    whole = TimeSformer(**SMALL, weights=folder).double()
    short = TimeSformer(**SMALL, num_frames=4, weights=folder).double()
    short.fc = whole.fc
    rows = whole.timesformer.embeddings.time_embeddings[:, ::2]
    assert torch.equal(short.timesformer.embeddings.time_embeddings, rows)
    video = clips(2, 4)
    torch.testing.assert_close(short(video).pooled, whole(video).pooled)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layers": 3}, "num_hidden_layers=2, not 3: set layers=2"),
        ({"width": 32}, "hidden_size=16, not 32: set width=16"),
        ({"size": 48}, "image_size=32, not 48: set size=32"),
        ({"heads": 2}, "num_attention_heads=4, not 2: set heads=4"),
    ],
)
def test_weights_of_other_sizes_are_refused(
    folder: str, options: dict[str, int], words: str
) -> None:
    with pytest.raises(ArgumentError, match=words):
        TimeSformer(**SMALL | options, weights=folder)


def test_weights_that_attend_otherwise_are_refused(folder: str) -> None:
    config = Path(folder, "config.json")
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("divided_space_time", "space_only"), encoding="utf-8")
    with pytest.raises(ArgumentError, match=r"attention_type=space_only.* not TimeSformer as publ"):
        TimeSformer(**SMALL, weights=folder)


def test_weights_that_are_absent_are_asked_for_by_the_first_clip(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with weights_follow():
        TimeSformer(**SMALL, weights="./absent")
    assert not caplog.messages
    encoder = TimeSformer(**SMALL, weights="./absent")
    (warning,) = caplog.messages
    assert warning.startswith("weights: './absent' is not a directory; give a folder with")
    for twin in (encoder, pickle.loads(pickle.dumps(encoder))):  # noqa: S301
        with pytest.raises(ArgumentError, match=r"'\./absent' is not a directory; give a folder"):
            twin(clips())
    encoder.load_state_dict({"fc.weight": encoder.fc.weight}, strict=False)
    with pytest.raises(ArgumentError, match="not a directory"):
        encoder(clips())
    nn.ModuleDict({"video_encoder": encoder}).load_state_dict(
        {f"video_encoder.{name}": one for name, one in TimeSformer(**SMALL).state_dict().items()}
    )
    assert encoder(clips()).pooled.isfinite().all()


def saved(path: Path, weights: str, **options: Any) -> tuple[Path, VideoTextLearner]:
    """The checkpoint of a model with published weights, which trained a little."""
    text = TinyText(dim=6, width=8, hidden=8, vocab_size=100)
    learner = VideoTextLearner(TimeSformer(**SMALL, weights=weights), text, InfoNCE(), **options)
    with torch.no_grad():
        for parameter in learner.parameters():
            parameter.add_(int(parameter.requires_grad))
    content: dict[str, Any] = {
        "hyper_parameters": dict(learner.hparams),
        "state_dict": learner.state_dict(),
    }
    learner.on_save_checkpoint(content)
    torch.save(content, path)
    return path, learner


@pytest.mark.parametrize("moved", [False, True])
def test_a_checkpoint_opens_without_the_weights_it_began_with(
    moved: bool, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, learner = saved(tmp_path / "x.ckpt", folder)
    if moved:
        Path(folder).rename(tmp_path / "moved")
    from transformers import TimesformerConfig, TimesformerModel

    for kind in (TimesformerConfig, TimesformerModel):  # nor is anything read or fetched
        monkeypatch.setattr(kind, "get_config_dict", None, raising=False)
        monkeypatch.setattr(kind, "from_pretrained", None)
    opened = load_learner(path).video_encoder
    assert torch.equal(opened(clips()).pooled, learner.video_encoder(clips()).pooled)


def test_frozen_weights_stay_where_they_came_from(folder: str, tmp_path: Path) -> None:
    path, learner = saved(tmp_path / "x.ckpt", folder, frozen=["video_encoder"])
    names = torch.load(path, weights_only=True)["state_dict"]
    assert [name for name in names if "video" in name] == [
        "video_encoder.fc.weight",
        "video_encoder.fc.bias",
    ]
    opened = load_learner(path).video_encoder
    assert torch.equal(opened(clips()).pooled, learner.video_encoder(clips()).pooled)
    Path(folder).rename(tmp_path / "moved")
    with pytest.raises(
        CheckpointError, match=r"video_encoder\.timesformer .* came from .*published"
    ):
        load_learner(path)
