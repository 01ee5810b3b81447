"""Write captions for windows of videos by an image captioner, to train on in place of speech.

VIDEOS is a folder, nested or not. Some frames of each window are captioned, each sentence is scored
by all of them, and the best is kept in DIR with its score, as JSON lines in shards of 64 videos.
HowTo100M reads DIR as its captions:

  vtlearn pseudolabel videos -o labels --captioner captioner.ckpt
  vtlearn fit --config configs/captioning.yaml --data HowTo100M --data.captions labels
    --data.videos videos --data.keep 0.5

--pack OUT writes tar shards of the videos with their captions as well, as `vtlearn data pack` does.

A command that was killed resumes. On several machines, give each its --part; under torchrun or
SLURM, each process takes the part of its rank.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from vtlearn.checks import require_positive
from vtlearn.cli.commands import data_pack
from vtlearn.cli.commands.chosen_videos import choose_videos
from vtlearn.cli.commands.device import choose_device
from vtlearn.cli.commands.shared_options import (
    add_device,
    add_max_unreadable_fraction,
    add_part,
    choose_part,
)
from vtlearn.datasets.clips import clip_reader
from vtlearn.datasets.extraction import Part, ShardWalk
from vtlearn.datasets.windows import VideoList
from vtlearn.errors import ArgumentError
from vtlearn.media.captions.pseudolabels import Kept
from vtlearn.media.features.fingerprints import fingerprint
from vtlearn.media.ids import VideoNames
from vtlearn.pseudolabel import (
    Figures,
    Labelling,
    LabelStore,
    LabelWriter,
    References,
    choose_captioner,
    choose_scorer,
    choose_windows,
    find_references,
)

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options.

    Args:
        parser: The command's.
    """
    add = parser.add_argument
    add("videos", type=Path, metavar="VIDEOS", help="the folder of the videos, nested or not")
    add("-o", "--output", type=Path, required=True, metavar="DIR", help="where captions are kept")
    add(
        "--captioner",
        required=True,
        metavar="CKPT|MODEL|CLASS",
        help="a checkpoint of a captioner; a folder or hub name of an image captioner of "
        "transformers; or the class path of a FrameCaptioner",
    )
    add(
        "--windows",
        default="fixed:2",
        metavar="KIND",
        help="fixed:SECONDS, asr:FOLDER of transcripts, or scenes:THRESHOLD from 0 to 1 "
        "(%(default)s)",
    )
    add("--frames", type=int, default=3, metavar="N", help="captioned of a window (%(default)s)")
    add(
        "--scorer",
        default="lift",
        metavar="KIND",
        help="lift over other videos' frames, match:CKPT of an aligner, or clip:MODEL "
        "(%(default)s)",
    )
    add("--list", type=Path, metavar="CSV", help="what to caption: column video_path (everything)")
    add_part(parser)
    add("--batch-size", type=int, default=16, metavar="N", help="windows at once (%(default)s)")
    add("--workers", type=int, default=0, metavar="N", help="processes that read frames (none)")
    add(
        "--pack", type=Path, metavar="OUT", help="tar shards of the videos and captions, at the end"
    )
    add("--min-score", type=float, metavar="S", help="of --pack: the lowest that is packed")
    add("--keep", type=float, metavar="SHARE", help="of --pack: the best, from 0 to 1")
    add_device(parser)
    add("--cache", type=Path, metavar="DIR", help="for the index of transcripts (beside them)")
    add_max_unreadable_fraction(parser)
    add(
        "--time-budget",
        type=float,
        default=60.0,
        metavar="S",
        help="seconds that reading frames of a video may take; 0: any (60)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Caption what is missing, and say what is there.

    Args:
        arguments: The command's options.

    Returns:
        0.

    Raises:
        VTLearnError: If an option makes no sense, or DIR was created with other options.
    """
    part = choose_part(arguments)
    _require_pack(arguments, part)
    require_positive(**{"--frames": arguments.frames, "--batch-size": arguments.batch_size})
    videos, names = _videos(arguments)
    windows = choose_windows(arguments.windows, names, arguments.cache)
    device = choose_device(arguments.device)
    captioner = choose_captioner(arguments.captioner, device)
    references = _References(videos, captioner.size)
    scorer = choose_scorer(arguments.scorer, captioner, references.find, device)
    labelling = Labelling(
        captioner,
        scorer,
        windows,
        frames=arguments.frames,
        windows_per_batch=arguments.batch_size,
        workers=arguments.workers,
    )
    settings = {
        "captioner": captioner.name,
        "scorer": scorer.name,
        "windows": str(windows),
        "frames": arguments.frames,
        "batch_size": arguments.batch_size,
        "references": references.files,
    }
    packing = None if arguments.pack is None else _packing(arguments)
    if packing is not None:
        data_pack.require_out(packing)
    writer = LabelWriter(LabelStore(arguments.output, videos.ids, settings))
    show = arguments.part is not None or part.number == 1  # the ranks of a launcher share a screen
    walk = ShardWalk(writer, videos, part=part, workers=max(1, arguments.workers), show=show)
    figures = labelling.run(walk, writer, videos, show=show)
    _print(walk, writer, figures)
    if packing is None:
        return 0
    if writer.pending():
        message = f"shards of {arguments.output} are missing: nothing is packed before they are"
        raise ArgumentError(message)
    return data_pack.run(packing)


def _require_pack(arguments: argparse.Namespace, part: Part) -> None:
    """Refuse options of packing where nothing is packed, or a part of the corpus."""
    if arguments.pack is None:
        if arguments.min_score is not None or arguments.keep is not None:
            message = (
                "--min-score and --keep are of --pack: every caption is written with its score, "
                "and chosen when it is read"
            )
            raise ArgumentError(message)
        return
    Kept(arguments.min_score, arguments.keep).require_sense()
    if part != Part():
        message = (
            f"--pack writes the shards of a whole corpus, and this is part {part}: when all parts "
            "are there, run the same command without a part"
        )
        raise ArgumentError(message)


def _packing(arguments: argparse.Namespace) -> argparse.Namespace:
    """Return the options of ``vtlearn data pack`` that pack the videos with their captions."""
    parser = argparse.ArgumentParser()
    data_pack.add_arguments(parser)
    places = (str(getattr(arguments, name)) for name in ("videos", "output", "pack"))
    chosen = parser.parse_args(["--", *places])
    for name in ("list", "cache", "time_budget", "min_score", "keep"):
        setattr(chosen, name, getattr(arguments, name))
    return chosen


class _References:
    """Frames of other videos, read when a scorer asks for them.

    Attributes:
        files: What tells the files apart that they were read from, by id.
    """

    def __init__(self, videos: VideoList, size: int) -> None:
        self._videos, self._size = videos, size
        self.files: dict[str, str] = {}

    def find(self) -> References:
        reader = clip_reader(time_budget=self._videos.time_budget)
        found = find_references(self._videos, reader, self._size)
        paths = dict(zip(self._videos.ids, self._videos.paths, strict=True))
        self.files = {one: fingerprint(Path(paths[one])) for one in found.ids}
        return found


def _videos(arguments: argparse.Namespace) -> tuple[VideoList, VideoNames]:
    if not arguments.time_budget >= 0:
        message = f"--time-budget is {arguments.time_budget}; it must be 0 or more"
        raise ArgumentError(message)
    chosen = choose_videos(arguments.videos, arguments.list)
    ids, paths = list(chosen.paths), [str(path) for path in chosen.paths.values()]
    budget = arguments.time_budget or None
    return VideoList(ids, paths, 1.0, arguments.max_unreadable_fraction, budget), chosen.names


def _print(walk: ShardWalk[Any, Any], writer: LabelWriter, figures: Figures) -> None:
    lines = [str(figures), walk.closing_line(), writer.half()]
    sys.stdout.write("".join(f"{line}\n" for line in lines if line is not None))
