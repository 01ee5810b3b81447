"""TimeSformer: a transformer over patches that attends over time, then over space.

The network is transformers' ``TimesformerModel``, whose parameters have the names of published
weights. It is imported when one is built, because that takes seconds.
"""

import logging
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from vtlearn.batch import Encoded
from vtlearn.checks import require_divides, require_positive
from vtlearn.encoders.base import VideoEncoder
from vtlearn.encoders.hub import UnreadableWeightsError, read_config, read_model
from vtlearn.encoders.video.frames import check_frames, clip_lengths
from vtlearn.errors import ArgumentError
from vtlearn.padding import pad
from vtlearn.parameters import are_weights_following

__all__ = ["TimeSformer"]

_LOG = logging.getLogger(__name__)

_ONE_OF_ALL = "timesformer.embeddings.cls_token"
_ARGUMENTS = {  # by their names in a configuration of transformers
    "num_frames": "num_frames",
    "image_size": "size",
    "patch_size": "patch",
    "hidden_size": "width",
    "num_hidden_layers": "layers",
    "num_attention_heads": "heads",
}
_FIXED = (  # what no argument says, but every published TimeSformer has
    *("attention_type", "num_channels", "intermediate_size"),
    *("hidden_act", "layer_norm_eps", "qkv_bias"),
)


class TimeSformer(VideoEncoder):
    """Encode clips with TimeSformer's divided attention: over time, then over the picture.

    Each patch attends to the same place in all frames, then to all places of its frame and to
    [CLS], in every layer. The pooled vector is a projection of [CLS], the tokens are the patches.
    A clip may have any number of frames: the time embedding is stretched to it, to the nearest
    row, so that a picture has the first. The sizes are those of the published weights, whose names
    the parameters have.

    Weights that cannot be read are warned of at once, and asked for by the first clip: a checkpoint
    may bring them instead.

    Args:
        dim: Width of the pooled vectors.
        num_frames: How many frames of a clip it is trained for; it takes fewer as well.
        size: Height and width of a frame in pixels, a multiple of ``patch``.
        patch: Height and width of a patch in pixels.
        width: Width of the hidden states and the tokens.
        layers: Transformer layers.
        heads: Attention heads of a layer.
        weights: Published weights: a folder with config.json and model.safetensors, or a name on
            the Hugging Face hub, such as facebook/timesformer-base-finetuned-k400. None: random.
        grad_checkpoint: Whether training computes a layer again for its gradient instead of keeping
            what it computed: less memory, about a third more time, the same gradients.

    Raises:
        ArgumentError: If a number is not positive, the patches do not fill a frame, the heads do
            not divide the width, or the weights have other sizes.

    Source: Bertasius et al., "Is Space-Time Attention All You Need for Video Understanding?", 2021.

    Example:
        >>> encoder = TimeSformer(dim=6, size=32, width=8, layers=1, heads=2)
        >>> encoded = encoder(torch.zeros(2, 8, 3, 32, 32, dtype=torch.uint8))
        >>> encoded.pooled.shape, encoded.tokens.shape
        (torch.Size([2, 6]), torch.Size([2, 8, 4, 8]))
    """

    reads_stored = False
    mean, std = (0.45, 0.45, 0.45), (0.225, 0.225, 0.225)
    pooled_modules = ("fc",)
    unseen_arguments = ("heads",)
    uncompared_arguments = ("weights", "grad_checkpoint")

    def __init__(
        self,
        dim: int,
        num_frames: int = 8,
        size: int = 224,
        patch: int = 16,
        width: int = 768,
        layers: int = 12,
        heads: int = 12,
        weights: str | None = None,
        grad_checkpoint: bool = False,
    ) -> None:
        super().__init__()
        sizes = {"num_frames": num_frames, "size": size, "patch": patch, "width": width}
        sizes |= {"layers": layers, "heads": heads}
        require_positive(dim=dim, **sizes)
        require_divides(patch=patch, size=size)
        require_divides(heads=heads, width=width)
        self.dim, self.num_frames, self.size = dim, num_frames, size
        self.token_width, self.grad_checkpoint = width, grad_checkpoint
        self._unread: ArgumentError | None = None
        self.timesformer = self._built(_config(sizes), weights)
        self.fc = nn.Linear(width, dim)

    def accepts(self, num_frames: int, size: int) -> bool:
        """Tell whether clips of a shape are those it was made for, or shorter.

        Args:
            num_frames: Frames of a clip; a picture has 1.
            size: Height and width in pixels.

        Returns:
            Whether they are.
        """
        return 1 <= num_frames <= self.num_frames and size == self.size

    def forward(self, frames: Tensor, frame_length: Tensor | None = None) -> Encoded:
        """Encode clips; those of one length are encoded together, as if the tensor ended there.

        Args:
            frames: (clips, frames, 3, size, size), uint8.
            frame_length: How many frames of each clip count, (clips,), int64; None: all.

        Returns:
            ``pooled`` (clips, dim); ``tokens`` (clips, frames, places, width), the patches row by
            row after the last normalisation, zero where a frame does not count; ``token_length``
            (clips,).

        Raises:
            ArgumentError: If frames are not uint8 clips of its size, a length is not from 1 to all
                frames, or the weights that it was to read could not be read.
        """
        if self._unread is not None:
            raise self._unread
        check_frames(frames)
        if frames.shape[3:] != (self.size, self.size):
            message = (
                f"frames are {frames.shape[3]} x {frames.shape[4]} pixels, and this TimeSformer "
                f"reads {self.size} x {self.size}: set pixels.size or its size alike"
            )
            raise ArgumentError(message)
        length, whole = clip_lengths(frames, frame_length)
        if whole:
            hidden, tokens = self._encode(frames)
            return Encoded(self.fc(hidden), tokens, length)
        sizes = sorted(set(length.tolist()))
        groups = [(length == size).nonzero().flatten() for size in sizes]
        runs = [self._encode(frames[g, :size]) for g, size in zip(groups, sizes, strict=True)]
        order = torch.cat(groups).argsort()
        hidden = torch.cat([run[0] for run in runs])[order]
        tokens = torch.cat([pad(run[1], [frames.shape[1]]) for run in runs])[order]
        return Encoded(self.fc(hidden), tokens, length)

    def _encode(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return [CLS], (clips, width), and the tokens, of clips of one length."""
        clips, num_frames = frames.shape[:2]
        pixels = (frames.to(self.fc.weight.dtype) / 255 - self.mean[0]) / self.std[0]
        x: Tensor = self.timesformer.embeddings(pixels)
        recompute = self.grad_checkpoint and torch.is_grad_enabled()
        for layer in self.timesformer.encoder.layer:
            if recompute:
                x = checkpoint(_run_layer, layer, x, num_frames, use_reentrant=False)
            else:
                x = _run_layer(layer, x, num_frames)
        x = self.timesformer.layernorm(x)
        # the patches of all frames follow [CLS], place by place
        places = (x.shape[1] - 1) // num_frames
        patches = x[:, 1:].reshape(clips, places, num_frames, x.shape[2])
        return x[:, 0], patches.transpose(1, 2)

    def _built(self, config: Any, weights: str | None) -> Any:
        """Build the network, with published weights where they can be read now."""
        from transformers import TimesformerModel

        if weights is None:
            return TimesformerModel(config)
        try:
            model = _read(weights, config)
        except UnreadableWeightsError as error:
            if not are_weights_following():
                _LOG.warning("%s; without them, only a checkpoint that has them can be used", error)
            self._unread = error
            return TimesformerModel(config)
        model.origin = weights  # the network's and not ours: the projection is from nowhere
        return model

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *arguments: Any
    ) -> None:
        super()._load_from_state_dict(state_dict, prefix, *arguments)
        if f"{prefix}{_ONE_OF_ALL}" in state_dict:
            self._unread = None


def _config(sizes: Mapping[str, int]) -> Any:
    """Describe the network to transformers: as it does by default, but for its sizes."""
    from transformers import TimesformerConfig

    given: dict[str, Any] = {name: sizes[argument] for name, argument in _ARGUMENTS.items()}
    return TimesformerConfig(**given, intermediate_size=4 * sizes["width"])


def _read(weights: str, config: Any) -> Any:
    """Read published weights, of as many frames as the configuration says."""
    from transformers import TimesformerConfig, TimesformerModel

    found = read_config(TimesformerConfig, weights)
    _require_alike(weights, found, config)
    model = read_model(TimesformerModel, weights, found)
    time = model.embeddings.time_embeddings
    rows = functional.interpolate(time.detach().transpose(1, 2), config.num_frames, mode="nearest")
    model.embeddings.time_embeddings = nn.Parameter(rows.transpose(1, 2).contiguous())
    model.config.num_frames = config.num_frames
    return model


def _require_alike(weights: str, found: Any, config: Any) -> None:
    """Refuse weights of other sizes than the arguments say; frames may differ."""
    for name in (*_ARGUMENTS, *_FIXED):
        theirs, ours = getattr(found, name), getattr(config, name)
        if theirs == ours or name == "num_frames":
            continue
        argument = _ARGUMENTS.get(name)
        message = f"weights: {weights} have {name}={theirs}, not {ours}" + (
            f": set {argument}={theirs}" if argument else ", which is not TimeSformer as published"
        )
        raise ArgumentError(message)


def _run_layer(layer: Any, x: Tensor, num_frames: int) -> Tensor:
    """Run a layer of transformers' on clips of a number of frames.

    The layer reads that number from its configuration and not from its input: with another one it
    mixes places with times, and says nothing. It is set here, and not once around all layers,
    because checkpointing calls this again in the backward pass.

    Args:
        layer: A ``TimesformerLayer``.
        x: [CLS] and the patches, place by place, (clips, 1 + places * frames, width).
        num_frames: Frames of a clip.

    Returns:
        As ``x``.
    """
    before = layer.config.num_frames
    layer.config.num_frames = num_frames
    try:
        output: Tensor | tuple[Tensor, ...] = layer(x)
    finally:
        layer.config.num_frames = before
    return output if isinstance(output, Tensor) else output[0]
