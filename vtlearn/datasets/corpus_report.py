"""What a check of a corpus found: what is there, what is missing, and what cannot be used."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from vtlearn.batch import Unreadable
from vtlearn.media.captions.caption import Skipped
from vtlearn.media.captions.extent import OutsideCaptions

__all__ = ["ChangedFrames", "CorpusReport", "DurationMismatch"]


class DurationMismatch(NamedTuple):
    """How long a video lasts, against what others say of it.

    Attributes:
        id: Its id.
        seconds: How long it lasts.
        declared: How long it is said to last; None where that is unknown.
        captions_end: When its last caption ends; None where it has none.
    """

    id: str
    seconds: float
    declared: float | None
    captions_end: float | None

    def exceeds(self, tolerance: float) -> bool:
        """Tell whether any of them is that many seconds off."""
        differs = self.declared is not None and abs(self.declared - self.seconds) > tolerance
        outlasted = self.captions_end is not None and self.captions_end - self.seconds > tolerance
        return differs or outlasted


class LostSeconds(NamedTuple):
    """A video with stretches that cannot be decoded.

    Attributes:
        id: Its id.
        seconds: How many of its seconds have no frame.
    """

    id: str
    seconds: float


class ChangedFrames(NamedTuple):
    """A video of Kitchen whose frames are not those that were recorded when it was rendered.

    Attributes:
        id: Its id.
        path: Its file.
        rendered_by: The release of PyAV that ended the rendering.
        read_by: The release that reads it now.
    """

    id: str
    path: str
    rendered_by: str
    read_by: str


class CorpusReport(NamedTuple):
    """What of a corpus is there and good. Ids are in the order in which they are listed.

    Attributes:
        corpus: Its name.
        expected: How many videos it should have.
        usable: Ids with a readable video and captions.
        missing: Ids without a file.
        unreadable: Files that cannot be read.
        damaged_captions: Why captions cannot be used, by id; that nothing tells whose they are,
            too.
        lost: Videos with stretches that cannot be decoded; found by decoding all. They count as
            usable.
        duration_mismatch: Videos that do not last as long as they are said to, or as their captions
            go on; sorted by id. They count as usable.
        outside_captions: Videos with some captions outside their frames, which training leaves out;
            sorted by id. They count as usable; one that has no others has damaged captions.
        other_clock: Videos whose own clock does not start at 0, of which a feature store of a
            former version was asked about: its vectors are of other seconds. They count as usable.
        captions_without_video: Ids with captions and no file.
        videos_without_captions: Ids with a file and no captions.
        unlisted: How many videos are there that are not expected.
        damaged_shards: Why shards cannot be used from end to end, by name.
        uncounted: How many of these have no index, so that it is unknown how many samples they
            should hold; ``expected`` lacks those that cannot be read.
        changed_frames: Videos of Kitchen whose frames are not the recorded ones. They count as
            usable.
        unrecorded: How many of Kitchen's videos have no record to compare their frames with.
        items: What is called videos here: videos or pictures.
        skipped_captions: What is left out of captions that are used otherwise, by id: lines and
            what is wrong there.
        incomplete: What samples of shards lack, by id.
    """

    corpus: str
    expected: int
    usable: list[str]
    missing: list[str]
    unreadable: list[Unreadable]
    damaged_captions: dict[str, str]
    lost: list[LostSeconds]
    duration_mismatch: Sequence[DurationMismatch] = ()
    captions_without_video: Sequence[str] = ()
    videos_without_captions: Sequence[str] = ()
    unlisted: int = 0
    damaged_shards: Mapping[str, str] = MappingProxyType({})
    uncounted: int = 0
    changed_frames: Sequence[ChangedFrames] = ()
    unrecorded: int = 0
    items: str = "videos"
    outside_captions: Sequence[OutsideCaptions] = ()
    other_clock: Sequence[str] = ()
    skipped_captions: Mapping[str, Sequence[Skipped]] = MappingProxyType({})
    incomplete: Mapping[str, str] = MappingProxyType({})

    @property
    def coverage(self) -> float | None:
        """The share of the expected videos that are usable, in per cent; 0 where none is.

        None where that is unknown, since a damaged shard has no index.
        """
        if not self.usable:
            return 0.0
        return None if self.uncounted else 100 * len(self.usable) / self.expected

    def as_json(self) -> dict[str, Any]:
        """Return what a report in JSON holds: plain lists and dictionaries."""
        plain = self._asdict()
        for name in (
            "unreadable",
            "duration_mismatch",
            "lost",
            "changed_frames",
            "outside_captions",
        ):
            plain[name] = [entry._asdict() for entry in plain[name]]
        for name in ("captions_without_video", "videos_without_captions", "other_clock"):
            plain[name] = list(plain[name])
        skipped = {
            video_id: [each._asdict() for each in cues]
            for video_id, cues in self.skipped_captions.items()
        }
        plain.update(
            damaged_shards=dict(self.damaged_shards),
            skipped_captions=skipped,
            incomplete=dict(self.incomplete),
        )
        return {**plain, "coverage": self.coverage}
