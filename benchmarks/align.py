"""Move Kitchen's captions, 4 s off their steps, to where the steps are shown, and measure it.

    python benchmarks/align.py CHECKPOINT [--root data/kitchen-shift4] [--videos 20]

Renders a Kitchen whose narrator is off by 4 s (standard deviation), the same videos as the demo's,
writes each transcript as WebVTT, and aligns videos of the validation and of the test split with it.
The error of a caption is the distance of its middle from the middle of the step that it tells of,
in seconds; chatter has none. All ways but the last move every caption; `vtlearn align` leaves those
that match nothing where they are. Ways and numbers were chosen by the validation split's table; the
test split's says what that was worth.
"""

import argparse
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

import vtlearn
from vtlearn.alignment import dtw
from vtlearn.datasets.kitchen import NarratedVideo, narrated_videos
from vtlearn.inference import AlignedCaption, Model
from vtlearn.inference.retiming import SPREAD, distance_cost, peak_centre, standardize
from vtlearn.kitchen import KitchenCorpus
from vtlearn.media.captions.writing import format_webvtt
from vtlearn.pages import PageCaption, alignment_page
from vtlearn.storage.atomic import replace_text
from vtlearn.storage.progress import track

Array = NDArray[np.float64]
SHIFT = 4.0  # seconds
OFFSETS = np.arange(-15.0, 15.0, 0.01)  # seconds that are tried for the best single one


class Scored(NamedTuple):
    """A video of Kitchen, and how well its windows and captions match.

    Attributes:
        narrated: The video with its captions and truth.
        similarity: (windows, captions).
        spans: Start and end of each window in seconds, (windows, 2).
        spoken: Start and end of each caption, (captions, 2).
        aligned: What ``Model.align`` makes of it.
    """

    narrated: NarratedVideo
    similarity: Array
    spans: Array
    spoken: Array
    aligned: list[AlignedCaption]

    def truth(self) -> Array:
        """Return the middle of the step that each caption tells of; NaN of chatter."""
        told = self.narrated.told()
        spans = [told.get(number, (np.nan, np.nan)) for number in range(len(self.spoken))]
        return np.array(spans).mean(1)


Way = Callable[[Scored], Array]  # from a video to the new middles of its captions


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", help="of a model trained on Kitchen's default videos")
    parser.add_argument("--root", type=Path, default=Path("data/kitchen-shift4"))
    parser.add_argument("--videos", type=int, default=20, help="of the test split (20)")
    parser.add_argument("--pages", type=Path, help="write a page for each of three test videos")
    options = parser.parse_args()
    root = KitchenCorpus(options.root, train=1, shift=SHIFT).prepare()
    model = vtlearn.load(options.checkpoint)
    for split, most in (("val", None), ("test", options.videos)):
        videos = narrated_videos(root, split)[:most]
        scored = [score(model, root, video) for video in track(videos, f"Aligning {split}")]
        print(f"\n{len(videos)} videos of the {split} split\n")
        print(errors_table(scored))
        print()
        print(matches_table(scored))
        if split == "test" and options.pages is not None:
            for video in videos[:3]:
                write_page(model, root, video, options.pages)


def score(model: Model, root: Path, video: NarratedVideo) -> Scored:
    """Align a video with its transcript, and compare all windows and captions for other ways."""
    aligned = model.align(video.path, write_transcript(root, video))
    texts = model.encode_text([caption.text for caption in video.captions])
    encoded = model.encode_video(video.path)
    return Scored(
        video,
        (encoded @ texts.T).double().numpy(),
        encoded.spans.numpy(),
        np.array([caption[:2] for caption in video.captions]),
        aligned.captions,
    )


def write_transcript(root: Path, video: NarratedVideo) -> Path:
    """Write a video's narration as WebVTT."""
    path = root / "webvtt" / f"{video.id}.vtt"
    path.parent.mkdir(exist_ok=True)
    replace_text(path, format_webvtt(video.captions))
    return path


def by(spread: float | None, *, ordered: bool = False, centred: bool = True) -> Way:
    """Return a way that moves every caption to its window, or to the centre of the peak there."""

    def move(video: Scored) -> Array:
        middles = np.minimum(video.spans, video.narrated.truth.duration).mean(1)
        standard = standardize(video.similarity)
        scores = standard - distance_cost(middles, spoken(video), spread)
        windows = ordered_windows(scores) if ordered else scores.argmax(0)
        if not centred:
            return middles[windows]
        pairs = zip(standard.T, windows.tolist(), strict=True)
        return np.array([peak_centre(column, middles, window) for column, window in pairs])

    return move


def ordered_windows(scores: Array) -> NDArray[np.int64]:
    """Choose for each caption the best of the windows that DTW leaves it: they never decrease."""
    path = dtw(torch.from_numpy(-scores))
    cells = path.cells[: int(path.length)].numpy()
    windows = [cells[cells[:, 1] == caption, 0] for caption in range(scores.shape[1])]
    return np.array([some[scores[some, number].argmax()] for number, some in enumerate(windows)])


def spoken(video: Scored) -> Array:
    """Leave captions where they are."""
    return video.spoken.mean(1)


def best_offset(videos: Sequence[Scored]) -> float:
    """Find the offset of all captions that leaves the least median error: it knows the truth."""
    off = np.concatenate([video.truth() - spoken(video) for video in videos])
    off = off[~np.isnan(off)]
    medians = np.median(np.abs(off[:, None] - OFFSETS), axis=0)
    return float(OFFSETS[medians.argmin()])


def errors_table(videos: Sequence[Scored]) -> str:
    """Lay out the errors of captions that tell of a step, way by way."""
    offset = best_offset(videos)
    ways: Mapping[str, Way] = {
        "as spoken": spoken,
        f"best single offset ({offset:+.2f} s)": lambda video: spoken(video) + offset,
        "best offset of each video": lambda video: spoken(video) + best_or_none(video),
        "argmax": by(None, centred=False),
        "argmax, centre of the peak": by(None),
        "argmax, near first": by(SPREAD, centred=False),
        "DTW": by(None, ordered=True, centred=False),
        "DTW, centre of the peak": by(None, ordered=True),
        "DTW, near first, centre of the peak": by(SPREAD, ordered=True),
        "argmax, near first, centre of the peak": by(SPREAD),
        "`vtlearn align`": lambda video: np.array([(c.start + c.end) / 2 for c in video.aligned]),
    }
    lines = ["| captions | median error | mean error | within 2 s |", "| --- |" + " --- |" * 3]
    for name, way in ways.items():
        errors = np.concatenate([np.abs(way(video) - video.truth()) for video in videos])
        errors = errors[~np.isnan(errors)]
        share = 100 * np.mean(errors <= 2)
        lines.append(
            f"| {name} | {statistics.median(errors):.2f} s | {errors.mean():.2f} s "
            f"| {share:.0f} % |"
        )
    return "\n".join(lines)


def best_or_none(video: Scored) -> float:
    """Find a video's best offset; 0 where none of its captions tells of a step."""
    return best_offset([video]) if video.narrated.told() else 0.0


def matches_table(videos: Sequence[Scored]) -> str:
    """Count which captions are held for chatter, and which are."""
    captions = [caption for video in videos for caption in video.aligned]
    told = np.concatenate([~np.isnan(video.truth()) for video in videos])
    matched = np.array([caption.matched for caption in captions])
    chatter = f"{np.sum(~told & ~matched)} of {np.sum(~told)}"
    lines = [
        f"{len(captions)} captions, {told.sum()} tell of a step; of {np.sum(~matched)} that match "
        f"nothing, {np.sum(~told & ~matched)} are chatter (precision "
        f"{np.mean(~told[~matched]):.3f}); {chatter} of chatter are found (recall "
        f"{np.mean(~matched[~told]):.3f}); {np.mean(matched[told]):.3f} of those that tell of a "
        "step are kept.",
        "",
        "| confidence | captions | tell of a step |",
        "| --- | --- | --- |",
    ]
    confidence = np.array([caption.confidence for caption in captions])
    for low in (0.0, 0.25, 0.5, 0.75):
        some = (confidence >= low) & (confidence < low + 0.25 + (low == 0.75))
        share = f"{100 * told[some].mean():.0f} %" if some.any() else "-"
        lines.append(f"| {low:.2f} to {low + 0.25:.2f} | {some.sum()} | {share} |")
    return "\n".join(lines)


def write_page(model: Model, root: Path, video: NarratedVideo, folder: Path) -> None:
    """Write the page of an alignment, with the truth."""
    found = model.align(video.path, write_transcript(root, video))
    told = video.told()
    captions = [
        PageCaption(*caption, truth=told.get(number))
        for number, caption in enumerate(found.captions)
    ]
    matrices = found.window_spans, found.cost, found.expected, found.path
    folder.mkdir(parents=True, exist_ok=True)
    page = alignment_page(video.path, captions, *matrices, title=video.id, folder=folder)
    replace_text(folder / f"{video.id}.html", page)


if __name__ == "__main__":
    main()
