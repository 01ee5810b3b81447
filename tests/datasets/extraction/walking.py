"""A walk without a model: the mean colour of each video, kept as JSON."""

import json
import os
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vtlearn.batch import Batch, Unreadable, collate
from vtlearn.datasets.extraction import ChunkResults, Extraction, ShardWriter
from vtlearn.datasets.windows import VideoList
from vtlearn.errors import FeatureError
from vtlearn.media.features.fingerprints import fingerprints
from vtlearn.storage.atomic import replace_text

WINDOWS: dict[str, Any] = {"stride": 1.0, "num_frames": 2, "size": 16, "windows_per_chunk": 4}


def list_videos(
    root: Path, max_unreadable_fraction: float = 0.0, time_budget: float | None = None
) -> VideoList:
    paths = sorted((root / "videos").iterdir())
    ids = [path.stem for path in paths]
    return VideoList(ids, [str(path) for path in paths], 4.0, max_unreadable_fraction, time_budget)


def walk(extraction: Extraction[Any, Any], encode: Callable[[Batch], Any]) -> str | None:
    """Do what ``predict`` does: read each chunk, encode it, give it back."""
    for index in range(len(extraction.chunks)):
        item = extraction.chunks[index]
        batch = collate([] if item is None else [item])
        extraction.add(index, batch, encode(batch))
    return extraction.closing_line()


def mean_colours(batch: Batch) -> Tensor:
    """Mean red, green and blue of each window, (windows, 3)."""
    return batch.clips.double().mean((1, 3, 4)) if len(batch.clips) else torch.empty(0, 3)


class ColourWriter(ShardWriter[Tensor, list[float]]):
    """Keeps a colour per video; ``killed`` is the shard and the place at which it kills itself."""

    name = "colours"

    def __init__(
        self,
        folder: Path,
        videos: VideoList,
        videos_per_shard: int = 3,
        killed: tuple[int, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ids = videos.ids
        self.videos_per_shard = videos_per_shard
        self.killed = killed

    @property
    def num_shards(self) -> int:
        return -(-len(self.ids) // self.videos_per_shard)

    def shard_range(self, shard: int) -> range:
        first = shard * self.videos_per_shard
        return range(first, min(first + self.videos_per_shard, len(self.ids)))

    def pending(self) -> list[int]:
        names = map(self.record_name, range(self.num_shards))
        return [shard for shard, name in enumerate(names) if not (self.folder / name).exists()]

    def stale(
        self, shards: Iterable[int], paths: Sequence[str]
    ) -> tuple[Sequence[int], Mapping[str, int]]:
        replaced: dict[str, int] = {}
        again = []
        for shard in shards:
            record, now = self._record(shard), self.sources(shard, paths)
            other = [one for one, known in record["sources"].items() if now[one] != known]
            replaced.update({one: shard for one in other if one in record["colours"]})
            if any(one in record["unreadable"] for one in other):
                again.append(shard)
        return again, replaced

    def require_unreplaced(self, replaced: Mapping[str, int]) -> None:
        if replaced:
            message = f"other files now: {sorted(replaced)}"
            raise FeatureError(message)

    def sources(self, shard: int, paths: Sequence[str]) -> dict[str, str]:
        return fingerprints({self.ids[i]: Path(paths[i]) for i in self.shard_range(shard)})

    def unreadable(self, shard: int) -> Mapping[str, Mapping[str, str]]:
        found: Mapping[str, Mapping[str, str]] = self._record(shard)["unreadable"]
        return found

    def video(
        self, chunks: Sequence[ChunkResults[Tensor]], duration: float, first: float = 0.0
    ) -> list[float] | None:
        assert first == 0
        assert (
            sum(len(chunk.kept) for chunk in chunks) >= duration
        )  # a window a second, lost or not
        assert all(int(chunk.kept.sum()) == len(chunk.results) for chunk in chunks)
        colours = torch.cat([chunk.results for chunk in chunks])
        return [round(value, 6) for value in colours.mean(0).tolist()] if len(colours) else None

    def write(
        self,
        shard: int,
        videos: Mapping[str, list[float]],
        unreadable: Mapping[str, Unreadable],
        sources: Mapping[str, str],
    ) -> None:
        self._perhaps_die(shard, "before")
        reasons = {one: {"stage": x.stage, "reason": x.reason} for one, x in unreadable.items()}
        record = {"colours": dict(videos), "unreadable": reasons, "sources": dict(sources)}
        text = json.dumps(record)
        if self.killed == (shard, "amid"):
            (self.folder / f".{self.record_name(shard)}.unfinished").write_text(text[:20])
        self._perhaps_die(shard, "amid")
        replace_text(self.folder / self.record_name(shard), text)
        self._perhaps_die(shard, "after")

    def summary(self) -> str:
        return f"colours of {sum(len(self._record(n)['colours']) for n in range(self.num_shards))}"

    def record_name(self, shard: int) -> str:
        return f"colours-{shard}.json"

    def remove_leftovers(self) -> None:
        for path in self.folder.glob(".*.unfinished"):
            path.unlink()

    def _record(self, shard: int) -> Any:
        return json.loads((self.folder / self.record_name(shard)).read_text())

    def _perhaps_die(self, shard: int, place: str) -> None:
        if self.killed == (shard, place):
            os.kill(os.getpid(), signal.SIGKILL)


def colour_walk(
    folder: Path, videos: VideoList, killed: tuple[int, str] | None = None, **options: Any
) -> str | None:
    """Write what is missing of the colours, and return the closing line."""
    writer = ColourWriter(folder, videos, killed=killed)
    return walk(Extraction(writer, videos, **WINDOWS | options), mean_colours)


def files(folder: Path) -> dict[str, bytes]:
    """What a folder holds, but for the logs of what could not be read."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".jsonl"}
