r"""Take bare .npy features into a store, with the facts that they lack.

FOLDER holds one (vectors, dim) file a video, <id>.npy or <id>.mp4.npy, however deep, in float16 or
float32. What they are cannot be seen in them, so it is said here once, and kept beside them. A few
files that are damaged are left out and named. S3D's features of VideoCLIP, for example, one vector
for each second:

  vtlearn data import feat/ --to store/ --backbone S3D --weights s3d_howto100m.pth --fps 1 \
    --window 1 --num-frames 30 --resize none --crop 224 --mean 0 0 0 --std 1 1 1 --l2-norm yes
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path

from vtlearn.batch import Unreadable
from vtlearn.checks import require_positive
from vtlearn.datasets.lists import read_durations
from vtlearn.errors import ArgumentError
from vtlearn.media.features.importing import common_kind, feature_files, import_features
from vtlearn.media.features.reader import FeatureReader
from vtlearn.media.features.spec import FeatureSpec
from vtlearn.storage.atomic import replace_text

__all__ = ["add_arguments", "run"]

_FACTS = {
    "to": "the folder to write",
    "backbone": "what made the vectors",
    "fps": "vectors per second",
    "window": "seconds that a vector was computed from",
    "num_frames": "frames of these that the backbone saw",
    "resize": "pixels that the shorter side was scaled to, or none",
    "crop": "pixels of the square in the middle",
    "mean": "what was subtracted from red, green and blue between 0 and 1",
    "std": "what they were divided by afterwards",
    "l2_norm": "whether the vectors have length 1, yes or no",
}
"""What has to be said of features that do not say it themselves."""

_REPORT = "unreadable.jsonl"
_SHOWN = 5  # files that are left out


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options.

    Args:
        parser: The command's.
    """
    add = parser.add_argument
    add("source", type=Path, metavar="FOLDER", help="where the .npy files are")
    add("--to", type=Path, metavar="STORE", help=_FACTS["to"])
    add("--backbone", metavar="NAME", help=_FACTS["backbone"])
    add("--weights", type=Path, metavar="FILE", help="its weights, of which the hash is kept")
    add("--weights-sha256", metavar="HEX", help="their hash, where they are not here")
    add("--fps", type=float, help=_FACTS["fps"])
    add("--stride", type=float, metavar="S", help="seconds from a window to the next (1 / fps)")
    add("--window", type=float, metavar="S", help=_FACTS["window"])
    add("--num-frames", type=int, metavar="N", help=_FACTS["num_frames"])
    add("--resize", type=_pixels_or_none, metavar="PIXELS", help=_FACTS["resize"])
    add("--crop", type=int, metavar="PIXELS", help=_FACTS["crop"])
    add("--mean", type=float, nargs=3, metavar=("R", "G", "B"), help=_FACTS["mean"])
    add("--std", type=float, nargs=3, metavar=("R", "G", "B"), help=_FACTS["std"])
    add("--l2-norm", choices=("yes", "no"), help=_FACTS["l2_norm"])
    add("--dim", type=int, metavar="N", help="their width, to be checked (that of most files)")
    add("--dtype", choices=("float16", "float32"), help="likewise")
    add("--durations", type=Path, metavar="CSV", help="how long videos are: id, seconds")
    add("--tolerance", type=float, default=0.0, metavar="S", help="seconds they may be off (0)")
    add(
        "--max-unreadable-fraction",
        type=float,
        default=0.01,
        metavar="SHARE",
        help="of files that may be damaged or otherwise, and are then left out (%(default)s)",
    )
    add("--videos-per-shard", type=int, default=256, metavar="N", help="(256)")


def run(arguments: argparse.Namespace) -> int:
    """Check everything, and write the store.

    Args:
        arguments: The command's options.

    Returns:
        0.

    Raises:
        ArgumentError: If something has not been said; all of it is listed. If the store is to be
            among the files.
        FeatureError: If the files are not what is said of them.
    """
    _require_facts(arguments)
    if not arguments.source.is_dir():
        message = f"there is no folder {arguments.source}"
        raise ArgumentError(message)
    _require_apart(arguments.source, arguments.to)
    files = feature_files(arguments.source)
    durations = None if arguments.durations is None else read_durations(arguments.durations)
    left_out = import_features(
        files,
        arguments.to,
        _spec(arguments, files.values()),
        durations=durations,
        tolerance=arguments.tolerance,
        max_unreadable_fraction=arguments.max_unreadable_fraction,
        videos_per_shard=arguments.videos_per_shard,
    )
    reader = FeatureReader(arguments.to)  # what opens it next finds it in order
    spec = reader.spec
    sys.stdout.write(
        f"{arguments.to}: {len(reader.ids)} videos, {spec.fps:g} vectors per second of "
        f"dim={spec.dim} in {spec.dtype}\n"
    )
    _report(left_out, len(files), arguments.to / _REPORT)
    return 0


def _report(left_out: Mapping[str, Unreadable], total: int, path: Path) -> None:
    """Name all files that are left out in a report beside the store, and print the first."""
    if not left_out:
        path.unlink(missing_ok=True)  # of files that have been replaced
        return
    records = left_out.values()
    replace_text(path, "".join(json.dumps(record._asdict()) + "\n" for record in records))
    lines = [f"  {record.describe()}" for record in islice(records, _SHOWN)]
    lines += ["  ..."] if len(left_out) > _SHOWN else []
    count = f"{len(left_out)} of {total} files are left out, which {path} names"
    sys.stderr.write("\n".join([f"{count}:", *lines]) + "\n")


def _require_facts(arguments: argparse.Namespace) -> None:
    missing = {
        f"--{name.replace('_', '-')}": what
        for name, what in _FACTS.items()
        if getattr(arguments, name) is None
    }
    if arguments.weights is None and arguments.weights_sha256 is None:
        missing["--weights or --weights-sha256"] = "whose vectors they are"
    if missing:
        lines = "\n".join(f"  {option}: {what}" for option, what in missing.items())
        message = (
            f"these files do not say what they are, and features are not read without it. Give\n"
            f"{lines}\n"
            "The people who made them know; a wrong value would go unnoticed"
        )
        raise ArgumentError(message)


def _require_apart(source: Path, store: Path) -> None:
    if store.resolve().is_relative_to(source.resolve()):
        message = f"--to {store} is in {source}, where the .npy files are: give a folder beside it"
        raise ArgumentError(message)


def _spec(arguments: argparse.Namespace, paths: Iterable[Path]) -> FeatureSpec:
    dim, dtype = common_kind(paths)
    return FeatureSpec(
        backbone=arguments.backbone,
        weights_sha256=_weights_hash(arguments),
        dim=dim if arguments.dim is None else arguments.dim,
        fps=arguments.fps,
        stride=_stride(arguments),
        window=arguments.window,
        num_frames=arguments.num_frames,
        resize=None if arguments.resize == "none" else arguments.resize,
        crop=arguments.crop,
        mean=tuple(arguments.mean),
        std=tuple(arguments.std),
        l2_norm=arguments.l2_norm == "yes",
        dtype=arguments.dtype or dtype,  # type: ignore[arg-type]
    )


def _stride(arguments: argparse.Namespace) -> float:
    if arguments.stride is not None:
        return float(arguments.stride)
    require_positive(fps=arguments.fps)
    return 1 / float(arguments.fps)


def _weights_hash(arguments: argparse.Namespace) -> str:
    given = arguments.weights_sha256
    if arguments.weights is None:
        return str(given).lower()
    try:
        with arguments.weights.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        message = f"--weights {arguments.weights} cannot be read: {error.strerror}"
        raise ArgumentError(message) from error
    if given is not None and given.lower() != found:
        message = f"{arguments.weights} has the hash {found}, not --weights-sha256 {given}"
        raise ArgumentError(message)
    return found


def _pixels_or_none(text: str) -> int | str:
    """Read a number of pixels; None itself would mean that nothing was said."""
    return text if text == "none" else int(text)
