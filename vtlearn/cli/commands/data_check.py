"""Compare a corpus with what it should hold: what is missing, unreadable, or does not fit.

Prints the counts, the first ids of each kind, and the share of the expected videos that can be
used. Kitchen's frames are compared with those that were recorded when it was rendered. The exit
code is 0, or 1 where that share is below --min-coverage. On several machines, give each its --part:
--report report.json of the second of four is then report-2-of-4.json.
"""

import argparse
import inspect
import json
import math
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from vtlearn import datasets
from vtlearn.cli.commands.shared_options import add_part, choose_part
from vtlearn.datasets.base import Corpus
from vtlearn.datasets.checking import check_corpus
from vtlearn.datasets.corpus_report import ChangedFrames, CorpusReport, DurationMismatch
from vtlearn.datasets.extraction import Part
from vtlearn.datasets.shard_checking import check_shards
from vtlearn.datasets.video_list import write_video_list
from vtlearn.errors import ArgumentError
from vtlearn.media.captions.caption import MAX_BAD_CUES
from vtlearn.media.captions.extent import OutsideCaptions
from vtlearn.storage.atomic import replace_text

__all__ = ["add_arguments", "run"]

_CORPORA: Mapping[str, type[Corpus]] = {
    kind.__name__: kind
    for kind in map(vars(datasets).get, datasets.__all__)
    if kind is not Corpus and isinstance(kind, type) and "expectations" in vars(kind)
}
_PLACES = ("videos", "captions", "listed", "durations")  # what a corpus may keep elsewhere
_REPORT, _LIST = "--report", "--write-list"
_TOLERANCE = 5.0  # seconds
#: What shards cannot be asked, and what corpora cannot whose captions are not transcripts.
_NOT_OF_SHARDS = ("features", "tolerance", "cache", "language")
_OF_TRANSCRIPTS = ("cache", "language", "max_bad_cues")
_SHOWN = 3  # ids of each kind that are printed
_RECREATE = "their clocks do not start at 0: create the feature store again with vtlearn predict"
_AGAIN = "delete the folder of the corpus to render it again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options.

    Args:
        parser: The command's.
    """
    add = parser.add_argument
    add("root", type=Path, metavar="ROOT", help="the folder of the corpus")
    layouts = (*_CORPORA, "Shards")
    add("--data", choices=layouts, default="HowTo100M", help="its layout (%(default)s)")
    where = "where HowTo100M keeps them apart from ROOT: "
    videos = f"{where}the folder of the videos; of ImageCaptions, that of the pictures (ROOT)"
    add("--videos", type=Path, metavar="DIR", help=videos)
    add("--captions", type=Path, metavar="PATH", help=f"{where}captions, a folder or one file")
    add(
        "--list",
        dest="listed",
        type=Path,
        metavar="FILE",
        help="what there should be: a csv with a column video_path; of WebVid, one of its lists; "
        "of ImageCaptions, the captions (those of the usual names)",
    )
    add("--durations", type=Path, metavar="CSV", help="how long videos should last: id, seconds")
    add("--tolerance", type=float, metavar="S", help=f"seconds they may be off ({_TOLERANCE:g})")
    add("--decode", action="store_true", help="decode every video to its end")
    add("--workers", type=int, metavar="N", help="processes (one per core)")
    add(
        "--time-budget",
        type=float,
        default=60.0,
        metavar="S",
        help="seconds that opening a video may take; decoding it, ten times as long; 0: any (60)",
    )
    add("--cache", type=Path, metavar="DIR", help="for the index of captions (beside them)")
    add("--language", metavar="TAG", help="of transcripts named as <id>.en.vtt: en (any)")
    add("--features", type=Path, metavar="DIR", help="a feature store whose seconds to check")
    add(
        "--max-bad-cues",
        type=float,
        metavar="SHARE",
        help=f"of a transcript's captions, how many may be unreadable ({MAX_BAD_CUES})",
    )
    add_part(parser)
    add("--min-coverage", type=float, default=0.0, metavar="PERCENT", help="exit with 1 below it")
    add("--report", type=Path, metavar="FILE", help="write all ids to this JSON file")
    add(
        "--write-list",
        type=Path,
        metavar="FILE",
        help="write what can be used to this csv, which must not be there: a video_list",
    )


def run(arguments: argparse.Namespace) -> int:
    """Check, print and write.

    Args:
        arguments: The command's options.

    Returns:
        0, or 1 where fewer videos are usable than asked for.

    Raises:
        VTLearnError: If the corpus is not there, or an option makes no sense.
    """
    least = arguments.min_coverage
    if not 0 <= least <= 100 or 0 < least < 1:  # the latter is a share, as other options are
        meant = f"; did you mean {100 * least:g}?" if 0 < least < 1 else ""
        message = f"--min-coverage is {least:g}, and is in per cent, 0 to 100{meant}"
        raise ArgumentError(message)
    part = choose_part(arguments)
    given, listed = (_own_file(part, path) for path in (arguments.report, arguments.write_list))
    if given is not None:
        _make_room(given)  # before the hours that a large corpus takes
    if listed is not None:
        _require_absent(listed)
        _make_room(listed, _LIST)
    report = _check(arguments, part)
    sys.stdout.write(_table(report))
    if given is not None:
        with _writing(given):
            replace_text(given, json.dumps(report.as_json(), indent=1) + "\n")
    if listed is not None:
        with _writing(listed, _LIST):
            write_video_list(listed, report.usable)
    if (report.coverage or 0) >= arguments.min_coverage:  # an unknown share suffices for nothing
        return 0
    sys.stderr.write(f"vtlearn: coverage is below --min-coverage {arguments.min_coverage:g}\n")
    return 1


def _own_file(part: Part, path: Path | None) -> Path | None:
    if path is None:
        return None
    with _writing(path):
        return path if path.is_dir() else part.own_file(path)


def _require_absent(path: Path) -> None:
    """Refuse to write a list over a file, which may be a list of the user's own."""
    if path.is_file():
        message = f"{_LIST} {path} is there already; remove it, or give another name"
        raise ArgumentError(message)


def _make_room(path: Path, option: str = _REPORT) -> None:
    with _writing(path, option):
        if path.is_dir():
            name = "report.json" if option == _REPORT else "list.csv"
            message = f"{option} {path} is a folder; give the file's name, {path / name}"
            raise ArgumentError(message)
        if path.exists() and not path.is_file():
            message = f"{option} {path} is not a file that can be replaced; give another name"
            raise ArgumentError(message)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            replace_text(Path(folder, path.name), "")


@contextmanager
def _writing(path: Path, option: str = _REPORT) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"{option} {path} cannot be written: {error.strerror or error}"
        raise ArgumentError(message) from error


def _check(arguments: argparse.Namespace, part: Part) -> CorpusReport:
    given = {name: getattr(arguments, name) for name in _PLACES}
    where = {name: path for name, path in given.items() if path is not None}
    corpus = _CORPORA.get(arguments.data, Corpus)
    taken = inspect.signature(corpus.expectations).parameters
    unknown = [name for name in where if name not in taken]
    if unknown:
        option = unknown[0].removesuffix("ed")
        message = f"--{option}: {arguments.data} says itself what it holds, and where"
        raise ArgumentError(message)
    bad_cues = arguments.max_bad_cues
    options: dict[str, Any] = {
        "workers": arguments.workers,
        "time_budget": arguments.time_budget or None,
        "decode": arguments.decode,
        "max_bad_cues": MAX_BAD_CUES if bad_cues is None else bad_cues,
        "part": part,
    }
    if arguments.data == "Shards":
        _refuse(arguments, _NOT_OF_SHARDS, "has no use for it; check the folder of the videos")
        return check_shards(arguments.root, **options)
    expected = corpus.expectations(arguments.root, **where)
    if not isinstance(expected.captions, Path):
        _refuse(arguments, _OF_TRANSCRIPTS, "has no transcripts, which it is for; leave it out")
    return check_corpus(
        expected,
        tolerance=_TOLERANCE if arguments.tolerance is None else arguments.tolerance,
        cache=arguments.cache,
        features=arguments.features,
        language=arguments.language,
        **options,
    )


def _refuse(arguments: argparse.Namespace, names: Iterable[str], why: str) -> None:
    """Refuse options that a layout cannot take, by name, rather than ignore them."""
    given = [name for name in names if getattr(arguments, name) is not None]
    if given:
        message = f"--{given[0].replace('_', '-')}: {arguments.data} {why}"
        raise ArgumentError(message)


class _Kind(NamedTuple):
    what: str
    number: int
    entries: Iterable[str] = ()
    advice: str = ""


def _table(report: CorpusReport) -> str:
    """Lay out how many there are of each kind, with the first few."""
    lines = [f"{report.corpus}: {_share(report)}"]
    for what, number, entries, advice in _kinds(report):
        if number:
            first = list(islice(entries, _SHOWN))
            more = f" (the first {_SHOWN})" if number > len(first) > 0 else ""
            lines += [
                f"  {what:23} {number:7}{more}",
                *(f"      {_printable(entry)}" for entry in first),
                *([f"      {advice}"] if advice else []),
            ]
    return "\n".join(lines) + "\n"


def _share(report: CorpusReport) -> str:
    """Say how many can be used, of how many, as far as that is known."""
    if report.uncounted:
        total = f"of {report.expected} or more: the total is unknown"
        why = f"{report.uncounted} damaged shards have no index"
        return f"{len(report.usable)} videos can be used, {total}, since {why}"
    if not report.expected:
        return f"0 of 0 {report.items} can be used: there is not a single sample"
    per_cent = math.floor(10 * (report.coverage or 0)) / 10  # 100.0 % are all of them
    return f"{len(report.usable)} of {report.expected} {report.items} can be used, {per_cent} %"


def _printable(entry: str) -> str:
    """Escape what a terminal would obey, or cannot show: ids are names of files."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in entry)


def _kinds(report: CorpusReport) -> Iterator[_Kind]:
    shards = report.damaged_shards
    yield _Kind("damaged shards", len(shards), (f"{i}  {why}" for i, why in shards.items()))
    yield _Kind("missing", len(report.missing), report.missing)
    incomplete = report.incomplete
    yield _Kind("incomplete", len(incomplete), (f"{i}  {why}" for i, why in incomplete.items()))
    bad, off, lost = report.unreadable, report.duration_mismatch, report.lost
    yield _Kind("unreadable", len(bad), (f"{v.id}  {v.stage}: {v.reason}" for v in bad))
    yield _Kind("duration mismatch", len(off), map(_lengths, off))
    yield _Kind("stretches lost", len(lost), (f"{v.id}  {v.seconds:g} s" for v in lost))
    untold, unseen = report.videos_without_captions, report.captions_without_video
    yield _Kind("captions without video", len(unseen), unseen)
    yield _Kind("videos without captions", len(untold), untold)
    damaged = report.damaged_captions
    yield _Kind("damaged captions", len(damaged), (f"{i}  {why}" for i, why in damaged.items()))
    outside = report.outside_captions
    yield _Kind("captions outside", len(outside), map(_outside, outside))
    yield _Kind("of other seconds", len(report.other_clock), report.other_clock, _RECREATE)
    skipped = [(i, each.reason) for i, cues in report.skipped_captions.items() for each in cues]
    yield _Kind("captions left out", len(skipped), (f"{i}  {why}" for i, why in skipped))
    yield _Kind("not listed", report.unlisted)
    changed = report.changed_frames
    yield _Kind("frames changed", len(changed), map(_frames, changed), _AGAIN)
    yield _Kind("frames not recorded", report.unrecorded, advice=_AGAIN)


def _frames(changed: ChangedFrames) -> str:
    return f"{changed.path}  rendered by av {changed.rendered_by}, read by av {changed.read_by}"


def _outside(outside: OutsideCaptions) -> str:
    return f"{outside.id}  {outside.left_out} of {outside.captions} outside its frames, left out"


def _lengths(length: DurationMismatch) -> str:
    words = [f"{length.id}  lasts {length.seconds:.1f} s"]
    if length.declared is not None:
        words.append(f"should last {length.declared:.1f} s")
    if length.captions_end is not None:
        words.append(f"captions end at {length.captions_end:.1f} s")
    return ", ".join(words)
