"""What is said: captions as speech recognition hears them, with faults that can be dialled.

Each fault is a number, so that the question "how wrong may narration be?" has an experiment.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from vtlearn.errors import ArgumentError
from vtlearn.kitchen.recipes import ACTIONS, INGREDIENTS
from vtlearn.kitchen.truth import Step

__all__ = ["Line", "Narrator"]

TEMPLATES = (
    "now we {} the {}",
    "go ahead and {} your {}",
    "next i am going to {} this {}",
    "you want to {} the {} really well",
    "so just {} the {} like this",
    "then {} some {}",
    "i always {} my {} first",
    "let us {} the {} together",
)
CHATTER = (
    "do not forget to subscribe",
    "hello and welcome back to my channel",
    "my grandmother taught me this",
    "leave me a comment down below",
    "it smells so good in here",
    "that is looking beautiful already",
    "sorry about the noise outside",
    "we are almost there",
    "thank you so much for watching",
    "this is my favourite part",
)
CHATTER_SECONDS = (2.0, 4.0)


class Line(NamedTuple):
    """One caption.

    Attributes:
        start: Seconds.
        end: Seconds; later than ``start``.
        text: What is said.
        step: The index of the step that the text is about; None for chatter.
    """

    start: float
    end: float
    text: str
    step: int | None


@dataclass(frozen=True)
class Narrator:
    """Tell of a video's steps, with the faults of narration.

    Args:
        shift: Standard deviation of a caption's distance from its step in time, in seconds.
        omitted: The probability that a step is not told of.
        chatter: How many captions that describe nothing are said for each step, 0 to 1 on average.
        swapped: The probability that a caption exchanges its text with the next one.
        word_errors: The probability that a word is lost or heard as another one.

    Raises:
        ArgumentError: If ``shift`` is negative, or another number is outside 0 to 1.

    Example:
        >>> clean = Narrator(shift=0, omitted=0, chatter=0, swapped=0, word_errors=0)
        >>> steps = [Step(1.0, 4.0, "chop", "carrot")]
        >>> clean.narrate(np.random.default_rng(1), steps, duration=6.0)[0]
        Line(start=1.0, end=4.0, text='i always chop my carrot first', step=0)
    """

    shift: float = 3.0
    omitted: float = 0.2
    chatter: float = 0.4
    swapped: float = 0.1
    word_errors: float = 0.05

    def __post_init__(self) -> None:
        if not 0 <= self.shift < float("inf"):
            message = f"shift is {self.shift}: a standard deviation in seconds, 0 or more"
            raise ArgumentError(message)
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            if not 0 <= value <= 1:
                message = f"{field.name} is {value}: a share, from 0 to 1"
                raise ArgumentError(message)

    def narrate(
        self, rng: np.random.Generator, steps: Sequence[Step], duration: float
    ) -> list[Line]:
        """Tell of one video.

        Args:
            rng: Where chance comes from.
            steps: What is shown.
            duration: Seconds of the video.

        Returns:
            Its captions, sorted by start, each inside the video. A caption is as long as its step,
            and at another time. One whose text was swapped or misheard keeps the index of the step
            that its text is about.
        """
        told = [
            self._tell(rng, index, step, duration)
            for index, step in enumerate(steps)
            if rng.random() >= self.omitted
        ]
        said = [_chat(rng, duration) for _ in steps if rng.random() < self.chatter]
        lines = self._swap(rng, sorted([*told, *said], key=lambda line: line.start))
        return [line._replace(text=self._mishear(rng, line.text)) for line in lines]

    def _tell(self, rng: np.random.Generator, index: int, step: Step, duration: float) -> Line:
        template = TEMPLATES[rng.integers(len(TEMPLATES))]
        start = step.start + rng.normal() * self.shift
        span = _inside(start, step.end - step.start, duration)
        return Line(*span, template.format(step.action, step.ingredient), index)

    def _swap(self, rng: np.random.Generator, lines: list[Line]) -> list[Line]:
        """Exchange what neighbours say; no text goes further than one place."""
        swapped = list(lines)
        index = 0
        while index + 1 < len(swapped):
            first, second = swapped[index : index + 2]
            if rng.random() >= self.swapped:
                index += 1
                continue
            swapped[index] = first._replace(text=second.text, step=second.step)
            swapped[index + 1] = second._replace(text=first.text, step=first.step)
            index += 2
        return swapped

    def _mishear(self, rng: np.random.Generator, text: str) -> str:
        heard = []
        words = text.split()
        for word in words:
            if rng.random() >= self.word_errors:
                heard.append(word)
            elif rng.random() < 0.5:  # replaced; otherwise it is lost
                heard.append(_other_word(rng, word))
        return " ".join(heard or words[:1])  # a caption is never empty


def _chat(rng: np.random.Generator, duration: float) -> Line:
    length = rng.uniform(*CHATTER_SECONDS)
    span = _inside(rng.uniform(0, duration), length, duration)
    return Line(*span, CHATTER[rng.integers(len(CHATTER))], None)


def _inside(start: float, length: float, duration: float) -> tuple[float, float]:
    """Move a span into the video, and round it to milliseconds, as transcripts do."""
    length = min(length, duration)
    start = round(min(max(start, 0.0), duration - length), 3)
    return start, min(round(start + length, 3), duration)


def _other_word(rng: np.random.Generator, word: str) -> str:
    others = [other for other in (*ACTIONS, *INGREDIENTS, "and", "the", "you") if other != word]
    return others[int(rng.integers(len(others)))]
