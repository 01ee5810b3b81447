from vtlearn.media.captions.caption import Caption
from vtlearn.media.captions.pysubs2_formats import parse_microdvd, parse_sami, parse_substation


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
