import pytest

from vtlearn.media.ids import (
    VideoNames,
    closeness,
    distinct_ids,
    format_stem,
    former_id,
    outgrown_ids,
    path_tails,
    video_stem,
)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("-CTPAZ2euJ2.mp4", "-CTPAZ2euJ2"),
        ("Knife skills vol. 1 [aaaaaaaaaaa].MKV", "Knife skills vol. 1 [aaaaaaaaaaa]"),
        ("Knife skills vol. 1 [aaaaaaaaaaa]", "Knife skills vol. 1 [aaaaaaaaaaa]"),
        ("a.b/c", "a.b/c"),
        ("a.mp4/c.webm", "a.mp4/c"),
        ("abc.f137.mp4.npy", "abc.f137.mp4.npy"),
        (".mp4", ".mp4"),
        ("GOPR0042.MPG", "GOPR0042"),
        ("a.m2ts", "a"),
        ("Node.ts.mp4", "Node.ts"),
    ],
)
def test_only_a_video_suffix_is_taken_off(name: str, stem: str) -> None:
    assert video_stem(name) == stem


def test_twins_are_called_by_their_paths() -> None:
    paths = ["v", "a/v", "a/b/v", "a/w", "b/x.1", "b/x.2"]
    ids = distinct_ids(paths)
    assert ids == ["v", "a/v", "a/b/v", "w", "x.1", "x.2"]
    assert len(set(ids)) == len(paths)
    assert distinct_ids([]) == []


def test_a_name_means_the_video_whose_path_it_shares_the_most_of() -> None:
    names = VideoNames({"v": "v", "a/v": "a/v", "c/a/v": "c/a/v", "w": "b/w"})
    assert names.meant("v") == ["v"]  # it is the path of one
    assert names.meant("x/c/a/v") == ["c/a/v"]
    assert names.meant("a/v") == ["a/v"]
    assert names.meant("d/a/v") == ["a/v", "c/a/v"]
    assert names.meant("anywhere/w") == ["w"]
    assert names.meant("w.x") == names.meant("absent") == names.called("absent") == []
    assert sorted(names.called("v")) == ["a/v", "c/a/v", "v"]
    assert closeness("a/v", "a/v") > closeness("x/a/v", "a/v") > closeness("v", "a/v")


def test_former_ids_and_who_shared_them() -> None:
    ids = ["1. Intro", "1. Outro", "a/part1", "b/part1", "abc", "x.1"]
    assert [former_id(one) for one in ids] == ["1", "1", "part1", "part1", "abc", "x"]
    assert outgrown_ids(["1", "abc", "x"], ids) == {"1": ["1. Intro", "1. Outro"]}
    assert outgrown_ids(["part1"], ids) == {"part1": ["a/part1", "b/part1"]}


def test_tails_end_with_the_name() -> None:
    assert list(path_tails("/a//b/")) == ["a//b", "/b", "b"]
    assert list(path_tails("")) == []


def test_a_name_means_the_one_video_that_has_a_format_besides() -> None:
    names = VideoNames({"a.f137": "x/a.f137", "b": "b", "b.f18": "b.f18", "c.f1": "c", "c.f2": "c"})
    assert names.meant("y/a") == names.meant("a.f137") == ["a.f137"]
    assert names.meant("b") == names.meant("b.f22") == ["b"]
    assert names.meant("c.f3") == []
    assert names.meant("c") == []  # it may be either
    hls = VideoNames({"a.fhls-720": "a.fhls-720", "b.final": "b.final"})
    assert (hls.meant("a"), hls.meant("b")) == (["a.fhls-720"], [])
    assert [format_stem(one) for one in ("a.f", "a.f1x", "a.f251-0", "f1", "a.f137.x")] == [
        *("a.f", "a.f1x", "a", "f1", "a.f137.x"),
    ]
