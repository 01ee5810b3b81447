"""The page of an alignment: the video, its transcript, and the matrix that aligned the two."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from torch import Tensor

from vtlearn.errors import ArgumentError
from vtlearn.pages.document import build_document
from vtlearn.pages.videos import is_embedded, media_type, video_address
from vtlearn.plotting import colours
from vtlearn.unicode import escape_bytes

__all__ = ["PageCaption", "alignment_page"]

Array = NDArray[np.float64]
_MISSING = 65535  # what stands for a value that is not finite


class PageCaption(NamedTuple):
    """A caption, when it is spoken, and where it was aligned.

    Attributes:
        text: The caption.
        spoken_start: When it begins in the transcript, in seconds.
        spoken_end: When it ends there.
        start: When it begins after alignment, in seconds.
        end: When it ends then.
        matched: Whether it matches anything; one that does not keeps its spoken time.
        confidence: How sure the match is, from 0 to 1; NaN where that is unknown.
        truth: When what it tells of is seen, in seconds; None where that is unknown, or never.
    """

    text: str
    spoken_start: float
    spoken_end: float
    start: float
    end: float
    matched: bool
    confidence: float
    truth: tuple[float, float] | None = None


def alignment_page(
    video: Path,
    captions: Sequence[PageCaption],
    window_spans: Tensor | Array,
    cost: Tensor | Array,
    expected: Tensor | Array | None,
    path: Tensor | Array | None,
    *,
    title: str,
    embed_video: bool = True,
    folder: Path | None = None,
) -> str:
    """Show a video with its transcript, the matrix of windows and captions, and the alignment.

    A click on a caption or a cell seeks, a cursor follows playback, arrows move and space plays.

    Args:
        video: The file.
        captions: One a column of the matrix, in the transcript's order.
        window_spans: (windows, 2), seconds.
        cost: (windows, captions); lower is better.
        expected: (windows, captions), between 0 and 1: the probability that the path visits a cell;
            None where the aligner has no such thing.
        path: (cells, 2), the windows and captions of the hard path, negative where padded: what a
            ``HardPath`` has as ``cells``. None for no path.
        title: Written above all.
        embed_video: Whether the page holds the video within itself, if it is small enough
            (:func:`~vtlearn.pages.videos.is_embedded`); else it is linked, and the page says so.
        folder: Where the page will lie; a linked video is found relative to it. None: by its
            absolute address.

    Returns:
        The text of an HTML file, which needs no network.

    Raises:
        ArgumentError: If a matrix or the path does not fit the windows and captions.
        OSError: If the video cannot be read.

    Example:
        >>> import tempfile, torch
        >>> video = Path(tempfile.mkdtemp()) / "soup.mp4"
        >>> _ = video.write_bytes(bytes(1))
        >>> captions = [PageCaption("stir the soup", 0.0, 2.0, 4.0, 6.0, True, 0.9)]
        >>> spans = torch.tensor([[0.0, 4.0], [4.0, 8.0]])
        >>> cost, path = torch.tensor([[0.9], [0.1]]), torch.tensor([[0, 0], [1, 0]])
        >>> page = alignment_page(video, captions, spans, cost, None, path, title="soup")
        >>> page.startswith("<!doctype html>"), "//" in page.partition("<body>")[0]
        (True, False)
    """
    spans = _array(window_spans)
    shape = len(spans), len(captions)
    if spans.shape != (shape[0], 2):
        message = f"expected window_spans of shape (windows, 2), got {spans.shape}"
        raise ArgumentError(message)
    embedded = embed_video and is_embedded(video)
    size = video.stat().st_size
    data = {
        "title": title,
        "video": {
            "name": escape_bytes(video.name),
            "type": media_type(video),
            "size": size,
            "address": None if embedded else video_address(video, folder),
        },
        "captions": [_to_dict(caption) for caption in captions],
        "windows": np.round(spans, 3).tolist(),
        "matrices": {
            name: _pack(name, _array(matrix), shape)
            for name, matrix in (("cost", cost), ("expected", expected))
            if matrix is not None
        },
        "path": [] if path is None else _cells(_array(path), shape),
        "colours": _colours(),
    }
    return build_document(
        "alignment",
        scripts=["player.js", "transcript.js", "matrix.js", "alignment.js"],
        title=title,
        data=data,
        media=["blob:"] if embedded else ["'self'", "file:"],
        attachment=base64.b64encode(video.read_bytes()).decode() if embedded else "",
    )


def _to_dict(caption: PageCaption) -> dict[str, Any]:
    return {
        "text": caption.text,
        "spoken": [round(caption.spoken_start, 3), round(caption.spoken_end, 3)],
        "aligned": [round(caption.start, 3), round(caption.end, 3)],
        "matched": bool(caption.matched),
        "confidence": round(caption.confidence, 4) if np.isfinite(caption.confidence) else None,
        "truth": None if caption.truth is None else [round(x, 3) for x in caption.truth],
    }


def _colours() -> dict[str, str]:
    """Name the colours that the page shares with pictures, and the 256 of its colour map."""
    table = np.round(255 * colormaps[colours.LIKENESS_MAP](np.arange(256))[:, :3]).astype(np.uint8)
    return {
        "table": base64.b64encode(table.tobytes()).decode(),
        "path": colours.PATH,
        "truth": colours.TRUTH,
        "spoken": colours.SPOKEN,
        "aligned": colours.ALIGNED,
        "edge": colours.EDGE,
    }


def _array(values: Tensor | Array) -> Array:
    if isinstance(values, Tensor):
        values = values.detach().double().cpu().numpy()
    return np.asarray(values, dtype=np.float64)


def _pack(name: str, matrix: Array, shape: tuple[int, int]) -> dict[str, Any]:
    """Write a matrix in two bytes a cell: the least value is 0, the greatest 65534."""
    if matrix.shape != shape:
        message = (
            f"{name} has shape {matrix.shape}, and there are {shape[0]} windows and {shape[1]} "
            "captions: it needs one cell for each of both"
        )
        raise ArgumentError(message)
    finite = np.isfinite(matrix)
    low, high = (matrix[finite].min(), matrix[finite].max()) if finite.any() else (0.0, 0.0)
    scaled = np.where(finite, matrix - low, 0) * ((_MISSING - 1) / (high - low or 1.0))
    values = np.where(finite, np.round(scaled), _MISSING).astype("<u2")
    return {
        "low": float(low),
        "high": float(high),
        "values": base64.b64encode(values.tobytes()).decode(),
    }


def _cells(path: Array, shape: tuple[int, int]) -> list[list[int]]:
    cells = path.astype(int)
    if cells.ndim != 2 or cells.shape[1] != 2 or (cells >= shape).any():
        message = (
            f"expected a path of shape (cells, 2) through {shape[0]} windows and {shape[1]} "
            f"captions, got {tuple(cells.shape)}, up to {cells.max(0).tolist()}"
        )
        raise ArgumentError(message)
    kept: list[list[int]] = cells[(cells >= 0).all(1)].tolist()
    return kept
