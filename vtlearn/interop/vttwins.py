"""VT-TWINS: ``pretrained.pth.tar``, a flat dictionary with ``module.`` before each name.

Its training also writes files with the weights under ``state_dict``, which are MIL-NCE's by their
shape: name the kind of those.

Source: the published code of Ko et al., "Video-Text Representation Learning via Differentiable Weak
    Temporal Alignment", 2022.
"""

from functools import partial

from vtlearn.heads import S2DTW
from vtlearn.interop.published import Published
from vtlearn.interop.reading import PublishedFile
from vtlearn.interop.s3d import holds_s3d, translate_s3d

__all__: list[str] = []


def recognizes(file: PublishedFile) -> bool:
    """Tell whether a file is one of VT-TWINS: S3D, flat, with ``module.`` before each name."""
    return holds_s3d(file) and file.container == "flat" and file.prefixed


def translate(file: PublishedFile) -> Published:
    """Translate a file of VT-TWINS.

    Args:
        file: What is in it.

    Returns:
        The model; its stem is read off the first layer.

    Raises:
        CheckpointError: If its first layer is not one of S3D.
    """
    head = partial(S2DTW, gamma=0.1, dummy=0.5, permute=True, direction="text_to_video")
    return translate_s3d(file, "vttwins", head=head, num_frames=32, fps=10.0)
