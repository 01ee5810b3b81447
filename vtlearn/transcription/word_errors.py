"""How many words of transcripts are wrong, where there are others that are right."""

import tempfile
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from vtlearn.media.captions import open_captions
from vtlearn.media.captions.matching import match_captions
from vtlearn.media.ids import VideoNames

__all__ = ["WordErrors", "count_word_errors", "read_texts"]

_APOSTROPHES = "'\u2019"


class WordErrors(NamedTuple):
    """The word error rate of several videos.

    Attributes:
        rate: Words that have to be replaced, inserted and deleted, as a share of those that are
            said; above 1 where more is written than said. NaN where no word is said.
        words: How many words are said.
        videos: Of how many videos that is.
    """

    rate: float
    words: int
    videos: int

    def __str__(self) -> str:
        """Say the rate and what it was counted in."""
        if not self.words:
            return f"word error rate: the reference of {self.videos} videos has no word"
        return (
            f"word error rate: {self.rate:.1%} of {self.words} words of {self.videos} videos "
            "(in lower case, without punctuation)"
        )


def count_word_errors(written: Mapping[str, str], said: Mapping[str, str]) -> WordErrors:
    """Compare transcripts with what is said, over all words of all videos together.

    Words are compared in lower case and without punctuation: an apostrophe is taken out ("don't" is
    "dont"), and whatever else is neither letter, mark nor digit separates words.

    Args:
        written: Texts by id.
        said: The right texts, by id; only videos in both are compared.

    Returns:
        The word error rate.

    Example:
        >>> count_word_errors({"a": "Chop a carrot!"}, {"a": "chop the carrot, then stir"})
        WordErrors(rate=0.6, words=5, videos=1)
    """
    from torchmetrics.functional.text import word_error_rate  # takes a second to import

    both = [video_id for video_id in said if video_id in written]
    texts = [_normalize(written[video_id]) for video_id in both]
    targets = [_normalize(said[video_id]) for video_id in both]
    words = sum(len(target.split()) for target in targets)
    rate = float(word_error_rate(texts, targets)) if words else float("nan")
    return WordErrors(round(rate, 6), words, len(both))


def read_texts(source: Path, names: VideoNames, ids: Collection[str]) -> dict[str, str]:
    """Read what transcripts say of some videos.

    Args:
        source: A folder of transcripts, or a file of those of many videos, as HowTo100M takes it.
        names: What the videos may be called.
        ids: The videos.

    Returns:
        One text per video that has a transcript, by id; those that cannot be read, or say nothing,
        are left out, and logged.

    Raises:
        TranscriptError: If the source cannot be read, or holds no transcript.
    """
    with tempfile.TemporaryDirectory(prefix="vtlearn-transcripts-") as cache:
        captions = open_captions(source, cache=Path(cache), progress=False)
        keys = match_captions(captions, names).keys
        wanted = {video_id: keys[video_id] for video_id in ids if video_id in keys}
        return {
            video_id: " ".join(caption.text for caption in captions[key])
            for video_id, key in wanted.items()
            if key not in captions.damaged
        }


def _normalize(text: str) -> str:
    plain = text.lower().translate({ord(mark): None for mark in _APOSTROPHES})
    kept = (each if unicodedata.category(each)[0] in "LMN" else " " for each in plain)
    return " ".join("".join(kept).split())
