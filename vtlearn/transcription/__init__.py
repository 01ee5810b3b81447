"""What is said in videos, written down with the second of each word.

``recognizer`` turns sound into words: :class:`Recognizer` is what anything that does so has to
offer, and :class:`FasterWhisper` the one there is. ``transcribing`` walks over videos: it has their
sound decoded, puts the words where the file has them, and goes on where a command that was killed
had stopped. ``folder`` keeps a transcript per video, as WhisperX writes them, each of which is
whole or not there; ``formats`` finds the sound of a video in another file. ``word_errors`` compares
transcripts with others that there are.
"""

from vtlearn.transcription.folder import TranscriptFolder
from vtlearn.transcription.recognizer import FasterWhisper, Recognizer, Segment, Speech, Word
from vtlearn.transcription.transcribing import Figures, Transcribed, transcribe, transcribe_all
from vtlearn.transcription.word_errors import WordErrors, count_word_errors, read_texts

__all__ = [
    "FasterWhisper",
    "Figures",
    "Recognizer",
    "Segment",
    "Speech",
    "Transcribed",
    "TranscriptFolder",
    "Word",
    "WordErrors",
    "count_word_errors",
    "read_texts",
    "transcribe",
    "transcribe_all",
]
