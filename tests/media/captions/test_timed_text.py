import pytest

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.caption import Caption
from vtlearn.media.captions.timed_text import parse_timed_text


def ttml(body: str, head: str = "") -> bytes:
    return f'<tt xmlns="http://www.w3.org/ns/ttml" {head}><body>{body}</body></tt>'.encode()


@pytest.mark.parametrize(
    ("begin", "end", "span"),
    [
        ("00:00:04.130", "00:01:00.5", (4.13, 60.5)),
        ("100:00:00", "100:00:01", (360000.0, 360001.0)),
        ("4.13s", "6500ms", (4.13, 6.5)),
        ("1.5m", "0.5h", (90.0, 1800.0)),
        ("00:00:01:15", "48f", (1.625, 2.0)),
        ("10000001t", "20000000t", (1.0000001, 2.0)),
    ],
)
def test_times(begin: str, end: str, span: tuple[float, float]) -> None:
    head = 'xmlns:ttp="http://www.w3.org/ns/ttml#parameter" ttp:frameRate="24" '
    head += 'ttp:tickRate="10000000"'
    content = ttml(f'<div><p begin="{begin}" end="{end}">a</p></div>', head)
    assert parse_timed_text(content) == [Caption(*span, "a")]


def test_rates_by_default_and_with_a_multiplier() -> None:
    body = '<p begin="0s" end="30f">a</p>'
    assert parse_timed_text(ttml(body)) == [Caption(0.0, 1.0, "a")]
    scaled = parse_timed_text(ttml(body, 'frameRate="30" frameRateMultiplier="1000 1001"'))
    assert scaled == [Caption(0.0, 1.001, "a")]


def test_times_count_from_those_around() -> None:
    content = (
        b'<tt:tt xmlns:tt="http://www.w3.org/ns/ttml"><tt:body begin="1s"><tt:div begin="10s">'
        b'<tt:p begin="0.5s" dur="2s">a</tt:p></tt:div><tt:p begin="1s" end="2s">b</tt:p>'
        b"</tt:body></tt:tt>"
    )
    assert parse_timed_text(content) == [Caption(11.5, 13.5, "a"), Caption(2.0, 3.0, "b")]


def test_text_on_one_line_without_what_stands_around() -> None:
    body = (
        '\n  outside <p begin="1s" end="2s">\n  so <span>we</span><br/>moved &amp;\n on </p>'
        '<p begin="2s" end="3s"> </p>'
    )
    assert parse_timed_text(ttml(body)) == [Caption(1.0, 2.0, "so we moved & on")]


def test_layouts_of_youtube() -> None:
    said = [Caption(0.16, 4.95, "it's salt & oil"), Caption(5.0, 6.5, "so")]
    srv1 = b"""<?xml version="1.0"?><transcript><text start="0.16" dur="4.79">it&amp;#39;s salt
        &amp;amp; oil</text><text start="5" dur="1.5">so</text></transcript>"""
    srv2 = b"""<timedtext><text t="160" d="4790" append="1">it&amp;#39;s salt &amp;amp; oil</text>
        <text t="5000" d="1500">so</text></timedtext>"""
    srv3 = b"""<timedtext format="3"><head><ws id="0"/></head><body><w t="0" id="1"/>
        <p t="160" d="4790" w="1"><s>it's</s><s t="320" ac="0"> salt</s><s> &amp; oil</s></p>
        <p t="4940" d="10" w="1" a="1">\n</p><p t="5000" d="1500">so</p></body></timedtext>"""
    for content in (srv1, srv2, srv3):
        assert parse_timed_text(content) == said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is not valid XML: no element found"),
        (b"<tt><body></tt>", "it is not valid XML: mismatched tag: line 1"),
        (b"WEBVTT\n", "it is not valid XML: syntax error: line 1"),
        (b'<tt frameRate="x"/>', "line 1: its frame rate or tick rate is not a number"),
        (b'<tt tickRate="0"/>', "line 1: its frame rate or tick rate is not a number"),
    ],
)
def test_what_is_no_timed_text(content: bytes, message: str) -> None:
    with pytest.raises(TranscriptError, match=message):
        parse_timed_text(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'<?xml version="1.0" encoding="foo"?><tt/>', "it is not valid XML: unknown encoding"),
        (b'<?xml version="1.0" encoding="shift_jis"?><tt/>', "it is not valid XML: multi-byte"),
        (b'<?xml version="1.0" encoding="hex"?><tt/>', "it is not valid XML: "),
        *(
            (ttml("", f'{rate}="{number}"'), "line 1: its frame rate or tick rate is not a number")
            for rate in ("frameRate", "tickRate")
            for number in ("1e400000000", "9" * 400, "9" * 5000, "0.0", "-1", "1/2", "nan")
        ),
        (ttml("", 'frameRateMultiplier="1 1e400000000"'), "its frame rate or tick rate"),
        (ttml("", 'frameRateMultiplier="1"'), "its frame rate or tick rate"),
    ],
)
def test_absurd_encodings_and_numbers_are_refused_at_once(content: bytes, message: str) -> None:
    with pytest.raises(TranscriptError, match=message):
        parse_timed_text(content)


GOOD = '<p begin="5s" end="6s">good</p>'


@pytest.mark.parametrize(
    ("paragraph", "reason"),
    [
        ('<p begin="2" end="3s">a</p>', "'2' is not a time"),
        ('<p begin="16s" end="18">a</p>', "'18' is not a time"),
        ('<p begin="00:61:00" end="3s">a</p>', "'00:61:00' is not a time"),
        ('<p begin="3s" end="2s">a</p>', "a caption ends at 2 s, before it starts at 3 s"),
        ('<p begin="0s" end="1s">a<span begin="x">b</span></p>', "'x' is not a time"),
        ("<p>a</p>", "a caption has no begin and no end"),
        ('<div begin="now"><p>a</p></div>', "'now' is not a time"),
        *(
            (f'<p begin="{time}" end="{time}">a</p>', " is not a time")
            for many in ("9" * 400, "9" * 5000)
            for time in (f"{many}s", f"{many}h", f"{many}:00:00", f"00:00:00.{many}")
        ),
    ],
)
def test_a_caption_whose_time_is_wrong_is_left_out_and_counted(paragraph: str, reason: str) -> None:
    parsed = parse_timed_text(ttml(f"<div>\n{GOOD}\n{paragraph}\n{GOOD}</div>"))
    assert parsed == [Caption(5.0, 6.0, "good")] * 2
    assert [line for line, _ in parsed.skipped] == [3]
    assert parsed.skipped[0].reason.startswith("line 3: ")
    assert reason in parsed.skipped[0].reason


@pytest.mark.parametrize(
    "wrong",
    [
        '<text start="1">a</text>',
        f'<text start="{"9" * 400}" dur="1">a</text>',
        f'<text start="1" dur="1">&amp;#{"9" * 5000};</text>',
        '<p d="x" t="1">a</p>',
    ],
)
def test_a_bad_caption_of_youtube_is_left_out_and_counted(wrong: str) -> None:
    content = f'<transcript>\n{wrong}\n<text start="1" dur="2">so</text></transcript>'
    parsed = parse_timed_text(content.encode())
    assert parsed == [Caption(1.0, 3.0, "so")]
    assert [line for line, _ in parsed.skipped] == [2]


def test_the_largest_numbers_that_are_read_are_finite() -> None:
    time = "9" * 20
    head = f'frameRate="0.{"0" * 29}1" tickRate="0.{"0" * 29}1"'
    body = f'<div begin="{time}h"><p begin="{time}f" end="{time}:00:00:{time}">a</p></div>'
    (caption,) = parse_timed_text(ttml(body, head))
    assert 0 < caption.start <= caption.end < float("inf")


LAUGHS = "".join(
    f'<!ENTITY lol{n} "{f"&lol{n - 1};" * 10}">' if n else '<!ENTITY lol0 "lol">' for n in range(12)
)


@pytest.mark.parametrize(
    "prolog",
    [
        f"<!DOCTYPE tt [{LAUGHS}]>",
        '<!DOCTYPE tt [<!ENTITY lol11 SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE tt SYSTEM "http://localhost/tt.dtd">',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_types_are_refused_before_anything_is_expanded(prolog: str, encoding: str) -> None:
    document = f'{prolog}<tt><body><p begin="0s" end="1s">&lol11;</p></body></tt>'
    with pytest.raises(TranscriptError, match="line 1: a document type"):
        parse_timed_text(document.encode(encoding))
