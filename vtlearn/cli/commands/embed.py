"""Write the vectors by which a model compares videos with sentences.

  vtlearn embed videos -o features --model runs/vttwins/version_0/checkpoints/best.ckpt
  vtlearn embed videos more/talk.mp4 -o features --model owner/name --texts sentences.txt

PATHS are files and folders of videos, nested or not. FOLDER gets a store of features, a vector per
second of video: its vectors times those of sentences are the similarities that the model learned.
vtlearn.media.FeatureReader reads it, and a training by --data.init_args.features FOLDER. Sentences,
one per line, go to FOLDER/texts.npz. (vtlearn predict writes the video encoder's own vectors.)

A command that was killed resumes, and leaves the same bytes. On several machines, give each its
--part of one FOLDER; under torchrun or SLURM, each process takes the part of its rank.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vtlearn.checks import require_not_negative, require_positive, require_share
from vtlearn.cli.commands.device import choose_device
from vtlearn.cli.commands.shared_options import (
    add_device,
    add_max_unreadable_fraction,
    add_model,
    add_part,
    add_stride,
    choose_part,
)
from vtlearn.datasets.files import find_videos
from vtlearn.datasets.texts import read_text
from vtlearn.errors import ArgumentError
from vtlearn.inference import load
from vtlearn.inference.embedding import EmbeddingOptions, embed_videos, list_videos, write_texts
from vtlearn.media.features.shard import read_shard_record, shard_records
from vtlearn.media.ids import video_stem
from vtlearn.unicode import escape_name

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options.

    Args:
        parser: The command's.
    """
    add = parser.add_argument
    add("paths", nargs="+", type=Path, metavar="PATHS", help="videos, or folders of videos")
    add("-o", "--output", type=Path, required=True, metavar="FOLDER", help="of the vectors")
    add_model(parser)
    add("--texts", type=Path, metavar="FILE", help="sentences, one per line, to embed as well")
    add_stride(parser)
    add(
        "--dtype",
        choices=("float16", "float32"),
        default="float16",
        help="of the vectors on disk (%(default)s)",
    )
    add(
        "--videos-per-shard",
        type=int,
        default=16,
        metavar="N",
        help="that are written together; what is lost when it is killed is less (%(default)s)",
    )
    add("--workers", type=int, default=0, metavar="N", help="processes that read videos (0)")
    add_part(parser)
    add_device(parser)
    add("--json", action="store_true", help="print JSON in place of sentences")
    add_max_unreadable_fraction(parser)


def run(arguments: argparse.Namespace) -> int:
    """Embed what is missing, and say what is there.

    Args:
        arguments: The command's options.

    Returns:
        0.

    Raises:
        VTLearnError: If an option makes no sense, the model cannot be opened or compares nothing,
            FOLDER was created with other settings, or too many videos cannot be read.
    """
    part = choose_part(arguments)
    require_share(**{"--max-unreadable-fraction": arguments.max_unreadable_fraction})
    require_not_negative(**{"--workers": arguments.workers})
    require_positive(
        **{"--stride": arguments.stride, "--videos-per-shard": arguments.videos_per_shard}
    )
    found = find_given(arguments.paths)
    texts = None if arguments.texts is None else _read_sentences(arguments.texts)
    model = load(arguments.model, device=choose_device(arguments.device))
    videos = list_videos(model, found, arguments.max_unreadable_fraction)
    options = EmbeddingOptions(
        arguments.stride, arguments.dtype, arguments.videos_per_shard, arguments.workers, part
    )
    show = arguments.part is not None or part.number == 1  # ranks of a launcher share a screen
    folder = arguments.output
    kept = None if texts is None else write_texts(model, texts, folder)
    line = embed_videos(model, videos, folder, options, show=show)
    if arguments.json:
        content = _describe(folder, kept, len(found))
        sys.stdout.write(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    elif line is not None:
        sys.stdout.write(f"{line}\n{_how_to_read(folder, kept)}\n")
    return 0


def find_given(paths: Sequence[Path]) -> dict[str, Path]:
    """Find the videos of files and folders.

    Args:
        paths: Files, which are taken as they are, and folders, nested or not.

    Returns:
        Files by id: the name less its suffix, and of names that occur twice in a folder the path
        below it.

    Raises:
        ArgumentError: If one is not there, two videos have one id, or there is none.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if not path.exists():
            message = f"{path}: No such file or directory; give videos, or folders of videos"
            raise ArgumentError(message)
        here = find_videos(path) if path.is_dir() else {escape_name(video_stem(path.name)): path}
        for video_id, video in here.items():
            other = found.setdefault(video_id, video)
            if not other.samefile(video):
                message = (
                    f"{other} and {video} have the same id, {video_id}: give one folder that holds "
                    "both, or rename one"
                )
                raise ArgumentError(message)
    if not found:
        message = f"no video is in {', '.join(map(str, paths))}; give videos, or folders of videos"
        raise ArgumentError(message)
    return dict(sorted(found.items()))


def _read_sentences(path: Path) -> list[str]:
    lines = read_text(path, "sentences, one per line").split("\n")
    texts = [line.strip() for line in lines if line.strip()]
    if not texts:
        message = f"{path} holds no sentences; write one per line"
        raise ArgumentError(message)
    return texts


def _how_to_read(folder: Path, texts: Path | None) -> str:
    others = "model.encode_text([...])" if texts is None else f'numpy.load("{texts}")["vectors"]'
    return (
        f'To read them: vtlearn.media.FeatureReader("{folder}").clips(id, starts, ...).frames, '
        f"whose dot products with {others} are similarities; to train on them: "
        f"--data.init_args.features {folder}"
    )


def _describe(folder: Path, texts: Path | None, videos: int) -> dict[str, Any]:
    """Say what is there, in plain values."""
    records = [read_shard_record(folder, shard) for shard, _ in shard_records(folder)]
    return {
        "features": str(folder),
        "texts": None if texts is None else str(texts),
        "videos": videos,
        "embedded": sum(len(record.videos) for record in records),
        "unreadable": {
            video_id: why["reason"]
            for record in records
            for video_id, why in record.unreadable.items()
        },
    }
