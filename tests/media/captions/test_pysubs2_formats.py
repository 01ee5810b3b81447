import pytest

from vtlearn.media.captions.caption import Caption
from vtlearn.media.captions.pysubs2_formats import (
    parse_microdvd,
    parse_sami,
    parse_substation,
    sami_language,
)


def test_a_line_and_its_shadow_count_once_and_drawings_never() -> None:
    line = r"Dialogue: {},0:00:01.00,0:00:02.00,Default,,0,0,0,,{}"
    drawing = r"{\p1}m 0 0 l 10 10{\p0}"
    lines = [line.format(layer, "so we") for layer in (0, 1)]
    text = "\n".join([*lines, line.format(0, drawing), line.format(0, "")])
    assert parse_substation(text) == [Caption(1.0, 2.0, "so we")]
    assert not parse_substation(text).skipped


def test_a_line_that_ends_before_it_starts_is_left_out() -> None:
    text = "Dialogue: 0,0:00:03.00,0:00:02.00,Default,,0,0,0,,back\n"
    parsed = parse_substation(text)
    assert (list(parsed), [line for line, _ in parsed.skipped]) == ([], [1])


def test_the_rate_that_a_file_declares_counts() -> None:
    for first, fps in (("{1}{1}25\n", None), ("{1}{1}25.000\n", 10.0), ("", 25.0)):
        assert parse_microdvd(f"{first}{{50}}{{75}}so", fps) == [Caption(2.0, 3.0, "so")]


def test_a_caption_of_sami_ends_with_the_next() -> None:
    long = "so we wash it under a lot of cold water"
    text = f"<SAMI><BODY><SYNC Start=1000><P>{long}<SYNC Start=2500><P>{long}</BODY></SAMI>"
    first, second = parse_sami(text)
    assert first == (1.0, 2.5, long)
    assert second.start == 2.5
    assert second.end > 4.0


STYLE = """<SAMI><HEAD><STYLE TYPE="text/css"><!--
P { margin-left: 1pt; }
.ENCC { Name: English; lang: en-US; SAMIType: CC; }
.ENSDH { Name: Described; lang: en-US; }
.KRCC { Name: Korean; lang: ko-KR; SAMIType: CC; }
--></STYLE></HEAD><BODY>"""


@pytest.mark.parametrize(
    "body",
    [
        "<SYNC Start=1000><P Class=ENCC>hello<P Class=KRCC>annyeong"
        "<SYNC Start=2000><P Class=ENCC>&nbsp;<P Class=KRCC>&nbsp;",
        "<SYNC Start=1000><P Class='encc'>hello</P></SYNC><SYNC Start=1400><P Class=KRCC>annyeong"
        "<SYNC Start=1500><P Class=KRCC>&nbsp;<SYNC Start=2000><P Class=ENCC>&nbsp;",
        "<SYNC Start=1000><P ID=Left Class=ENCC>hello<SYNC Start=2000><P Class=ENSDH>&nbsp;"
        "<SYNC Start=900><P Class=KRCC>annyeong<SYNC Start=1800><P Class=KRCC>&nbsp;",
    ],
)
def test_of_sami_in_several_languages_the_first_is_read(body: str) -> None:
    (caption,) = parse_sami(f"{STYLE}{body}</BODY></SAMI>")
    assert (caption.start, caption.text) == (1.0, "hello")
    assert caption.end == pytest.approx(1.5 + 5 * 0.067)  # as pysubs2 has it, if not cut short
    assert sami_language(f"{STYLE}{body}") == "en-US"


def test_classes_of_one_language_are_read_together() -> None:
    body = "<SYNC Start=1000><P Class=ENCC>hello<SYNC Start=3000><P Class=ENSDH>[music]"
    assert [each.text for each in parse_sami(STYLE + body)] == ["hello", "[music]"]
    assert sami_language("<SYNC Start=1000><P>hello") == ""
