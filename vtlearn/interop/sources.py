"""Which published checkpoints there are, and of which kind a file is."""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from vtlearn.errors import ArgumentError, CheckpointError
from vtlearn.interop import milnce, s3d, videoclip, vttwins
from vtlearn.interop.published import Published
from vtlearn.interop.reading import PublishedFile
from vtlearn.interop.report import first_names
from vtlearn.suggestions import nearest

__all__ = ["KINDS"]

_MODULES: Mapping[str, ModuleType] = {
    "vttwins": vttwins,
    "milnce": milnce,
    "s3d": s3d,
    "videoclip": videoclip,
}

KINDS = tuple(_MODULES)
"""Their names, as ``--kind`` has them."""


def translate(file: PublishedFile, kind: str | None = None) -> Published:
    """Translate a published checkpoint to our names.

    Args:
        file: What is in it.
        kind: Which kind it is; None to tell by where its weights are and what they are called.

    Returns:
        The model.

    Raises:
        ArgumentError: If there is no such kind.
        CheckpointError: If the kind cannot be told, the file is not one of it, or a weight is NaN
            or infinite.
    """
    if kind is not None and kind not in KINDS:
        message = f"there is no kind {kind!r}{nearest(kind, KINDS)}; there are {', '.join(KINDS)}"
        raise ArgumentError(message)
    found = kind or next((name for name in KINDS if _MODULES[name].recognizes(file)), None)
    if found is None:
        first = ", ".join(list(file.weights)[:3])
        message = (
            f"{file.path} is not a published checkpoint that is known: its {len(file.weights)} "
            f"weights are called {first} and so on. Expected S3D with a bag of words (VT-TWINS, "
            "MIL-NCE, S3D_HowTo100M) or VideoCLIP's two transformers (TempCLR, Norton)"
        )
        raise CheckpointError(message)
    published: Published = _MODULES[found].translate(file)
    _require_finite(file.path, published.weights)
    return published


def _require_finite(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Refuse weights of a training that diverged, or of a damaged file, before vectors are NaN."""
    dense = {name: value for name, value in weights.items() if value.layout is torch.strided}
    names = [name for name, value in dense.items() if not value.float().isfinite().all()]
    if names:
        message = (
            f"{path} holds NaN or infinity in {len(names)} weights: {first_names(names)}. Download "
            "it again, or take one from before its training diverged"
        )
        raise CheckpointError(message)
