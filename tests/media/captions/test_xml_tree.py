from collections.abc import Callable

import pytest

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.xml_tree import parse_xml


def test_a_tree_knows_its_lines_and_namespaces() -> None:
    root = parse_xml(b'<a xmlns="one" xmlns:p="two">\n<p:b p:x="1" y="2"/>so<c xmlns="three"/></a>')
    first, second = root.elements
    assert [(each.name, each.space, each.line) for each in root.all()] == [
        ("a", "one", 1),
        ("b", "two", 2),
        ("c", "three", 2),
    ]
    assert (first.get("x"), first.get("y"), first.get("z")) == ("1", "2", None)
    assert root.content == ["\n", first, "so", second]


def test_a_prefix_that_stands_for_nothing_is_a_namespace() -> None:
    root = parse_xml(b"<t:a><t:b/><b/></t:a>")
    assert [each.space for each in root.all()] == ["t", "t", ""]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("&#65;&#x1F345;&#x10ffff;&#10;", "A\U0001f345\U0010ffff\n"),
        ("&#xD83D;&#55357;&#xDFFF;", "\ufffd" * 3),
        ("&#0;&#8;&#xFFFE;&#x110000;&#99999999;", "\ufffd" * 5),
        ("&amp;#0; &#x;", None),
    ],
)
@pytest.mark.parametrize("encode", [str, str.encode])
def test_references_to_no_character(
    written: str, read: str | None, encode: Callable[[str], str | bytes]
) -> None:
    if read is None:
        with pytest.raises(TranscriptError, match="not valid XML"):
            parse_xml(encode(f"<p>{written}</p>"))
    else:
        assert "".join(map(str, parse_xml(encode(f"<p>{written}</p>")).content)) == read
