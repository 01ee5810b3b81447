import json
import os
import time
from pathlib import Path

import pytest

from vtlearn.errors import ArgumentError
from vtlearn.media.captions import open_captions
from vtlearn.transcription import Segment, Speech, TranscriptFolder, Word

SPEECH = Speech([Segment(1.0, 2.5, "so we", [Word("so", 1.0, 1.2, 0.9)])], "en")


def test_a_transcript_is_whisperx_s_json(tmp_path: Path) -> None:
    folder = TranscriptFolder(tmp_path / "a" / "b", {"model": "m"})
    folder.write("lesson1/1. Intro", SPEECH)
    content = json.loads((tmp_path / "a" / "b" / "lesson1" / "1. Intro.json").read_text())
    assert content == {
        "segments": [
            {
                "start": 1.0,
                "end": 2.5,
                "text": "so we",
                "words": [{"word": "so", "start": 1.0, "end": 1.2, "score": 0.9}],
            }
        ],
        "language": "en",
    }
    assert folder.has("lesson1/1. Intro")
    assert not folder.has("1. Intro")


def test_settings_and_leftovers_are_no_captions(tmp_path: Path) -> None:
    folder = TranscriptFolder(tmp_path / "said", {"model": "m"})
    folder.write("a", SPEECH)
    (tmp_path / "said" / ".b.json.17.unfinished").write_text("{")
    captions = open_captions(tmp_path / "said", progress=False)
    assert list(captions) == ["a"]
    assert not captions.damaged


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    folder = TranscriptFolder(tmp_path, {"model": "m"})
    (tmp_path / "a.json").write_text("by hand")
    folder.write("a", SPEECH)
    assert (tmp_path / "a.json").read_text() == "by hand"


@pytest.mark.parametrize("where", ["", "lesson1/"])
def test_a_name_is_as_long_as_the_disk_allows_or_does_not_fit(where: str, tmp_path: Path) -> None:
    folder = TranscriptFolder(tmp_path, {"model": "m"})
    longest = os.pathconf(tmp_path, "PC_NAME_MAX") - len(".json")
    fitting, longer = where + "a" * longest, where + "a" * (longest + 1)
    assert folder.fits(fitting)
    folder.write(fitting, SPEECH)
    assert folder.fits(fitting)
    assert folder.has(fitting)
    assert not folder.fits(longer)
    assert not folder.has(longer)


def test_a_folder_that_cannot_be_is_no_matter_of_names(tmp_path: Path) -> None:
    folder = TranscriptFolder(tmp_path, {"model": "m"})
    (tmp_path / "lesson1").touch()
    with pytest.raises(FileExistsError):
        folder.fits("lesson1/a")


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    TranscriptFolder(tmp_path, {"model": "tiny.en", "language": None})
    TranscriptFolder(tmp_path, {"model": "tiny.en", "language": None})
    expected = (
        "was created with other settings: model: 'tiny.en' there, 'base' now; language: None "
        "there, 'de' now. Resume with the same settings, or give another folder"
    )
    with pytest.raises(ArgumentError, match=expected):
        TranscriptFolder(tmp_path, {"model": "base", "language": "de"})


@pytest.mark.parametrize("content", ["{", "[]", "\udcff"])
def test_settings_that_cannot_be_read_are_an_error(content: str, tmp_path: Path) -> None:
    (tmp_path / ".transcribe.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ArgumentError, match=r"\.transcribe\.json .*give another folder"):
        TranscriptFolder(tmp_path, {"model": "m"})


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(ArgumentError, match="is not a directory"):
        TranscriptFolder(tmp_path / "a", {"model": "m"})


def test_what_a_killed_command_left_goes_and_what_another_is_writing_stays(tmp_path: Path) -> None:
    (tmp_path / "lesson").mkdir()
    old, young = tmp_path / "lesson" / ".a.json.1.unfinished", tmp_path / ".b.json.2.unfinished"
    for path, age in ((old, 4000), (young, 60)):
        path.touch()
        os.utime(path, (time.time() - age,) * 2)
    TranscriptFolder(tmp_path, {"model": "m"})
    assert not old.exists()
    assert young.exists()


def test_transcripts_of_other_formats_are_there_as_well(tmp_path: Path) -> None:
    folder = TranscriptFolder(tmp_path, {"model": "m"})
    (tmp_path / "lesson1").mkdir()
    (tmp_path / "lesson1" / "1. Intro.srt").write_text("by hand")
    (tmp_path / "b.txt").write_text("not a transcript")
    assert folder.has("lesson1/1. Intro")
    assert not folder.has("b")
