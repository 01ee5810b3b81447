import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.media.captions.rolling import Line, as_srt, as_srv3, as_ttml, as_webvtt
from vtlearn.errors import TranscriptError
from vtlearn.media.captions.caption import Caption
from vtlearn.media.captions.subtitles import parse_srt, parse_webvtt
from vtlearn.media.captions.timed_text import parse_timed_text


@st.composite
def speech(draw: st.DrawFn) -> list[Line]:
    """Draw lines of few words, so that they often repeat what was just said."""
    lines: list[Line] = []
    now = draw(st.integers(0, 5000))
    for _ in range(draw(st.integers(1, 8))):
        texts = draw(
            st.lists(st.sampled_from(["so", "yeah", "R&B", "x<y"]), min_size=1, max_size=3)
        )
        steps = draw(st.lists(st.integers(30, 400), min_size=len(texts), max_size=len(texts)))
        times = itertools.accumulate(steps, initial=now)
        words = list(zip(times, texts, strict=False))
        silence = draw(st.sampled_from([0, 0, 0, 3000]))
        cleared = draw(st.booleans()) if lines else True
        lines.append(Line(words, now + sum(steps) + 20, cleared))
        now = lines[-1].end + silence
    return lines


def words(captions: list[Caption]) -> list[str]:
    return [word for caption in captions for word in caption.text.split()]


@given(speech())
def test_rolling_webvtt_says_what_its_twins_say(lines: list[Line]) -> None:
    said = [word for line in lines for _, word in line.words]
    unrolled = parse_webvtt(as_webvtt(lines))
    assert words(unrolled) == said
    assert words(parse_timed_text(as_ttml(lines).encode())) == said
    assert words(parse_timed_text(as_srv3(lines).encode())) == said
    assert words(parse_srt(as_srt(lines))) == said
    assert [caption.start for caption in unrolled] == [line.start / 1000 for line in lines]
    assert [each.start for each in unrolled] == [each.start for each in parse_srt(as_srt(lines))]


def test_a_time_within_a_word_does_not_cut_it() -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\n<00:01.100>but<00:01.200><c>ter </c><c>melts</c>\n"
    assert parse_webvtt(text) == [Caption(1.0, 2.0, "butter melts")]


def test_rolling_is_an_argument() -> None:
    text = as_webvtt([Line([(0, "so")], 500, True), Line([(500, "we")], 900, False)])
    assert words(parse_webvtt(text)) == ["so", "we"]
    assert words(parse_webvtt(text, rolling=False)) == ["so", "so", "so", "we", "we"]
    twice = "WEBVTT\n\n00:01.000 --> 00:02.000\nstir\n\n00:02.000 --> 00:03.000\nstir\n"
    assert words(parse_webvtt(twice)) == ["stir", "stir"]
    assert words(parse_webvtt(twice, rolling=True)) == ["stir"]


def test_what_webvtt_may_have_beside_captions() -> None:
    text = (
        "WEBVTT - a title\r\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000\r\n\r\n"
        "STYLE\r\n::cue { color: red }\r\n\r\nREGION\r\nid:bill\r\n\r\n"
        "NOTE one line\r\n\r\nNOTE\r\nof several lines\r\n\r\n"
        "intro\r\n1:00:04.130 --> 01:00:06.500 align:start line:0\r\n"
        "<v Ann>so <b>we</b> &amp; you\r\n- <i.loud>moved</i>&nbsp;on &lt;b&gt;\r\n\r\n\r\n"
        "\t00:07.000   -->   00:08.000\t\r\nsalt\r\n\r\n00:09.000 --> 00:10.000\r\n"
    )
    assert parse_webvtt(text) == [
        Caption(3604.13, 3606.5, "so we & you - moved on <b>"),
        Caption(7.0, 8.0, "salt"),
    ]
    assert parse_webvtt(text.replace("\r\n", "\n")) == parse_webvtt(text)
    assert parse_webvtt(text.replace("\r\n", "\r")) == parse_webvtt(text)
    assert parse_webvtt("WEBVTT") == []


T1, T2, T3 = (f"00:0{n}.000 --> 00:0{n + 1}.000" for n in (1, 2, 3))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"WEBVTT\n{T1}\nso\n\n{T2}\nwe\n", ["so", "we"]),
        (f"WEBVTT\n{T1}\nso\n{T2}\nwe\n{T3}\nmoved\n", ["so", "we", "moved"]),
        (f"WEBVTT - a\nKind: captions\n{T1}\nso\n{T2}\n\n{T3}\nmoved\n", ["so", "moved"]),
        (f"WEBVTT\n\nNOTE a --> b\n{T1}\nso\n\nNOTE\n1\n{T2}\nwe\n", ["so", "we"]),
        (f"WEBVTT\n\nNOTE\n{T1}\nso\n", ["so"]),  # as in browsers: its name is NOTE
        (f"WEBVTT\n\n1\n{T1}\nso\n2\n{T2}\nwe\n", ["so 2", "we"]),  # as in browsers
    ],
)
def test_an_arrow_begins_a_caption_in_webvtt(text: str, said: list[str]) -> None:
    captions = parse_webvtt(text.replace("\n", "\r\n"))
    assert [caption.text for caption in captions] == said
    assert captions[0].start == 1.0
    assert captions[-1].end == captions[-1].start + 1.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"1\n{T1}\nso\n2\n{T2}\nwe\n3\n{T3}\nmoved\n", ["so", "we", "moved"]),
        (f"{T1}\nso\n{T2}\nwe\n", ["so", "we"]),
        (f"{T1}\n200\n{T2}\nwe\n", ["200", "we"]),  # nothing is numbered here
        (f"1\n{T1}\n200\n2\n{T2}\n\n3\n{T3}\nmoved\n", ["200", "moved"]),
        (f"1\n{T1}\n2\n{T2}\nwe\n", ["we"]),
        (f"1\n{T1}\nmix --> bake\n", ["mix --> bake"]),
    ],
)
def test_a_time_begins_a_caption_in_srt(text: str, said: list[str]) -> None:
    captions = parse_srt(text)
    assert [caption.text for caption in captions] == said
    assert all(caption.end == caption.start + 1.0 for caption in captions)


@pytest.mark.parametrize("digits", [20, 400, 5000])
def test_absurd_numbers_are_no_times(digits: int) -> None:
    many = "9" * digits
    cue = f"{many}:00:01.000 --> {many}:00:02.000\nso\n"
    with pytest.raises(TranscriptError, match="line 1 is not the time of a caption: '999"):
        parse_srt(cue)
    with pytest.raises(TranscriptError, match="line 3 is not the time of a caption: '999"):
        parse_webvtt(f"WEBVTT\n\n{cue}")
    said = parse_webvtt(f"WEBVTT\n\n{T1}\nso<{many}:00:01.500> we\n")
    assert [caption.text for caption in said] == ["so we"]


def test_a_character_of_thousands_of_digits_is_an_error() -> None:
    cue = f"{T1}\nso &#{'9' * 5000};\n"
    for parse, text in ((parse_srt, cue), (parse_webvtt, f"WEBVTT\n\n{cue}")):
        with pytest.raises(TranscriptError, match="a caption's text cannot be read: Exceeds"):
            parse(text)


def test_what_srt_may_have() -> None:
    text = (
        "1\n00:00:04,130 --> 00:00:06,500  X1:100 X2:200\n<font color='red'>so</font>\n{\\an8}we\n"
        "\n\n \n2\n00:00:07.5 --> 00:00:08.25\nI <3 you & 5 < 6 > 4\n\n"
        "00:09,000 --> 00:10,000\nno number\n\n3\n0:00:11,000 --> 0:00:12,000\n\n"
        "100:00:00,001 --> 100:00:00,002\n1\n"
    )
    assert parse_srt(text) == [
        Caption(4.13, 6.5, "so we"),
        Caption(7.5, 8.25, "I <3 you & 5 < 6 > 4"),
        Caption(9.0, 10.0, "no number"),
        Caption(360000.001, 360000.002, "1"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("00:01.000 --> 00:02.000\na\n", "line 1 has to be WEBVTT, but is '00:01.000"),
        ("WEBVTTX\n", "line 1 has to be WEBVTT, but is 'WEBVTTX'"),
        ("WEBVTT\n\nso we\nmoved\n", "line 4 is not the time of a caption: 'moved'"),
        ("WEBVTT\n\nso we\n", "line 3 is not the time of a caption: 'so we'"),
        ("WEBVTT\n\n\n00:01 --> 00:02.000\na\n", "line 4 is not the time of a caption"),
        ("WEBVTT\n\na\n00:01.000 --> 00:62.000\na\n", "line 4 is not the time of a caption"),
        ("WEBVTT\n00:01 --> 00:02.000\na\n", "line 2 is not the time of a caption"),
        (
            "WEBVTT\n\n00:01.000 --> 00:02.000\na\n00:02 --> 00:03.000\nb",
            "line 5 is not the time of a caption: '00:02 -->",
        ),
        ("WEBVTT\n\n00:02.000 --> 00:01.000\na\n", "line 3: the caption ends at 1.0 s, before it"),
    ],
)
def test_garbage_in_webvtt_is_named_by_its_line(text: str, message: str) -> None:
    with pytest.raises(TranscriptError, match=message):
        parse_webvtt(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\n00:00:01,000 -> 00:00:02,000\na\n", "line 2 is not the time of a caption"),
        ("1\n00:00:01,000 --> 00:00:02,000\na\n\nb\n", "line 5 is not the time of a caption: 'b'"),
        ("\n\n1\n2\n", "line 4 is not the time of a caption: '2'"),
        ("{}", "line 1 is not the time of a caption"),
        (
            "00:00:01,000 --> 00:00:02,000\na\n2\n00:00:02 --> 00:00:03,000\nb",
            "line 4 is not the time of a caption: '00:00:02 -->",
        ),
        ("1\n2\n00:00:01,000 --> 00:00:02,000\na\n", "line 2 is not the time of a caption: '2'"),
    ],
)
def test_garbage_in_srt_is_named_by_its_line(text: str, message: str) -> None:
    with pytest.raises(TranscriptError, match=message):
        parse_srt(text)
