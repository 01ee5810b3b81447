"""Label a small corpus, as the command does, as far as it is let."""

import os
import signal
from pathlib import Path
from typing import Any

from tests.pseudolabel.models import Brightness
from vtlearn.datasets.extraction import Part, ShardWalk
from vtlearn.datasets.windows import VideoList
from vtlearn.media.video.reader import VideoReader
from vtlearn.pseudolabel import (
    Figures,
    FrameCaptioner,
    Labelling,
    LabelStore,
    LabelWriter,
    find_references,
)
from vtlearn.pseudolabel.scorers import LiftScorer
from vtlearn.pseudolabel.windows import FixedWindows, Windows


class MortalWriter(LabelWriter):
    """Stops where it is to write a shard: by an exception, or killing its process."""

    stopped = -1
    kills = False

    def write(self, shard: int, *arguments: Any) -> None:
        if shard == self.stopped and self.kills:
            os.kill(os.getpid(), signal.SIGKILL)
        if shard == self.stopped:
            raise KeyboardInterrupt
        super().write(shard, *arguments)


def list_videos(root: Path, **options: Any) -> VideoList:
    paths = sorted((root / "videos").iterdir())
    return VideoList([path.stem for path in paths], [str(path) for path in paths], 1.0, **options)


def first_videos(root: Path, count: int) -> VideoList:
    videos = list_videos(root)
    return videos._replace(ids=videos.ids[:count], paths=videos.paths[:count])


def label(
    folder: Path,
    videos: VideoList,
    captioner: FrameCaptioner | None = None,
    *,
    windows: Windows | None = None,
    part: Part | None = None,
    stopped: int = -1,
    kills: bool = False,
    **options: Any,
) -> tuple[Figures, str | None]:
    """Caption what is missing; return how fast it was, and the closing line."""
    captioner = captioner or Brightness()
    settings = {"captioner": captioner.name, "scorer": "lift"}
    writer = MortalWriter(LabelStore(folder, videos.ids, settings, videos_per_shard=3))
    writer.stopped, writer.kills = stopped, kills
    scorer = LiftScorer(captioner, find_references(videos, VideoReader(), captioner.size))
    walk = ShardWalk(writer, videos, part=part or Part())
    options = {"windows_per_batch": 5} | options
    labelling = Labelling(captioner, scorer, windows or FixedWindows(2.0), **options)
    figures = labelling.run(walk, writer, videos)
    return figures, walk.closing_line()


def files(folder: Path) -> dict[str, bytes]:
    """What a folder holds, but for the log of what could not be read."""
    return {one.name: one.read_bytes() for one in folder.iterdir() if "unreadable" not in one.name}
