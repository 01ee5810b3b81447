"""HowTo100M, and every folder laid out like it: narrated videos with captions of speech."""

import logging
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vtlearn.checks import allowed_count, require_share
from vtlearn.datasets.base import Expectations, VideoCorpus
from vtlearn.datasets.files import find_videos, require_paths, video_names
from vtlearn.datasets.holdout import held_out_ids
from vtlearn.datasets.listing import CACHE, list_videos
from vtlearn.datasets.lists import read_durations
from vtlearn.datasets.reading import Reading
from vtlearn.datasets.video_list import read_video_list
from vtlearn.errors import ArgumentError, CorpusNotFoundError, FeatureError, TranscriptError
from vtlearn.media.captions.caption import Caption
from vtlearn.media.captions.index import CaptionIndex, open_captions
from vtlearn.media.captions.matching import CaptionMatch, match_captions
from vtlearn.media.features.fingerprints import fingerprint
from vtlearn.media.features.reader import FeatureReader
from vtlearn.media.ids import VideoNames, outgrown_ids
from vtlearn.storage.strings import Strings

__all__ = ["HowTo100M"]

_LOG = logging.getLogger(__name__)
_NAME = "HowTo100M"
_SOURCE = "https://www.di.ens.fr/willow/research/howto100m/"
_CAPTIONS = ("captions", "raw_caption.json", "caption.json")  # where they are by default
_AGAIN = (
    "create the store again, in an empty folder, with `vtlearn predict` or `vtlearn data import`"
)

_reported: set[tuple[Path, str]] = set()  # what has been said of which file

_Sources = Mapping[str, str]


class HowTo100M(VideoCorpus):
    """Runs of consecutive captions with one clip each.

    Layout: any folder of videos, however nested, whose names less their suffixes are the ids (of
    videos of one name, their paths below the folder are); captions as one file a video in a folder,
    ``<id>.json`` or ``<id>.en.vtt``, or as one file of all, in any of the layouts that
    :func:`~vtlearn.media.captions.index.open_captions` reads; optionally a csv whose column
    ``video_path`` lists what to use. A million videos are no burden on a loader's workers: ids,
    paths and captions lie in arrays that all of them share.

    Args:
        captions: Folder of per-video captions or of pseudolabels, or one file of all.
        videos: Folder of the videos; not needed where features are read.
        video_list: csv with a column ``video_path``; None for every video with captions.
        max_missing_fraction: The share of the listed videos that may not be there; they are left
            out and counted. One may be missing unless it is 0.
        holdout: The share of the videos that is held out, to validate on: those whose name, less
            its folders, has a SHA-256 below it, at least one. Videos that are added later move no
            other.
        left_out: Names, without folders, of videos that are not trained on, since another corpus
            holds them out; they are counted.
        cache: Where the table of captions, and the list of very many videos, are kept; ``.vtlearn``
            beside the captions by default.
        min_score: Of pseudolabels, which ``vtlearn pseudolabel`` wrote, the lowest score that is
            trained on.
        keep: Of pseudolabels, the share that is trained on, from above 0 to 1: those with the
            highest scores.
        language: The language of transcripts, such as ``en``, by their names, ``<id>.en.vtt``, or
            else by what they say themselves; those of other languages are left out. None for any.
        reading: How the videos are read.

    Attributes:
        ids: The videos that have captions, but for those that are held out or left out.
        held_out: Those that are held out.

    Raises:
        CorpusNotFoundError: If the files are not there, or nothing listed is.
        ArgumentError: If the list names more videos that are not there than may be, captions are to
            be chosen by scores or languages that they do not have, or ``holdout`` leaves no video
            to train on.
        TranscriptError: If captions may be of two videos, or two transcripts of one; both are
            named.
        FeatureError: If an id in the store is of a former version, and two videos had it.
    """

    def __init__(
        self,
        captions: Path,
        *,
        videos: Path | None = None,
        video_list: Path | None = None,
        max_missing_fraction: float = 0.01,
        holdout: float = 0.0,
        left_out: Container[str] = (),
        cache: Path | None = None,
        min_score: float | None = None,
        keep: float | None = None,
        language: str | None = None,
        reading: Reading | None = None,
    ) -> None:
        reading = reading or Reading()
        require_share(max_missing_fraction=max_missing_fraction, holdout=holdout)
        _require(videos, captions, reading.features, video_list)
        index = open_captions(
            captions,
            cache=cache,
            min_score=min_score,
            keep=keep,
            max_bad_cues=reading.max_bad_cues,
        )
        store = None if reading.features is None else FeatureReader(reading.features)
        names, sources = _sources(videos, store, cache or captions.parent / CACHE)
        found = _listed(sources, names, video_list, max_missing_fraction)
        match = match_captions(index, names, language)
        _require_clear(match, found, captions, reading.features)
        if store is not None:
            _require_todays(store, videos, index, match)
        told = {video_id: path for video_id, path in found.items() if video_id in match.keys}
        which = "captions" if language is None else f"captions in {language=!s}"
        if not told:
            where = reading.features or videos
            lines = [f"{where}: videos of which {captions} has {which}  (there are none)"]
            raise CorpusNotFoundError(_NAME, lines, _SOURCE)
        if len(told) < len(found):
            silent = f"{len(found) - len(told)} of {len(found)} videos have no {which}"
            _report(captions, silent)
        held_out = held_out_ids(told, holdout)
        trained = [video_id for video_id in told if video_id not in held_out]
        _require_some(trained, len(told), holdout)
        trained = _less(trained, left_out, captions)

        def listed(ids: Sequence[str]) -> tuple[Strings, Strings, _Keyed]:
            keys = Strings.shared(match.keys[video_id] for video_id in ids)
            sources = Strings.shared(told[video_id] for video_id in ids)
            return Strings.shared(ids), sources, _Keyed(index, keys)

        super().__init__(*listed(trained), reading)
        validated = [video_id for video_id in told if video_id in held_out]
        self.held_out = VideoCorpus([], [], [], reading)
        if validated:
            self.held_out = VideoCorpus(*listed(validated), reading)

    @classmethod
    def expectations(
        cls,
        root: Path,
        *,
        videos: Path | None = None,
        captions: Path | None = None,
        listed: Path | None = None,
        durations: Path | None = None,
    ) -> Expectations:
        """Say what there should be below a folder laid out like HowTo100M.

        Args:
            root: The folder.
            videos: Folder of the videos; ``root/videos`` or else ``root`` by default.
            captions: Folder or file of the captions; by default the first there is of
                ``root/captions``, ``root/raw_caption.json`` and ``root/caption.json``.
            listed: csv with a column ``video_path`` of what it should have; None for all that have
                a video or captions.
            durations: csv of ids and the seconds that videos are said to last.

        Raises:
            CorpusNotFoundError: If the folder, or captions, are not there.
            ArgumentError: If a table cannot be read.
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
        require_paths(_NAME, expected, _SOURCE)
        names = None if listed is None else video_names(videos, find_videos(videos))
        return Expectations(
            _NAME,
            videos,
            captions,
            None if listed is None else read_video_list(listed, names),
            None if durations is None else read_durations(durations),
        )


def _require_some(trained: Sequence[str], total: int, holdout: float) -> None:
    """Refuse to hold all videos out."""
    if not trained:
        message = (
            f"{holdout=:g} leaves none of {total} videos to train on: lower it, or set it to 0 to "
            "train without validation"
        )
        raise ArgumentError(message)


def _less(trained: Sequence[str], left_out: Container[str], captions: Path) -> list[str]:
    """Leave out what another corpus holds out, and say so."""
    kept = [video_id for video_id in trained if video_id.rpartition("/")[2] not in left_out]
    if len(kept) < len(trained):
        count = f"{len(trained) - len(kept)} of {len(trained)} videos"
        if not kept:
            message = (
                f"{captions}: another source of the mixture holds all of the {len(trained)} videos "
                "out: lower its holdout, or leave this source out"
            )
            raise ArgumentError(message)
        _report(captions, f"{count} are held out by another source, and are not trained on")
    return kept


@dataclass(frozen=True, slots=True)
class _Keyed:
    """The captions of each video, which the index may know by another name."""

    captions: CaptionIndex
    keys: Sequence[str]

    def __getitem__(self, index: int) -> list[Caption]:
        return self.captions[self.keys[index]]


def _sources(
    videos: Path | None, reader: FeatureReader | None, cache: Path
) -> tuple[VideoNames, _Sources]:
    """Where each video is read from, by id: a path, or in a feature store the id itself."""
    if reader is not None:
        ids = {video_id: video_id for video_id in reader.ids}
        return VideoNames({**ids, **{one: one for one in reader.unreadable}}), ids
    if videos is None:
        return VideoNames({}), {}
    return list_videos(videos, cache)


def _require_clear(
    match: CaptionMatch, wanted: Iterable[str], captions: Path, features: Path | None
) -> None:
    """Refuse captions of which nothing tells whose they are."""
    unclear = [match.collisions[one] for one in wanted if one in match.collisions]
    if not unclear:
        return
    more = f" (and {len(unclear) - 1} videos more)" if len(unclear) > 1 else ""
    remedy = "" if features is None else f". If {features} is of a former version: {_AGAIN}"
    message = f"{captions} cannot be matched with videos: {unclear[0]}{more}{remedy}"
    raise TranscriptError(message)


def _require_todays(
    reader: FeatureReader, videos: Path | None, captions: CaptionIndex, match: CaptionMatch
) -> None:
    """Refuse a store with an id of a former version that two of today's videos had."""
    if any("." in video_id or "/" in video_id for video_id in reader.ids):
        return  # no former version had such ids
    if videos is not None and videos.is_dir():
        shared = _shared_ids(reader, find_videos(videos))
    else:
        untold = set(reader.ids) - match.keys.keys()
        shared = outgrown_ids(untold, (i for i in match.unclaimed if i not in captions.damaged))
    for former, (one, other, *_) in shared.items():
        message = (
            f"{reader.folder} has features of {former!r}, an id of a former version that both "
            f"{one!r} and {other!r} had: {_AGAIN}"
        )
        raise FeatureError(message)


def _shared_ids(reader: FeatureReader, found: Mapping[str, Path]) -> dict[str, list[str]]:
    """Find ids in a store that several videos had, but for those that are of one of today."""
    shared = outgrown_ids(reader.ids, found)
    for former, group in list(shared.items()):
        if former in found:  # an id of today as well: the file that it was made of tells
            others = [fingerprint(found[one]) for one in group if one != former]
            if reader.fingerprint(former) not in others:
                del shared[former]
    return shared


def _require(
    videos: Path | None, captions: Path, features: Path | None, video_list: Path | None
) -> None:
    if videos is None and features is None:
        message = (
            "give videos, the folder of the videos, or features, the folder of a feature store"
        )
        raise ArgumentError(message)
    expected = {
        captions: "captions, one <id>.json or <id>.csv per video (or one caption.json of all)"
    }
    if features is not None:
        expected[features] = "a feature store, as vtlearn predict and vtlearn data import write it"
    elif videos is not None:
        expected[videos] = "videos, <id>.mp4 or <id>.webm, nested as you like"
    if video_list is not None:
        expected[video_list] = "csv whose column video_path lists the videos to use"
    require_paths(_NAME, expected, _SOURCE)


def _listed(
    sources: _Sources, names: VideoNames, video_list: Path | None, max_missing_fraction: float
) -> _Sources:
    """Return where the listed videos are read from; of those that are not there, few may be."""
    if video_list is None:
        return sources
    ids = read_video_list(video_list, names)
    found = {video_id: sources[video_id] for video_id in ids if video_id in sources}
    if len(found) == len(ids):
        return found
    first = next(video_id for video_id in ids if video_id not in found)
    missing = len(ids) - len(found)
    told = f"{missing} of {len(ids)} videos listed in {video_list} are not on disk (first: {first})"
    allowed = allowed_count(max_missing_fraction, len(ids))
    if missing > allowed or not found:
        limit = f", more than the {allowed} that {max_missing_fraction=:g} allows" if found else ""
        message = (
            f"{told}{limit}; remove them from the list (`vtlearn data check --write-list` writes "
            "one of what is there), bring the files, or pass a larger "
            "--data.init_args.max_missing_fraction"
        )
        raise ArgumentError(message)
    _report(video_list, f"{told}, and are left out")
    return found


def _report(source: Path, message: str) -> None:
    """Say something of a file once, however often its corpus is opened."""
    if (source, message) not in _reported:
        _reported.add((source, message))
        _LOG.warning("%s", message)
