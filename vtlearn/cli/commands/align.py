"""Move the captions of a video to where what they tell of is shown.

A narrator says what is done before it is done, or long after, and much that is not shown at all.
MODEL compares each caption with windows over the whole VIDEO; a caption goes to the window that it
matches best, near ones first, and one that matches nothing stays where it is, and is marked:

  vtlearn align soup.mp4 --transcript soup.en.vtt --model runs/vttwins/best.ckpt
  vtlearn align soup.mp4 --transcript soup.json --model MODEL -o soup.html -o soup.moved.vtt

-o writes, by the end of its name, a page to look at in a browser (.html), subtitles (.vtt, .srt),
or figures (.json), which corpora read as a transcript, as they do the subtitles. In WebVTT each
cue's name says whether it matched, and with which confidence; SubRip has no place for that.
Transcripts are read in all formats that corpora read; `vtlearn transcribe` writes them.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vtlearn.checks import require_positive
from vtlearn.cli.commands.clock import clock_time
from vtlearn.cli.commands.device import choose_device
from vtlearn.cli.commands.shared_options import add_device, add_model, add_stride
from vtlearn.errors import ArgumentError
from vtlearn.inference import Model, load
from vtlearn.inference.alignment import AlignedCaption, VideoAlignment, align
from vtlearn.inference.retiming import SPREAD
from vtlearn.media.captions import read_transcript
from vtlearn.media.captions.writing import format_srt, format_webvtt
from vtlearn.storage.atomic import replace_text

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options.

    Args:
        parser: The command's.
    """
    add = parser.add_argument
    add("video", type=Path, metavar="VIDEO", help="the video")
    add(
        "--transcript",
        type=Path,
        required=True,
        metavar="FILE",
        help="what is said in it: .vtt, .srt, .json and all else that corpora read",
    )
    add_model(parser)
    add(
        "-o",
        "--output",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="write .html, .vtt, .srt or .json; may be given several times",
    )
    add("--json", action="store_true", help="print JSON in place of the table")
    add(
        "--spread",
        type=float,
        default=SPREAD,
        metavar="S",
        help="how far captions usually are from what they tell of, in seconds; 0: anywhere "
        "(%(default)s)",
    )
    add_stride(parser)
    add_device(parser)
    add(
        "--link-video",
        action="store_true",
        help="a page plays the video from where it is (it holds a copy, if that is small)",
    )
    add("--overwrite", action="store_true", help="replace files of an earlier call")


def run(arguments: argparse.Namespace) -> int:
    """Align, write the files, and print where the captions went.

    Args:
        arguments: The command's options.

    Returns:
        0.

    Raises:
        VTLearnError: If the video, the transcript or the model cannot be read, the model compares
            no clips with texts, or a file must not be written.
    """
    _require_sense(arguments)
    captions = read_transcript(arguments.transcript)
    if captions.skipped:
        reason = captions.skipped[0].reason
        sys.stderr.write(
            f"{len(captions.skipped)} of {len(captions.skipped) + len(captions)} captions of "
            f"{arguments.transcript} cannot be read, and are left out ({reason})\n"
        )
    model = load(arguments.model, device=choose_device(arguments.device))
    spread = arguments.spread or None
    alignment = align(model, arguments.video, captions, stride=arguments.stride, spread=spread)
    figures = _figures(arguments, model, alignment)
    for path in arguments.output:
        replace_text(path, _FORMATS[path.suffix.lower()](path, arguments, alignment, figures))
    sys.stdout.write(_json(figures) if arguments.json else _table(alignment))
    return 0


def _require_sense(arguments: argparse.Namespace) -> None:
    """Refuse options, and files to write, before anything takes time."""
    if not arguments.spread >= 0:
        message = f"--spread is {arguments.spread}; it must be 0 or more"
        raise ArgumentError(message)
    require_positive(**{"--stride": arguments.stride})
    given = {arguments.video: "the video", arguments.transcript: "the transcript"}
    for path, what in given.items():
        if not path.is_file():
            message = f"{path}: there is no such file; {what} must be one"
            raise ArgumentError(message)
    for number, path in enumerate(arguments.output):
        _require_writable(path, arguments.output[:number], given, arguments.overwrite)


def _require_writable(
    path: Path, others: Sequence[Path], given: Mapping[Path, str], overwrite: bool
) -> None:
    if path.suffix.lower() not in _FORMATS:
        message = f"-o {path}: expected a name that ends in {', '.join(_FORMATS)}"
        raise ArgumentError(message)
    if not path.parent.is_dir():
        message = f"-o {path}: {path.parent} is not a directory; make it first"
        raise ArgumentError(message)
    if path.resolve() in [other.resolve() for other in others]:
        message = f"-o {path} is given twice"
        raise ArgumentError(message)
    for source, what in given.items():
        if path.resolve() == source.resolve() or (path.exists() and path.samefile(source)):
            message = f"-o {path} is {what} itself, which stays as it is: give another name"
            raise ArgumentError(message)
    if path.is_dir() or (path.exists() and not overwrite):
        message = f"-o {path} is there already: give another name, or --overwrite to replace it"
        raise ArgumentError(message)


def _figures(
    arguments: argparse.Namespace, model: Model, alignment: VideoAlignment
) -> dict[str, Any]:
    """Lay out what was found, so that readers of transcripts find segments in it."""
    return {
        "video": str(arguments.video),
        "transcript": str(arguments.transcript),
        "model": {"name": arguments.model, "sha256": model.sha256},
        "settings": {"stride": arguments.stride, "spread": arguments.spread},
        "duration": round(alignment.duration, 3),
        "segments": [_segment(caption) for caption in alignment.captions],
    }


def _segment(caption: AlignedCaption) -> dict[str, Any]:
    rounded = {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in caption._asdict().items()
    }
    return {name: rounded[name] for name in ("start", "end", *rounded)}


def _json(figures: dict[str, Any]) -> str:
    return json.dumps(figures, indent=1, ensure_ascii=False) + "\n"


def _webvtt(alignment: VideoAlignment, model: str) -> str:
    captions = sorted(alignment.captions, key=lambda caption: caption.start)
    names = [
        f"{number} {'matched' if caption.matched else 'unmatched'} {caption.confidence:.2f}"
        for number, caption in enumerate(captions, 1)
    ]
    note = (
        f"Captions at new times, by vtlearn align with {Path(model).name}. A cue's name has its "
        "number, whether it matched anything (one that did not is where it was), and the confidence"
    )
    return format_webvtt(alignment.retimed, names=names, note=note)


def _page(path: Path, arguments: argparse.Namespace, alignment: VideoAlignment) -> str:
    from vtlearn.pages import PageCaption, alignment_page  # needed for pages alone

    return alignment_page(
        arguments.video,
        [PageCaption(*caption) for caption in alignment.captions],
        alignment.window_spans,
        alignment.cost,
        alignment.expected,
        alignment.path,
        title=arguments.video.stem,
        embed_video=not arguments.link_video,
        folder=path.parent,
    )


_Writer = Callable[[Path, argparse.Namespace, VideoAlignment, dict[str, Any]], str]
_FORMATS: Mapping[str, _Writer] = MappingProxyType(
    {
        ".html": lambda path, options, found, _: _page(path, options, found),
        ".vtt": lambda _, options, found, __: _webvtt(found, options.model),
        ".srt": lambda _, __, found, ___: format_srt(found.retimed),
        ".json": lambda _, __, ___, figures: _json(figures),
    }
)
"""What writes a file, by the end of its name."""


def _table(alignment: VideoAlignment) -> str:
    lines = [f"{'spoken':>9} {'shown':>9} {'moved':>7} {'sure':>5}  caption"]
    lines += [_row(caption) for caption in alignment.captions]
    moved = [abs(caption.shift) for caption in alignment.captions if caption.matched]
    total = len(alignment.captions)
    last = f"{len(moved)} of {total} captions match what is shown"
    if moved:
        last += f", and were moved by {statistics.median(moved):.1f} s in the median"
    return "".join(f"{line}\n" for line in (*lines, last))


def _row(caption: AlignedCaption) -> str:
    shown, moved = "-", "-"
    if caption.matched:
        shown, moved = clock_time(caption.start), f"{caption.shift:+.1f}"
    spoken, text = clock_time(caption.spoken_start), " ".join(caption.text.split())
    return f"{spoken:>9} {shown:>9} {moved:>7} {caption.confidence:5.2f}  {text}"
