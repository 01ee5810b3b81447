"""Render many videos with every core, going on where an earlier attempt was cut off."""

import json
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from vtlearn.errors import ArgumentError, UnreadableVideoError
from vtlearn.kitchen.manifest import (
    Manifest,
    Rendered,
    read_manifest,
    refuse_other,
    write_manifest,
)
from vtlearn.kitchen.plan import SPLITS, VideoPlan
from vtlearn.kitchen.renderer import render_frames
from vtlearn.kitchen.sprites import font_path
from vtlearn.kitchen.truth import encode_truth
from vtlearn.kitchen.writer import write_video
from vtlearn.media.video.reader import VideoReader
from vtlearn.storage.atomic import remove_leftovers, replace_text
from vtlearn.storage.parallel import available_cores, in_parallel
from vtlearn.storage.progress import track

__all__ = ["render_corpus", "render_video"]

VIDEOS_WORTH_A_PROCESS = 16  # starting a process costs as much as rendering some ten videos


def render_video(plan: VideoPlan, path: Path) -> None:
    """Render one video to a file.

    Args:
        plan: What to render.
        path: The MP4 file; it appears when it is whole.

    Raises:
        MissingPackageError: If the colour font is not installed.
    """
    write_video(path, render_frames(plan), size=plan.size, fps=plan.fps)


def render_corpus(
    root: Path, plans: Sequence[VideoPlan], manifest: Manifest, workers: int | None = None
) -> None:
    """Make a folder hold a corpus: render what is missing, or find it all there.

    Everything is written into ``<root>.partial``, which is renamed at the end: a folder without
    that ending is complete. Several processes, on several machines even, may do this at once: what
    they write is the same, and the first to be done gives the folder its name.

    Args:
        root: The folder.
        plans: All of the corpus' videos.
        manifest: What identifies the corpus.
        workers: How many processes render; by default one for each core, and one alone where there
            is little to do. One means this process itself.

    Raises:
        ArgumentError: If ``root`` holds something else.
        MissingPackageError: If the colour font is not installed.
        VTLearnError: If rendering processes died.
    """
    if _is_finished(root, manifest):
        return
    font_path()  # say now, and once, that the font is missing
    partial = root.parent / f"{root.name}.partial"
    try:
        _open_partial(partial, manifest)
        _write_texts(partial, plans)
        frames = _render_missing(partial / "videos", plans, workers)
        write_manifest(partial, manifest._replace(rendered=Rendered(version("av"), frames)))
        partial.rename(root)
    except (OSError, UnreadableVideoError):
        # Somebody else may have been faster, and renamed the folder under our feet.
        if not _is_finished(root, manifest):
            raise
        left = read_manifest(partial)
        if left is not None and left.identity == manifest.identity:
            shutil.rmtree(partial, ignore_errors=True)
    remove_leftovers(root)


def _is_finished(root: Path, manifest: Manifest) -> bool:
    found = read_manifest(root)
    if found is not None:
        refuse_other(root, found, manifest)
        return True
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        message = f"{root} is there and is not a Kitchen corpus; choose another root, or delete it"
        raise ArgumentError(message)
    return False


def _open_partial(partial: Path, manifest: Manifest) -> None:
    """Keep what an earlier attempt at the same corpus finished, and nothing else."""
    found = read_manifest(partial)
    if found is None and partial.exists() and not _is_fresh(partial):
        message = f"{partial} is in the way and not Kitchen's; move it, or choose another root"
        raise ArgumentError(message)
    if found is not None and found.identity != manifest.identity:
        shutil.rmtree(partial)
        found = None
    partial.mkdir(parents=True, exist_ok=True)
    if found is None:  # first of all: what it says of the rest is never a guess
        write_manifest(partial, manifest)
    for folder in ("videos", "captions", "splits"):
        (partial / folder).mkdir(exist_ok=True)


def _is_fresh(partial: Path) -> bool:
    """Whether it holds nothing yet, but perhaps a manifest that is being written."""
    return partial.is_dir() and all(path.name.startswith(".") for path in partial.iterdir())


def _write_texts(partial: Path, plans: Sequence[VideoPlan]) -> None:
    for plan in plans:
        replace_text(partial / "captions" / f"{plan.id}.json", json.dumps(plan.transcript))
    truth = {plan.id: encode_truth(plan.truth) for plan in plans}
    replace_text(partial / "steps.json", json.dumps(truth))
    for split in SPLITS:
        rows = [f"{plan.id}.mp4" for plan in plans if plan.split == split]
        replace_text(partial / "splits" / f"{split}.csv", "\n".join(["video_path", *rows, ""]))


def _render_missing(
    folder: Path, plans: Sequence[VideoPlan], workers: int | None
) -> dict[str, str]:
    """Render what is not there yet; return the hash of each video's frames, by id."""
    jobs = [(plan, folder / f"{plan.id}.mp4") for plan in plans]
    if workers is None:
        missing = sum(not path.exists() for _, path in jobs)
        workers = min(available_cores(), max(1, missing // VIDEOS_WORTH_A_PROCESS))
    rendered = in_parallel(_render, jobs, workers)
    frames = dict(track(rendered, "Rendering Kitchen", total=len(jobs)))
    return {plan.id: frames[plan.id] for plan in plans}


def _render(job: tuple[VideoPlan, Path]) -> tuple[str, str]:
    plan, path = job
    if not path.exists():
        render_video(plan, path)
    return plan.id, VideoReader().hash_frames(path)
