"""Render many videos with every core, going on where an earlier attempt was cut off."""

import shutil
from collections.abc import Iterable, Mapping
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
from vtlearn.kitchen.plan import VideoPlan
from vtlearn.kitchen.renderer import render_frames
from vtlearn.kitchen.sprites import font_path
from vtlearn.kitchen.writer import write_picture, write_video
from vtlearn.media.ids import VIDEO_SUFFIXES
from vtlearn.media.video.reader import VideoReader
from vtlearn.storage.atomic import remove_leftovers, replace_text
from vtlearn.storage.parallel import available_cores, in_parallel
from vtlearn.storage.progress import track

__all__ = ["render_corpus", "render_video"]

# Of video; starting a process costs as much as rendering some ten minutes.
SECONDS_WORTH_A_PROCESS = 1000.0


def render_video(plan: VideoPlan, path: Path) -> None:
    """Render one video to a file, or a picture.

    Args:
        plan: What to render.
        path: The MP4 file; it appears when it is whole. Where its name does not end as a video's,
            it is a JPEG of the first frame.

    Raises:
        MissingPackageError: If the colour font is not installed.
    """
    if path.suffix in VIDEO_SUFFIXES:
        write_video(path, render_frames(plan), size=plan.size, fps=plan.fps)
    else:
        write_picture(path, next(render_frames(plan)))


def render_corpus(
    root: Path,
    videos: Mapping[str, VideoPlan],
    texts: Mapping[str, str],
    manifest: Manifest,
    workers: int | None = None,
) -> None:
    """Make a folder hold a corpus: render what is missing, or find it all there.

    Everything is written into ``<root>.partial``, which is renamed at the end: a folder without
    that ending is complete. Several processes, on several machines even, may do this at once: what
    they write is the same, and the first to be done gives the folder its name.

    Args:
        root: The folder.
        videos: What to render, by the file's path below the folder.
        texts: What else to write, by the file's path below the folder.
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
        _make_folders(partial, [*videos, *texts])
        for name, text in texts.items():
            replace_text(partial / name, text)
        frames = _render_missing(partial, videos, workers)
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


def _make_folders(partial: Path, names: Iterable[str]) -> None:
    """Make the folders of some files, but not ``partial``, which may have been renamed by now."""
    folders = {folder for name in names for folder in Path(name).parents if folder.name}
    for folder in sorted(folders):
        (partial / folder).mkdir(exist_ok=True)


def _is_fresh(partial: Path) -> bool:
    """Whether it holds nothing yet, but perhaps a manifest that is being written."""
    return partial.is_dir() and all(path.name.startswith(".") for path in partial.iterdir())


def _render_missing(
    folder: Path, videos: Mapping[str, VideoPlan], workers: int | None
) -> dict[str, str]:
    """Render what is not there yet; return the hash of each video's frames, by id."""
    jobs = [(plan, folder / name) for name, plan in videos.items()]
    if workers is None:
        missing = sum(plan.duration for plan, path in jobs if not path.exists())
        workers = min(available_cores(), max(1, int(missing / SECONDS_WORTH_A_PROCESS)))
    rendered = in_parallel(_render, jobs, workers)
    frames = dict(track(rendered, "Rendering Kitchen", total=len(jobs)))
    return {plan.id: frames[plan.id] for plan in videos.values()}


def _render(job: tuple[VideoPlan, Path]) -> tuple[str, str]:
    plan, path = job
    if not path.exists():
        render_video(plan, path)
    return plan.id, VideoReader().hash_frames(path)
