"""Read what WhisperX writes: segments of speech, each with its times."""

from collections.abc import Mapping
from typing import Any

from vtlearn.errors import TranscriptError

__all__: list[str] = []


def whisperx_columns(content: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Turn segments into the lists that HowTo100M's captions have.

    Args:
        content: What the file holds, with its list ``segments``. The release for HowTo100M has
            the English translation there where another language is spoken; the speech itself is
            then in ``segments_native``, which is not read.

    Returns:
        ``start``, ``end`` and ``text``, one entry per segment; None stands for what is missing.

    Raises:
        TranscriptError: If these are not segments.

    Example:
        >>> whisperx_columns({"segments": [{"start": 0.5, "end": 2.0, "text": " So we"}]})
        {'start': [0.5], 'end': [2.0], 'text': ['So we']}
    """
    segments = content.get("segments")
    if not isinstance(segments, list) or not all(isinstance(each, Mapping) for each in segments):
        message = "segments must be a list of mappings with start, end and text"
        raise TranscriptError(message)
    texts = [segment.get("text") for segment in segments]
    return {
        "start": [segment.get("start") for segment in segments],
        "end": [segment.get("end") for segment in segments],
        "text": [text.strip() if isinstance(text, str) else text for text in texts],
    }
