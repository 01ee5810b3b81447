from pathlib import Path

import pytest

from vtlearn.errors import TranscriptError
from vtlearn.media.captions.csv_corpus import group_rows


def test_rows_of_a_video_come_together_wherever_pieces_are_cut(tmp_path: Path) -> None:
    text = 'vid,start,end,text\nb,1,2,"so,\nsalt"\na,3,4,x\nb,5,6,y\n,7,8,z\nc\n'
    for size in (1, 7, 100):
        scratch = tmp_path / str(size)
        scratch.mkdir()
        pieces = (text[at : at + size] for at in range(0, len(text), size))
        assert list(group_rows(pieces, scratch)) == [
            ("b", {"start": ["1", "5"], "end": ["2", "6"], "text": ["so,\nsalt", "y"]}),
            ("a", {"start": ["3"], "end": ["4"], "text": ["x"]}),
            ("", {"start": ["7"], "end": ["8"], "text": ["z"]}),
            ("c", {"start": [], "end": [], "text": []}),
        ]


def test_a_csv_without_the_columns_names_those_it_has(tmp_path: Path) -> None:
    with pytest.raises(TranscriptError, match=r"vid, timestamp and text, but has \['vid', 'a'\]"):
        next(group_rows(iter(["vid,a\n"]), tmp_path))


def test_separators_in_the_last_text_need_no_quotes(tmp_path: Path) -> None:
    text = "vid;start;end;text\na;1,0;2,0;gut; sehr gut\n"
    columns = {"start": ["1.0"], "end": ["2.0"], "text": ["gut; sehr gut"]}
    assert list(group_rows(iter([text]), tmp_path)) == [("a", columns)]
