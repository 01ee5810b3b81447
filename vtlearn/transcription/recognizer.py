"""What turns sound into words with their times: a Whisper model, by faster-whisper.

faster-whisper is imported when a model is opened: it is an extra, and takes a second.
"""

from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from vtlearn.checks import require_not_negative
from vtlearn.errors import ArgumentError
from vtlearn.media.features.fingerprints import fingerprint
from vtlearn.storage.imports import require

__all__ = ["FasterWhisper", "Recognizer", "Segment", "Speech", "Word"]

_FILES = "model.bin, config.json, tokenizer.json and vocabulary.txt"
_DIGITS = 3  # milliseconds; the model tells 20 of them apart


class Word(NamedTuple):
    """One word.

    Attributes:
        word: With its punctuation.
        start: In seconds.
        end: In seconds.
        score: How probable the model finds it, from 0 to 1.
    """

    word: str
    start: float
    end: float
    score: float


class Segment(NamedTuple):
    """What is said in one go, mostly a sentence.

    Attributes:
        start: In seconds.
        end: In seconds.
        text: What is said.
        words: The same, word by word.
    """

    start: float
    end: float
    text: str
    words: list[Word]


class Speech(NamedTuple):
    """What was recognized in some sound.

    Attributes:
        segments: In temporal order; none where nothing is said.
        language: Of two letters, mostly, such as "en"; None where nothing is said.
    """

    segments: list[Segment]
    language: str | None


class Recognizer(Protocol):
    """Recognizes speech."""

    @property
    def name(self) -> str:
        """What tells it from another that would write something else."""

    def recognize(self, samples: NDArray[np.float32], language: str | None) -> Speech:
        """Recognize what is said.

        Args:
            samples: (samples,), float32, from -1 to 1, 16,000 per second.
            language: The language that is spoken; None: find out.

        Returns:
            What is said, in seconds from the first sample.
        """


class FasterWhisper:
    """A Whisper model that CTranslate2 runs.

    Sound without speech is skipped (voice activity detection), where Whisper would make up words.
    Decoding is greedy, at temperature 0 alone, so that a command that was killed and resumed writes
    what it would have written. Whisper's fallback to higher temperatures, where a text repeats
    itself, draws at random; instructions do repeat themselves, and it made them no better (see
    docs/transcribe.md). A window does not see the text of the one before: it would continue its
    errors, and a sentence that was said twice would be said for ever.

    On a CPU the weights are rounded to 8 bits, which is half as fast again.

    Args:
        model: A folder that CTranslate2 converted, or the name of a model on the Hugging Face hub:
            ``tiny.en``, ``large-v3`` and the like, or ``owner/name``.
        device: A CPU or a CUDA device.
        threads: How many a CPU runs it by; 0: ``OMP_NUM_THREADS``, or four.

    Attributes:
        languages: Those that the model knows, such as "en".

    Raises:
        MissingPackageError: If faster-whisper is not installed.
        ArgumentError: If the model cannot be read, or not be run on the device.
    """

    def __init__(self, model: str, device: torch.device | None = None, *, threads: int = 0) -> None:
        device = device or torch.device("cpu")
        require_not_negative(threads=threads)
        if device.type not in ("cpu", "cuda"):
            message = f"speech is recognized on a CPU or a CUDA device, not on {device}"
            raise ArgumentError(message)
        package = require("faster_whisper", extra="asr", purpose="Recognizing speech")
        folder = _find(package, model)
        try:
            self._model = package.WhisperModel(
                str(folder),
                device=device.type,
                device_index=device.index or 0,
                compute_type="int8" if device.type == "cpu" else "default",
                cpu_threads=threads,
            )
        except Exception as error:  # tokenizers raises no kind of its own
            reason = str(error).strip().partition("\n")[0]
            message = (
                f"{model} cannot be opened on {device} ({reason}); expected a Whisper model that "
                f"CTranslate2 converted, a folder with {_FILES}"
            )
            raise ArgumentError(message) from error
        precision = self._model.model.compute_type  # which "default" leaves to model and device
        self._name = f"weights {fingerprint(folder / 'model.bin')[:12]}, {precision}"
        self.languages = list(self._model.supported_languages)

    @property
    def name(self) -> str:
        """What tells its weights from others, whatever their folder is called, and precision."""
        return self._name

    def recognize(self, samples: NDArray[np.float32], language: str | None) -> Speech:
        """See :class:`Recognizer`."""
        found, about = self._model.transcribe(
            samples,
            language=language,
            beam_size=1,
            temperature=0.0,
            condition_on_previous_text=False,
            vad_filter=True,
            word_timestamps=True,
        )
        if not about.duration_after_vad:
            return Speech([], None)
        return Speech([_segment(each) for each in found if each.text.strip()], about.language)


def _find(package: ModuleType, model: str) -> Path:
    """Return the folder of a model, which is downloaded if it is a name."""
    folder = Path(model)
    if folder.is_dir():
        missing = [name for name in ("model.bin", "config.json") if not (folder / name).is_file()]
        if missing:
            message = f"{folder} has no {' and no '.join(missing)}; expected {_FILES}"
            raise ArgumentError(message)
        return folder
    try:
        return Path(package.download_model(model))
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        message = (
            f"{model} is not a directory, and cannot be read from the Hugging Face hub ({reason}); "
            f"download {_FILES} where it can be reached, and give the folder that they are in"
        )
        raise ArgumentError(message) from error


def _segment(found: Any) -> Segment:
    """Take what is kept of a segment of faster-whisper."""
    words = [
        Word(
            word.word.strip(),
            *_span(word.start, word.end),
            score=round(float(word.probability), _DIGITS),
        )
        for word in found.words or []
    ]
    return Segment(*_span(found.start, found.end), found.text.strip(), words)


def _span(start: float, end: float) -> tuple[float, float]:
    start, end = round(float(start), _DIGITS), round(float(end), _DIGITS)
    return start, max(start, end)
