import json
import logging
from pathlib import Path

import pytest

from vtlearn.datasets.caption_files import collect_captions, read_captions, read_json
from vtlearn.errors import ArgumentError

LISTED = Path("train_list.txt")
PAIRS = [("b", "a cat"), ("a", "a dog"), ("c", "a bird"), ("a", ""), ("b", ""), ("a", "the dog")]


def test_captions_keep_the_order_of_the_list_and_their_numbers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        captions = collect_captions(PAIRS, ["a", "b"], LISTED, "captions.txt")
    assert list(captions) == ["a", "b"]
    assert captions == {"a": {"a#0": "a dog", "a#2": "the dog"}, "b": {"b#0": "a cat"}}
    assert [one.getMessage() for one in caplog.records] == [
        "2 captions in captions.txt are blank and left out"
    ]


def test_clips_without_captions_are_counted() -> None:
    with pytest.raises(ArgumentError) as caught:
        collect_captions([*PAIRS, ("e", "")], ["a", "d", "e"], LISTED, "captions.txt")
    assert str(caught.value) == (
        "2 of 3 videos listed in train_list.txt have no captions in captions.txt (first: d); add "
        "the file that has them, or remove them from the list"
    )


def test_several_files_are_one(tmp_path: Path) -> None:
    one, other = tmp_path / "one.json", tmp_path / "other.json"
    one.write_text(json.dumps({"sentences": [{"video_id": "a", "caption": " a dog "}]}))
    other.write_text(json.dumps({"annotations": [{"image_id": "a", "caption": "the dog"}]}))
    captions = {"a": {"a#0": "a dog", "a#1": "the dog"}}
    assert read_captions([one, other], ["a"], LISTED) == captions
    with pytest.raises(ArgumentError, match=r"captions in .*one\.json and .*other\.json"):
        read_captions([one, other], ["b"], LISTED)


def test_what_is_not_json(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"none\.json cannot be read as JSON"):
        read_json(tmp_path / "none.json")
    (tmp_path / "deep.json").write_text("[" * 10**5)
    with pytest.raises(ArgumentError, match=r"deep\.json cannot be read as JSON"):
        read_json(tmp_path / "deep.json")


def test_annotations_need_not_be_utf8(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "captions.json"
    path.write_bytes('{"caption": "une crème brûlée à la carte"}'.encode("cp1252"))
    assert read_json(path) == {"caption": "une crème brûlée à la carte"}
    assert f"{path} is not UTF-8, and is read as " in caplog.text
    path.write_bytes(b'{"caption": "so \xed\xa0\xbd"}')
    assert read_json(path) == {"caption": "so \ufffd"}
