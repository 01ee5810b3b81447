import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media.video.sounds import scramble, tone, write_sound
from tests.media.video.writing import join_clocks, shift_clock, write_video
from tests.transcription.recognizers import Tones
from vtlearn.datasets.extraction import Part
from vtlearn.datasets.files import find_videos
from vtlearn.errors import TooManyUnreadableError, UnreadableVideoError
from vtlearn.media.captions import Caption, read_transcript
from vtlearn.transcription import Speech, TranscriptFolder, transcribe, transcribe_all

SETTINGS = {"model": "tones"}


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Two with tones, in folders, one without sound, one with silence."""
    root = tmp_path / "videos"
    for name in ("lesson1", "lesson2"):
        (root / name).mkdir(parents=True)
        write_sound(root / name / "part1.mkv", tone(1, 2, 3), picture=3)
    write_video(root / "mute.mp4", range(10))
    write_sound(root / "silent.mkv", tone(0, 0, 2), picture=2)
    return root


def run(videos: Path, folder: Path, recognizer: Any = None, **options: Any) -> str:
    transcripts = TranscriptFolder(folder, SETTINGS)
    recognizer = recognizer or Tones()
    figures = transcribe_all(find_videos(videos), transcripts, recognizer, **options)
    return str(figures)


def names(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    )


EVERY = ["lesson1/part1.json", "lesson2/part1.json", "mute.json", "silent.json"]


def test_each_video_has_a_transcript_at_its_id_as_whisperx_writes_it(
    videos: Path, tmp_path: Path
) -> None:
    said = run(videos, tmp_path / "out")
    assert names(tmp_path / "out") == EVERY
    content = json.loads((tmp_path / "out" / "lesson1" / "part1.json").read_text())
    (segment,) = content["segments"]
    (word,) = segment["words"]
    assert content["language"] == "en"
    assert segment["text"] == "tone 1"
    assert list(word) == ["word", "start", "end", "score"]
    assert (segment["start"], segment["end"]) == pytest.approx((1, 2), abs=0.03)
    assert (word["start"], word["end"]) == (segment["start"], segment["end"])
    empty: dict[str, Any] = {"segments": [], "language": None}
    assert json.loads((tmp_path / "out" / "mute.json").read_text()) == empty
    assert json.loads((tmp_path / "out" / "silent.json").read_text()) == empty
    assert said.startswith("4 videos transcribed, 0.00 hours of sound in ")
    assert " x real time); 1 without sound; 1 without speech" in said
    (read,) = read_transcript(tmp_path / "out" / "lesson1" / "part1.json")
    assert read == Caption(segment["start"], segment["end"], "tone 1")


def test_seconds_are_those_of_the_file(tmp_path: Path) -> None:
    late = write_sound(
        tmp_path / "a.ts", tone(1, 2, 3, 48000), rate=48000, late=3, picture=6, codec="aac"
    )
    shifted = shift_clock(late, tmp_path / "b.ts", seconds=100)
    for path in (late, shifted):
        (segment,) = transcribe(path, Tones()).speech.segments
        assert (segment.start, segment.end) == pytest.approx((4, 5), abs=0.03)


def test_seconds_go_on_behind_a_gap_and_the_language_is_that_of_the_first_speech(
    tmp_path: Path,
) -> None:
    sound = tone(15, 16, 30) + tone(28, 29, 30)
    path = write_sound(tmp_path / "a.mkv", sound, skip=[(1, 11), (17, 27)], picture=30)
    recognizer = Tones(language="de")
    found = transcribe(path, recognizer)
    spans = [(segment.start, segment.end) for segment in found.speech.segments]
    assert spans == [pytest.approx(span, abs=0.03) for span in ((15, 16), (28, 29))]
    assert recognizer.asked == [None, None, "de"]
    assert found.speech.language == "de"
    assert found.seconds == pytest.approx(10, abs=0.5)


def test_sentences_are_in_temporal_order_where_sound_outlasts_its_picture(tmp_path: Path) -> None:
    sound = tone(1, 2, 6, 48000) + tone(5, 6, 6, 48000)
    part = write_sound(tmp_path / "a.ts", sound, rate=48000, picture=3, codec="aac")
    segments = transcribe(join_clocks([part, part], tmp_path / "b.ts"), Tones()).speech.segments
    assert [one.start for one in segments] == pytest.approx([1, 4, 5, 8], abs=0.1)
    assert [one.text for one in segments] == ["tone 1", "tone 1", "tone 2", "tone 2"]


def test_a_language_that_is_given_is_that_of_all(videos: Path, tmp_path: Path) -> None:
    recognizer = Tones()
    run(videos, tmp_path / "out", recognizer, language="fr")
    assert set(recognizer.asked) == {"fr"}
    content = json.loads((tmp_path / "out" / "lesson1" / "part1.json").read_text())
    assert content["language"] == "fr"


class Beyond(Tones):
    """Hears a word that ends after the sound, as Whisper may."""

    def recognize(self, samples: NDArray[np.float32], language: str | None) -> Speech:
        speech = super().recognize(samples, language)
        late = [
            segment._replace(end=99.0, words=[segment.words[0]._replace(end=99.0)])
            for segment in speech.segments
        ]
        return speech._replace(segments=late)


def test_what_is_said_ends_with_the_sound(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.mkv", tone(1, 2, 3))
    (segment,) = transcribe(path, Beyond()).speech.segments
    assert segment.end == segment.words[0].end == pytest.approx(3, abs=0.1)


def test_what_is_there_is_not_done_again_nor_what_others_wrote(
    videos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mute.json").write_text("by hand")
    assert run(videos, out).endswith("; 1 were there before; 1 without speech")
    recognizer = Tones()
    assert run(videos, out, recognizer) == "no video was left to transcribe; 4 were there before"
    assert recognizer.asked == []
    assert (out / "mute.json").read_text() == "by hand"


def test_parts_share_a_folder(videos: Path, tmp_path: Path) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    run(videos, out, part=Part(2, 3))
    assert names(out) == [EVERY[1]]
    run(videos, out, part=Part(1, 3))
    run(videos, out, part=Part(3, 3))
    run(videos, whole)
    assert names(out) == EVERY
    assert [(out / name).read_bytes() for name in EVERY] == [
        (whole / name).read_bytes() for name in EVERY
    ]


def test_what_cannot_be_read_is_named_counted_and_tried_again(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (videos / "bad.mp4").write_bytes(b"<html>Not found</html>")
    said = run(videos, out, max_unreadable_fraction=0.5)
    report = out / ".unreadable.jsonl"
    assert said.endswith(f"; 1 cannot be read (why: {report})")
    assert names(out) == EVERY
    (line,) = report.read_text().splitlines()
    assert json.loads(line)["id"] == "bad"
    write_sound(tmp_path / "good.mp4", tone(1, 2, 3), picture=3, codec="aac").replace(
        videos / "bad.mp4"
    )
    assert run(videos, out).startswith("1 videos transcribed")
    assert not report.exists()


def test_a_name_that_is_too_long_for_a_transcript_is_one_video_s_failure(
    videos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    longest = os.pathconf(tmp_path, "PC_NAME_MAX")
    names_of = ["a" * (longest - len(".json")), "b" * (longest - len(".mkv"))]
    for name in names_of:
        shutil.copy(videos / "silent.mkv", videos / f"{name}.mkv")
    recognizer = Tones()
    for there in (0, 5):
        said = run(videos, out, recognizer, max_unreadable_fraction=0.2)
        assert f"; {there} were there before" in said or not there
        assert said.endswith(f"; 1 cannot be read (why: {out / '.unreadable.jsonl'})")
        assert names(out) == sorted([*EVERY, f"{names_of[0]}.json"])
    assert len(recognizer.asked) == 4
    record = json.loads((out / ".unreadable.jsonl").read_text())
    assert record["id"] == names_of[1]
    assert record["reason"].startswith("the name of its transcript is longer than the disk allows")


@pytest.mark.parametrize(
    ("picture", "sound"),
    [
        ("a.f399.mp4", "a.f251.webm"),
        ("a.mp4", "a.f140.m4a"),
        ("a.mp4", "a.m4a"),
        ("a.mp4", "a.opus"),
        ("a.mp4", "a.webm"),
        ("a.f137.mp4", "a.f140-drc.m4a"),
    ],
)
def test_sound_is_taken_from_another_format_of_the_video(
    picture: str, sound: str, tmp_path: Path
) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    write_video(videos / picture, range(75))
    write_video(videos / "b.f1.mp4", range(75))
    has_opus = sound.endswith(("webm", "opus"))
    options: dict[str, Any] = {"codec": "libopus", "rate": 48000} if has_opus else {}
    if sound.endswith("m4a"):
        options = {"codec": "aac", "rate": 48000}
    written = tone(1, 2, 3, options.get("rate", 16000))
    write_sound(videos / sound, written, **options)
    write_sound(videos / "b.f2.mkv", tone(1, 2, 3), picture=3)  # another video, by its picture
    said = run(videos, tmp_path / "out")
    assert names(tmp_path / "out") == ["a.json", "b.f1.json", "b.f2.json"]
    assert "; 1 without sound" in said
    (caption,) = read_transcript(tmp_path / "out" / "a.json")
    assert (caption.start, caption.end) == pytest.approx((1, 2), abs=0.05)
    empty = json.loads((tmp_path / "out" / "b.f1.json").read_text())
    assert empty["segments"] == []


def test_sound_beside_a_video_that_cannot_be_read_is_no_silence(tmp_path: Path) -> None:
    videos, out = tmp_path / "videos", tmp_path / "out"
    videos.mkdir()
    write_video(videos / "a.f399.mp4", range(75))
    (videos / "a.f140.m4a").write_bytes(b"\0" * 100)
    said = run(videos, out, max_unreadable_fraction=1.0)
    assert said.endswith(f"; 1 cannot be read (why: {out / '.unreadable.jsonl'})")
    assert names(out) == []
    write_sound(videos / "a.f251.mka", tone(1, 2, 3))
    assert run(videos, out).startswith("1 videos transcribed")
    assert len(read_transcript(out / "a.json")) == 1


def test_too_many_unreadable_videos_are_an_error_and_what_was_done_stays(
    videos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for name in ("y.mp4", "z.mp4"):
        (videos / name).write_bytes(b"")
    with pytest.raises(TooManyUnreadableError, match=r"1 of 6 videos cannot be read"):
        run(videos, out, max_unreadable_fraction=0.0)
    assert names(out) == EVERY
    with pytest.raises(TooManyUnreadableError, match=r"2 of 6 videos cannot be read"):
        run(videos, out, max_unreadable_fraction=0.2)


def test_an_unreadable_video_raises_by_itself(tmp_path: Path) -> None:
    with pytest.raises(UnreadableVideoError, match="No such file"):
        transcribe(tmp_path / "absent.mp4", Tones())


def test_damaged_sound_is_logged_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "videos").mkdir()
    path = write_sound(tmp_path / "a.mkv", tone(4, 5, 6, 48000), rate=48000, codec="flac")
    scramble(path, tmp_path / "videos" / "a.mkv", 1, 2)
    assert run(tmp_path / "videos", tmp_path / "out").endswith("; 1 with damaged sound")
    assert "a: sound is lost in " in caplog.text
    (caption,) = read_transcript(tmp_path / "out" / "a.json")
    assert caption.start == pytest.approx(4, abs=0.03)


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.transcription.recognizers import Tones
from vtlearn.datasets.files import find_videos
from vtlearn.transcription import TranscriptFolder, transcribe_all

videos, out, when = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
done = 0

def or_die(call):
    def wrapped(self, *arguments):
        global done
        done += 1
        if done > 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(self, *arguments)
    return wrapped

if when == "recognizing":
    Tones.recognize = or_die(Tones.recognize)
else:
    Path.replace = or_die(Path.replace)
transcribe_all(find_videos(videos), TranscriptFolder(out, {"model": "tones"}), Tones())
"""


@pytest.mark.parametrize("when", ["recognizing", "writing"])
def test_a_command_that_is_killed_leaves_whole_files_and_resumes(
    when: str, videos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", KILLED, str(videos), str(out), when]
    killed = subprocess.run(command, cwd=Path(__file__).parents[2], check=False)
    assert killed.returncode == -signal.SIGKILL
    there = names(out)
    assert there
    assert there != EVERY
    for name in there:
        assert "segments" in json.loads((out / name).read_text())
    assert f"{len(there)} were there before" in run(videos, out)
    assert names(out) == EVERY
