"""CrossTask: instructional videos of 18 tasks, in which it is annotated when each step is done.

The steps of a task have fixed names and an order; in a video they may repeat, be absent, or come
out of it. Which videos are validated on is in a list; which are trained on is drawn.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vtlearn.datasets.base import Expectations
from vtlearn.datasets.captioned import CaptionedClip, SegmentCorpus, require_clips
from vtlearn.datasets.files import first_file, locate_videos, require_paths
from vtlearn.datasets.lists import Row, number_in, read_columns, read_table
from vtlearn.datasets.texts import read_text
from vtlearn.errors import ArgumentError

__all__ = ["CrossTask", "CrossTaskVideo", "draw_training", "read_crosstask"]

_LOG = logging.getLogger(__name__)

_NAME = "CrossTask"
_FOLDERS = ("", "crosstask_release")
_SOURCE = (
    "https://github.com/DmZhukov/CrossTask (crosstask_release.zip); crosstask.csv is in "
    "https://github.com/mlvlab/VT-TWINS/tree/main/data. "
    "`vtlearn data kitchen --layout crosstask` renders a small corpus in this layout"
)
_CARD = ("id", "title", "url", "number of steps", "steps")  # and a blank line


class Task(NamedTuple):
    """A task and its steps.

    Attributes:
        id: Its number, as a string.
        title: What is done, as "Make Jello Shots".
        steps: What each step is called, in order.
    """

    id: str
    title: str
    steps: tuple[str, ...]


class StepSpan(NamedTuple):
    """When a step is done.

    Attributes:
        step: Which one of its task, from 0.
        start: In seconds.
        end: In seconds.
    """

    step: int
    start: float
    end: float


class CrossTaskVideo(NamedTuple):
    """A video of a task.

    Attributes:
        id: The video's id; where it is listed under several tasks, ``<task>_<video>``.
        task: The task's id.
        path: Its file, which may not be there.
        spans: When steps are done, in the order of the annotation; a step may be there several
            times, or not at all.
        video: The video's id, which its file and its stored features have.
        annotated: Whether there is an annotation file.
    """

    id: str
    task: str
    path: Path
    spans: tuple[StepSpan, ...]
    video: str
    annotated: bool = True


@dataclass(frozen=True, slots=True)
class CrossTaskFiles:
    """What the files of the corpus say.

    Attributes:
        tasks: The primary tasks, those with annotations, by id.
        videos: All videos of these, in the order of ``videos.csv``.
        validation: Ids of those that are validated on.
        listed: ``videos.csv``.
    """

    tasks: Mapping[str, Task]
    videos: Sequence[CrossTaskVideo]
    validation: frozenset[str]
    listed: Path


class CrossTask(SegmentCorpus):
    """Runs of the annotated steps of videos; see :func:`read_crosstask` for the files."""

    @classmethod
    def expectations(cls, root: Path) -> Expectations:
        """Say which videos of primary tasks the files list.

        Args:
            root: The corpus's folder.

        Raises:
            CorpusNotFoundError: If an annotation file is not there.
            ArgumentError: If one cannot be read.
        """
        files = read_crosstask(root)
        ids = list({one.video: None for one in files.videos})
        annotated = [one.video for one in files.videos if one.annotated]
        return Expectations(_NAME, root, captions=annotated, listed=ids)


def read_crosstask(root: Path, *, videos: Path | None = None) -> CrossTaskFiles:
    """Read the tasks, the videos and when each step is done.

    Args:
        root: The corpus's folder, that of ``tasks_primary.txt``, ``videos.csv``,
            ``videos_val.csv`` and ``annotations``, or the one above it; videos may be anywhere
            below it.
        videos: The folder of the videos, however deep, in place of ``root``.

    Returns:
        What they say. Files of videos, and of single annotations, may not be there.

    Raises:
        CorpusNotFoundError: If one of the files is not there.
        ArgumentError: If one holds anything else, a video has several files, or ``videos_val.csv``
            names videos that ``videos.csv`` does not have.
    """
    cards, listed, validation, annotations = _files(root)
    expected = {
        cards: "the primary tasks, cards of six lines",
        listed: "all videos: task,video,url",
        validation: "the validation videos, likewise",
        annotations: "<task>_<video>.csv for each video",
    }
    require_paths(_NAME, expected, _SOURCE)
    tasks = _read_tasks(cards)
    every = list(dict.fromkeys(_read_videos(listed)))
    rows = [row for row in every if row[0] in tasks]
    if not rows:
        message = f"{listed} lists no video of the tasks of {cards}; download both again"
        raise ArgumentError(message)
    chosen = _read_videos(validation)
    _require_listed(validation, chosen, listed, set(every))
    paths = locate_videos(videos or root, list({video: None for _, video in rows}))
    listings = Counter(video for _, video in rows)
    found = [
        _read_video(annotations, tasks[task], video, paths[video], alone=listings[video] == 1)
        for task, video in rows
    ]
    without = [video.id for video in found if not video.annotated]
    if len(without) == len(found):
        message = f"{annotations} has no annotation of the {len(found)} videos of {listed}"
        raise ArgumentError(message)
    if without:
        _LOG.warning(
            "%d of %d videos have no annotation in %s and are left out (first: %s)",
            *(len(without), len(found), annotations, without[0]),
        )
    validated = {one.id for one in found if (one.task, one.video) in set(chosen)}
    return CrossTaskFiles(tasks, found, frozenset(validated), listed)


def draw_training(files: CrossTaskFiles, seed: int, per_task: int) -> frozenset[str]:
    """Draw the videos that are trained on, as the published code does.

    The draw is from what ``videos.csv`` lists: a file that is not there changes none.

    Args:
        files: What the files say.
        seed: Of numpy's ``RandomState``; 0 is the published split.
        per_task: How many videos of each task that has more outside validation.

    Returns:
        Their ids.

    Raises:
        ArgumentError: If the seed is negative, or ``per_task`` is not positive.

    Source:
        D. Zhukov et al., Cross-task weakly supervised learning from instructional videos, 2019: 30
        videos of each task. The code of VideoCLIP and TempCLR draws with seed 0, after dropping
        videos without files; this draws before.
    """
    if seed < 0 or per_task < 1:
        message = f"split_seed={seed} must be 0 or more, and train_per_task={per_task} 1 or more"
        raise ArgumentError(message)
    rng = np.random.RandomState(seed)
    by_task: dict[str, list[str]] = {}
    for video in files.videos:
        rest = by_task.setdefault(video.task, [])
        if video.id not in files.validation:
            rest.append(video.id)
    chosen: set[str] = set()
    for rest in by_task.values():
        if len(rest) > per_task:
            chosen.update(rng.choice(rest, per_task, replace=False).tolist())
    return frozenset(chosen)


def step_clips(files: CrossTaskFiles, videos: Sequence[CrossTaskVideo]) -> list[CaptionedClip]:
    """List the annotated steps of some videos as clips with one text, the step's name.

    Args:
        files: What the files say.
        videos: Some of the videos.

    Returns:
        The clips, video by video; ids are ``<video>_<k>``, k the row of the annotation from 0.
    """
    return [
        CaptionedClip(
            *(f"{video.id}_{k}", video.video, video.path, start, end),
            *((files.tasks[video.task].steps[step],), (f"{video.id}_{k}",)),
        )
        for video in videos
        for k, (step, start, end) in enumerate(video.spans)
    ]


def require_videos(
    root: Path, listed: Path, videos: Mapping[str, Path], max_missing: float
) -> None:
    """Refuse to continue where more videos are not there than may be.

    Args:
        root: The corpus's folder.
        listed: The file that lists them.
        videos: What should be there: files by the videos' ids.
        max_missing: How many may be missing; a share of them, if a float.

    Raises:
        CorpusNotFoundError: If no file at all is there.
        ArgumentError: If too many are not.
    """
    clips = [CaptionedClip(one, one, path, 0.0, None, (), ()) for one, path in videos.items()]
    check = f"{root} --data CrossTask"
    require_clips(_NAME, clips, listed, _SOURCE, max_missing, check)


def read_segments(root: Path, videos: Path | None = None) -> dict[str, list[CaptionedClip]]:
    """List the segments of ``crosstask.csv``, by which VT-TWINS is scored.

    Args:
        root: The corpus's folder.
        videos: The folder of the videos, however deep, in place of ``root``.

    Returns:
        For each task its segments in the order of the file, with the step's name as the text; ids
        are ``<video>_<k>``, k the segment's number among those of the video.

    Raises:
        CorpusNotFoundError: If the file is not there.
        ArgumentError: If it holds anything else, or a video has several files.
    """
    path = segments_file(root)
    require_paths(_NAME, {path: "segments: end,start,task_id,text,video_id"}, _SOURCE)
    rows = read_table(path, ["end", "start", "task_id", "text", "video_id"])
    if not rows:
        message = f"{path} lists no segments; download it again"
        raise ArgumentError(message)
    paths = locate_videos(videos or root, list({row.cells["video_id"]: None for row in rows}))
    counts = dict.fromkeys(paths, 0)
    segments: dict[str, list[CaptionedClip]] = {}
    for row in rows:
        video = row.cells["video_id"]
        clip_id = f"{video}_{counts[video]}"
        counts[video] += 1
        start, end = _span(path, row)
        text = (row.cells["text"],)
        clip = CaptionedClip(clip_id, video, paths[video], start, end, text, (clip_id,))
        segments.setdefault(row.cells["task_id"], []).append(clip)
    return segments


def segments_file(root: Path) -> Path:
    """Return where ``crosstask.csv`` is, or would be.

    Args:
        root: The corpus's folder.
    """
    return first_file(root, ["crosstask.csv"], (*_FOLDERS, "data"))


def annotation_files(root: Path) -> list[Path]:
    """Return the files that say when steps are done, and in which videos.

    Args:
        root: The corpus's folder.
    """
    cards, listed, validation, annotations = _files(root)
    return [cards, listed, validation, *sorted(annotations.glob("[!.]*.csv"))]


def _files(root: Path) -> tuple[Path, Path, Path, Path]:
    names = ("tasks_primary.txt", "videos.csv", "videos_val.csv")
    cards, listed, validation = (first_file(root, [name], _FOLDERS) for name in names)
    return cards, listed, validation, cards.parent / "annotations"


def _read_tasks(path: Path) -> dict[str, Task]:
    tasks: dict[str, Task] = {}
    for task in _read_cards(path):
        if task.id in tasks:
            message = f"{path} has two cards of the task {task.id}; remove one"
            raise ArgumentError(message)
        tasks[task.id] = task
    if not tasks:
        message = f"{path} has no task; download it again"
        raise ArgumentError(message)
    return tasks


def _read_cards(path: Path) -> Iterator[Task]:
    """Read cards of five lines, and a blank one; after the last card it may be left out."""
    lines = read_text(path, "a list of tasks").rstrip().splitlines()
    for first in range(0, len(lines), len(_CARD) + 1):
        card = [line.strip() for line in lines[first : first + len(_CARD)]]
        blank = lines[first + len(_CARD) : first + len(_CARD) + 1]
        if len(card) < len(_CARD) or not all(card) or any(line.strip() for line in blank):
            message = (
                f"{path}: expected {', '.join(_CARD)} on five lines and a blank line from line "
                f"{first + 1} on, got {card}"
            )
            raise ArgumentError(message)
        number, title, _, count, names = card
        steps = tuple(name.strip() for name in names.split(","))
        if not all(steps):
            message = f"{path}, line {first + 5}: task {number} has a step without a name: {names}"
            raise ArgumentError(message)
        if count != str(len(steps)):
            message = (
                f"{path}: the task {number} ({title}) is said to have {count} steps in line "
                f"{first + 4}, and {len(steps)} are listed in the next"
            )
            raise ArgumentError(message)
        yield Task(number, title, steps)


def _read_videos(path: Path) -> list[tuple[str, str]]:
    rows = read_columns(path, ["task", "video", "url"])
    return [(row.cells["task"], row.cells["video"]) for row in rows]


def _require_listed(
    path: Path, rows: Sequence[tuple[str, str]], listed: Path, known: set[tuple[str, str]]
) -> None:
    unknown = [row for row in rows if row not in known]
    if unknown:
        task, video = unknown[0]
        message = (
            f"{len(unknown)} of {len(rows)} videos of {path} are not in {listed} (first: {video} "
            f"of task {task}); they belong to different corpora: download both again"
        )
        raise ArgumentError(message)


def _read_video(folder: Path, task: Task, video: str, path: Path, *, alone: bool) -> CrossTaskVideo:
    # named by both, so that nothing has to be split at an underscore, which ids contain
    annotation = folder / f"{task.id}_{video}.csv"
    there = annotation.is_file()
    rows = read_columns(annotation, ["step", "start", "end"]) if there else []
    spans = tuple(StepSpan(_step(annotation, row, task), *_span(annotation, row)) for row in rows)
    return CrossTaskVideo(video if alone else annotation.stem, task.id, path, spans, video, there)


def _step(path: Path, row: Row, task: Task) -> int:
    number = number_in(path, row, "step")
    if number not in range(1, len(task.steps) + 1):
        message = (
            f"{path}, line {row.line}: the task {task.id} has the steps 1 to {len(task.steps)}, "
            f"and none {row.cells['step']}"
        )
        raise ArgumentError(message)
    return int(number) - 1


def _span(path: Path, row: Row) -> tuple[float, float]:
    start, end = (number_in(path, row, column) for column in ("start", "end"))
    if not 0 <= start <= end:
        message = (
            f"{path}, line {row.line}: a step from {start:g} s to {end:g} s; it must not end "
            "before it starts"
        )
        raise ArgumentError(message)
    return start, end
