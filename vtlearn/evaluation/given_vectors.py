"""Vectors that were made anywhere, read from a file: of videos and of texts, or how they compare.

The file is an ``.npz`` of NumPy or a ``.safetensors``, told apart by how they begin. It holds
``video`` (videos, dim) and ``text`` (texts, dim), or ``similarity`` (texts, videos) in their place,
and the ids ``video_ids`` and ``text_ids``: arrays of strings in an ``.npz``, JSON lists of strings
in the metadata of a ``.safetensors``. Nothing in a file is executed: pickled arrays are refused.
"""

import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vtlearn.errors import EvaluationError

__all__ = ["GivenVectors", "read_vectors"]

_SHOWN = 3  # ids that a message names
_ARRAYS = ("video", "text", "similarity")
_IDS = ("video_ids", "text_ids")
_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # how an .npz begins, with arrays or without
_NEEDED = "video, text, video_ids and text_ids, or similarity in place of the first two"
# what zipfile and NumPy raise of a file that is damaged, besides errors of their own
_DAMAGED = (OSError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, slots=True)
class GivenVectors:
    """Vectors of videos and texts by their ids, checked.

    Attributes:
        video_ids: The ids of the videos, or of their windows.
        text_ids: The ids of the texts.
        video: (videos, dim), one row per id, as it was given: half, single or double precision.
        text: (texts, dim), likewise.
        from_similarity: Whether they stand for a matrix of similarities, which their dot products
            reproduce to the last digit.
    """

    video_ids: list[str]
    text_ids: list[str]
    video: Tensor
    text: Tensor
    from_similarity: bool = False

    @classmethod
    def of(
        cls, video_ids: Sequence[str], video: Tensor, text_ids: Sequence[str], text: Tensor
    ) -> Self:
        """Check vectors.

        Args:
            video_ids: One per video, or window, each once.
            video: (videos, dim).
            text_ids: One per text, each once.
            text: (texts, dim).

        Returns:
            The vectors.

        Raises:
            EvaluationError: If shapes or widths contradict each other, an id comes twice, or a
                vector is not finite.

        Example:
            >>> GivenVectors.of(["v"], torch.ones(1, 2), ["t"], torch.ones(1, 3))
            Traceback (most recent call last):
                ...
            vtlearn.errors.EvaluationError: video has vectors of width 2 and text of width 3; both \
must come from the same model
        """
        for kind, ids, vectors in (("video", video_ids, video), ("text", text_ids, text)):
            _check_distinct(kind, ids)
            if vectors.ndim != 2 or len(vectors) != len(ids):
                message = (
                    f"{kind} has shape {tuple(vectors.shape)} and {kind}_ids {len(ids)} ids; "
                    "expected (ids, dim), one vector per id"
                )
                raise EvaluationError(message)
            broken = (~vectors.isfinite().all(1)).nonzero().flatten().tolist()
            if broken:
                message = (
                    f"{len(broken)} vectors of {kind} hold NaN or infinity "
                    f"({first_ids(ids[row] for row in broken)}); they cannot be ranked"
                )
                raise EvaluationError(message)
        if video.shape[1] != text.shape[1]:
            message = (
                f"video has vectors of width {video.shape[1]} and text of width {text.shape[1]}; "
                "both must come from the same model"
            )
            raise EvaluationError(message)
        return cls(list(video_ids), list(text_ids), video, text)

    @classmethod
    def of_similarity(
        cls, similarity: Tensor, video_ids: Sequence[str], text_ids: Sequence[str]
    ) -> Self:
        """Make vectors whose dot products are a matrix of similarities.

        A text's vector is its row of the matrix; a video's is 1 at its column and 0 elsewhere.

        Args:
            similarity: (texts, videos); higher is better.
            video_ids: One per column, each once.
            text_ids: One per row, each once.

        Returns:
            The vectors, (texts, videos) and (videos, videos).

        Raises:
            EvaluationError: If the shape is not that of the ids, an id comes twice, or a similarity
                is not finite.

        Example:
            >>> given = GivenVectors.of_similarity(torch.tensor([[0.5, 2.0]]), ["v", "w"], ["t"])
            >>> given.text @ given.video.T
            tensor([[0.5000, 2.0000]])
        """
        _check_distinct("video", video_ids)
        _check_distinct("text", text_ids)
        expected = (len(text_ids), len(video_ids))
        if tuple(similarity.shape) != expected:
            transposed = "; transpose it" if tuple(similarity.T.shape) == expected else ""
            message = (
                f"similarity has shape {tuple(similarity.shape)}; expected (texts, videos), "
                f"{expected}{transposed}"
            )
            raise EvaluationError(message)
        broken = (~similarity.isfinite()).nonzero().tolist()
        if broken:
            row, column = broken[0]
            message = (
                f"{len(broken)} similarities are NaN or infinity (first: that of text "
                f"{text_ids[row]!r} and video {video_ids[column]!r}); they cannot be ranked"
            )
            raise EvaluationError(message)
        columns = torch.eye(len(video_ids), dtype=similarity.dtype)
        return cls(list(video_ids), list(text_ids), columns, similarity, from_similarity=True)

    @property
    def ids(self) -> dict[str, list[str]]:
        """The ids of ``video`` and of ``text``."""
        return {"video": self.video_ids, "text": self.text_ids}

    @property
    def dtype(self) -> str:
        """What the vectors were given in, ``float32`` for example."""
        return str(self.text.dtype).removeprefix("torch.")


def read_vectors(path: Path) -> GivenVectors:
    r"""Read vectors, or similarities, and their ids.

    Args:
        path: An ``.npz`` or a ``.safetensors``, whatever it is called.

    Returns:
        The vectors.

    Raises:
        EvaluationError: If the file is of another kind or damaged, lacks something, or holds what
            cannot be scored; see :class:`GivenVectors`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "vectors.npz")
        ...     np.savez(file, similarity=np.eye(2), video_ids=["v", "w"], text_ids=["t", "u"])
        ...     read_vectors(file).text_ids
        ['t', 'u']
    """
    try:
        content = _read_npz(path) if _begins_as_zip(path) else _read_safetensors(path)
        return _vectors(content)
    except EvaluationError as error:
        message = f"{path}: {error}"
        raise EvaluationError(message) from error


def first_ids(ids: Iterable[str]) -> str:
    """Name the first of some ids.

    Args:
        ids: The ids, one or more.

    Example:
        >>> first_ids(["a", "b", "c", "d"])
        'first: a, b, c'
    """
    return f"first: {', '.join(islice(ids, _SHOWN))}"


def expected_instead(expected: Iterable[str]) -> str:
    """Ask about ids of which none is known.

    Args:
        expected: Those that are, one or more.

    Example:
        >>> expected_instead(["video7010", "video7011"])
        "; are they of another corpus? Expected are ids such as 'video7010'"
    """
    return f"; are they of another corpus? Expected are ids such as {next(iter(expected))!r}"


class _Content(NamedTuple):
    arrays: Mapping[str, Tensor]
    ids: Mapping[str, Sequence[str]]


def _vectors(content: _Content) -> GivenVectors:
    arrays, ids = content
    absent = [name for name in _IDS if name not in ids]
    if "similarity" not in arrays:
        absent += [name for name in ("video", "text") if name not in arrays]
    if absent:
        message = f"it has no {' and no '.join(absent)}; it needs {_NEEDED}"
        raise EvaluationError(message)
    if "similarity" not in arrays:
        return GivenVectors.of(ids["video_ids"], arrays["video"], ids["text_ids"], arrays["text"])
    if len(arrays) > 1:
        message = f"it has similarity as well as vectors; it needs {_NEEDED}"
        raise EvaluationError(message)
    return GivenVectors.of_similarity(arrays["similarity"], ids["video_ids"], ids["text_ids"])


def _begins_as_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in _ZIP


def _read_npz(path: Path) -> _Content:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: _array(name, file) for name in _ARRAYS if name in file.files}
            ids = {name: _strings(name, _array(name, file)) for name in _IDS if name in file.files}
    except _DAMAGED as error:
        message = f"it cannot be read as an .npz: {error}"
        raise EvaluationError(message) from error
    return _Content({name: _numbers(name, array) for name, array in arrays.items()}, ids)


def _array(name: str, file: Any) -> NDArray[Any]:
    try:
        array: NDArray[Any] = file[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        message = (
            f"{name} is a pickled array of objects, which is not read, since that could run "
            "code; save strings as np.array(ids, dtype=str), and numbers of one shape"
        )
        raise EvaluationError(message) from error
    return array


def _strings(name: str, array: NDArray[Any]) -> list[str]:
    if array.ndim != 1 or array.dtype.kind != "U":
        message = (
            f"{name} has shape {array.shape} and dtype {array.dtype}; expected one row of strings"
        )
        raise EvaluationError(message)
    return [str(one) for one in array]


def _numbers(name: str, array: NDArray[Any]) -> Tensor:
    if array.dtype.kind not in "fiub":
        message = f"{name} has dtype {array.dtype}; expected numbers"
        raise EvaluationError(message)
    if array.dtype not in (np.float16, np.float32, np.float64):
        array = array.astype(np.float64)
    return torch.from_numpy(array)


def _read_safetensors(path: Path) -> _Content:
    try:
        with safe_open(path, framework="pt") as file:
            names = set(file.keys())
            arrays = {name: file.get_tensor(name) for name in _ARRAYS if name in names}
            metadata: dict[str, str] = file.metadata() or {}
    except SafetensorError as error:
        message = f"it is neither an .npz nor a .safetensors file that can be read: {error}"
        raise EvaluationError(message) from error
    for name, array in arrays.items():
        if array.is_complex():
            message = f"{name} has dtype {array.dtype}; expected numbers"
            raise EvaluationError(message)
    ids = {name: _listed(name, metadata[name]) for name in _IDS if name in metadata}
    return _Content(
        {
            name: array if array.dtype in _DTYPES else array.double()
            for name, array in arrays.items()
        },
        ids,
    )


def _listed(name: str, text: str) -> list[str]:
    try:
        ids = json.loads(text)
    except ValueError as error:
        message = f"{name} in its metadata is not JSON: {error}"
        raise EvaluationError(message) from error
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        message = f"{name} in its metadata is not a JSON list of strings"
        raise EvaluationError(message)
    return ids


def _check_distinct(kind: str, ids: Sequence[str]) -> None:
    seen: set[str] = set()
    doubled = dict.fromkeys(one for one in ids if one in seen or seen.add(one))  # type: ignore[func-returns-value]
    if doubled:
        message = f"{len(doubled)} {kind} ids come more than once ({first_ids(doubled)})"
        raise EvaluationError(message)
