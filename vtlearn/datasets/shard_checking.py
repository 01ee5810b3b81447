"""What tar shards should hold, against what they do hold, and what of that can be used."""

import hashlib
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from vtlearn.batch import Unreadable
from vtlearn.checks import require_positive, require_share
from vtlearn.datasets.checking import SCAN_BUDGET
from vtlearn.datasets.corpus_report import CorpusReport, LostSeconds
from vtlearn.datasets.extraction.plan import WHOLE, Part
from vtlearn.datasets.shards import told
from vtlearn.errors import NoCaptionsError, ShardError, TranscriptError, UnreadableVideoError
from vtlearn.media.captions.caption import MAX_BAD_CUES, Skipped, Transcript
from vtlearn.media.captions.extent import OutsideCaptions
from vtlearn.media.clips import VideoBytes
from vtlearn.media.video.probing import probe, scan
from vtlearn.media.video.reader import VideoInfo
from vtlearn.media.webdataset.index import INDEX, ShardEntry, id_prefixes, read_entries
from vtlearn.media.webdataset.reader import WANTED, ShardSample, read_shard, require_distinct
from vtlearn.storage.parallel import available_cores, in_parallel
from vtlearn.storage.progress import track

__all__ = ["check_shards"]


def check_shards(
    folder: Path,
    *,
    workers: int | None = None,
    time_budget: float | None = 60.0,
    decode: bool = False,
    max_bad_cues: float = MAX_BAD_CUES,
    part: Part = WHOLE,
) -> CorpusReport:
    """Read shards from end to end, and open every video or picture in them; show how far that is.

    Args:
        folder: Where the shards are. What there should be says their index, where there is one:
            sizes, sha256 and keys.
        workers: Processes, of which each reads one shard at a time; by default one per core.
        time_budget: Seconds that opening a video may take before it counts as unreadable; None lets
            one that hangs hang for ever.
        decode: Decode each video to its end, in ten times the time budget at most.
        max_bad_cues: The share of a sample's captions that may be unreadable.
        part: The share of this machine: every N-th shard.

    Returns:
        The report. Ids are those of :class:`~vtlearn.datasets.shards.ShardStream`; one that is in
        no shard that can be read is missing. What a damaged shard without an index should hold is
        unknown, and so is the coverage then.

    Raises:
        ShardError: If there is no shard, or the index is none.
        ArgumentError: If a number makes no sense.
    """
    given = {"workers": workers, "time_budget": time_budget}
    require_positive(**{name: number for name, number in given.items() if number is not None})
    require_share(max_bad_cues=max_bad_cues)
    shards = dict(part.share(_listed(folder).items()))
    work = partial(_check, options=_Options(time_budget, decode, max_bad_cues))
    jobs = ((folder / name, entry) for name, entry in shards.items())
    workers = workers or max(1, min(available_cores(), len(shards)))
    checked = in_parallel(work, jobs, workers)
    found = {each.shard: each for each in track(checked, "Reading shards", total=len(shards))}
    return _report(folder, [found[name] for name in shards], shards)


class _Options(NamedTuple):
    """How samples are looked at."""

    time_budget: float | None
    decode: bool
    max_bad_cues: float


class _Checked(NamedTuple):
    """What was found in a shard."""

    shard: str
    problem: str | None
    keys: list[str]
    ids: list[str]
    unreadable: list[Unreadable]
    damaged: dict[str, str]
    lost: list[LostSeconds]
    outside: list[OutsideCaptions]
    incomplete: dict[str, str]
    silent: list[str]
    skipped: dict[str, list[Skipped]]

    def prefixed(self, prefix: str) -> "_Checked":
        """Tell the ids from those in other shards."""
        return self._replace(
            ids=[prefix + one for one in self.ids],
            unreadable=[video._replace(id=prefix + video.id) for video in self.unreadable],
            damaged={prefix + one: why for one, why in self.damaged.items()},
            lost=[lost._replace(id=prefix + lost.id) for lost in self.lost],
            outside=[one._replace(id=prefix + one.id) for one in self.outside],
            incomplete={prefix + one: why for one, why in self.incomplete.items()},
            silent=[prefix + one for one in self.silent],
            skipped={prefix + one: cues for one, cues in self.skipped.items()},
        )


def _listed(folder: Path) -> dict[str, ShardEntry | None]:
    """Return the shards there are or should be, in order, with what the index says of each."""
    index = folder / INDEX
    entries = read_entries(index)[1] if index.is_file() else []
    known = {entry.shard: entry for entry in entries}
    names = sorted({*known, *(path.name for path in folder.glob("[!.]*.tar"))})
    if not names:
        message = f"{folder} holds no .tar file; `vtlearn data pack` writes some"
        raise ShardError(message)
    return {name: known.get(name) for name in names}


def _check(job: tuple[Path, ShardEntry | None], options: _Options) -> _Checked:
    path, entry = job
    checked = _Checked(path.name, None, [], [], [], {}, [], [], {}, [], {})
    try:
        for sample in read_shard(path, WANTED):
            if sample.is_pair:
                _examine(path, sample, checked, options)
            else:
                _note_incomplete(sample, checked.incomplete)
        require_distinct(path, checked.keys)
        problem = None if entry is None else _difference(path, entry, checked.keys)
    except ShardError as error:
        problem = str(error)
    return checked._replace(problem=problem)


def _examine(path: Path, sample: ShardSample, checked: _Checked, options: _Options) -> None:
    """Open the video or picture of a sample, and read its text."""
    video_id = sample.id
    checked.keys.append(sample.key)
    checked.ids.append(video_id)
    found = _opened(path, sample, checked, options)
    if isinstance(found, UnreadableVideoError):
        checked.unreadable.append(Unreadable.of(video_id, found))
    try:
        said = told(path, sample, options.max_bad_cues)
    except NoCaptionsError:
        checked.silent.append(video_id)
        return
    except TranscriptError as damage:
        checked.damaged[video_id] = str(damage)
        return
    if isinstance(said, Transcript) and said.skipped:
        checked.skipped[video_id] = said.skipped
    if not isinstance(said, str) and not isinstance(found, UnreadableVideoError):
        times = found.first, found.duration
        outside = OutsideCaptions.of(video_id, said, *times)
        if outside is None:
            return
        if failure := outside.failure(*times):
            checked.damaged[video_id] = str(failure)
        else:
            checked.outside.append(outside)


def _opened(
    path: Path, sample: ShardSample, checked: _Checked, options: _Options
) -> VideoInfo | UnreadableVideoError:
    """Open the video or picture of a sample, and decode it where that is asked for."""
    source = VideoBytes(f"{path}/{sample.key}.{sample.media}", sample.files[str(sample.media)])
    found = probe(source, options.time_budget)
    if not options.decode or isinstance(found, UnreadableVideoError):
        return found
    budget = options.time_budget and SCAN_BUDGET * options.time_budget
    lost = scan(source, found.duration, budget)
    if isinstance(lost, UnreadableVideoError):
        return lost
    if lost:
        checked.lost.append(LostSeconds(sample.id, lost))
    return found


def _note_incomplete(sample: ShardSample, incomplete: dict[str, str]) -> None:
    """Say what a sample lacks; of one that was met before, that its members are scattered."""
    members = ", ".join(f".{extension}" for extension in sorted((*sample.files, *sample.unread)))
    why = f"has no {sample.lacks} beside {members} (what follows the first dot of a name)"
    if sample.id in incomplete:
        why = "is in several places: the members of a sample have to follow each other"
    incomplete[sample.id] = why


def _difference(path: Path, entry: ShardEntry, keys: Iterable[str]) -> str | None:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if entry.sha256 not in (None, sha256):
        return (
            f"{path} is another file than {INDEX} says: its sha256 is {sha256}; download it again"
        )
    if list(entry.keys) != list(keys):
        return f"{path} holds other samples than {INDEX} says; download it again"
    return None


def _report(
    folder: Path, found: list[_Checked], shards: Mapping[str, ShardEntry | None]
) -> CorpusReport:
    indexed = [() if entry is None else entry.sample_ids() for entry in shards.values()]
    present = chain.from_iterable(dict.fromkeys([*each.ids, *each.incomplete]) for each in found)
    paths = [folder / name for name in shards]
    prefixes = id_prefixes(paths, chain.from_iterable(indexed), present)
    found = [each.prefixed(prefix) for each, prefix in zip(found, prefixes, strict=True)]
    ids = dict.fromkeys(one for each in found for one in each.ids)
    listed = (prefix + one for prefix, own in zip(prefixes, indexed, strict=True) for one in own)
    incomplete = {i: why for each in found for i, why in each.incomplete.items() if i not in ids}
    expected = dict.fromkeys([*listed, *ids, *incomplete])
    damaged_shards = {each.shard: each.problem for each in found if each.problem is not None}
    unreadable = [video for each in found for video in each.unreadable]
    damaged = {one: why for each in found for one, why in each.damaged.items()}
    silent = [one for each in found for one in each.silent]
    skipped = {one: cues for each in found for one, cues in each.skipped.items()}
    bad = damaged.keys() | {video.id for video in unreadable} | set(silent)
    return CorpusReport(
        corpus="Shards",
        expected=len(expected),
        usable=[one for one in ids if one not in bad],
        missing=[one for one in expected if one not in ids and one not in incomplete],
        incomplete=incomplete,
        unreadable=unreadable,
        lost=[lost for each in found for lost in each.lost],
        damaged_captions=damaged,
        videos_without_captions=tuple(silent),
        outside_captions=tuple(sorted(one for each in found for one in each.outside)),
        damaged_shards=damaged_shards,
        uncounted=sum(shards[name] is None for name in damaged_shards),
        skipped_captions={one: cues for one, cues in skipped.items() if one not in damaged},
    )
