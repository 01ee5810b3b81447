import pytest

from vtlearn.media.captions.caption import Caption, Transcript
from vtlearn.media.captions.ttml import read_ttml
from vtlearn.media.captions.xml_tree import parse_xml

SPACES = (
    'xmlns="http://www.w3.org/ns/ttml" xmlns:tts="http://www.w3.org/ns/ttml#styling" '
    'xmlns:ttm="http://www.w3.org/ns/ttml#metadata" xmlns:my="urn:mine" '
    'xmlns:ttp="http://www.w3.org/ns/ttml#parameter"'
)


def read(body: str, head: str = "", root: str = "") -> Transcript:
    document = f"<tt {SPACES} {root}><head>{head}</head><body>{body}</body></tt>"
    return read_ttml(parse_xml(document.encode()))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        # begin and end of div, which p lasts as long as
        (
            '<div><div begin="7s" end="9.5s"><p>wash</p></div><div begin="20s" dur="2s">'
            "<p>grate</p></div></div>",
            [(7, 9.5, "wash"), (20, 22, "grate")],
        ),
        ('<div end="9s"><p>wash</p></div>', [(0, 9, "wash")]),
        ('<div begin="5s" end="9s"><p begin="1s" end="20s">wash</p></div>', [(6, 9, "wash")]),
        ('<p begin="5s" dur="9s" end="7s">wash</p>', [(5, 7, "wash")]),
        ('<p end="7s">wash</p>', [(0, 7, "wash")]),
        # an end that the document does not say
        (
            '<p begin="5s">wash</p><p begin="8s" end="9s">grate</p>',
            [(5, 8, "wash"), (8, 9, "grate")],
        ),
        ('<p begin="5s">wash</p>', [(5, 5, "wash")]),
        # spans, whose times count from their p
        (
            '<p begin="5s" end="30s"><span begin="0s" end="7s">wash</span><span begin="8s" '
            'end="20s">grate</span></p>',
            [(5, 12, "wash"), (13, 25, "grate")],
        ),
        ('<p><span begin="1s" end="2s">wash</span></p>', [(1, 2, "wash")]),
        (
            '<p begin="5s" end="9s">wash <span begin="2s">and grate</span> it</p>',
            [(5, 9, "wash it"), (7, 9, "and grate")],
        ),
        ('<p begin="5s" end="9s">wa<span>sh</span><br/>it<span/></p>', [(5, 9, "wash it")]),
        # one after another
        (
            '<div timeContainer="seq"><p dur="2s">wash</p><p begin="1s" dur="3s">grate</p>'
            '<p end="4s">bake</p></div>',
            [(0, 2, "wash"), (3, 6, "grate"), (6, 10, "bake")],
        ),
        (
            '<div timeContainer="seq"><div><p end="2s">wash</p></div><div>'
            '<p end="3s">grate</p></div></div>',
            [(0, 2, "wash"), (2, 5, "grate")],
        ),
        (
            '<p timeContainer="seq" begin="1s"><span dur="2s">wash</span><span dur="3s">'
            "grate</span></p>",
            [(1, 3, "wash"), (3, 6, "grate")],
        ),
        ('<div end="2s"><p begin="3s">wash</p><p>grate</p></div>', [(0, 2, "grate")]),
        # regions with times of their own
        (
            '<div region="late"><p>wash</p><p end="12s">it</p></div>',
            [(10, 12, "it"), (10, 20, "wash")],
        ),
        ('<p region="late" begin="18s" end="30s">wash</p>', [(18, 20, "wash")]),
        ('<p region="late" begin="21s" end="30s">wash</p>', []),
        ('<p region="other" begin="1s" end="2s">wash</p>', [(1, 2, "wash")]),
        # what is no speech
        (
            '<p begin="1s" end="2s"><metadata><ttm:desc>a narrator</ttm:desc></metadata>wash'
            "<my:note>loud</my:note></p>",
            [(1, 2, "wash")],
        ),
        (
            '<p begin="1s" end="2s"><span tts:ruby="container"><span tts:ruby="base">wash</span>'
            '<span tts:ruby="text">wosh</span></span> it</p>',
            [(1, 2, "wash it")],
        ),
        ('<p begin="1s" end="2s">wash<span style="rt">wosh</span> it</p>', [(1, 2, "wash it")]),
        ('<p begin="1s" end="2s" tts:display="none">wash</p>', []),
        (
            '<p begin="1s" end="9s" tts:display="none">'
            '<set begin="2s" dur="3s" tts:display="auto"/>'
            "wash <span>it</span></p>",
            [(3, 6, "wash it")],
        ),
        ('<p end="9s"><set begin="2s" tts:display="none"/>wash</p>', [(0, 2, "wash")]),
        ('<p end="9s"><set begin="2s" tts:color="red"/>wash</p>', [(0, 9, "wash")]),
        ('<my:div><p begin="1s" end="2s">wash</p></my:div>', []),
        ('<p begin="1s" end="2s" my:begin="5s">wash</p>', [(1, 2, "wash")]),
    ],
)
def test_what_is_displayed_when(body: str, said: list[tuple[float, float, str]]) -> None:
    head = '<styling><style xml:id="r" tts:ruby="text"/><style xml:id="rt" style="r"/></styling>'
    head += '<layout><region xml:id="late" begin="10s" end="20s"/><region xml:id="other"/></layout>'
    parsed = read(body, head)
    assert sorted(parsed) == [Caption(*each) for each in said]
    assert not parsed.skipped


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            '<div begin="0.5" end="25.0"><p begin="2.5" end="4.25">wash</p><p begin="40.1" '
            'end="1:03.5">grate</p></div>',
            [(2.5, 4.25, "wash"), (40.1, 63.5, "grate")],
        ),
        (
            '<div><p begin="2.5" end="4.25"><span begin="2.5" end="3">wash</span> '
            '<span begin="3" end="4.25">it</span></p></div>',
            [(2.5, 4.25, "wash it")],  # their spans are words
        ),
    ],
)
def test_times_of_apple_have_no_unit_and_count_from_the_start(
    body: str, said: list[tuple[float, float, str]]
) -> None:
    assert read(body) == [Caption(*each) for each in said]


def test_one_time_without_a_unit_is_a_mistake() -> None:
    parsed = read(
        '<p begin="00:00:14" end="00:00:16">wash</p>\n<p begin="00:00:16" end="18">grate</p>'
        '<p begin="00:00:18" end="00:00:20">bake</p>'
    )
    assert parsed == [Caption(14.0, 16.0, "wash"), Caption(18.0, 20.0, "bake")]
    assert parsed.skipped == [(2, "line 2: '18' is not a time")]


@pytest.mark.parametrize(
    ("root", "time", "seconds"),
    [
        ('ttp:frameRate="25"', "50f", 2.0),
        ('ttp:frameRate="25"', "50t", 2.0),
        ('ttp:frameRate="25" ttp:subFrameRate="2"', "50t", 1.0),
        ('ttp:frameRate="25" ttp:tickRate="100"', "50t", 0.5),
        ('ttp:frameRate="24" ttp:frameRateMultiplier="1000 1001"', "24f", 1.001),
        ('ttp:frameRate="24" ttp:frameRateMultiplier="1000:1001"', "00:00:01:24", 2.001),
        ("", " 1.5s ", 1.5),
    ],
)
def test_frames_and_ticks(root: str, time: str, seconds: float) -> None:
    assert read(f'<p begin="0s" end="{time}">wash</p>', root=root) == [(0.0, seconds, "wash")]


def test_prefixes_are_the_documents_own() -> None:
    document = (
        '<x:tt xmlns:x="http://www.w3.org/ns/ttml" xmlns="urn:other"><x:body><x:div>'
        '<x:p begin="1s" end="2s">wash</x:p><p begin="3s" end="4s">other</p></x:div>'
        "</x:body></x:tt>"
    )
    assert read_ttml(parse_xml(document.encode())) == [Caption(1.0, 2.0, "wash")]


def test_below_a_time_that_is_wrong_nothing_can_be_timed() -> None:
    parsed = read('<div begin="x">\n<p end="1s">a</p>\n<p/>\n<p>b</p></div><p end="2s">c</p>')
    assert parsed == [Caption(0.0, 2.0, "c")]
    assert [line for line, _ in parsed.skipped] == [2, 4]
