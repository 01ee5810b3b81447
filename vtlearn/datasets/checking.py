"""What a corpus should hold, against what it does hold, and what of that can be used."""

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from vtlearn.batch import Unreadable
from vtlearn.checks import require_positive
from vtlearn.datasets.base import Expectations
from vtlearn.datasets.corpus_report import (
    ChangedFrames,
    CorpusReport,
    DurationMismatch,
    LostSeconds,
)
from vtlearn.datasets.extraction.plan import WHOLE, Part
from vtlearn.datasets.files import find_videos, video_names
from vtlearn.errors import (
    ArgumentError,
    CorpusNotFoundError,
    UnreadableVideoError,
)
from vtlearn.media.captions.caption import MAX_BAD_CUES, Skipped
from vtlearn.media.captions.extent import OutsideCaptions
from vtlearn.media.captions.index import CaptionIndex, open_captions
from vtlearn.media.captions.matching import match_captions
from vtlearn.media.features.reader import FeatureReader
from vtlearn.media.ids import VideoNames
from vtlearn.media.video.probing import hash_all, probe_all, scan_all
from vtlearn.storage.parallel import available_cores
from vtlearn.storage.progress import track

__all__ = ["check_corpus"]

_WORTH_A_PROCESS = 200  # videos; a process takes seconds to start, and a video milliseconds
SCAN_BUDGET = 10  # how much longer a whole video may take than its first frame


def check_corpus(
    expected: Expectations,
    *,
    workers: int | None = None,
    time_budget: float | None = 60.0,
    tolerance: float = 5.0,
    decode: bool = False,
    cache: Path | None = None,
    features: Path | None = None,
    max_bad_cues: float = MAX_BAD_CUES,
    language: str | None = None,
    part: Part = WHOLE,
) -> CorpusReport:
    """Look at everything that a corpus should hold; show how far that has come.

    Args:
        expected: What it should hold, and where.
        workers: Processes that open videos; by default one per core, and this one alone where there
            is little to do.
        time_budget: Seconds that opening a video, and decoding its first frame, may take before it
            counts as unreadable; None lets one that hangs hang for ever.
        tolerance: Seconds by which a video may differ from what it is said to last, and by which
            its captions may outlast it.
        decode: Decode each video to its end, in ten times the time budget at most.
        cache: Where the index of the captions is kept; beside them by default.
        features: A feature store of the videos, to find those that it counts otherwise.
        max_bad_cues: The share of a transcript's captions that may be unreadable.
        language: The language of transcripts, by their names; None for any.
        part: The share of this machine: every N-th video that there should be.

    Returns:
        The report; of a part, about its videos alone.

    Raises:
        CorpusNotFoundError: If there is neither a video nor a caption, or the list is empty.
        ArgumentError: If a number makes no sense.
        TranscriptError: If the captions cannot be read at all.
        FeatureError: If the feature store cannot be read.
    """
    stored = () if features is None else FeatureReader(features).ids_by_stream
    _require_sense(tolerance, workers=workers, time_budget=time_budget)
    found = _find(expected)
    told, ids = _told(expected, found, language, cache=cache, max_bad_cues=max_bad_cues)
    unlisted = part.share(video_id for video_id in found if video_id not in ids)
    ids = dict.fromkeys(part.share(ids))
    present = {video_id: found[video_id] for video_id in ids if video_id in found}
    workers = workers or min(available_cores(), max(1, len(present) // _WORTH_A_PROCESS))
    health = _probe(present, workers, time_budget)
    if decode:
        health = _scan(health, present, workers, time_budget)
    changed = _changed(expected, health, present, workers, time_budget)
    outside = _outside(health, told)
    return CorpusReport(
        corpus=expected.corpus,
        expected=len(ids),
        usable=[i for i in ids if i in health.seconds and told.usable(i)],
        missing=[i for i in ids if i not in found],
        unreadable=[health.unreadable[i] for i in ids if i in health.unreadable],
        duration_mismatch=_mismatches(expected, health, told, tolerance),
        lost=[LostSeconds(i, health.lost[i]) for i in ids if health.lost.get(i)],
        captions_without_video=[i for i in ids if i not in found and told.usable(i)],
        videos_without_captions=[i for i in present if i not in told.keys and i not in told.bad],
        damaged_captions={i: told.bad[i] for i in ids if i in told.bad},
        unlisted=len(unlisted),
        changed_frames=changed,
        unrecorded=_unrecorded(expected, health),
        items=expected.items,
        outside_captions=tuple(sorted(outside)),
        other_clock=tuple(i for i in ids if health.clocks.get(i) and i in stored),
        skipped_captions={i: told.skipped(i) for i in ids if told.skipped(i)},
    )


class _Told(NamedTuple):
    """The captions of each video: their id in the index, and why they cannot be used."""

    captions: CaptionIndex | None
    keys: dict[str, str]
    bad: dict[str, str]

    def usable(self, video_id: str) -> bool:
        """Tell whether a video has captions that can be used."""
        return video_id in self.keys and video_id not in self.bad

    def skipped(self, video_id: str) -> Sequence[Skipped]:
        """Return what is left out of a video's captions."""
        if self.captions is None or not self.usable(video_id):
            return ()
        return self.captions.skipped.get(self.keys[video_id], ())

    def last_end(self, video_id: str) -> float | None:
        """Return when the last caption of a video ends."""
        if self.captions is None or not self.usable(video_id):
            return None
        return self.captions.last_end(self.keys[video_id])

    def outside(self, video_id: str, start: float, end: float) -> OutsideCaptions | None:
        """Count the captions of a video that are outside its frames; None where there are none."""
        last = self.last_end(video_id)
        if self.captions is None or last is None or (start == 0 and last <= end):
            return None
        captions = self.captions[self.keys[video_id]]
        return OutsideCaptions.of(video_id, captions, start, end)


class _Health(NamedTuple):
    """What became of opening videos: when each starts and ends, or why it cannot be read."""

    seconds: dict[str, float]
    unreadable: dict[str, Unreadable]
    lost: dict[str, float]
    starts: dict[str, float]
    clocks: dict[str, float]


def _find(expected: Expectations) -> dict[str, Path]:
    """Return the files that are there, by id."""
    if expected.files is None:
        return find_videos(expected.videos)
    return {one: path for one, path in expected.files.items() if path.exists()}


def _require_sense(tolerance: float, **given: float | None) -> None:
    require_positive(**{name: number for name, number in given.items() if number is not None})
    if not tolerance >= 0:
        message = f"tolerance is {tolerance} s; it must be 0 or more"
        raise ArgumentError(message)


def _told(
    expected: Expectations, found: Mapping[str, Path], language: str | None, **opening: Any
) -> tuple[_Told, dict[str, None]]:
    """Return whose captions are whose, and the ids that should be there, in order."""
    if isinstance(expected.captions, Path):
        index = open_captions(expected.captions, **opening)
        told, unclaimed = _transcripts(expected, index, found, language)
    else:
        keys = {one: one for one in expected.captions}
        told, unclaimed = _Told(None, keys, dict(expected.damaged or {})), []
    if expected.listed is None:
        told.keys.update({key: key for key in unclaimed})
        ids = dict.fromkeys([*told.keys, *found])
    else:
        ids = dict.fromkeys(expected.listed)
    if not ids:
        what = f"{expected.videos}: videos, or {expected.captions}: captions"
        line = f"{what if expected.listed is None else 'ids in the list'}  (there are none)"
        raise CorpusNotFoundError(expected.corpus, [line])
    damaged = {} if told.captions is None else told.captions.damaged
    bad = {video_id: damaged[key] for video_id, key in told.keys.items() if key in damaged}
    return told._replace(bad=bad | told.bad), ids


def _transcripts(
    expected: Expectations, index: CaptionIndex, found: Mapping[str, Path], language: str | None
) -> tuple[_Told, Iterable[str]]:
    """Match transcripts with videos; return also the names of those that no video claims."""
    paths = dict(video_names(expected.videos, found).paths)
    for video_id in expected.listed or ():  # those that are missing have captions too
        paths.setdefault(video_id, video_id)
    match = match_captions(index, VideoNames(paths), language)
    return _Told(index, dict(match.keys), dict(match.collisions)), match.unclaimed


def _probe(present: Mapping[str, Path], workers: int, time_budget: float | None) -> _Health:
    """Open every video."""
    health = _Health({}, {}, {}, {}, {})
    probed = probe_all(present.items(), workers=workers, time_budget=time_budget)
    for video_id, info in track(probed, "Opening videos", total=len(present)):
        if isinstance(info, UnreadableVideoError):
            health.unreadable[video_id] = Unreadable.of(video_id, info)
        else:
            health.seconds[video_id] = info.duration
            health.starts[video_id] = info.first
            health.clocks[video_id] = info.clock
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
    expected: Expectations,
    health: _Health,
    present: Mapping[str, Path],
    workers: int,
    time_budget: float | None,
) -> list[ChangedFrames]:
    """Compare the frames of Kitchen's videos with what was recorded when they were rendered."""
    if expected.rendered is None:
        return []
    recorded, rendered_by = expected.rendered.frames, expected.rendered.av
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


def _unrecorded(expected: Expectations, health: _Health) -> int:
    """Count the readable videos of Kitchen whose frames were not recorded."""
    if expected.rendered is None:
        return 0
    return len(health.seconds.keys() - expected.rendered.frames.keys())


def _outside(health: _Health, told: _Told) -> list[OutsideCaptions]:
    """Find captions outside their videos' frames; a video that has no others cannot be used."""
    found = []
    for video_id, end in health.seconds.items():
        start = health.starts[video_id]
        outside = told.outside(video_id, start, end)
        if outside is None:
            continue
        if failure := outside.failure(start, end):
            told.bad[video_id] = str(failure)
        else:
            found.append(outside)
    return found


def _mismatches(
    expected: Expectations, health: _Health, told: _Told, tolerance: float
) -> list[DurationMismatch]:
    lengths = [
        DurationMismatch(
            video_id,
            seconds,
            None if expected.durations is None else expected.durations.get(video_id),
            told.last_end(video_id),
        )
        for video_id, seconds in health.seconds.items()
    ]
    return sorted(length for length in lengths if length.exceeds(tolerance))
