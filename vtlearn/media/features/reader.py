"""Read clips of stored features as ``VideoReader`` reads clips of pixels."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vtlearn.checks import require_positive
from vtlearn.errors import ArgumentError, FeatureError, UnreadableVideoError
from vtlearn.media.clips import Clips, FrameAt, Rate, Source, VideoBytes
from vtlearn.media.features.index import FeatureIndex, open_index
from vtlearn.media.features.shard import read_shard_record
from vtlearn.media.features.spec import read_metadata
from vtlearn.media.ids import path_tails, video_stem
from vtlearn.media.video.timeline import frame_times
from vtlearn.storage.strings import Strings
from vtlearn.unicode import escape_name

__all__ = ["FeatureReader"]

_LOG = logging.getLogger(__name__)
_FORMER = (
    "%s does not note that seconds count from the start of a file: in files whose clock starts at "
    "another time than 0, its vectors are of other seconds"
)
_reported: set[Path] = set()  # stores that were spoken of


class FeatureReader:
    """Read clips out of a store of features, a vector where ``VideoReader`` gives a picture.

    Vector k of a video is shown from ``k / fps`` until the next one; its window begins there.
    Nothing is open between calls, and a reader pickles to the path of its store: what it knows of
    the videos is mapped from disk, and shared by all processes of a machine.

    Args:
        folder: The store, as ``vtlearn predict`` or ``vtlearn data import`` made it.

    Raises:
        FeatureError: If nothing says what the features are, the store is unfinished, or what it
            holds is not what it says.

    Example:
        >>> import tempfile, torch
        >>> from vtlearn.media.features.shard import StoredVideo
        >>> from vtlearn.media.features.store import FeatureStore
        >>> from vtlearn.media.features.spec import FeatureSpec
        >>> spec = FeatureSpec("S3D", "0" * 64, 2, 1, 1, 1, 30, None, 224, (0, 0, 0), (1, 1, 1),
        ...     l2_norm=False, dtype="float32")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = FeatureStore(Path(folder), spec, ["a"])
        ...     store.write(0, {"a": StoredVideo(torch.arange(6.0).view(3, 2), 2.5)}, {})
        ...     reader = FeatureReader(folder)
        ...     clips = reader.clips("a.mp4", [1.0], num_frames=3, fps=1.0, size=2)
        >>> clips.frames
        tensor([[[2., 3.],
                 [4., 5.],
                 [4., 5.]]])
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.spec, layout = read_metadata(self.folder)
        if self.spec.clock == "stream" and self.folder not in _reported:
            _reported.add(self.folder)
            _LOG.warning(_FORMER, self.folder)
        self._index: FeatureIndex = open_index(self.folder, self.spec, layout)

    def __reduce__(self) -> tuple[type["FeatureReader"], tuple[Path]]:
        """Pickle the path alone."""
        return type(self), (self.folder,)

    @property
    def ids(self) -> Strings:
        """The videos that have features, shard by shard."""
        return self._index.ids

    @property
    def ids_by_stream(self) -> frozenset[str]:
        """The videos whose seconds count by the clock of their stream, not from the file's start.

        All or none: see :class:`~vtlearn.media.features.spec.FeatureSpec`.
        """
        return frozenset(self.ids if self.spec.clock == "stream" else ())

    @property
    def unreadable(self) -> Mapping[str, Mapping[str, str]]:
        """``stage`` and ``reason`` of the videos that have none, by id."""
        return self._index.unreadable

    def duration(self, source: Source) -> float:
        """Return how long a video is, in seconds.

        Args:
            source: The video's id, or its file.

        Raises:
            UnreadableVideoError: If it has no features.
        """
        return float(self._index.table[self._find(self._video_id(source))]["duration"])

    def extent(self, source: Source) -> tuple[float, float]:
        """Return when a video's first frame is shown and its last one ends, in seconds.

        Args:
            source: The video's id, or its file.

        Raises:
            UnreadableVideoError: If it has no features.
        """
        row = self._index.table[self._find(self._video_id(source))]
        return float(row["first"]), float(row["duration"])

    def fingerprint(self, video_id: str) -> str | None:
        """Return what tells the file that a video's features were made of from others.

        Args:
            video_id: One of ``ids``.

        Returns:
            What :func:`~vtlearn.media.features.fingerprints.fingerprint` gave; None where that is
            not known.

        Raises:
            FeatureError: If the shard is damaged.
            UnreadableVideoError: If the video has no features.
        """
        shard = int(self._index.table[self._find(video_id)]["shard"])
        return read_shard_record(self.folder, shard).sources.get(video_id)

    def clips(
        self,
        source: Source,
        starts: Sequence[float] | NDArray[np.floating[Any]] | Tensor,
        *,
        num_frames: int,
        fps: Rate,
        size: int,
        crop: Literal["center"] | Sequence[Sequence[int]] | Tensor = "center",
        pad: Literal["edge", "black"] = "edge",
        frame_at: FrameAt = "screen",
    ) -> Clips:
        """Return the vectors that are shown at ``starts[i] + k / fps``.

        Args:
            source: The video's id, or its file: the id is the file's name less its video suffix,
                or its path where the store has that, whatever folders come before.
            starts: When each clip starts, in seconds, in any order; clips may overlap.
            num_frames: Vectors of each clip.
            fps: Vectors a second; it has to be the store's.
            size: Width of a vector; it has to be the store's.
            crop: ``"center"``: what was cut off the pictures is gone.
            pad: What is shown past the last vector: the last vector ("edge"), or zeros ("black").
            frame_at: Not used: it is about the pictures that vectors were made of, and ``spec``
                says which they were.

        Returns:
            The clips, (clips, num_frames, dim), float32; a vector that was lost is invalid.

        Raises:
            ArgumentError: If fps, size or crop are not those the features were made with.
            FeatureError: If the shard is damaged.
            UnreadableVideoError: If the video has no features; why is said where it is known.
        """
        del frame_at
        rate = self._checked_rate(fps)
        self._check(size, crop)
        require_positive(num_frames=num_frames)
        video_id = self._video_id(source)
        row = self._index.table[self._find(video_id)]
        times = frame_times(starts, num_frames, rate)
        wanted = np.floor(times * self.spec.fps).astype(np.int64).clip(min=0)
        shown = wanted.clip(max=int(row["vectors"]) - 1)
        vectors = self._vectors(int(row["shard"]), video_id, shown)
        if pad == "black":
            vectors[torch.from_numpy(wanted > shown)] = 0
        valid = ~vectors.isnan().any(2)
        vectors[~valid] = 0
        return Clips(vectors, valid)

    def _vectors(self, shard: int, video_id: str, shown: NDArray[np.int64]) -> Tensor:
        if not shown.size:
            return torch.zeros(*shown.shape, self.spec.dim)
        path = self.folder / f"{shard:05d}.safetensors"
        first, last = int(shown.min()), int(shown.max())
        try:
            with safe_open(path, framework="pt") as file:
                stretch: Tensor = file.get_slice(video_id)[first : last + 1]
                return stretch[torch.from_numpy(shown - first)].float()
        except (OSError, SafetensorError) as error:
            message = f"{path} cannot be read: {error}"
            raise FeatureError(message) from error

    def _video_id(self, source: Source) -> str:
        """Return the id of a file, the longest one that the store has; an id stays what it is."""
        path = Path(source.name if isinstance(source, VideoBytes) else source).as_posix()
        if isinstance(source, str) and self._has(source):
            return source
        tails = list(path_tails(escape_name(video_stem(path))))
        return next((tail for tail in tails if self._has(tail)), tails[-1] if tails else path)

    def _has(self, video_id: str) -> bool:
        return video_id in self.ids or video_id in self._index.unreadable

    def _find(self, video_id: str) -> int:
        try:
            return self.ids.index(video_id)
        except ValueError:
            known = self._index.unreadable.get(video_id)
        if known is None:
            reason = f"{self.folder} has no features of it"
            raise UnreadableVideoError(video_id, reason) from None
        raise UnreadableVideoError(video_id, known["reason"], known["stage"])

    def _checked_rate(self, fps: Rate) -> float:
        """Refuse another rate than the store's, which "native" frames have not."""
        if isinstance(fps, str) or not np.isclose(fps, self.spec.fps, rtol=1e-6):
            message = (
                f"fps={fps}, but the features of {self.folder} are {self.spec.fps} a second: "
                f"sample them at fps={self.spec.fps}"
            )
            raise ArgumentError(message)
        return fps

    def _check(self, size: int, crop: object) -> None:
        if size != self.spec.dim:
            message = (
                f"size={size}, but the features of {self.folder} have dim={self.spec.dim}: set "
                f"size={self.spec.dim}"
            )
            raise ArgumentError(message)
        if not (isinstance(crop, str) and crop == "center"):
            message = (
                f"the features of {self.folder} are of the square in the middle: set crop='center'"
            )
            raise ArgumentError(message)
