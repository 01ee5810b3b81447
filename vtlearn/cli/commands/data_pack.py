"""Write a corpus of videos and captions into WebDataset tar shards, for --data shards.yaml.

A shard holds the videos' bytes as they are, each with its captions, in an order that mixes the
corpus and is the same every time. Dots of an id are escaped in the names of its members, since
WebDataset's keys end at the first one; the id itself is in the sample's .json. Packing that was cut
off resumes with the same options and captions, and gives the same bytes. What is left out is named
in OUT/left_out.csv. On several machines, give each its --part: that of the second of four writes
into OUT/part-2-of-4, and training reads OUT when all parts are finished.
"""

import argparse
import csv
import hashlib
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from vtlearn.batch import Unreadable
from vtlearn.cli.commands.shared_options import add_part, choose_part
from vtlearn.datasets.extraction import Part
from vtlearn.datasets.files import find_videos, video_names
from vtlearn.datasets.unreadable import read_or_record
from vtlearn.datasets.video_list import read_video_list
from vtlearn.errors import ArgumentError, OutsideCaptionsError, TranscriptError
from vtlearn.media.captions.caption import MAX_BAD_CUES
from vtlearn.media.captions.extent import captions_within
from vtlearn.media.captions.index import CaptionIndex, open_captions
from vtlearn.media.captions.matching import CaptionMatch, match_captions
from vtlearn.media.video.reader import VideoReader
from vtlearn.media.video.subprocess_reader import SubprocessVideoReader
from vtlearn.media.video_shards import hash_ids
from vtlearn.media.webdataset.parts import part_folder
from vtlearn.media.webdataset.reader import sample_key
from vtlearn.media.webdataset.writer import Content, ShardWriter, require_unfinished
from vtlearn.storage.atomic import replace_text
from vtlearn.storage.progress import track
from vtlearn.unicode import escape_bytes

__all__ = ["add_arguments", "require_out", "run"]

_LEFT_OUT = "left_out.csv"
_NOTED = ("duration", "width", "height", "fps", "rotation")  # of a video, beside its captions
_UNITS = ("", "k", "m", "g", "t")  # powers of a thousand


_UNOPENED = "that cannot be opened"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options.

    Args:
        parser: The command's.
    """
    add = parser.add_argument
    add("videos", type=Path, metavar="VIDEOS", help="the folder of the videos, nested or not")
    add("captions", type=Path, metavar="CAPTIONS", help="the captions, a folder or one file")
    add("out", type=Path, metavar="OUT", help="the folder for the shards")
    add(
        "--samples-per-shard",
        type=int,
        default=1000,
        metavar="N",
        help="at most; training needs a shard for each worker of each process (%(default)s)",
    )
    add(
        "--max-bytes",
        type=_bytes,
        default="1GB",
        metavar="SIZE",
        help="of a shard at most, such as 500MB (%(default)s)",
    )
    add("--list", type=Path, metavar="CSV", help="what to pack: column video_path (everything)")
    add_part(parser)
    add("--cache", type=Path, metavar="DIR", help="for the index of captions (beside them)")
    add("--language", metavar="TAG", help="of transcripts named as <id>.en.vtt: en (any)")
    add("--min-score", type=float, metavar="S", help="of pseudolabels, the lowest that is packed")
    add("--keep", type=float, metavar="SHARE", help="of pseudolabels, the best, from 0 to 1")
    add(
        "--max-bad-cues",
        type=float,
        default=MAX_BAD_CUES,
        metavar="SHARE",
        help=f"of a transcript's captions, how many may be unreadable ({MAX_BAD_CUES})",
    )
    add(
        "--time-budget",
        type=float,
        default=60.0,
        metavar="S",
        help="seconds that opening a video may take; 0: any (60)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Pack, and say what became of it.

    Args:
        arguments: The command's options.

    Returns:
        0.

    Raises:
        VTLearnError: If the corpus is not there, an option makes no sense, or nothing can be
            packed.
    """
    _require_sense(arguments)
    require_out(arguments)  # before the captions, which may take minutes to open
    part, out = choose_part(arguments), _out(arguments)
    corpus = _open(arguments)
    settings = {
        **_choice(arguments),
        "list_sha256": None if arguments.list is None else hash_ids(sorted(corpus.ids)),
        "captions_sha256": corpus.captions.sha256,
    }
    with ShardWriter(out, **_limits(arguments), settings=settings) as writer:
        ids = part.share(_mixed(corpus.ids))
        packed = frozenset(writer.done)
        left = [video_id for video_id in ids if sample_key(video_id) not in packed]
        report = _Report(out / _LEFT_OUT, {*ids}.difference(left))
        for video_id in track(left, "Packing", len(left)):
            _pack(corpus, video_id, writer, report)
        report.finish(ids)
        if not writer.done:
            tag = arguments.language
            which = "captions" if tag is None else f"captions in --language {tag}"
            message = f"nothing to pack: none of {len(ids)} ids has both a video and {which} that "
            message += f"can be read; {report.path} says why"
            raise ArgumentError(message)
    sys.stdout.write(_closing_line(out, writer, report.rows))
    return 0


def require_out(arguments: argparse.Namespace) -> None:
    """Refuse a folder that shards with these options cannot be written to; make a missing one.

    Args:
        arguments: The command's options; the captions need not be there yet.

    Raises:
        ArgumentError: If OUT holds finished shards, or others', was created with other options, or
            cannot be written to.
    """
    _require_alone(arguments.out, choose_part(arguments))
    require_unfinished(_out(arguments), **_limits(arguments), settings=_choice(arguments))


def _out(arguments: argparse.Namespace) -> Path:
    """Return the folder that this machine writes to."""
    part, out = choose_part(arguments), Path(arguments.out)
    return out if part.total == 1 else out / part_folder(*part)


def _require_alone(out: Path, part: Part) -> None:
    """Refuse to write parts beside a whole, or beside parts of another number."""
    others = {folder.name for folder in out.glob(part_folder("*", "*"))}
    if part.total > 1:
        others -= {part_folder(number + 1, part.total) for number in range(part.total)}
        others |= {path.name for path in out.glob("[!.]*.tar")}
    if others:
        mine = "the whole corpus" if part.total == 1 else f"part {part}"
        message = (
            f"{out} holds {min(others)}, and {mine} would bring the same videos again; choose "
            "another folder, or remove it"
        )
        raise ArgumentError(message)


def _limits(arguments: argparse.Namespace) -> dict[str, int]:
    return {"max_samples": arguments.samples_per_shard, "max_bytes": arguments.max_bytes}


def _choice(arguments: argparse.Namespace) -> dict[str, Any]:
    names = ("min_score", "keep", "max_bad_cues", "language")
    return {name: getattr(arguments, name) for name in names}


class _Corpus(NamedTuple):
    folder: Path
    ids: Collection[str]
    paths: Mapping[str, Path]
    captions: CaptionIndex
    keys: Mapping[str, str]  # of the captions, by the videos' ids
    reader: VideoReader | SubprocessVideoReader


class _LeftOut(NamedTuple):
    id: str
    reason: str
    detail: str = ""


class _Report:
    """The table of what is left out.

    Rows are written as they come: so those about a video that interrupted packing brought into a
    shard are there when packing resumes, which does not look at that video again.

    Args:
        path: The file.
        packed: Ids of videos that are in shards; what an earlier report says of others is dropped.

    Attributes:
        rows: What is left out.
    """

    def __init__(self, path: Path, packed: Collection[str]) -> None:
        self.path = path
        self.rows = _read_report(path, packed)
        if path.is_file():
            self._replace()

    def add(self, row: _LeftOut) -> None:
        """Add a row, before what it is about gets into a shard."""
        row = _LeftOut(*map(escape_bytes, row))
        self.rows.append(row)
        with self._refusing_unwritable():
            if self.path.exists():
                with self.path.open("a", encoding="utf-8", newline="") as file:
                    csv.writer(file, lineterminator="\n").writerow(row)
            else:
                self._replace()

    def finish(self, ids: Iterable[str]) -> None:
        """Put the rows in the order of the videos, as if packing had not been interrupted."""
        places = {video_id: place for place, video_id in enumerate(ids)}
        self.rows.sort(key=lambda row: places[row.id])
        self._replace()

    def _replace(self) -> None:
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerows([_LeftOut._fields, *self.rows])
        with self._refusing_unwritable():
            replace_text(self.path, text.getvalue())

    @contextmanager
    def _refusing_unwritable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            message = f"{self.path} cannot be written: {error.strerror or error}"
            raise ArgumentError(message) from error


def _read_report(path: Path, ids: Container[str]) -> list[_LeftOut]:
    """Read the rows about some videos; one that a killed process left unfinished is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        return []
    rows = csv.reader(io.StringIO(text[: text.rfind("\n") + 1]))
    return [_LeftOut(*row) for row in rows if len(row) == len(_LeftOut._fields) and row[0] in ids]


def _require_sense(arguments: argparse.Namespace) -> None:
    if not arguments.videos.is_dir():
        message = f"{arguments.videos} is not a directory; VIDEOS is where the videos are"
        raise ArgumentError(message)
    if not arguments.captions.exists():
        message = f"{arguments.captions} is not there; CAPTIONS is a folder of captions, or a file"
        raise ArgumentError(message)
    if not arguments.time_budget >= 0:
        message = f"--time-budget is {arguments.time_budget}; it must be 0 or more"
        raise ArgumentError(message)


def _open(arguments: argparse.Namespace) -> _Corpus:
    paths = find_videos(arguments.videos)
    names = video_names(arguments.videos, paths)
    listed = None if arguments.list is None else read_video_list(arguments.list, names)
    captions = open_captions(
        arguments.captions,
        cache=arguments.cache,
        min_score=arguments.min_score,
        keep=arguments.keep,
        max_bad_cues=arguments.max_bad_cues,
    )
    match = match_captions(captions, names, arguments.language)
    ids = {*paths, *match.unclaimed} if listed is None else listed
    _require_clear(arguments.captions, match, ids)
    reader = (
        SubprocessVideoReader(arguments.time_budget) if arguments.time_budget else VideoReader()
    )
    return _Corpus(arguments.videos, ids, paths, captions, match.keys, reader)


def _require_clear(captions: Path, match: CaptionMatch, ids: Collection[str]) -> None:
    """Refuse captions of which nothing tells whose they are, before anything is packed."""
    unclear = sorted(video_id for video_id in ids if video_id in match.collisions)
    if unclear:
        more = f" (and {len(unclear) - 1} videos more)" if len(unclear) > 1 else ""
        problem = match.collisions[unclear[0]]
        message = f"{captions} cannot be matched with videos: {problem}{more}"
        raise TranscriptError(message)


def _mixed(ids: Iterable[str]) -> list[str]:
    """Sort by a hash: neighbours train together, and those of a sorted corpus are alike."""
    hashes = {one: hashlib.sha256(one.encode("utf-8", "surrogatepass")).digest() for one in ids}
    return sorted(hashes, key=hashes.__getitem__)


def _pack(corpus: _Corpus, video_id: str, writer: ShardWriter, report: _Report) -> None:
    """Add a video to the shards, or say why it is left out."""
    path = corpus.paths.get(video_id)
    if path is None:
        report.add(_LeftOut(video_id, "without a video"))
    elif video_id not in corpus.keys:
        report.add(_LeftOut(video_id, "without captions"))
    else:
        try:
            files = read_or_record(video_id, partial(_files, corpus, video_id, path, report))
        except OutsideCaptionsError as error:
            report.add(_LeftOut(video_id, "with all captions outside", str(error)))
            return
        if isinstance(files, Unreadable):
            what = "with captions that cannot be read" if files.stage == "captions" else _UNOPENED
            report.add(_LeftOut(video_id, what, files.describe()))
            return
        try:
            writer.add(sample_key(video_id), files, video_id=video_id)
        except ArgumentError as error:
            report.add(_LeftOut(video_id, "that shards cannot hold", str(error)))


def _files(corpus: _Corpus, video_id: str, path: Path, report: _Report) -> dict[str, Content]:
    said = corpus.captions[corpus.keys[video_id]]
    info = corpus.reader.probe(path)  # opening it shows the worst before it is packed
    captions = captions_within(said, info.first, info.duration)
    if said and not captions:
        raise OutsideCaptionsError(video_id, len(said), info.first, info.duration)
    for one in said:
        if not captions_within([one], info.first, info.duration):
            where = f"{one.start} to {one.end} s"
            report.add(_LeftOut(video_id, "captions outside their videos", where))
    record = {
        "id": video_id,
        "captions": {
            "start": [caption.start for caption in captions],
            "end": [caption.end for caption in captions],
            "text": [caption.text for caption in captions],
        },
        **{name: value for name, value in info._asdict().items() if name in _NOTED},
        "path": escape_bytes(path.relative_to(corpus.folder).as_posix()),
    }
    text = json.dumps(record, sort_keys=True)
    return {"json": text.encode(), path.suffix[1:].lower(): path}


def _closing_line(out: Path, writer: ShardWriter, left_out: list[_LeftOut]) -> str:
    samples = sum(entry.samples for entry in writer.entries)
    size = sum(entry.bytes for entry in writer.entries)
    counts = Counter(each.reason for each in left_out)
    reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(counts.items()))
    missing = f"; left out: {reasons} ({out / _LEFT_OUT})" if left_out else ""
    return f"{len(writer.entries)} shards, {samples} samples, {size:,} bytes in {out}{missing}\n"


def _bytes(text: str) -> int:
    """Read a size such as 500MB or 1.5 GiB."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kmgt]?)(i?)b?", text.lower())
    if match is None:
        message = f"expected a size such as 500MB or 1GB, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    number, unit, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** _UNITS.index(unit))
