import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from vtlearn.errors import ArgumentError, TranscriptError
from vtlearn.media.captions.caption import Caption
from vtlearn.media.captions.index import open_captions
from vtlearn.media.captions.pseudolabels import METADATA, Kept, keep_threshold, label_files


def record(video: str, start: float, caption: str, score: float) -> dict[str, Any]:
    record = {"video": video, "start": start, "end": start + 2, "caption": caption, "score": score}
    return {**record, "frames": [start + 1], "candidates": [caption], "captioner": "c"}


RECORDS = [
    [record("a", 0, "one", 0.5), record("a", 2, "two", -0.5), record("b", 0, "three", 0.25)],
    [record("c/d", 0, "four", 0.125)],
]


def write_labels(folder: Path, shards: Sequence[Sequence[dict[str, Any]]] = RECORDS) -> Path:
    folder.mkdir()
    settings = {"videos": 4, "videos_per_shard": 2}
    (folder / METADATA).write_text(json.dumps({"settings": settings}))
    (folder / "unreadable.jsonl").write_text('{"id": "x"}\n')
    for number, shard in enumerate(shards):
        lines = "".join(f"{json.dumps(one)}\n" for one in shard)
        (folder / f"{number:05d}.jsonl").write_text(lines)
        (folder / f"{number:05d}.json").write_text("{}")
    return folder


def said(folder: Path, **kept: float) -> dict[str, list[str]]:
    index = open_captions(folder, progress=False, **kept)  # type: ignore[arg-type]
    return {one: [caption.text for caption in index[one]] for one in index}


def test_shards_are_captions(tmp_path: Path) -> None:
    index = open_captions(write_labels(tmp_path / "labels"), progress=False)
    assert list(index) == ["a", "b", "c/d"]
    assert index["a"] == [Caption(0.0, 2.0, "one"), Caption(2.0, 4.0, "two")]
    assert index.files is None  # ids are ids, as those of one file of all
    assert index.damaged == {}


def test_one_file_of_them_is_read_too(tmp_path: Path) -> None:
    folder = write_labels(tmp_path / "labels")
    assert said(folder / "00001.jsonl") == {"c/d": ["four"]}


def test_lines_of_a_foreign_file_may_be_blank_and_in_any_order(tmp_path: Path) -> None:
    (first, second, third), (fourth,) = RECORDS
    path = tmp_path / "captions.jsonl"
    lines = [*map(json.dumps, (second, third, first)), "", "  ", json.dumps(fourth), ""]
    path.write_text("\ufeff" + "\n".join(lines), encoding="utf-8")
    assert said(path) == {"b": ["three"], "c/d": ["four"], "a": ["one", "two"]}
    index = open_captions(path, progress=False)
    assert index["a"] == [Caption(0.0, 2.0, "one"), Caption(2.0, 4.0, "two")]
    assert index.damaged == {}
    assert said(path, min_score=0.25) == {"b": ["three"], "a": ["one"]}
    assert said(path, min_score=0.125) == {"b": ["three"], "c/d": ["four"], "a": ["one"]}


def test_a_byte_that_is_not_utf8_costs_no_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "captions.jsonl"
    lines = "\n".join(map(json.dumps, (record("a", 0, "so X", 1), record("cafX", 0, "one", 1))))
    path.write_bytes(lines.encode().replace(b"X", b"\xe9"))
    assert said(path) == {"a": ["so \ufffd"], "caf%E9": ["one"]}
    (message,) = [each for each in caplog.messages if "UTF-8" in each]
    assert message.startswith(f"{path}: 3 places are not UTF-8 (first: line 1, ")
    path.write_text(lines.replace("X", "à là-bas"), encoding="latin-1")
    with pytest.raises(TranscriptError, match=r"captions\.jsonl is not UTF-8; save it as UTF-8"):
        said(path)


def test_the_lowest_score_is_kept_with_it(tmp_path: Path) -> None:
    folder = write_labels(tmp_path / "labels")
    assert said(folder, min_score=0.25) == {"a": ["one"], "b": ["three"]}


def test_a_share_is_of_all_shards(tmp_path: Path) -> None:
    folder = write_labels(tmp_path / "labels")
    assert said(folder, keep=0.75) == {"a": ["one"], "b": ["three"], "c/d": ["four"]}
    assert said(folder, keep=0.5) == {"a": ["one"], "b": ["three"]}
    assert said(folder, keep=0.75, min_score=0.2) == {"a": ["one"], "b": ["three"]}
    assert said(folder) == {"a": ["one", "two"], "b": ["three"], "c/d": ["four"]}


def test_each_choice_has_a_table_of_its_own(tmp_path: Path) -> None:
    folder = write_labels(tmp_path / "labels")
    for kept in ({}, {"keep": 0.5}, {"min_score": 0.0}, {"keep": 0.5}):
        open_captions(folder, progress=False, **kept)  # type: ignore[arg-type]
    assert len(list((tmp_path / ".vtlearn").glob("captions-labels-*"))) == 3


def test_equal_scores_are_kept_together() -> None:
    assert keep_threshold([1.0, 1.0, 1.0, 0.0], 0.25) == 1.0
    assert keep_threshold([3.0, 1.0, 2.0], 1.0) == 1.0


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (Kept(share=0.0), "keep=0.0 has to be above 0 and at most 1"),
        (Kept(share=1.5), "keep=1.5"),
        (Kept(share=float("nan")), "keep=nan"),
        (Kept(min_score=float("inf")), "min_score=inf has to be finite"),
    ],
)
def test_what_cannot_be_kept_is_refused(kept: Kept, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        kept.require_sense()


def test_captions_without_scores_cannot_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"start": [0], "end": [1], "text": ["chop"]}))
    with pytest.raises(ArgumentError, match=f"{tmp_path} has none: leave them out"):
        open_captions(tmp_path, keep=0.5)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"00001\.jsonl, line 2 is not valid JSON"),
        ("[]", r"00001\.jsonl, line 2 is not a pseudolabel: expected video, start"),
        ('{"video": "a", "start": 0, "end": 1, "caption": "b", "score": NaN}', "finite number"),
        ('{"video": "a", "start": 0, "end": 1, "caption": "b"}', "is not a pseudolabel"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    folder = write_labels(tmp_path / "labels")
    with (folder / "00001.jsonl").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(TranscriptError, match=message):
        open_captions(folder, progress=False)


def test_missing_shards_are_told_each_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_labels(tmp_path / "labels", RECORDS[:1])
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            open_captions(folder, progress=False)
        assert "1 shards are not there yet, and their videos have no captions" in caplog.text


def test_an_ordinary_folder_is_not_one(tmp_path: Path) -> None:
    folder = write_labels(tmp_path / "labels")
    assert [path.name for path in label_files(folder) or []] == ["00000.jsonl", "00001.jsonl"]
    shutil.move(folder / METADATA, tmp_path)
    assert label_files(folder) is None
