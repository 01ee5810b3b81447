import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.evaluation.test_results import result
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.caption_lists import (
    read_caption_list,
    write_caption_list,
    write_caption_lists,
)

CAPTIONS = {"video7010": "a man\u2028cuts a “carrot”", "-_x#3": ""}


def test_what_is_written_is_read_and_is_cocos_results_list(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "captions.json"
    write_caption_list(path, CAPTIONS)
    assert json.loads(path.read_text(encoding="utf-8")) == [
        {"image_id": item, "caption": caption} for item, caption in CAPTIONS.items()
    ]
    assert read_caption_list(path) == CAPTIONS
    assert [file.name for file in path.parent.iterdir()] == ["captions.json"]


def test_ids_may_be_numbers_and_records_may_have_more_keys(tmp_path: Path) -> None:
    path = tmp_path / "captions.json"
    path.write_text('\ufeff[{"image_id": 42, "caption": "a cat", "id": 1}]', encoding="utf-8")
    assert read_caption_list(path) == {"42": "a cat"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"image_id": "v"', r"is not valid JSON \(.*\); write it again"),
        ("[" * 10**5, r"is not valid JSON \(.*\); write it again"),
        ('{"annotations": []}', "holds dict in place of a list: expected"),
        ('[{"image_id": "v"}]', r'has \{"image_id": "v"\} as record 0: expected .*"caption"'),
        ('[{"image_id": true, "caption": "a"}]', "as record 0"),
        ('[{"image_id": "v", "caption": "a"}, 3]', "has 3 as record 1"),
        (
            '[{"image_id": "v", "caption": "a"}, {"image_id": "v", "caption": "a"}]',
            "two captions of 'v', .* remove the other",
        ),
    ],
)
def test_what_is_no_list_of_captions(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "captions.json"
    path.write_text(text)
    with pytest.raises(ArgumentError, match=message) as raised:
        read_caption_list(path)
    assert str(path) in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="No such file or directory; give a list of captions"):
        read_caption_list(tmp_path / "absent.json")


def test_one_file_for_each_protocol_that_scored_captions(tmp_path: Path) -> None:
    plain = replace(result(), protocol="pairs")
    one, other = (replace(plain, protocol=name, captions={"v": name}) for name in ("one", "other"))
    assert write_caption_lists(tmp_path, [plain]) == {}
    (path,) = write_caption_lists(tmp_path, [plain, one]).values()
    assert (path.name, read_caption_list(path)) == ("captions.json", {"v": "one"})
    assert write_caption_lists(tmp_path, [one, other]) == {
        name: tmp_path / f"captions-{name}.json" for name in ("one", "other")
    }
