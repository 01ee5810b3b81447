"""S3D_HowTo100M: ``s3d_howto100m.pth``, a flat dictionary without prefix, and ``s3d_dict.npy``.

S3D with a bag of words, whose weights carry the names of ours; MIL-NCE and VT-TWINS publish the
same network, and share what is here.

Source: the published code of Miech et al., "End-to-End Learning of Visual Representations from
    Uncurated Instructional Videos", 2020, converted by its authors from TensorFlow.
"""

from collections.abc import Callable, Mapping
from functools import partial

from torch import Tensor

from vtlearn.encoders.text import Word2Vec
from vtlearn.encoders.video import S3D, stem_of
from vtlearn.encoders.video.s3d import Stem
from vtlearn.heads import MILNCE, Head
from vtlearn.interop.published import Published, size_of
from vtlearn.interop.reading import PublishedFile

__all__: list[str] = []

_FIRST_LAYER = "conv1.conv1.weight"
_TEXT = "text_module."


def recognizes(file: PublishedFile) -> bool:
    """Tell whether a file is one of S3D_HowTo100M: flat, and without prefix."""
    return holds_s3d(file) and file.container == "flat" and not file.prefixed


def translate(file: PublishedFile) -> Published:
    """Translate a file of S3D_HowTo100M.

    Args:
        file: What is in it.

    Returns:
        The model; its stem is read off the first layer, and texts are read in lower case.

    Raises:
        CheckpointError: If its first layer is not one of S3D.
    """
    return translate_s3d(
        file,
        "s3d",
        head=mil_nce(),
        num_frames=32,
        released="space_to_depth",
        lowercase=True,
        vocabulary="its authors' s3d_dict.npy",
    )


def translate_s3d(
    file: PublishedFile,
    kind: str,
    *,
    head: Callable[..., Head],
    num_frames: int,
    released: Stem = "plain",
    lowercase: bool = False,
    vocabulary: str = "its authors' dict.npy",
    fps: float | None = None,
) -> Published:
    """Translate S3D with a bag of words, whoever published it.

    Args:
        file: What is in the file.
        kind: Who did.
        head: Builds what it was trained with.
        num_frames: Frames of a clip, which the weights do not show.
        released: The stem of the file that the authors released.
        lowercase: Whether they read texts in lower case.
        vocabulary: The file that its words are in.
        fps: Frames per second of a clip; None where it is not known how clips were read.

    Raises:
        CheckpointError: If its first layer is not one of S3D.
    """
    clips = {
        "num_frames": num_frames,
        "fps": fps,
        "size": 224,
        "frame_at": "nearest",
        "crop": "random",
        "pad": "black",
    }
    return Published(
        kind=kind,
        video_encoder=video_encoder(file.weights, num_frames),
        text_encoder=text_encoder(file.weights, lowercase=lowercase),
        head=head,
        weights=renamed(file.weights),
        dropped=file.dropped,
        vocabulary=vocabulary,
        remark=stem_remark(file.weights, released),
        clips=None if fps is None else clips,
    )


def holds_s3d(file: PublishedFile) -> bool:
    """Tell whether S3D's first layer is in a file."""
    return _FIRST_LAYER in file.weights


def video_encoder(weights: Mapping[str, Tensor], num_frames: int) -> Callable[..., S3D]:
    """Build the encoder that weights fit.

    Args:
        weights: By the authors' names.
        num_frames: Frames of a clip, which the weights do not show.

    Raises:
        CheckpointError: If the first layer is not one of S3D.
    """
    stem = stem_of(weights)
    return partial(S3D, dim=_dim(weights), num_frames=num_frames, size=224, stem=stem)


def text_encoder(weights: Mapping[str, Tensor], *, lowercase: bool) -> Callable[..., Word2Vec]:
    """Build the bag of words that weights fit; its table does not train, as published.

    Args:
        weights: By the authors' names.
        lowercase: Whether the authors read texts in lower case, which the weights do not show.
    """
    return partial(
        Word2Vec,
        dim=_dim(weights),
        hidden=size_of(weights, f"{_TEXT}fc1.weight", 0, 2048),
        embedding_dim=size_of(weights, f"{_TEXT}word_embd.weight", 1, 300),
        max_words=20,
        lowercase=lowercase,
        trainable_embeddings=False,
    )


def stem_remark(weights: Mapping[str, Tensor], released: Stem) -> str:
    """Say which first layer a file has, and whether its authors released that one.

    Args:
        weights: By the authors' names.
        released: The stem of the file that they released.

    Example:
        >>> import torch
        >>> stem_remark({"conv1.conv1.weight": torch.zeros(64, 3, 3, 7, 7)}, "plain")
        "S3D's first layer: stem=plain"
    """
    stem = stem_of(weights)
    other = f"; its authors released one with stem={released}, so this is another file"
    return f"S3D's first layer: stem={stem}{other if stem != released else ''}"


def mil_nce() -> Callable[..., MILNCE]:
    """Build the loss that S3D_HowTo100M and MIL-NCE trained with."""
    return partial(MILNCE, positives_in_denominator=2, temperature=1.0, normalize=False)


def renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give weights our names: texts are a module of their own, the rest is the video encoder.

    Args:
        weights: By the authors' names.

    Example:
        >>> import torch
        >>> list(renamed({"fc.bias": torch.zeros(1), "text_module.fc1.bias": torch.zeros(1)}))
        ['video_encoder.fc.bias', 'text_encoder.fc1.bias']
    """
    return {
        f"text_encoder.{name.removeprefix(_TEXT)}"
        if name.startswith(_TEXT)
        else f"video_encoder.{name}": value
        for name, value in weights.items()
    }


def _dim(weights: Mapping[str, Tensor]) -> int:
    """Read the width of the vectors off either projection: one of them may be missing."""
    return size_of(weights, "fc.weight", 0, size_of(weights, f"{_TEXT}fc2.weight", 0, 512))
