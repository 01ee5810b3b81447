"""Write down what is said in videos, and when, by a Whisper model.

VIDEOS is a folder, nested or not. FOLDER gets a file per video, <id>.json, as WhisperX writes it:
sentences and words, with seconds from the start of the video. Corpora read FOLDER as captions:

  vtlearn transcribe videos -o transcripts --model tiny.en
  vtlearn data check . --videos videos --captions transcripts
  vtlearn fit --config configs/vttwins.yaml --data HowTo100M --data.videos videos
    --data.captions transcripts

A command that was killed resumes: what is in FOLDER is not written again. On several machines, give
each its --part of one FOLDER; under torchrun or SLURM, each process takes the part of its rank.
Needs faster-whisper: pip install 'vtlearn[asr]'.
"""

import argparse
import sys
from pathlib import Path

from vtlearn.checks import require_choice, require_not_negative, require_share
from vtlearn.cli.commands.chosen_videos import ChosenVideos, choose_videos
from vtlearn.cli.commands.device import choose_device
from vtlearn.cli.commands.shared_options import (
    add_device,
    add_max_unreadable_fraction,
    add_part,
    choose_part,
)
from vtlearn.transcription import (
    FasterWhisper,
    TranscriptFolder,
    count_word_errors,
    read_texts,
    transcribe_all,
)

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options.

    Args:
        parser: The command's.
    """
    add = parser.add_argument
    add("videos", type=Path, metavar="VIDEOS", help="the folder of the videos, nested or not")
    add("-o", "--output", type=Path, required=True, metavar="FOLDER", help="of the transcripts")
    add(
        "--model",
        default="tiny.en",
        metavar="NAME|FOLDER",
        help="a Whisper model: tiny.en, large-v3 and the like or owner/name, which are downloaded "
        "from the Hugging Face hub, or a folder that CTranslate2 converted (%(default)s)",
    )
    add("--language", metavar="L", help="that is spoken, such as en (found out for each video)")
    add("--list", type=Path, metavar="CSV", help="what to transcribe: column video_path (all)")
    add_part(parser)
    add_device(parser)
    add("--threads", type=int, default=0, metavar="N", help="of a CPU (OMP_NUM_THREADS, or 4)")
    add_max_unreadable_fraction(parser)
    add(
        "--reference",
        type=Path,
        metavar="PATH",
        help="transcripts that are right, as a corpus has them: prints the word error rate",
    )


def run(arguments: argparse.Namespace) -> int:
    """Transcribe what is missing, and say what was done.

    Args:
        arguments: The command's options.

    Returns:
        0.

    Raises:
        VTLearnError: If an option makes no sense, FOLDER was created with other settings, or too
            many videos cannot be read.
    """
    part = choose_part(arguments)
    require_share(**{"--max-unreadable-fraction": arguments.max_unreadable_fraction})
    require_not_negative(**{"--threads": arguments.threads})
    chosen = choose_videos(arguments.videos, arguments.list)
    said = None
    if arguments.reference is not None:  # read now: it is a pity to be told after the hours
        said = read_texts(arguments.reference, chosen.names, chosen.paths.keys())
    recognizer = FasterWhisper(
        arguments.model, choose_device(arguments.device), threads=arguments.threads
    )
    if arguments.language is not None:
        require_choice(recognizer.languages, **{"--language": arguments.language})
    settings = {"version": 1, "model": recognizer.name, "language": arguments.language}
    folder = TranscriptFolder(arguments.output, settings)
    figures = transcribe_all(
        chosen.paths,
        folder,
        recognizer,
        language=arguments.language,
        part=part,
        max_unreadable_fraction=arguments.max_unreadable_fraction,
        show=arguments.part is not None or part.number == 1,  # ranks of a launcher share a screen
    )
    sys.stdout.write(f"{figures}\n")
    if said is not None:
        sys.stdout.write(f"{count_word_errors(_written(folder, chosen), said)}\n")
    return 0


def _written(folder: TranscriptFolder, chosen: ChosenVideos) -> dict[str, str]:
    """Read the texts of all transcripts there are; of a video in which nothing is said, none."""
    there = [video_id for video_id in chosen.paths if folder.has(video_id)]
    texts = read_texts(folder.folder, chosen.names, there) if there else {}
    return {video_id: texts.get(video_id, "") for video_id in there}
