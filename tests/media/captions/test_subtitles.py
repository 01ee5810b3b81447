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
    for parsed, line in ((parse_srt(cue), 1), (parse_webvtt(f"WEBVTT\n\n{cue}"), 3)):
        assert not parsed
        assert parsed.skipped[0].line == line
        message = f"line {line} is not the time of a caption: '999"
        assert parsed.skipped[0].reason.startswith(message)
    said = parse_webvtt(f"WEBVTT\n\n{T1}\nso<{many}:00:01.500> we\n")
    assert [caption.text for caption in said] == ["so we"]


def test_a_character_of_thousands_of_digits_costs_its_cue() -> None:
    cues = f"{T1}\nso &#{'9' * 5000};\n\n{T2}\nwe\n"
    for parse, text in ((parse_srt, cues), (parse_webvtt, f"WEBVTT\n\n{cues}")):
        parsed = parse(text)
        assert parsed == [Caption(2.0, 3.0, "we")]
        assert "a caption's text cannot be read: Exceeds" in parsed.skipped[0].reason


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


@pytest.mark.parametrize("text", ["00:01.000 --> 00:02.000\na\n", "WEBVTTX\n", "", "\nWEBVTT\n"])
def test_webvtt_says_what_it_is(text: str) -> None:
    with pytest.raises(TranscriptError, match="line 1 has to be WEBVTT, but is '"):
        parse_webvtt(text)


NOT_A_TIME = "line {} is not the time of a caption: {!r}"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("so we\nmoved\n", 6, NOT_A_TIME.format(6, "so we")),
        ("so we\n", 6, NOT_A_TIME.format(6, "so we")),
        ("\n00:01 --> 00:02.000\na\n", 7, NOT_A_TIME.format(7, "00:01 --> 00:02.000")),
        ("a\n00:01.000 --> 00:62.000\na", 7, NOT_A_TIME.format(7, "00:01.000 --> 00:62.000")),
        (f"{T2}\nb\n00:02 --> 00:03.000\nc", 8, NOT_A_TIME.format(8, "00:02 --> 00:03.000")),
        ("00:02.000 --> 00:01.000\na\n", 6, "line 6: the caption ends at 1.0 s, before it starts"),
        ("1 --> 2", 6, NOT_A_TIME.format(6, "1 --> 2")),
        (f"NOTE\n{'x'}\n\n7\n\nso\n", 11, NOT_A_TIME.format(11, "so")),
    ],
)
def test_what_browsers_drop_is_left_out_of_webvtt_and_counted(
    text: str, line: int, reason: str
) -> None:
    parsed = parse_webvtt(f"WEBVTT\n\n{T1}\nfirst\n\n{text}")
    assert parsed[0] == Caption(1.0, 2.0, "first")
    assert [each.text for each in parsed[1:]] == (["b"] if T2 in text else [])
    assert [each.line for each in parsed.skipped] == [line]
    assert parsed.skipped[0].reason.startswith(reason)


def test_text_after_a_blank_line_is_no_cue_of_webvtt() -> None:
    text = f"WEBVTT\n\n{T1} line:90%\nwash it\n\n{T2} line:80%\n\ngrate it\nall\n\n{T3}\nbake it"
    parsed = parse_webvtt(text)
    assert parsed == [Caption(1.0, 2.0, "wash it"), Caption(3.0, 4.0, "bake it")]
    assert parsed.skipped == [(8, NOT_A_TIME.format(8, "grate it"))]


def test_settings_may_follow_a_time_of_webvtt_at_once() -> None:
    assert parse_webvtt(f"WEBVTT\n\n{T1}line:40%\nso\n") == [Caption(1.0, 2.0, "so")]
    assert len(parse_webvtt(f"WEBVTT\n\n{T1}5\nso\n").skipped) == 1


def test_css_with_blank_lines_is_no_text_without_a_time() -> None:
    css = "STYLE\n::cue {\n  color: red;\n\n  background: blue;\n}\n\n"
    parsed = parse_webvtt(f"WEBVTT\n\n{css}{T1}\nso\n\nwe\n")
    assert parsed == [Caption(1.0, 2.0, "so")]
    assert [line for line, _ in parsed.skipped] == [13]


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("<ruby>wash<rt>wosh</rt></ruby> it", "wash it"),
        ("<ruby.loud>wash<rt.soft>wosh</ruby> it", "wash it"),
        ("<ruby>wa<rt>wo</rt>sh<rt>sh</rt></ruby> it", "wash it"),
        ("<ruby>wash<rt>wosh\nit", "wash"),
        ("<rt>wash</rt> it", "wash it"),  # annotates nothing
        ("wash&nbsp;it&lrm; &amp; &lt;dry&gt;&rlm;", "wash it & <dry>"),
    ],
)
def test_annotations_and_marks_of_direction_are_no_words(said: str, text: str) -> None:
    assert parse_webvtt(f"WEBVTT\n\n{T1}\n{said}\n") == [Caption(1.0, 2.0, text)]


def test_words_that_are_spoken_after_their_cue_have_their_own_times() -> None:
    clock = "00:00:{:02}.000"
    said = (2, "wash"), (9, "it"), (20, "all")
    timed = "".join(f"<{clock.format(time)}><c> {word}</c>" for time, word in said)
    text = (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n \nhello\n\n"
        "00:00:01.000 --> 00:00:03.000\nhello\n"
        f"so{timed}\n\n00:00:40.000 --> 00:00:41.000\n \n"
    )
    assert parse_webvtt(text) == [
        Caption(0.0, 1.0, "hello"),
        Caption(1.0, 3.0, "so wash"),
        Caption(9.0, 20.0, "it"),
        Caption(20.0, 20.0, "all"),
    ]
    assert words(parse_webvtt(text, rolling=False))[-2:] == ["it", "all"]


def segment(ticks: int | None, *cues: str, local: str = "00:00:00.000") -> str:
    clock = "" if ticks is None else f"X-TIMESTAMP-MAP=MPEGTS:{ticks},LOCAL:{local}\n"
    return "\n\n".join([f"WEBVTT\n{clock}", *cues]) + "\n\n\n"


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        (segment(5_400_000, f"{T1}\nso"), [(1.0, 2.0)]),
        (segment(900_000, f"{T1}\nso") + segment(1_440_000, f"{T1}\nso"), [(1.0, 2.0), (7.0, 8.0)]),
        (
            segment(2**33 - 90_000, f"{T1}\nso") + segment(90_000, f"{T1}\nso"),
            [(1.0, 2.0), (3.0, 4.0)],
        ),
        (
            segment(90_000, f"{T1}\nso") + segment(180_000, f"{T2}\nso", local="00:00:01.000"),
            [(1.0, 2.0), (2.0, 3.0)],
        ),
        (
            segment(None, f"{T1}\nso") + segment(None, f"{T1}\nso", f"{T2}\nwe"),
            [(1.0, 2.0), (2.0, 3.0)],
        ),
        (
            segment(900_000, f"{T2}\nso") + segment(990_000, f"{T1}\nso", f"{T1}\nwe"),
            [(2.0, 3.0), (2.0, 3.0)],
        ),
        (segment(None, f"{T1}\nso", f"{T1}\nso"), [(1.0, 2.0), (1.0, 2.0)]),
        (f"WEBVTT\n\nWEBVTT\n{T1}\nso\n", [(1.0, 2.0)]),  # the name of a cue
    ],
)
def test_segments_of_hls_are_on_one_clock(text: str, spans: list[tuple[float, float]]) -> None:
    parsed = parse_webvtt(text)
    assert [(each.start, each.end) for each in parsed] == spans
    assert not parsed.skipped


@pytest.mark.parametrize(
    ("times", "span"),
    [
        ("00:00:20 --> 00:00:24", (20.0, 24.0)),
        ("00:00:01 --> 00:00:06,250000", (1.0, 6.25)),
        ("0:00:01.5 --> 0:00:06:250", (1.5, 6.25)),
        ("00:01,000 -> 00:02,000", (1.0, 2.0)),
        ("00:00:01,000 --&gt; 00:00:02,000", (1.0, 2.0)),
        ("00:00:01,000 → 00:00:02,000", (1.0, 2.0)),
        ("00:00:01,000 -- > 00:00:02,000", (1.0, 2.0)),
        ("00: 00: 01, 000 --> 00: 00: 02, 000", (1.0, 2.0)),
        ("00:00:0,500 --> 00:00:2,00", (0.5, 2.0)),
        ("00:00:75,000 --> 00:01:16,000", (75.0, 76.0)),
        ("00:00:01,1000000 --> 00:00:01,123456789", (1.1, 1.123456789)),
    ],
)
def test_times_that_people_write_in_srt(times: str, span: tuple[float, float]) -> None:
    assert parse_srt(f"1\n{times}\nso we\n\n2\n{T3}\nmoved\n") == [
        Caption(*span, "so we"),
        Caption(3.0, 4.0, "moved"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"1\n{T1}\nwash it\n\n\nall\n\n2\n{T2}\nbake\n", ["wash it all", "bake"]),
        (f"1\n{T1}\n\n3\n\n2\n{T2}\nbake\n", ["3", "bake"]),
        (f"1\n{T1}\n\n2\n\n{T2}\nbake\n", ["bake"]),
        (f"1\n{T1}\nwash\n\n2\n\n{T2}\nbake\n", ["wash", "bake"]),
        (f"1\n{T1}\nwash it\n\nall\n2\n{T2}\nbake\n", ["wash it all", "bake"]),
        (f"{T1}\nwash\n\na\n\nb", ["wash a b"]),
        (f"1\n2\n{T1}\nwash\n", ["wash"]),
    ],
)
def test_cues_of_srt_go_on_after_blank_lines(text: str, said: list[str]) -> None:
    parsed = parse_srt(text)
    assert [caption.text for caption in parsed] == said
    assert not parsed.skipped


@pytest.mark.parametrize(
    ("text", "lines", "said"),
    [
        ("1\n00:00:01,000 - 00:00:02,000\na\n", [1], []),
        ("{}", [1], []),
        ("\n\n1\n2\n", [], []),
        (f"1\n00:01,0 --> 00:02q,0\na\n\nb\n\n2\n{T2}\nwe\n", [2], ["we"]),
        (f"{T1}\na\n2\n00:02 --> now\nb", [4], ["a 2"]),
        (f"1\n{T1}\na\n\n2\nlost its time\n\n3\n{T3}\nc", [5], ["a", "c"]),
        (f"1\n{T1}\na\n\n2\nx --> y\nb\n\n3\n{T3}\nc", [6], ["a", "c"]),
        (f"1\n00:09,0 --> 00:02,0\na\n\n2\n{T2}\nb", [2], ["b"]),
    ],
)
def test_cues_of_srt_without_a_time_are_left_out_and_counted(
    text: str, lines: list[int], said: list[str]
) -> None:
    parsed = parse_srt(text)
    assert [each.line for each in parsed.skipped] == lines
    assert all(f"line {each.line}" in each.reason for each in parsed.skipped)
    assert [caption.text for caption in parsed] == said


@pytest.mark.parametrize(
    ("between", "first"),
    [
        ("1984\n\n2", "so 1984"),  # the second cue has a number of its own
        ("1984", "so"),  # which is the number of the second cue
        ("2\n\n3", "so"),  # a cue that lost everything else
        ("", "so"),
    ],
)
def test_a_number_alone_is_text_where_no_cue_has_it(between: str, first: str) -> None:
    text = f"1\n00:01,000 --> 00:02,000\nso\n\n{between}\n00:03,000 --> 00:04,000\nwe\n"
    assert parse_srt(text) == [Caption(1.0, 2.0, first), Caption(3.0, 4.0, "we")]


def test_a_blank_line_in_the_middle_of_a_cue_does_not_roll() -> None:
    cues = ["Stir it.", "Stir it.", "Stir it.\n \nAgain"]
    blocks = [f"00:0{n}.000 --> 00:0{n + 1}.000\n{cue}\n" for n, cue in enumerate(cues)]
    captions = parse_webvtt("\n".join(["WEBVTT\n", *blocks]))
    assert [each.text for each in captions] == ["Stir it.", "Stir it.", "Stir it. Again"]
