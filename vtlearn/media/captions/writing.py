"""Write captions as subtitles that players show, and that are read here as they were.

Home-made beside pysubs2, whose WebVTT has no names of cues and no notes, and escapes nothing.
"""

import html
from collections.abc import Iterable, Sequence

from vtlearn.media.captions.caption import Caption

__all__ = ["format_srt", "format_webvtt"]


def format_webvtt(captions: Iterable[Caption], *, names: Sequence[str] = (), note: str = "") -> str:
    r"""Write captions as WebVTT.

    Args:
        captions: Sorted by their start, in seconds; times are rounded
            to milliseconds, negative ones to 0, and each text is put on one line.
        names: A name for each cue, which players do not show; none has ``-->`` in it.
        note: A comment at the top, which players do not show either.

    Returns:
        The text of the file.

    Example:
        >>> print(format_webvtt([Caption(4.13, 6.5, "a < b")], names=["first"], note="two letters"))
        WEBVTT
        <BLANKLINE>
        NOTE two letters
        <BLANKLINE>
        first
        00:00:04.130 --> 00:00:06.500
        a &lt; b
        <BLANKLINE>
    """
    blocks = ["WEBVTT"]
    if note:
        blocks.append(f"NOTE {_one_line(note).replace('-->', '->')}")
    for number, caption in enumerate(captions):
        times = f"{_clock(caption.start, '.')} --> {_clock(caption.end, '.')}"
        name = f"{names[number]}\n" if names else ""
        blocks.append(f"{name}{times}\n{_escaped(caption.text)}")
    return "\n\n".join(blocks) + "\n"


def format_srt(captions: Iterable[Caption]) -> str:
    r"""Write captions as SubRip.

    Args:
        captions: As :func:`format_webvtt` has them. SubRip has no way to write a text that looks
            like its tags or times, so such a text is written as it is.

    Returns:
        The text of the file.

    Example:
        >>> print(format_srt([Caption(4.13, 6.5, "so we")]))
        1
        00:00:04,130 --> 00:00:06,500
        so we
        <BLANKLINE>
    """
    blocks = [
        f"{number}\n{_clock(caption.start, ',')} --> {_clock(caption.end, ',')}\n"
        f"{_one_line(caption.text)}\n"
        for number, caption in enumerate(captions, 1)
    ]
    return "\n".join(blocks)


def _clock(seconds: float, mark: str) -> str:
    minutes, milliseconds = divmod(max(0, round(seconds * 1000)), 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, fraction = divmod(milliseconds, 1000)
    return f"{hours:02}:{minutes:02}:{whole:02}{mark}{fraction:03}"


def _escaped(text: str) -> str:
    """Escape what WebVTT reads as a tag or an arrow, and what is a tag of ASS within it."""
    return html.escape(_one_line(text), quote=False).replace("{\\", "&#123;\\")


def _one_line(text: str) -> str:
    return " ".join(text.split())
