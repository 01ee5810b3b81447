"""What a corpus should hold, against what it does hold, and what of that can be used."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from vtlearn.batch import Unreadable
from vtlearn.checks import require_positive
from vtlearn.datasets.base import find_videos, require_paths, video_names
from vtlearn.datasets.lists import read_video_list
from vtlearn.errors import ArgumentError, CorpusNotFoundError, UnreadableVideoError
from vtlearn.kitchen import read_truth
from vtlearn.kitchen.manifest import Rendered, read_manifest
from vtlearn.kitchen.plan import SPLITS
from vtlearn.media.captions.index import CaptionIndex, open_captions
from vtlearn.media.captions.matching import match_captions
from vtlearn.media.ids import VideoNames
from vtlearn.media.video.probing import hash_all, probe_all, scan_all
from vtlearn.storage.parallel import available_cores
from vtlearn.storage.progress import track

__all__ = [
    "SCAN_BUDGET",
    "ChangedFrames",
    "CorpusReport",
    "DurationMismatch",
    "Layout",
    "LostSeconds",
    "check_corpus",
    "howto100m_layout",
    "kitchen_layout",
]

_CAPTIONS = ("captions", "raw_caption.json", "caption.json")  # where they are by default
_WORTH_A_PROCESS = 200  # videos; a process takes seconds to start, and a video milliseconds
SCAN_BUDGET = 10  # how much longer a whole video may take than its first frame


class Layout(NamedTuple):
    """Where a corpus lies, and what it says it holds.

    Attributes:
        name: What it is called.
        videos: The folder of its videos.
        captions: Its captions: a folder, or one file.
        listed: The ids it should have; None for all that have a video or captions.
        durations: Seconds that videos are said to last, by id.
        rendered: What Kitchen's frames were when it was rendered; None for any other corpus.
    """

    name: str
    videos: Path
    captions: Path
    listed: Sequence[str] | None = None
    durations: Mapping[str, float] | None = None
    rendered: Rendered | None = None


class DurationMismatch(NamedTuple):
    """How long a video lasts, against what others say of it.

    Attributes:
        id: Its id.
        seconds: How long it lasts.
        declared: How long it is said to last; None where nobody says.
        captions_end: When its last caption ends; None where it has none.
    """

    id: str
    seconds: float
    declared: float | None
    captions_end: float | None

    def exceeds(self, tolerance: float) -> bool:
        """Tell whether any of them is that many seconds off."""
        differs = self.declared is not None and abs(self.declared - self.seconds) > tolerance
        outlasted = self.captions_end is not None and self.captions_end - self.seconds > tolerance
        return differs or outlasted


class LostSeconds(NamedTuple):
    """A video with stretches that cannot be decoded.

    Attributes:
        id: Its id.
        seconds: How many of its seconds have no frame.
    """

    id: str
    seconds: float


class ChangedFrames(NamedTuple):
    """A video of Kitchen whose frames are not those that were recorded when it was rendered.

    Attributes:
        id: Its id.
        path: Its file.
        rendered_by: The release of PyAV that ended the rendering.
        read_by: The release that reads it now.
    """

    id: str
    path: str
    rendered_by: str
    read_by: str


class CorpusReport(NamedTuple):
    """What of a corpus is there and good. Ids are in the order in which they are listed.

    Attributes:
        corpus: Its name.
        expected: How many videos it should have.
        usable: Ids with a readable video and captions.
        missing: Ids without a file.
        unreadable: Files that cannot be read.
        damaged_captions: Why captions cannot be used, by id; that nothing tells whose they are,
            too.
        lost: Videos with stretches that cannot be decoded; found by decoding all. They count as
            usable.
        duration_mismatch: Videos that do not last as long as they are said to, or as their captions
            go on; sorted by id. They count as usable.
        captions_without_video: Ids with captions and no file.
        videos_without_captions: Ids with a file and no captions.
        unlisted: How many videos are there that are not expected.
        damaged_shards: Why shards cannot be used from end to end, by name.
        uncounted: How many of these have no index, so that nobody knows how many samples they
            should hold; ``expected`` lacks those that cannot be read.
        changed_frames: Videos of Kitchen whose frames are not the recorded ones. They count as
            usable.
        unrecorded: How many of Kitchen's videos have no record to compare their frames with.
    """

    corpus: str
    expected: int
    usable: list[str]
    missing: list[str]
    unreadable: list[Unreadable]
    damaged_captions: dict[str, str]
    lost: list[LostSeconds]
    duration_mismatch: Sequence[DurationMismatch] = ()
    captions_without_video: Sequence[str] = ()
    videos_without_captions: Sequence[str] = ()
    unlisted: int = 0
    damaged_shards: Mapping[str, str] = MappingProxyType({})
    uncounted: int = 0
    changed_frames: Sequence[ChangedFrames] = ()
    unrecorded: int = 0

    @property
    def coverage(self) -> float | None:
        """The share of the expected videos that are usable, in per cent; 0 where none is.

        None where that is unknown, since a damaged shard has no index.
        """
        if not self.usable:
            return 0.0
        return None if self.uncounted else 100 * len(self.usable) / self.expected

    def as_json(self) -> dict[str, Any]:
        """Return what a report in JSON holds: plain lists and dictionaries."""
        plain = self._asdict()
        for name in ("unreadable", "duration_mismatch", "lost", "changed_frames"):
            plain[name] = [entry._asdict() for entry in plain[name]]
        for name in ("captions_without_video", "videos_without_captions"):
            plain[name] = list(plain[name])
        return {**plain, "damaged_shards": dict(self.damaged_shards), "coverage": self.coverage}


def howto100m_layout(
    root: Path,
    *,
    videos: Path | None = None,
    captions: Path | None = None,
    listed: Sequence[str] | None = None,
    durations: Mapping[str, float] | None = None,
) -> Layout:
    """Describe HowTo100M, or a folder laid out like it.

    Args:
        root: Its folder.
        videos: Folder of the videos; ``root/videos`` or else ``root`` by default.
        captions: Folder or file of the captions; by default the first there is of
            ``root/captions``, ``root/raw_caption.json`` and ``root/caption.json``.
        listed: The ids it should have; None for all that have a video or captions.
        durations: Seconds that videos are said to last, by id.

    Returns:
        The layout.

    Raises:
        CorpusNotFoundError: If the folder, or captions, are not there.
    """
    if videos is None:
        videos = root / "videos" if (root / "videos").is_dir() else root
    if captions is None:
        places = [root / name for name in _CAPTIONS]
        captions = next((place for place in places if place.exists()), places[0])
    expected = {
        videos: "videos, <id>.mp4 or <id>.webm, nested as you like",
        captions: f"captions, or {' or '.join(_CAPTIONS[1:])} of all; or say where they are",
    }
    require_paths("HowTo100M", expected, "https://www.di.ens.fr/willow/research/howto100m/")
    return Layout("HowTo100M", videos, captions, listed, durations)


def kitchen_layout(root: Path) -> Layout:
    """Describe Kitchen: its splits say which videos there are, its ground truth how long they last.

    Its manifest records what the frames were when they were rendered.

    Args:
        root: Its folder.

    Returns:
        The layout.

    Raises:
        CorpusNotFoundError: If it is not there.
        ArgumentError: If its manifest is not one that Kitchen wrote.
    """
    durations = {video_id: truth.duration for video_id, truth in read_truth(root).items()}
    splits = {root / "splits" / f"{split}.csv": "the videos of a split" for split in SPLITS}
    expected = {root / "videos": "videos", root / "captions": "captions", **splits}
    require_paths("Kitchen", expected, "nowhere: `vtlearn data kitchen` renders it")
    listed = [video_id for split in splits for video_id in read_video_list(split)]
    manifest = read_manifest(root)
    rendered = (manifest and manifest.rendered) or Rendered("", {})
    return Layout("Kitchen", root / "videos", root / "captions", listed, durations, rendered)


def check_corpus(
    layout: Layout,
    *,
    workers: int | None = None,
    time_budget: float | None = 60.0,
    tolerance: float = 5.0,
    decode: bool = False,
    cache: Path | None = None,
) -> CorpusReport:
    """Look at everything that a corpus should hold; show how far that has come.

    Args:
        layout: Where it is.
        workers: Processes that open videos; by default one a core, and this one alone where there
            is little to do.
        time_budget: Seconds that opening a video, and decoding its first frame, may take before it
            counts as unreadable; None lets one that hangs hang for ever.
        tolerance: Seconds by which a video may differ from what it is said to last, and by which
            its captions may outlast it.
        decode: Decode each video to its end, in ten times the time budget at most.
        cache: Where the index of the captions is kept; beside them by default.

    Returns:
        The report.

    Raises:
        CorpusNotFoundError: If there is neither a video nor a caption, or the list is empty.
        ArgumentError: If a number makes no sense.
        TranscriptError: If the captions are none at all.
    """
    _require_sense(tolerance, workers=workers, time_budget=time_budget)
    captions = open_captions(layout.captions, cache=cache)
    found = find_videos(layout.videos)
    told, ids = _told(layout, captions, found)
    present = {video_id: found[video_id] for video_id in ids if video_id in found}
    workers = workers or min(available_cores(), max(1, len(present) // _WORTH_A_PROCESS))
    health = _probe(present, workers, time_budget)
    if decode:
        health = _scan(health, present, workers, time_budget)
    changed = _changed(layout, health, present, workers, time_budget)
    return CorpusReport(
        corpus=layout.name,
        expected=len(ids),
        usable=[i for i in ids if i in health.seconds and told.usable(i)],
        missing=[i for i in ids if i not in found],
        unreadable=[health.unreadable[i] for i in ids if i in health.unreadable],
        duration_mismatch=_mismatches(layout, health, told, tolerance),
        lost=[LostSeconds(i, health.lost[i]) for i in ids if health.lost.get(i)],
        captions_without_video=[i for i in ids if i not in found and told.usable(i)],
        videos_without_captions=[i for i in present if i not in told.keys and i not in told.bad],
        damaged_captions={i: told.bad[i] for i in ids if i in told.bad},
        unlisted=len(found) - len(present),
        changed_frames=changed,
        unrecorded=_unrecorded(layout, health),
    )


class _Told(NamedTuple):
    """The captions of each video: their id in the index, and why they cannot be used."""

    captions: CaptionIndex
    keys: dict[str, str]
    bad: dict[str, str]

    def usable(self, video_id: str) -> bool:
        """Tell whether a video has captions that can be used."""
        return video_id in self.keys and video_id not in self.bad

    def last_end(self, video_id: str) -> float | None:
        """Return when the last caption of a video ends."""
        return self.captions.last_end(self.keys[video_id]) if self.usable(video_id) else None


class _Health(NamedTuple):
    """What became of opening videos: how long each lasts, or why it cannot be read."""

    seconds: dict[str, float]
    unreadable: dict[str, Unreadable]
    lost: dict[str, float]


def _require_sense(tolerance: float, **given: float | None) -> None:
    require_positive(**{name: number for name, number in given.items() if number is not None})
    if not tolerance >= 0:
        message = f"tolerance is {tolerance} s; it must be 0 or more"
        raise ArgumentError(message)


def _told(
    layout: Layout, captions: CaptionIndex, found: Mapping[str, Path]
) -> tuple[_Told, dict[str, None]]:
    """Return whose captions are whose, and the ids that should be there, in order."""
    paths = dict(video_names(layout.videos, found).paths)
    for video_id in layout.listed or ():  # those that are missing have captions too
        paths.setdefault(video_id, video_id)
    match = match_captions(captions, VideoNames(paths))
    keys = dict(match.keys)
    if layout.listed is None:
        keys.update({key: key for key in match.unclaimed})
        ids = dict.fromkeys([*keys, *found])
    else:
        ids = dict.fromkeys(layout.listed)
    if not ids:
        what = f"{layout.videos}: videos, or {layout.captions}: captions"
        line = f"{what if layout.listed is None else 'ids in the list'}  (there are none)"
        raise CorpusNotFoundError(layout.name, [line], "the place you have it from")
    damaged = captions.damaged
    bad = {video_id: damaged[key] for video_id, key in keys.items() if key in damaged}
    return _Told(captions, keys, bad | match.collisions), ids


def _probe(present: Mapping[str, Path], workers: int, time_budget: float | None) -> _Health:
    """Open every video."""
    health = _Health({}, {}, {})
    probed = probe_all(present.items(), workers=workers, time_budget=time_budget)
    for video_id, info in track(probed, "Opening videos", total=len(present)):
        if isinstance(info, UnreadableVideoError):
            health.unreadable[video_id] = Unreadable.of(video_id, info)
        else:
            health.seconds[video_id] = info.duration
    return health


def _scan(
    health: _Health, present: Mapping[str, Path], workers: int, time_budget: float | None
) -> _Health:
    """Decode every video that could be opened."""
    budget = None if time_budget is None else SCAN_BUDGET * time_budget
    films = [(video_id, present[video_id], length) for video_id, length in health.seconds.items()]
    scanned = scan_all(films, workers=workers, time_budget=budget)
    for video_id, lost in track(scanned, "Decoding videos", total=len(films)):
        if isinstance(lost, UnreadableVideoError):
            health.unreadable[video_id] = Unreadable.of(video_id, lost)
            del health.seconds[video_id]
        else:
            health.lost[video_id] = lost
    return health


def _changed(
    layout: Layout,
    health: _Health,
    present: Mapping[str, Path],
    workers: int,
    time_budget: float | None,
) -> list[ChangedFrames]:
    """Compare the frames of Kitchen's videos with what was recorded when they were rendered."""
    if layout.rendered is None:
        return []
    recorded, rendered_by = layout.rendered.frames, layout.rendered.av
    budget = None if time_budget is None else SCAN_BUDGET * time_budget
    films = [(video_id, present[video_id]) for video_id in health.seconds if video_id in recorded]
    hashed = hash_all(films, workers=workers, time_budget=budget)
    changed = []
    for video_id, found in track(hashed, "Comparing frames", total=len(films)):
        path = str(present[video_id])
        if isinstance(found, UnreadableVideoError):
            health.unreadable[video_id] = Unreadable.of(video_id, found)
            del health.seconds[video_id]
        elif found != recorded[video_id]:
            changed.append(ChangedFrames(video_id, path, rendered_by, version("av")))
    return sorted(changed)


def _unrecorded(layout: Layout, health: _Health) -> int:
    """Count the readable videos of Kitchen whose frames were not recorded."""
    if layout.rendered is None:
        return 0
    return len(health.seconds.keys() - layout.rendered.frames.keys())


def _mismatches(
    layout: Layout, health: _Health, told: _Told, tolerance: float
) -> list[DurationMismatch]:
    lengths = [
        DurationMismatch(
            video_id,
            seconds,
            None if layout.durations is None else layout.durations.get(video_id),
            told.last_end(video_id),
        )
        for video_id, seconds in health.seconds.items()
    ]
    return sorted(length for length in lengths if length.exceeds(tolerance))
