"""Take bare .npy features of other programs into a store, with the facts that they lack."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vtlearn.errors import ArgumentError, FeatureError
from vtlearn.media.features.shard import StoredVideo
from vtlearn.media.features.spec import FeatureSpec, num_vectors
from vtlearn.media.features.store import FeatureStore
from vtlearn.media.ids import distinct_ids, video_stem
from vtlearn.storage.progress import track

__all__ = ["feature_files", "import_features", "kind_of"]

_UNIT = 1e-2  # how far the length of a vector in half precision may be from 1
_DTYPES = ("float16", "float32")


def feature_files(folder: Path) -> dict[str, Path]:
    """List the .npy files below a folder by video, however deep: <id>.npy, <id>.mp4.npy and so on.

    Args:
        folder: Where to look.

    Returns:
        Paths by id, sorted by id; an id is a file's name less ``.npy`` and a video suffix before
        that; where a name occurs in several folders, it is the path below ``folder``.

    Raises:
        FeatureError: If there are none, or several in one folder of one id.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.npy")):
        place = video_stem(path.relative_to(folder).as_posix().removesuffix(".npy"))
        if place in found:
            message = (
                f"{found[place]} and {path} are both of {place}: nothing tells which is "
                "meant; remove one"
            )
            raise FeatureError(message)
        found[place] = path
    if not found:
        message = f"there are no .npy files in {folder}: it should hold <id>.npy, one a video"
        raise FeatureError(message)
    return dict(sorted(zip(distinct_ids(list(found)), found.values(), strict=True)))


def kind_of(path: Path) -> tuple[int, str]:
    """Look up what a .npy file of features holds.

    Args:
        path: The file.

    Returns:
        The width of its vectors, and their dtype.

    Raises:
        FeatureError: If it cannot be read, or is no table of vectors in float16 or float32.
    """
    vectors = _mapped(path)
    return vectors.shape[1], vectors.dtype.name


def import_features(
    files: Mapping[str, Path],
    store: Path,
    spec: FeatureSpec,
    *,
    durations: Mapping[str, float] | None = None,
    tolerance: float = 0.0,
    videos_per_shard: int = 256,
    show_progress: bool = True,
) -> None:
    """Make a store of bare .npy files, each (vectors, dim) of one video.

    What was interrupted is gone on with where it stopped. Every file is held against what is said
    of it, and the first that differs is refused.

    Args:
        files: Paths by id.
        store: The store's folder.
        spec: What the vectors are.
        durations: How long each video is, in seconds; by default as long as its vectors last,
            which is up to 1 / fps longer than the video.
        tolerance: Seconds by which a video may be longer or shorter than its vectors; how long
            these last is then stored as its duration.
        videos_per_shard: How many videos a shard has.
        show_progress: Whether to show a bar.

    Raises:
        ArgumentError: If the tolerance is negative.
        FeatureError: If a file is not what the spec says, a duration is missing or does not agree
            with the number of vectors, the folder holds another store, or a file that is in it
            already is another one now.

    Example:
        >>> import tempfile
        >>> spec = FeatureSpec("S3D", "0" * 64, 4, 1, 1, 1, 30, None, 224, (0, 0, 0), (1, 1, 1),
        ...     l2_norm=False, dtype="float16")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(Path(folder, "a.mp4.npy"), np.full((31, 4), 2, np.float16))
        ...     files = feature_files(Path(folder))
        ...     import_features(files, Path(folder, "store"), spec, show_progress=False)
        ...     sorted(path.name for path in Path(folder, "store").iterdir())
        ['00000.json', '00000.safetensors', 'features.json']
    """
    if not tolerance >= 0:
        message = f"tolerance={tolerance} is a number of seconds, 0 or more"
        raise ArgumentError(message)
    ids, paths = list(files), [str(path) for path in files.values()]
    _require_durations(ids, durations)
    layout = {"durations": "as the vectors" if durations is None else "given"}
    filled = FeatureStore(store, spec, ids, videos_per_shard=videos_per_shard, layout=layout)
    filled.remove_leftovers()
    pending: Iterable[int] = filled.pending()
    whole = sorted(set(range(filled.num_shards)) - set(pending))
    filled.require_unreplaced(filled.stale(whole, paths).replaced)
    if show_progress:
        pending = track(pending, "Importing features")
    for shard in pending:
        videos, sources = {}, filled.sources(shard, paths)
        for video_id in filled.shard_ids(shard):
            vectors = _checked(files[video_id], spec)
            given = None if durations is None else durations[video_id]
            seconds = _duration(files[video_id], len(vectors), spec.fps, given, tolerance)
            videos[video_id] = StoredVideo(torch.from_numpy(vectors), seconds)
        filled.write(shard, videos, {}, sources)


def _require_durations(ids: Sequence[str], durations: Mapping[str, float] | None) -> None:
    missing = [] if durations is None else [one for one in ids if one not in durations]
    if missing:
        message = (
            f"{len(missing)} of {len(ids)} videos have no duration (first: {missing[0]}): add them "
            "to the list, or give none, to take every video for as long as its vectors"
        )
        raise FeatureError(message)


def _checked(path: Path, spec: FeatureSpec) -> NDArray[Any]:
    """Read a file, and hold it against what is said of it."""
    mapped = _mapped(path)
    if (mapped.shape[1], mapped.dtype.name) != (spec.dim, spec.dtype):
        message = (
            f"{path} holds vectors of dim={mapped.shape[1]} in {mapped.dtype.name}, not of "
            f"dim={spec.dim} in {spec.dtype} as was said of all"
        )
        raise FeatureError(message)
    vectors = np.array(mapped, mapped.dtype.newbyteorder("="))  # torch has no other
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(1))[0])
        message = f"{path} holds NaN or infinity, first in vector {row}: it was computed wrongly"
        raise FeatureError(message)
    _check_norm(path, vectors, spec)
    return vectors


def _check_norm(path: Path, vectors: NDArray[Any], spec: FeatureSpec) -> None:
    lengths = np.linalg.norm(vectors.astype(np.float32), axis=1)
    off = np.abs(lengths - 1)
    if spec.l2_norm and off.max() > _UNIT:
        row = int(off.argmax())
        message = (
            f"{path}: l2_norm is said to be true, but vector {row} has length {lengths[row]:.4g}"
        )
        raise FeatureError(message)
    if not spec.l2_norm and len(vectors) > 1 and off.max() < _UNIT / 10:
        message = (
            f"{path}: l2_norm is said to be false, but all of its {len(vectors)} vectors have "
            "length 1"
        )
        raise FeatureError(message)


def _duration(path: Path, count: int, fps: float, given: float | None, tolerance: float) -> float:
    """Return how long a video is that has so many vectors."""
    if given is None:
        return count / fps
    if num_vectors(given, fps) == count:
        return given
    if tolerance and -tolerance <= given - (count - 1) / fps and given - count / fps <= tolerance:
        return count / fps
    message = (
        f"{path} has {count} vectors, but its video is said to last {given} s, which makes "
        f"{num_vectors(given, fps)} at fps={fps}. One of the three is wrong; where durations are "
        "rounded, allow for it by a tolerance in seconds"
    )
    raise FeatureError(message)


def _mapped(path: Path) -> NDArray[Any]:
    try:
        vectors: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        message = f"{path} cannot be read: {error}"
        raise FeatureError(message) from error
    if vectors.ndim != 2 or not vectors.size or vectors.dtype.name not in _DTYPES:
        message = (
            f"{path} is {vectors.shape} of {vectors.dtype.name}; features are (vectors, dim) of "
            f"{' or '.join(_DTYPES)}, one vector at least"
        )
        raise FeatureError(message)
    return vectors
