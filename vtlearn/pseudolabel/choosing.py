"""What the words at the command line mean: a captioner, a scorer, windows."""

import importlib
import json
import re
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from vtlearn.checkpoints import load_learner
from vtlearn.errors import ArgumentError, VTLearnError
from vtlearn.media.captions.index import open_captions
from vtlearn.media.captions.matching import match_captions
from vtlearn.media.ids import VideoNames
from vtlearn.pseudolabel.captioner import FrameCaptioner, require_described
from vtlearn.pseudolabel.checkpoint import CheckpointCaptioner
from vtlearn.pseudolabel.pretrained import open_pretrained
from vtlearn.pseudolabel.scorers import LiftScorer, MatchScorer, References, Scorer, open_clip
from vtlearn.pseudolabel.windows import SpokenWindows, Windows, parse_windows
from vtlearn.suggestions import nearest

__all__ = ["choose_captioner", "choose_scorer", "choose_windows"]

_CLASS_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


def choose_captioner(named: str, device: torch.device) -> FrameCaptioner:
    """Open a captioner.

    Args:
        named: A checkpoint of ours, or the folder of a converted one; a folder or a name on the hub
            of an image captioner of transformers; or the class path of a FrameCaptioner.
        device: Where its model goes.

    Raises:
        VTLearnError: If there is none of these, or it does not write captions of pictures.
    """
    path = Path(named)
    if path.is_file() or path.suffix == ".ckpt" or _is_ours(path):
        return CheckpointCaptioner(load_learner(path, device=device), path.name)
    if not path.is_dir() and _CLASS_PATH.fullmatch(named):
        return _of_class(named)
    return open_pretrained(named, device)


def choose_scorer(
    named: str,
    captioner: FrameCaptioner,
    find_references: Callable[[], References],
    device: torch.device,
) -> Scorer:
    """Open a scorer.

    Args:
        named: ``lift``; ``match:CHECKPOINT`` of an aligner of ours; or ``clip:MODEL``, a folder or
            a name on the hub.
        captioner: What writes the captions; ``lift`` asks it how likely they are.
        find_references: Reads frames of other videos, for ``lift``.
        device: Where its model goes.

    Raises:
        VTLearnError: If it is none of these, or cannot score.
    """
    kind, _, value = named.partition(":")
    if named == "lift":
        return LiftScorer(captioner, find_references())
    if kind == "match" and value:
        return MatchScorer(load_learner(Path(value), device=device), Path(value).name)
    if kind == "clip" and value:
        return open_clip(value, device)
    message = f"scorer: expected lift, match:CHECKPOINT or clip:MODEL, got {named!r}"
    raise ArgumentError(message)


def choose_windows(text: str, names: VideoNames, cache: Path | None = None) -> Windows:
    """Read what is captioned of a video.

    Args:
        text: ``fixed:SECONDS``, ``asr:FOLDER`` or ``scenes:THRESHOLD``.
        names: The videos, which transcripts are matched with.
        cache: Where the table of transcripts is kept; beside them by default.

    Raises:
        VTLearnError: If it is none of these, or nothing tells which video a transcript is of.
    """
    windows = parse_windows(text)
    if isinstance(windows, Windows):
        return windows
    captions = open_captions(windows, cache=cache)
    match = match_captions(captions, names)
    if match.collisions:
        problem = next(iter(match.collisions.values()))
        message = f"{windows} cannot be matched with videos: {problem}"
        raise ArgumentError(message)
    if not match.keys:
        message = f"windows: {windows} has captions of none of the videos"
        raise ArgumentError(message)
    return SpokenWindows(captions, match.keys)


def _is_ours(folder: Path) -> bool:
    """Tell a folder that ``vtlearn convert`` wrote from one of transformers."""
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and str(content.get("format", "")).startswith("vtlearn")


def _of_class(class_path: str) -> FrameCaptioner:
    module, _, name = class_path.rpartition(".")
    try:
        there = vars(importlib.import_module(module))
    except VTLearnError:
        raise
    except ImportError as error:
        message = (
            f"captioner: {class_path} is not a file, and cannot be imported as a class: {error} "
            "(`python -m vtlearn` finds modules of the working directory)"
        )
        raise ArgumentError(message) from error
    except Exception as error:  # whatever its author's code raises
        message = f"captioner: {module} cannot be imported: {_told(error)}"
        raise ArgumentError(message) from error
    kind = there.get(name)
    if kind is None:
        message = f"captioner: {module} has no {name}{nearest(name, there)}"
        raise ArgumentError(message)
    if not (isinstance(kind, type) and issubclass(kind, FrameCaptioner)):
        message = f"captioner: {class_path} is not a FrameCaptioner of vtlearn.pseudolabel"
        raise ArgumentError(message)
    try:
        captioner = kind()
    except VTLearnError:
        raise
    except Exception as error:  # it takes arguments, lacks captions(), or its author's code raises
        message = f"captioner: {class_path} cannot be built without arguments: {_told(error)}"
        raise ArgumentError(message) from error
    require_described(captioner)
    return captioner


def _told(error: Exception) -> str:
    """Say what a class of one's own raised, and where: its author has to find it."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({last.filename}, line {last.lineno})"
