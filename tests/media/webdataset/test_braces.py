import pytest

from vtlearn.media.webdataset.braces import expand_braces


@pytest.mark.parametrize(
    "pattern",
    [
        "shards/{00000..00012}.tar",
        "{a,b,c}/{8..11}.tar",
        "{098..102}.tar",
        "{3..1}.tar",
        "plain.tar",
        "{a}.tar",
        "{x,}.tar",
    ],
)
def test_braces_expand_as_webdataset_expands_them(pattern: str) -> None:
    braceexpand = pytest.importorskip("braceexpand")
    assert expand_braces(pattern) == list(braceexpand.braceexpand(pattern))


def test_a_single_brace_is_part_of_the_name() -> None:
    assert [expand_braces(name) for name in ("a{1.tar", "a}.tar")] == [["a{1.tar"], ["a}.tar"]]
