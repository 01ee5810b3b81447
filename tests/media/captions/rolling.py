"""Write speech as YouTube's automatic captions are written: WebVTT that rolls, TTML, SRT, srv3."""

from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

__all__ = ["Line", "as_srt", "as_srv3", "as_ttml", "as_webvtt", "clock"]


class Line(NamedTuple):
    """A line of words, each with when it begins, in milliseconds; ``end`` is when it scrolls up.

    Attributes:
        words: The words and when they begin.
        end: When the next line pushes this one up, or the screen is cleared.
        cleared: Whether the screen is empty before it.
    """

    words: Sequence[tuple[int, str]]
    end: int
    cleared: bool

    @property
    def text(self) -> str:
        return " ".join(word for _, word in self.words)

    @property
    def start(self) -> int:
        return self.words[0][0]


def clock(milliseconds: int, point: str = ".") -> str:
    seconds, rest = divmod(milliseconds, 1000)
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours:02}:{minutes:02}:{seconds % 60:02}{point}{rest:03}"


def as_webvtt(lines: Sequence[Line]) -> str:
    """Write two lines at a time, the upper one said before, and 10 ms of the lower one alone."""
    blocks = ["WEBVTT\nKind: captions\nLanguage: en"]
    upper = " "
    for line in lines:
        (_, first), *rest = line.words
        tagged = escape(first) + "".join(
            f"<{clock(moment)}><c> {escape(word)}</c>" for moment, word in rest
        )
        upper = " " if line.cleared else upper
        place = "align:start position:0%"
        pause = line.end - 10
        blocks += [
            f"{clock(line.start)} --> {clock(pause)} {place}\n{upper}\n{tagged}",
            f"{clock(pause)} --> {clock(line.end)} {place}\n{escape(line.text)}\n ",
        ]
        upper = escape(line.text)
    return "\n\n".join(blocks) + "\n\n"


def as_ttml(lines: Sequence[Line]) -> str:
    """Write each line once; a line stays until the one after the next."""
    stays = [*(line.end for line in lines[1:]), *(line.end for line in lines[-1:])]
    paragraphs = [
        f'<p begin="{clock(line.start)}" end="{clock(stay)}" style="s2">{escape(line.text)}</p>'
        for line, stay in zip(lines, stays, strict=True)
    ]
    return (
        '<?xml version="1.0" encoding="utf-8" ?>\n<tt xml:lang="en" '
        'xmlns="http://www.w3.org/ns/ttml" xmlns:tts="http://www.w3.org/ns/ttml#styling">\n'
        '<head><styling><style id="s2" tts:color="white"/></styling></head>\n'
        "<body><div>\n" + "\n".join(paragraphs) + "\n</div></body></tt>\n"
    )


def as_srv3(lines: Sequence[Line]) -> str:
    """Write each line once, with the times of its words, and empty lines that make it roll."""
    paragraphs = []
    for line in lines:
        words = "".join(
            f'<s t="{moment - line.start}">{escape(" " * (index > 0) + word)}</s>'
            for index, (moment, word) in enumerate(line.words)
        )
        duration = line.end - line.start
        paragraphs += [
            f'<p t="{line.start}" d="{duration}" w="1">{words}</p>',
            f'<p t="{line.end - 10}" d="10" w="1" a="1">\n</p>',
        ]
    return f'<timedtext format="3"><body>{"".join(paragraphs)}</body></timedtext>'


def as_srt(lines: Sequence[Line]) -> str:
    return "\n".join(
        f"{number}\n{clock(line.start, ',')} --> {clock(line.end, ',')}\n{line.text}\n"
        for number, line in enumerate(lines, 1)
    )
