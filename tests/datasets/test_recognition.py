from pathlib import Path

import pytest

from vtlearn.datasets.recognition import ActionList, class_words, read_merged
from vtlearn.errors import ArgumentError

HEADER = "video_id,label,split1,split2,split3"


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("ApplyEyeMakeup", "apply eye makeup"),
        ("TaiChi", "tai chi"),
        ("YoYo", "yo yo"),
        ("Archery", "archery"),
        ("flic_flac", "flic flac"),
        ("ride_bike", "ride bike"),
        ("TVShow2", "tv show 2"),
    ],
)
def test_a_class_in_words(label: str, words: str) -> None:
    assert class_words(label) == words


def test_videos_are_listed_with_their_class_and_uses(tmp_path: Path) -> None:
    listed = ActionList()
    for name, split, use in (("x/a.avi", 0, "train"), ("a.mp4", 2, "test"), ("b c.avi", 1, None)):
        listed.add(name, "brush_hair", split, use, "a list")  # type: ignore[arg-type]
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.webm").touch()
    (clip,) = listed.clips(tmp_path)  # nothing uses the other
    assert (clip.id, clip.video, clip.path) == ("a", "a", tmp_path / "deep" / "a.webm")
    assert (clip.label, clip.uses) == ("brush_hair", ("train", None, "test"))
    assert (clip.texts, clip.text_ids) == (("brush hair",), ("a#0",))
    assert (clip.start, clip.end) == (0.0, None)


def test_what_contradicts_itself_is_named() -> None:
    listed = ActionList()
    listed.add("a.avi", "chew", 0, "train", "one.txt, line 1")
    listed.add("a.avi", "chew", 0, None, "one.txt, line 2")
    with pytest.raises(ArgumentError, match=r"two.txt, line 3: a is of the class clap, .* of chew"):
        listed.add("a.avi", "clap", 1, "test", "two.txt, line 3")
    with pytest.raises(
        ArgumentError, match=r"line 4: a is listed to test by split 1, which .*to train"
    ):
        listed.add("a.mp4", "chew", 0, "test", "two.txt, line 4")


def test_a_code_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "hmdb51.csv"
    path.write_text(f"{HEADER}\na.avi,chew_test,1,2,3\n")
    with pytest.raises(ArgumentError, match=r"hmdb51.csv, line 2: expected 1 .*got '3'"):
        read_merged(path, lambda row: row.cells["label"])
