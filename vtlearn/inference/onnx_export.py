"""The two encoders of a model as ONNX files, which need neither torch nor vtlearn where they run.

What they give is vectors as the head compares them. Reading videos and cutting texts into tokens
stay outside: ``video.onnx`` takes ``frames``, (clips, frames, 3, size, size) uint8, or (clips,
frames, dim) float32 of stored features; ``text.onnx`` takes ``ids`` and ``length``, as the text
encoder's ``tokenize`` returns them. Both give ``vectors``, float32.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

from vtlearn.encoders.base import TextEncoder, Tokens, VideoEncoder
from vtlearn.heads.base import Aligner
from vtlearn.inference.model import Model
from vtlearn.storage.imports import require

__all__ = ["export_onnx"]

_TOLERANCE = 1e-4
_COUNTS = (2, 1, 5)  # clips that the file is made and tried with
_TEXTS = (
    ["chop the carrot", "stir it well, and let it simmer for a minute or two"],
    [""],
    ["fry", "the onion", "is golden", "now", "add the soup and the salt"],
)


class ExportedEncoder(NamedTuple):
    """What became of an encoder.

    Attributes:
        path: The file.
        difference: The largest difference of a value from torch's; None where there is no file.
        reason: Why there is none; empty where there is.
    """

    path: Path
    difference: float | None
    reason: str = ""


def export_onnx(model: Model, folder: Path) -> list[ExportedEncoder]:
    """Write a model's encoders as ``video.onnx`` and ``text.onnx``, and compare them with torch.

    Args:
        model: A model that compares clips with texts; it is exported where it is, on its device.
        folder: Where to; it is there.

    Returns:
        What became of each: not everything that an encoder does can be exported, and a file whose
        vectors differ from torch's by more than 1e-4 is removed.

    Raises:
        MissingPackageError: If onnx, onnxscript or onnxruntime is not installed.
        ArgumentError: If the model compares nothing.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        require(package, extra="export", purpose="Export to ONNX")
    aligner, device = model.aligner, model.device
    video, text = model.learner.video_encoder, model.learner.text_encoder
    clips = [{"frames": x.to(device)} for x in _clips(video)]
    exported = [_export(_VideoVectors(video, aligner), clips, folder / "video.onnx")]
    if text is not None:
        tokens = [{k: v.to(device) for k, v in text.tokenize(x)._asdict().items()} for x in _TEXTS]
        exported.append(_export(_TextVectors(text, aligner), tokens, folder / "text.onnx"))
    return exported


class _VideoVectors(nn.Module):
    def __init__(self, encoder: VideoEncoder, aligner: Aligner) -> None:
        super().__init__()
        self.encoder, self.aligner = encoder, aligner

    @override
    def forward(self, frames: Tensor) -> Tensor:
        return self.aligner.embed(self.encoder(frames, None).pooled)


class _TextVectors(nn.Module):
    def __init__(self, encoder: TextEncoder, aligner: Aligner) -> None:
        super().__init__()
        self.encoder, self.aligner = encoder, aligner

    @override
    def forward(self, ids: Tensor, length: Tensor) -> Tensor:
        return self.aligner.embed(self.encoder(Tokens(ids, length)).pooled)


def _clips(encoder: VideoEncoder) -> Iterator[Tensor]:
    chance = torch.Generator().manual_seed(0)
    for count in _COUNTS:
        if encoder.reads_stored:
            yield torch.randn(count, encoder.num_frames, encoder.size, generator=chance)
        else:
            shape = (count, encoder.num_frames, 3, encoder.size, encoder.size)
            yield torch.randint(0, 256, shape, dtype=torch.uint8, generator=chance)


def _export(
    vectors: nn.Module, inputs: Sequence[Mapping[str, Tensor]], path: Path
) -> ExportedEncoder:
    """Write one file by the first inputs, and try it with all."""
    names = tuple(inputs[0])
    items = {name: {0: torch.export.Dim.DYNAMIC} for name in names}
    try:
        with _quiet():
            torch.onnx.export(
                vectors.eval(),
                kwargs=dict(inputs[0]),
                f=path,
                input_names=names,
                output_names=("vectors",),
                dynamic_shapes=items,
                dynamo=True,
                external_data=False,
            )
        difference = max(_difference(vectors, some, path) for some in inputs)
    except Exception as error:  # noqa: BLE001 - torch and onnxruntime raise many kinds for what they cannot do
        path.unlink(missing_ok=True)
        reason = str(error).strip().partition("\n")[0]
        return ExportedEncoder(path, None, f"{type(error).__name__}: {reason}")
    if not difference <= _TOLERANCE:
        path.unlink()
        reason = f"its vectors differ from torch's by {difference:.1e}"
        return ExportedEncoder(path, None, reason)
    return ExportedEncoder(path, difference)


@torch.no_grad()
def _difference(vectors: nn.Module, inputs: Mapping[str, Tensor], path: Path) -> float:
    session: Any = require("onnxruntime", extra="export", purpose="Export to ONNX")
    session = session.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {name: x.cpu().numpy() for name, x in inputs.items()})
    return float((torch.from_numpy(found) - vectors(**inputs).cpu()).abs().max())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what torch's exporter tells of its steps and of packages it does without."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
