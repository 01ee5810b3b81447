"""Read a folder of subtitle files beside webvtt-py, pysubs2 and ttconv, and print what differs.

    pip install webvtt-py pysubs2 ttconv
    python benchmarks/subtitles.py FOLDER [--all]

Of each file below the folder words and times are compared, to the millisecond. WebVTT and SBV are
compared with webvtt-py, SRT, ASS, SSA, SAMI and MicroDVD with pysubs2, and TTML with ttconv, which
says what is on screen from one change to the next; ours is laid out likewise. A difference is
printed with its reason, where one is known: what the file's standard says, or what is not speech.
"""

import argparse
import html
import itertools
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pysubs2

from vtlearn.errors import TranscriptError
from vtlearn.media.captions import Transcript, read_transcript

Cue = tuple[int, int, str]  # milliseconds and words

_MARKS = re.compile("[\u200e\u200f]")  # of direction; webvtt-py leaves these and &amp; as they are
_SHOWN = 3

_STYLES = re.compile(r"\{\\[a-z]\d\}")

# Why a file of the public suites is read otherwise, by a part of its name.
REASONS = {
    r"\.sbv$": "a caption that ends before it starts, or has no time, is left out and counted",
    r"missing_timeframe\.srt$": "a cue that lost its time is left out, not added to the last one",
    r"ruby.*\.vtt$|bidi_vertical_rl": "WebVTT: <rt> annotates other words, and is not speech",
    r"(?i)ruby.*\.ttml$|shear": "ttconv drops words that are annotated; ours the annotation",
    r"timings-(garbage|too-short)": "most times are invalid by the standard: it is refused",
    r"bom-tab|newline-before": "blanks before WEBVTT, which pysubs2 reads, and webvtt-py refuses",
    r"example_apple": "Apple's times have no unit, which ttconv does not read",
    r"BasicTiming011|FixedBeginEnd": "no end is given: ours lasts until the next, once",
    r"DocumentExample825": "runs inside of a text are put behind it",
}
_UNTIMED = "it has no time at all: ttconv writes 10 s, ours leaves it out and counts it"


class Outcome(NamedTuple):
    """What two readers make of a file.

    Attributes:
        path: The file.
        ours: Cues, or why it is refused.
        theirs: Cues, or why it is refused.
        skipped: How many cues ours left out, and says so.
    """

    path: Path
    ours: list[Cue] | str
    theirs: list[Cue] | str
    skipped: int

    @property
    def is_equal(self) -> bool:
        """Whether words and times are the same; a file without captions may be refused."""
        return _empty(self.ours) == _empty(self.theirs)

    @property
    def reason(self) -> str:
        """Why they differ; empty where that is not known."""
        if isinstance(self.ours, str) and "has no begin and no end" in self.ours:
            return _UNTIMED
        found = (why for part, why in REASONS.items() if re.search(part, self.path.name))
        return next(found, "")


def compare(folder: Path) -> Iterator[Outcome]:
    """Read every file that a peer reads.

    Args:
        folder: Where they are, however nested.
    """
    for path in sorted(folder.rglob("*")):
        peer = PEERS.get(path.suffix.lower())
        if peer is None or not path.is_file():
            continue
        ours, skipped = _ours(path)
        theirs = _theirs(peer, path)
        if path.suffix.lower() == ".ttml":
            ours, theirs = (x if isinstance(x, str) else screens(x) for x in (ours, theirs))
        yield Outcome(path, ours, theirs, skipped)


def screens(cues: Iterable[Cue]) -> list[Cue]:
    """Turn captions into what is on screen from one change to the next, words in one order."""
    cues = list(cues)
    times = sorted({time for start, end, _ in cues for time in (start, end)})
    found: list[Cue] = []
    for start, end in itertools.pairwise(times):
        shown = [text for begin, stop, text in cues if begin < end and stop > start]
        text = " ".join(sorted(" ".join(shown).split()))
        if found and found[-1][1:] == (start, text):
            found[-1] = (found[-1][0], end, text)
        elif text:
            found.append((start, end, text))
    return found


def _ours(path: Path) -> tuple[list[Cue] | str, int]:
    try:
        transcript: Transcript = read_transcript(path, rolling=False, fps=25.0)
    except TranscriptError as error:
        return str(error).partition("captions: ")[2], 0
    return [_cue(each.start, each.end, each.text) for each in transcript], len(transcript.skipped)


def _theirs(peer: Callable[[Path], list[Cue]], path: Path) -> list[Cue] | str:
    try:
        cues = peer(path)
    except Exception as error:  # noqa: BLE001  # whatever it raises is its answer
        return f"{type(error).__name__}: {error}"
    return sorted((cue for cue in cues if cue[2]), key=lambda cue: cue[0])


def _cue(start: float, end: float, text: str) -> Cue:
    return round(1000 * start), round(1000 * end), " ".join(text.split())


def read_webvtt(path: Path) -> list[Cue]:
    """Read WebVTT or SBV by webvtt-py."""
    import webvtt

    is_sbv = path.suffix.lower() == ".sbv"
    captions = webvtt.from_sbv(path) if is_sbv else webvtt.read(path)
    cues = [_cue(_clock(x.start), _clock(x.end), html.unescape(x.text)) for x in captions]
    return [(start, end, " ".join(_MARKS.sub("", text).split())) for start, end, text in cues]


def read_pysubs2(path: Path) -> list[Cue]:
    """Read what pysubs2 reads."""
    events = pysubs2.load(str(path), fps=25.0)
    return [_cue(x.start / 1000, x.end / 1000, x.plaintext) for x in events if x.is_text]


def read_ttconv(path: Path) -> list[Cue]:
    """Read TTML by ttconv, which writes it as SRT."""
    import xml.etree.ElementTree as trees  # noqa: N813

    import ttconv.imsc.reader
    import ttconv.srt.writer

    logging.disable(logging.ERROR)
    try:
        model: Any = ttconv.imsc.reader.to_model(trees.parse(path))  # noqa: S314
        text = "" if model is None else ttconv.srt.writer.from_model(model)
    finally:
        logging.disable(logging.NOTSET)
    events = pysubs2.SSAFile.from_string(text or "\n", format_="srt")
    plain = (_STYLES.sub("", x.text).replace(r"\N", " ") for x in events)  # other braces are text
    return [_cue(x.start / 1000, x.end / 1000, text) for x, text in zip(events, plain, strict=True)]


def _clock(text: str) -> float:
    hours, minutes, seconds = ["0", *text.split(":")][-3:]
    return 3600 * int(hours) + 60 * int(minutes) + float(seconds)


PEERS: dict[str, Callable[[Path], list[Cue]]] = {
    ".vtt": read_webvtt,
    ".sbv": read_webvtt,
    ".srt": read_pysubs2,
    ".ass": read_pysubs2,
    ".ssa": read_pysubs2,
    ".smi": read_pysubs2,
    ".sub": read_pysubs2,
    ".ttml": read_ttconv,
    ".dfxp": read_ttconv,
}


def _empty(cues: list[Cue] | str) -> list[Cue]:
    return [] if isinstance(cues, str) else cues


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="print all cues that differ")
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    for outcome in compare(arguments.folder):
        counts["equal" if outcome.is_equal else outcome.reason or "no known reason"] += 1
        if not outcome.is_equal:
            _print(outcome, arguments.folder, None if arguments.all else _SHOWN)
    for what, number in counts.most_common():
        print(f"{number:5} {what}")


def _print(outcome: Outcome, folder: Path, most: int | None) -> None:
    print(
        f"{outcome.path.relative_to(folder)}  ({outcome.skipped} cues left out)  {outcome.reason}"
    )
    for name, cues, others in (
        ("ours", outcome.ours, outcome.theirs),
        ("theirs", outcome.theirs, outcome.ours),
    ):
        if isinstance(cues, str):
            print(f"  {name:6} {cues}")
            continue
        own: Sequence[Cue] = [cue for cue in cues if cue not in _empty(others)]
        for start, end, text in own[:most]:
            print(f"  {name:6} {start / 1000:.3f}-{end / 1000:.3f} {text[:100]}")


if __name__ == "__main__":
    main()
