"""Labelled videos, of which few-shot recognition draws episodes: a list, or Kitchen's recipes."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch

from vtlearn.batch import Sample
from vtlearn.checks import require_choice, require_positive
from vtlearn.datasets.base import Corpus, SampleKey
from vtlearn.datasets.clips import ClipLoader
from vtlearn.datasets.evaluation import EvaluationItem
from vtlearn.datasets.files import require_paths
from vtlearn.datasets.lists import Row, read_table
from vtlearn.datasets.reading import Reading, caption_settings
from vtlearn.datasets.sampling.spans import UniformWindows
from vtlearn.datasets.sampling.windows import TimedWindows
from vtlearn.errors import ArgumentError, LostClipsError
from vtlearn.kitchen.recipes import FAMILIES
from vtlearn.kitchen.truth import read_truth
from vtlearn.media.ids import distinct_ids, video_stem
from vtlearn.padding import valid
from vtlearn.storage.strings import Strings

__all__ = [
    "Draw",
    "EpisodeCorpus",
    "EpisodeVideo",
    "by_label",
    "episode_items",
    "read_labels",
    "recipe_videos",
    "require_classes",
]

SPLITS = ("train", "val", "test")

#: Which of Kitchen's families are tested.
Draw = Literal[0, 1, 2]

# By their numbers. The third, of bread, is always trained on: of one of its recipes the default
# Kitchen has five videos, too few for five shots and a query.
_TESTED = ((0, 3), (1, 5), (4, 0))


class EpisodeVideo(NamedTuple):
    """A video of a class.

    Attributes:
        id: The video's id.
        path: Its file.
        label: Its class.
        split: ``train``, ``val`` or ``test``.
        group: The group of its class, such as actions that are easily confused; None for none.
    """

    id: str
    path: Path
    label: str
    split: str
    group: str | None = None


class EpisodeCorpus(Corpus):
    """Labelled videos of a split: a sample is windows spread over a video, without texts.

    A video that cannot be read is replaced by one of its own class, so that an episode keeps its
    order. That one may be in the episode already.

    Args:
        videos: The videos.
        reading: How they are read. A sample is ``windows`` clips, whatever ``sampling.num_clips``.
        windows: Windows of a video.

    Raises:
        ArgumentError: If ``reading`` asks for what only captions have.

    Example:
        >>> video = EpisodeVideo("v", Path("v.mp4"), "run", "train")
        >>> corpus = EpisodeCorpus([video], Reading())
        >>> len(corpus), list(corpus.texts())
        (1, [])
    """

    def __init__(self, videos: Sequence[EpisodeVideo], reading: Reading, windows: int = 8) -> None:
        super().__init__(Strings.of(video.id for video in videos), reading)
        require_positive(windows=windows)
        _require_no_captions(reading)
        self.videos = videos
        self.windows = windows
        self._loader = ClipLoader(reading)
        places: dict[str, list[int]] = {}
        for place, video in enumerate(videos):
            places.setdefault(video.label, []).append(place)
        self._places = places

    def replacements(self, key: SampleKey) -> Iterator[int]:
        """Order the videos to try: the one that was drawn, then others of its class.

        Args:
            key: Which one was drawn, of which epoch.

        Yields:
            Places in ``ids``, each once.

        Raises:
            ArgumentError: After the last of them: if none could be read.
        """
        yield key.sample
        label = self.videos[key.sample].label
        alike = self._places[label]
        rng = np.random.default_rng((self.reading.seed, key.epoch, key.sample, 1))
        yield from (
            alike[place] for place in rng.permutation(len(alike)) if alike[place] != key.sample
        )
        message = (
            f"none of the {len(alike)} videos of the class {label} can be read, and no video of "
            f"another class may stand for them; {self.unreadable.path} names them. Fix them, or "
            "leave the class out"
        )
        raise ArgumentError(message)

    def draw(self, index: int, rng: np.random.Generator) -> Sample:
        """Read the windows of a video.

        Args:
            index: Its place in ``ids``.
            rng: What they are cropped and mirrored by.

        Raises:
            UnreadableVideoError: If the video cannot be read.
            LostClipsError: If frames of a window are lost.
        """
        video, fps = self.videos[index], self.reading.fps
        source = str(video.path)
        duration = self._loader.duration(source)
        starts = _spread(self.windows).starts(duration, self.reading.clip_seconds)
        clips = self._loader.draw(source, starts, rng)
        frames = clips.valid.shape[1]
        lengths = [frames] * len(starts)
        if self.reading.features is not None:  # as they are scored
            lengths = TimedWindows(starts, duration).frame_lengths(fps, frames, stored=True)
        padding = ~valid(torch.tensor(lengths), frames)
        if not (clips.valid | padding).all():
            raise LostClipsError(video.id, starts)
        return Sample.of(video.id, clips.frames, starts, fps, frame_length=lengths)

    def texts(self) -> Iterator[str]:
        """Yield nothing: there are no texts."""
        yield from ()

    def source(self, index: int) -> str:
        """Return the file of a video.

        Args:
            index: Its place in ``ids``.
        """
        return str(self.videos[index].path)


def read_labels(annotations: Path, videos: Path) -> list[EpisodeVideo]:
    r"""Read which videos are of which class, and which classes are trained on.

    Args:
        annotations: A csv with the columns ``video_path`` (below ``videos``), ``label`` and
            ``split`` (train, val or test), and perhaps ``group``; a row per video. A class is in
            one split alone.
        videos: The folder of the videos.

    Returns:
        The videos in the list's order; their ids are their names less the suffix, or their paths
        where the list has a name twice. A file may not be there.

    Raises:
        CorpusNotFoundError: If the list is not there.
        ArgumentError: If it lacks a column or a cell, a video is listed twice, a split is another
            word, or a class is in two splits or groups.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "labels.csv")
        ...     _ = file.write_text("video_path,label,split\nrun/1.mp4,run,train\n")
        ...     video, = read_labels(file, Path("videos"))
        >>> video.id, video.path.as_posix(), video.label, video.group
        ('1', 'videos/run/1.mp4', 'run', None)
    """
    expected = {annotations: "a csv with the columns video_path, label and split"}
    require_paths("A list of labelled videos", expected, source="")
    rows = read_table(annotations, ["video_path", "label", "split"], unique="video_path")
    for row in rows:
        _require_split(annotations, row)
    for column in ("split", "group"):
        _require_one(annotations, rows, column)
    stems = [video_stem(Path(row.cells["video_path"]).as_posix()) for row in rows]
    _require_different(annotations, rows, stems)
    return [
        EpisodeVideo(
            video_id,
            videos / row.cells["video_path"],
            row.cells["label"],
            row.cells["split"],
            row.cells.get("group") or None,
        )
        for video_id, row in zip(distinct_ids(stems), rows, strict=True)
    ]


def recipe_videos(root: Path, draw: Draw = 0) -> list[EpisodeVideo]:
    """List Kitchen's videos that follow a recipe: recipes are classes, families their groups.

    The recipes of a family have the same actions in another order. Two families are tested, and the
    other four trained on; Kitchen's own splits do not count.

    Args:
        root: The folder that was rendered.
        draw: Which two families are tested.

    Returns:
        The videos, sorted by id.

    Raises:
        CorpusNotFoundError: If Kitchen is not there.
        ArgumentError: If there is no such draw.
    """
    require_choice([str(known) for known in get_args(Draw)], draw=str(draw))
    families = {recipe: family for family in FAMILIES for recipe in family}
    tested = {recipe for number in _TESTED[draw] for recipe in FAMILIES[number]}
    return [
        EpisodeVideo(
            video_id,
            root / "videos" / f"{video_id}.mp4",
            truth.recipe,
            "test" if truth.recipe in tested else "train",
            "-".join(families[truth.recipe]),
        )
        for video_id, truth in sorted(read_truth(root).items())
        if truth.recipe is not None
    ]


def by_label(videos: Sequence[EpisodeVideo]) -> dict[str, list[EpisodeVideo]]:
    """Put the videos of a class together.

    Args:
        videos: The videos.

    Returns:
        The videos of each class in their order, by its name, sorted.
    """
    classes: dict[str, list[EpisodeVideo]] = {}
    for video in videos:
        classes.setdefault(video.label, []).append(video)
    return dict(sorted(classes.items()))


def require_classes(
    split: str,
    classes: Mapping[str, Sequence[EpisodeVideo]],
    *,
    ways: int,
    shots: int,
    queries: int,
) -> None:
    """Refuse classes that no episode can be drawn of.

    Args:
        split: Whose they are, for the message.
        classes: The videos of each.
        ways: Classes of an episode.
        shots: Videos of a class that are shown.
        queries: Videos of a class that are asked about.

    Raises:
        ArgumentError: If there are fewer classes, or one of them has fewer videos.
    """
    if len(classes) < ways:
        message = (
            f"the split {split} has {len(classes)} classes, and an episode takes ways={ways}: list "
            "more classes, or lower the ways"
        )
        raise ArgumentError(message)
    few = {label: len(videos) for label, videos in classes.items() if len(videos) < shots + queries}
    if few:
        named = ", ".join(f"{label} has {count}" for label, count in few.items())
        message = (
            f"a class of the split {split} needs {shots + queries} videos, {shots} to be shown and "
            f"{queries} to be asked about, and {named}: add videos, leave the class out, or lower "
            "the shots or queries"
        )
        raise ArgumentError(message)


def episode_items(videos: Sequence[EpisodeVideo], windows: int) -> list[EvaluationItem]:
    """List videos to be scored, by the windows that training takes.

    Args:
        videos: The videos.
        windows: Windows of a video.

    Returns:
        An item per video, without texts.
    """
    return [EvaluationItem(video.id, video.path, _spread(windows), [], []) for video in videos]


def _spread(windows: int) -> UniformWindows:
    return UniformWindows(0.0, None, windows, each=True)


def _require_no_captions(reading: Reading) -> None:
    """Refuse settings that say which clips are drawn of captions."""
    given = [f"sampling.{name}" for name in caption_settings(reading.sampling)]
    given += [] if reading.overlap is None else ["overlap"]
    if given:
        message = (
            f"{', '.join(given)}: these are about captions, and labelled videos have none: leave "
            "them out"
        )
        raise ArgumentError(message)


def _require_split(path: Path, row: Row) -> None:
    if row.cells["split"] not in SPLITS:
        message = (
            f"{path}, line {row.line}: expected the split {', '.join(SPLITS[:-1])} or "
            f"{SPLITS[-1]}, got {row.cells['split']!r}"
        )
        raise ArgumentError(message)


def _require_one(path: Path, rows: Sequence[Row], column: str) -> None:
    """Refuse a class that has two splits, or groups."""
    first: dict[str, Row] = {}
    for row in rows:
        label, cell = row.cells["label"], row.cells.get(column)
        other = first.setdefault(label, row)
        if other.cells.get(column) != cell:
            message = (
                f"{path}: the label {label} is in the {column} {other.cells[column]!r} in line "
                f"{other.line} and in the {column} {cell!r} in line {row.line}; a class is in one "
                f"{column} alone"
            )
            raise ArgumentError(message)


def _require_different(path: Path, rows: Sequence[Row], stems: Sequence[str]) -> None:
    """Refuse two files that differ in their suffix alone."""
    lines: dict[str, int] = {}
    for row, stem in zip(rows, stems, strict=True):
        if lines.setdefault(stem, row.line) != row.line:
            message = (
                f"{path} has files of the name {stem} in lines {lines[stem]} and {row.line}, which "
                "would have the same id; rename or remove one"
            )
            raise ArgumentError(message)
