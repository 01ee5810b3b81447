import pytest

from vtlearn.media.captions.naming import (
    kind_rank,
    language_distance,
    meant_stems,
    transcript_stem,
)


@pytest.mark.parametrize(
    ("stem", "shorter"),
    [
        ("-CTPAZ2euJ2", []),
        ("-CTPAZ2euJ2.en", ["-CTPAZ2euJ2"]),
        ("a.pt-BR", ["a"]),
        ("a.zh-Hans-en", ["a"]),
        ("a.en-orig", ["a"]),
        ("a.en-nP7-2PuUl7o", ["a"]),
        ("a.mp4.en", ["a.mp4", "a"]),
        ("a.en.sdh", ["a.en", "a"]),
        ("a.en.forced.default", ["a.en.forced", "a.en", "a"]),
        ("a.mp4.pt-BR.auto", ["a.mp4.pt-BR", "a.mp4", "a"]),
        ("a.forced", []),
        ("1. Intro", []),
        ("Knife skills vol. 2 [bbbbbbbbbbb].en", ["Knife skills vol. 2 [bbbbbbbbbbb]"]),
        ("a.f137", []),
        ("a.part2", []),
        ("a.info", []),
        ("a.b/c", []),
        ("en/x.de", ["en/x"]),
    ],
)
def test_what_a_transcript_may_be_of(stem: str, shorter: list[str]) -> None:
    assert list(meant_stems(stem)) == [stem, *shorter]


def test_only_the_suffix_of_the_format_is_taken_off() -> None:
    assert transcript_stem("x.json/1. a.en.TTML") == "x.json/1. a.en"
    assert kind_rank("a.json") < kind_rank("a.VTT") < kind_rank("a.srt")


@pytest.mark.parametrize(
    ("wanted", "rest", "distance"),
    [
        (None, ".de", 0),
        ("en", ".en", 0),
        ("en", ".mp4.EN", 0),
        ("en", ".en-US", 1),
        ("en", ".en_US", 1),
        ("en-us", ".en_US", 0),
        ("en-US", ".en", 1),
        ("en-US", ".en-GB", None),
        ("pt-BR", ".pt", 1),
        ("pt-BR", ".por", 1),
        ("pt-BR", ".pt-PT", None),
        ("pt", ".pt-BR", 1),
        ("en", ".eng", 0),
        ("eng", ".en", 0),
        ("en", ".eng-US", 1),
        ("de", ".ger", 0),
        ("ger", ".deu", 0),
        ("zh", ".chi", 0),
        ("fr", ".fre", 0),
        ("en", ".enm", None),
        ("en", ".en.sdh", 0),
        ("en", ".en.forced", 0),
        ("en", ".en.cc", 0),
        ("en", ".en.default.forced", 0),
        ("en", ".EN.Auto", 0),
        ("en", ".en.hi", 0),
        ("en", ".hi", None),
        ("hi", ".hi", 0),
        ("de", ".en.sdh", None),
        ("en", ".sdh", 2),
        ("en", ".cc", 2),
        ("en", ".und", 2),
        ("en", ".en-US.sdh", 1),
        ("en", ".de", None),
        ("en", "", 2),
        ("en", ".mp4", 2),
        ("en", ".mkv", 2),
        ("en", ".de.mkv", None),
    ],
)
def test_languages_in_names(wanted: str | None, rest: str, distance: int | None) -> None:
    assert language_distance(wanted, rest) == distance


@pytest.mark.parametrize(
    ("rest", "told", "distance"),
    [
        ("", "en", 0),
        ("", "English", 0),
        ("", "de", None),
        ("", "und", 2),
        ("", "en-GB", 1),
        (".mp4.sdh", "de", None),
        (".en", "de", 0),  # the name decides
        (".de", "en", None),
    ],
)
def test_what_a_transcript_says_counts_where_its_name_says_nothing(
    rest: str, told: str, distance: int | None
) -> None:
    assert language_distance("en", rest, told) == distance
