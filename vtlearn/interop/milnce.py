"""MIL-NCE: ``epochNNNN.pth.tar``, weights under ``state_dict`` with ``module.`` before each name.

VT-TWINS's training writes such files too; of these only the loss differs, and the number of frames,
which ``--kind vttwins`` says.

Source: the PyTorch code of Miech et al., "End-to-End Learning of Visual Representations from
    Uncurated Instructional Videos", 2020.
"""

from vtlearn.interop.published import Published
from vtlearn.interop.reading import PublishedFile
from vtlearn.interop.s3d import holds_s3d, mil_nce, translate_s3d

__all__: list[str] = []


def recognizes(file: PublishedFile) -> bool:
    """Tell whether a file is one of MIL-NCE: S3D under ``state_dict``."""
    return holds_s3d(file) and file.container == "state_dict"


def translate(file: PublishedFile) -> Published:
    """Translate a file of MIL-NCE.

    Args:
        file: What is in it.

    Returns:
        The model; its stem is read off the first layer.

    Raises:
        CheckpointError: If its first layer is not one of S3D.
    """
    return translate_s3d(file, "milnce", head=mil_nce(), num_frames=16, fps=5.0)
