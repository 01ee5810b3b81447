import json
from pathlib import Path

import numpy as np
import pytest

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.caption import Skipped, Track
from vtlearn.media.captions.sources import Entry
from vtlearn.media.captions.table import open_table, write_table

SOURCE = Path("raw_caption.json")
NOTHING = Track(np.empty((0, 2)), [])


def entry(video_id: str, *texts: str, left_out: int = 0) -> Entry:
    spans = np.arange(2.0 * len(texts)).reshape(-1, 2)
    return Entry(video_id, Track(spans, list(texts), [Skipped(1, "bad")] * left_out))


def written(folder: Path, *entries: Entry) -> Path:
    folder.mkdir()
    write_table(folder, SOURCE, entries)
    return folder


def test_arrays_say_what_the_entries_said(tmp_path: Path) -> None:
    entries = entry("b", "so", "é"), Entry("a", NOTHING, "it is bad"), entry("c", "", left_out=2)
    table = open_table(written(tmp_path / "t", *entries))
    assert list(table.ids) == ["b", "a", "c"]
    assert table.videos.tolist() == [[0, 2], [2, 2], [2, 3]]
    assert table.spans.tolist() == [[0.0, 1.0], [2.0, 3.0], [0.0, 1.0]]
    assert table.cuts.tolist() == [0, 2, 4, 4]
    assert table.text.tobytes() == "soé".encode()
    assert json.loads(table.reasons.read_bytes()) == {"a": "it is bad"}
    assert json.loads(table.skipped.read_bytes()) == {"c": [[1, "bad"], [1, "bad"]]}
    assert table.summary == ("raw_caption.json", 3, 2, 1)


def test_languages_are_kept_where_any_is_said(tmp_path: Path) -> None:
    german = Entry("a", entry("a", "x").track._replace(language="de"))
    table = open_table(written(tmp_path / "t", german, entry("b", "y")))
    assert table.languages is not None
    assert list(table.languages) == ["de", ""]
    assert open_table(written(tmp_path / "u", entry("b", "y"))).languages is None


def test_nothing_is_wrong_with_videos_without_captions(tmp_path: Path) -> None:
    table = open_table(written(tmp_path / "t", entry("a"), entry("b", "so we")))
    assert json.loads(table.reasons.read_bytes()) == {}
    assert table.videos.tolist() == [[0, 0], [0, 1]]


def test_an_id_that_comes_again_spoils_its_captions(tmp_path: Path) -> None:
    entries = entry("a", "x"), entry("b", "y"), entry("a", "z"), entry("a")
    table = open_table(written(tmp_path / "t", *entries))
    assert list(table.ids) == ["a", "b"]
    assert table.videos.tolist() == [[0, 0], [1, 2]]
    assert json.loads(table.reasons.read_bytes()) == {"a": "it is there more than once"}
    assert table.summary.captions == 1


def test_a_source_without_videos_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TranscriptError, match=r"raw_caption.json holds no captions of any video"):
        written(tmp_path / "t")


def test_every_file_that_is_gone_or_short_is_noticed(tmp_path: Path) -> None:
    folder = written(tmp_path / "t", entry("a", "so we"), Entry("b", NOTHING, "bad"))
    files = sorted(folder.iterdir())
    assert len(files) == 11
    for path in files:
        content = path.read_bytes()
        for change in (content[:-1], content + b"x", None):
            path.unlink()
            if change is not None:
                path.write_bytes(change)
            with pytest.raises(TranscriptError):
                open_table(folder)
            path.write_bytes(content)
    assert open_table(folder).summary.captions == 1


def test_a_folder_has_files(tmp_path: Path) -> None:
    entries = [entry(name)._replace(file=f"{name}.en.vtt") for name in "ba"]
    folder = written(tmp_path / "t", *entries, entries[0])
    table = open_table(folder)
    assert table.files is not None
    assert list(table.files) == ["b.en.vtt", "a.en.vtt"]
    (folder / "files.order").unlink()
    with pytest.raises(TranscriptError):
        open_table(folder)


def test_another_layout_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "t", entry("a", "so we"))
    meta = json.loads((folder / "meta.json").read_bytes())
    (folder / "meta.json").write_text(json.dumps({**meta, "version": 0}))
    with pytest.raises(TranscriptError, match="is damaged"):
        open_table(folder)
