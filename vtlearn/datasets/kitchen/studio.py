"""Render many videos with every core, going on where an earlier attempt was cut off."""

import json
import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vtlearn.datasets.kitchen.manifest import Manifest, read_manifest, refuse_other, write_manifest
from vtlearn.datasets.kitchen.plan import SPLITS, VideoPlan
from vtlearn.datasets.kitchen.renderer import render_frames
from vtlearn.datasets.kitchen.sprites import font_path
from vtlearn.datasets.kitchen.truth import encode_truth
from vtlearn.datasets.kitchen.writer import remove_leftovers, replace_text, write_video
from vtlearn.errors import ArgumentError, VTLearnError

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
        _render_missing(partial / "videos", plans, workers)
        partial.rename(root)
    except OSError:
        # Somebody else may have been faster, and renamed the folder under our feet.
        if not _is_finished(root, manifest):
            raise
        if read_manifest(partial) == manifest:
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
    if found is not None and found != manifest:
        shutil.rmtree(partial)
    partial.mkdir(parents=True, exist_ok=True)
    write_manifest(partial, manifest)  # first of all: what it says of the rest is never a guess
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


def _render_missing(folder: Path, plans: Sequence[VideoPlan], workers: int | None) -> None:
    jobs = [(plan, folder / f"{plan.id}.mp4") for plan in plans]
    missing = [job for job in jobs if not job[1].exists()]
    if workers is None:
        workers = min(_cores(), max(1, len(missing) // VIDEOS_WORTH_A_PROCESS))
    done = _render_here(missing) if workers == 1 else _render_apart(missing, workers)
    columns = (TextColumn("Rendering Kitchen"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        for _ in progress.track(done, total=len(missing)):
            pass


def _render_here(jobs: Sequence[tuple[VideoPlan, Path]]) -> Iterator[None]:
    for plan, path in jobs:
        render_video(plan, path)
        yield


def _render_apart(jobs: Sequence[tuple[VideoPlan, Path]], workers: int) -> Iterator[None]:
    # Spawned, since a fork of a process with threads (every one that imported torch) may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_leave_with_parent) as pool:
        futures = [pool.submit(render_video, plan, path) for plan, path in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            message = (
                "The processes that render Kitchen died. A script must call prepare() under "
                "`if __name__ == '__main__':`; or pass workers=1 to render in this process"
            )
            raise VTLearnError(message) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _leave_with_parent() -> None:
    """See to it that a killed parent leaves no process waiting for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_and_leave, args=(parent.join,), daemon=True).start()


def _wait_and_leave(wait: Callable[[], None]) -> None:
    wait()
    os._exit(1)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # what a scheduler left us of the machine's cores
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
