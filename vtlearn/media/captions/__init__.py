"""What is said in videos, and when: of one file, or of a whole corpus.

``transcripts`` reads the captions of one video, by a table of what reads which suffix:
``subtitles`` SRT, WebVTT and SBV, ``timed_text`` TTML and YouTube's XML, ``pysubs2_formats`` ASS,
SSA, SAMI and MicroDVD, ``json_layouts`` what speech recognition writes, and ``whisperx`` its
segments. What they give is a ``caption`` with its seconds; there captions that roll are unrolled,
and ``sentences`` puts together what speech recognition cut. ``sources`` reads what corpora publish,
file by file or all in one (``json_stream``, ``pickles``), into a ``table`` of plain arrays, and
``index`` maps that into the memory of all processes alike. Which video a transcript is of, its name
tells (``naming``), and ``matching``, once the videos are known.
"""

from vtlearn.media.captions.caption import Caption, Skipped, Transcript, dedupe_rolling
from vtlearn.media.captions.index import CaptionIndex, open_captions
from vtlearn.media.captions.sentences import sentences
from vtlearn.media.captions.transcripts import read_transcript

__all__ = [
    "Caption",
    "CaptionIndex",
    "Skipped",
    "Transcript",
    "dedupe_rolling",
    "open_captions",
    "read_transcript",
    "sentences",
]
