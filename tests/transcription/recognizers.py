"""Recognizers for tests, which need no model."""

import numpy as np
from numpy.typing import NDArray

from tests.media.video.sounds import onsets
from vtlearn.transcription import Segment, Speech, Word

__all__ = ["Tones"]


class Tones:
    """Hears one word per tone: "tone 1", "tone 2", and so on from the start of what it is given."""

    def __init__(self, name: str = "tones", language: str = "en") -> None:
        self.name = name
        self.asked: list[str | None] = []  # the languages
        self._language = language

    def recognize(self, samples: NDArray[np.float32], language: str | None) -> Speech:
        self.asked.append(language)
        segments = [
            Segment(start, end, f"tone {number}", [Word("tone", start, end, 0.5)])
            for number, (start, end) in enumerate(onsets(samples), 1)
        ]
        found = language or self._language
        return Speech(segments, found if segments else None)
