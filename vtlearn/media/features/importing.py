"""Take bare .npy features of other programs into a store, with the facts that they lack."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from vtlearn.batch import Unreadable
from vtlearn.checks import allowed_count, require_share
from vtlearn.errors import ArgumentError, FeatureError
from vtlearn.media.features.shard import StoredVideo
from vtlearn.media.features.spec import FeatureSpec, num_vectors
from vtlearn.media.features.store import FeatureStore
from vtlearn.media.ids import distinct_ids, video_stem
from vtlearn.storage.progress import track

__all__ = ["common_kind", "feature_files", "import_features"]

_UNIT = 1e-2  # how far the length of a vector in half precision may be from 1
_DTYPES = ("float16", "float32")
_UNREADABLE = "cannot be read: "
_LOOKED_AT = 100  # files that say what most of them hold


def feature_files(folder: Path) -> dict[str, Path]:
    """List the .npy files below a folder by video, however deep: <id>.npy, <id>.mp4.npy and so on.

    Args:
        folder: Where to look; what begins with a dot, as macOS's copies ``._<name>``, is skipped.

    Returns:
        Paths by id, sorted by id; an id is a file's name less ``.npy`` and a video suffix before
        that; where a name occurs in several folders, it is the path below ``folder``.

    Raises:
        FeatureError: If there are none, or several in one folder of one id.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.npy")):
        below = path.relative_to(folder)
        if any(part.startswith(".") for part in below.parts):
            continue
        place = video_stem(below.as_posix().removesuffix(".npy"))
        if place in found:
            message = (
                f"{found[place]} and {path} are both of {place}: nothing tells which is "
                "meant; remove one"
            )
            raise FeatureError(message)
        found[place] = path
    if not found:
        message = f"there are no .npy files in {folder}: it should hold <id>.npy, one per video"
        raise FeatureError(message)
    return dict(sorted(zip(distinct_ids(list(found)), found.values(), strict=True)))


def kind_of(path: Path) -> tuple[int, str]:
    """Look up what a .npy file of features holds.

    Args:
        path: The file.

    Returns:
        The width of its vectors, and their dtype.

    Raises:
        FeatureError: If it cannot be read, or is not a table of vectors in float16 or float32.
    """
    vectors = _mapped(path)
    return vectors.shape[1], vectors.dtype.name


def common_kind(paths: Iterable[Path]) -> tuple[int, str]:
    """Look up what most .npy files of features hold, as far as the first hundred tell.

    Args:
        paths: The files, one at least; some may be damaged.

    Returns:
        The width of their vectors, and their dtype; of two that are as frequent, the first.

    Raises:
        FeatureError: If none of them can be read; it says why of the first.
    """
    kinds: Counter[tuple[int, str]] = Counter()
    first: FeatureError | None = None
    for path in islice(paths, _LOOKED_AT):
        try:
            kinds[kind_of(path)] += 1
        except FeatureError as error:
            first = first or error
    if first is not None and not kinds:
        raise first
    return kinds.most_common(1)[0][0]


def import_features(
    files: Mapping[str, Path],
    store: Path,
    spec: FeatureSpec,
    *,
    durations: Mapping[str, float] | None = None,
    tolerance: float = 0.0,
    max_unreadable_fraction: float = 0.01,
    videos_per_shard: int = 256,
    show_progress: bool = True,
) -> dict[str, Unreadable]:
    """Make a store of bare .npy files, each (vectors, dim) of one video.

    What was interrupted resumes where it stopped. Every file is held against what is said of it.
    The store notes the few that differ or cannot be read as unreadable. Where it is more of them,
    or all, something else is wrong: the first is refused, and nothing is written as long as no file
    is what is said of it.

    Args:
        files: Paths by id.
        store: The store's folder.
        spec: What the vectors are.
        durations: How long each video is, in seconds; by default as long as its vectors last,
            which is up to 1 / fps longer than the video.
        tolerance: Seconds by which a video may be longer or shorter than its vectors; how long
            these last is then stored as its duration.
        max_unreadable_fraction: The largest share of the files that may be left out; one may be
            unless it is 0.
        videos_per_shard: How many videos a shard has.
        show_progress: Whether to show a bar.

    Returns:
        What is left out, by id, in the order of the files.

    Raises:
        ArgumentError: If the tolerance is negative, or the share not from 0 to 1.
        FeatureError: If more files than may be are not what the spec says, or have no duration or
            one that does not agree; if the folder holds another store, or a file that is in it
            already is another one now.

    Example:
        >>> import tempfile
        >>> spec = FeatureSpec("S3D", "0" * 64, 4, 1, 1, 1, 30, None, 224, (0, 0, 0), (1, 1, 1),
        ...     l2_norm=False, dtype="float16")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(Path(folder, "a.mp4.npy"), np.full((31, 4), 2, np.float16))
        ...     files = feature_files(Path(folder))
        ...     left_out = import_features(files, Path(folder, "store"), spec, show_progress=False)
        ...     sorted(path.name for path in Path(folder, "store").iterdir())
        ['00000.json', '00000.safetensors', 'features.json']
    """
    if not tolerance >= 0:
        message = f"tolerance={tolerance} is a number of seconds, 0 or more"
        raise ArgumentError(message)
    require_share(max_unreadable_fraction=max_unreadable_fraction)
    ids, paths = list(files), [str(path) for path in files.values()]
    layout = {"durations": "as the vectors" if durations is None else "given"}
    filled = FeatureStore(store, spec, ids, videos_per_shard=videos_per_shard, layout=layout)
    filled.remove_leftovers()
    whole = sorted(set(range(filled.num_shards)) - set(filled.pending()))
    stale = filled.stale(whole, paths)
    filled.require_unreplaced(stale.replaced)
    left_out = _LeftOut(files, max_unreadable_fraction)
    whole = sorted(set(whole) - set(stale.again))
    is_filled = left_out.add_whole(filled, whole)
    pending: Iterable[int] = sorted(set(range(filled.num_shards)) - set(whole))
    if show_progress:
        pending = track(pending, "Importing features")
    waiting: list[_Shard] = []  # of which no video has vectors, until another has
    for number in pending:
        shard = _Shard(number, {}, {}, filled.sources(number, paths))
        for video_id in filled.shard_ids(number):
            try:
                given = _given(files[video_id], video_id, durations)
                shard.videos[video_id] = _stored(files[video_id], spec, given, tolerance)
            except FeatureError as error:
                shard.unreadable[video_id] = left_out.add(video_id, error)
        waiting.append(shard)
        is_filled = is_filled or bool(shard.videos)
        while is_filled and waiting:
            filled.write(*waiting.pop(0))
    if waiting:
        raise left_out.refusal()
    return {
        video_id: left_out.records[video_id] for video_id in ids if video_id in left_out.records
    }


class _Shard(NamedTuple):
    """What a shard is to hold, as :meth:`FeatureStore.write` takes it."""

    number: int
    videos: dict[str, StoredVideo]
    unreadable: dict[str, Unreadable]
    sources: dict[str, str]


class _LeftOut:
    """The files that are left out, and how many may be."""

    def __init__(self, files: Mapping[str, Path], max_fraction: float) -> None:
        self.records: dict[str, Unreadable] = {}
        self._files, self._max_fraction = files, max_fraction
        self._first = ""

    def add(self, video_id: str, error: FeatureError) -> Unreadable:
        """Note a file that cannot be imported; refuse it where that is one too many."""
        path, reason = str(self._files[video_id]), str(error)
        self._first = self._first or reason
        reason = reason.removeprefix(path).lstrip(": ")
        stage = "open" if reason.startswith(_UNREADABLE) else "decode"
        return self._add(Unreadable(video_id, path, stage, reason.removeprefix(_UNREADABLE)))

    def add_whole(self, store: FeatureStore, shards: Iterable[int]) -> bool:
        """Note what shards that are there have left out; say whether they hold any video."""
        is_filled = False
        for shard in shards:
            record = store.record(shard)
            is_filled = is_filled or bool(record.videos)
            for video_id, why in record.unreadable.items():
                path = str(self._files[video_id])
                self._first = self._first or f"{path} cannot be imported: {why['reason']}"
                self._add(Unreadable(video_id, path, why["stage"], why["reason"]))
        return is_filled

    def refusal(self) -> FeatureError:
        """Return the error of the first file, with how many there are like it."""
        bad, total = len(self.records), len(self._files)
        allowed = allowed_count(self._max_fraction, total)
        count = f"{bad} of {total} files so far cannot be imported"
        limit = (
            f", more than the {allowed} that max_unreadable_fraction={self._max_fraction:g} allows"
        )
        return FeatureError(f"{self._first} ({count}{limit if bad > allowed else ''})")

    def _add(self, record: Unreadable) -> Unreadable:
        self.records[record.id] = record
        if len(self.records) > allowed_count(self._max_fraction, len(self._files)):
            raise self.refusal()
        return record


def _given(path: Path, video_id: str, durations: Mapping[str, float] | None) -> float | None:
    """Return how long a video is said to last; None where nothing is said of any."""
    if durations is None:
        return None
    if video_id not in durations:
        message = (
            f"{path}: {video_id} is not among the videos whose durations are given: add it, or "
            "give none, to take every video for as long as its vectors"
        )
        raise FeatureError(message)
    return durations[video_id]


def _stored(path: Path, spec: FeatureSpec, given: float | None, tolerance: float) -> StoredVideo:
    """Read the vectors of a video, which is said to last so long."""
    vectors = _checked(path, spec)
    seconds = _duration(path, len(vectors), spec.fps, given, tolerance)
    return StoredVideo(torch.from_numpy(vectors), seconds)


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
        message = f"{path} {_UNREADABLE}{error}"
        raise FeatureError(message) from error
    if vectors.ndim != 2 or not vectors.size or vectors.dtype.name not in _DTYPES:
        message = (
            f"{path} is {vectors.shape} of {vectors.dtype.name}; features are (vectors, dim) of "
            f"{' or '.join(_DTYPES)}, one vector at least"
        )
        raise FeatureError(message)
    return vectors
