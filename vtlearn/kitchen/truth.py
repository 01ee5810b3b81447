"""What is on screen when: the ground truth that lies beside Kitchen's videos."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from vtlearn.errors import CorpusNotFoundError

__all__ = ["Step", "VideoTruth", "read_truth"]

NAME = "Kitchen"
SOURCE = "nowhere: it is rendered on this machine, by `vtlearn data kitchen` or by training on it"


class Step(NamedTuple):
    """One action done to one ingredient, and when it is on screen.

    Attributes:
        start: When it begins, in seconds.
        end: When it is over, in seconds; later than ``start``.
        action: A verb: ``chop``.
        ingredient: A noun: ``carrot``.

    Example:
        >>> Step(0.0, 4.5, "chop", "carrot").caption
        'chop carrot'
    """

    start: float
    end: float
    action: str
    ingredient: str

    @property
    def caption(self) -> str:
        """The plain caption of the step."""
        return f"{self.action} {self.ingredient}"


class VideoTruth(NamedTuple):
    """Everything that is known about one video.

    Attributes:
        duration: Seconds.
        recipe: The recipe it follows, or None for a free sequence.
        steps: What is shown, in time order; nothing is shown between them.
        narrated: For each caption, in the captions' order, the index of the step its text is about;
            None for chatter.
    """

    duration: float
    recipe: str | None
    steps: list[Step]
    narrated: list[int | None]


def encode_truth(truth: VideoTruth) -> dict[str, Any]:
    """Turn what is known about a video into what ``steps.json`` holds.

    Args:
        truth: The video's truth.

    Returns:
        Its entry, plain lists and dictionaries.

    Example:
        >>> truth = VideoTruth(9.0, None, [Step(0.0, 4.5, "chop", "carrot")], [None, 0])
        >>> decode_truth(encode_truth(truth)) == truth
        True
    """
    return truth._asdict() | {"steps": [step._asdict() for step in truth.steps]}


def decode_truth(entry: dict[str, Any]) -> VideoTruth:
    """Turn an entry of ``steps.json`` into types.

    Args:
        entry: What :func:`encode_truth` made; what else there is, such as references, is left out.

    Returns:
        The video's truth.
    """
    steps = [Step(**step) for step in entry["steps"]]
    return VideoTruth(entry["duration"], entry["recipe"], steps, entry["narrated"])


def read_truth(root: Path | str) -> dict[str, VideoTruth]:
    """Read the ground truth of a rendered corpus.

    Args:
        root: The corpus' folder.

    Returns:
        The truth of each video, by id.

    Raises:
        CorpusNotFoundError: If the folder holds no ``steps.json``.
    """
    path = Path(root) / "steps.json"
    if not path.is_file():
        raise CorpusNotFoundError(NAME, [f"{path}: which step is on screen when"], SOURCE)
    entries = json.loads(path.read_text(encoding="utf-8"))
    return {id_: decode_truth(entry) for id_, entry in entries.items()}
