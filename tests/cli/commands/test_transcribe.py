import json
from pathlib import Path

import pytest
import torch

from tests.media.video.sounds import tone, write_sound
from tests.media.video.writing import write_video
from tests.transcription.recognizers import Tones
from vtlearn.cli.commands import transcribe, tree


class Stub(Tones):
    """Stands in for FasterWhisper."""

    def __init__(self, model: str, device: torch.device, *, threads: int) -> None:
        super().__init__(f"{model} on {threads} threads")
        assert device == torch.device("cpu")
        self.languages = ["en", "de"]


@pytest.fixture(autouse=True)
def _no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcribe, "FasterWhisper", Stub)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two with tones, one without sound; tests only read them."""
    root = tmp_path_factory.mktemp("spoken") / "videos"
    root.mkdir()
    write_sound(root / "a.mkv", tone(1, 2, 4) + tone(3, 3.5, 4), picture=4)
    write_sound(root / "b.mkv", tone(1, 2, 3), picture=3)
    write_video(root / "mute.mp4", range(10))
    return root


def call(videos: Path, out: Path, *options: str) -> int:
    return tree.run("transcribe", [str(videos), "-o", str(out), "--device", "cpu", *options])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_it_transcribes_and_says_what_it_did(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(videos, tmp_path / "out") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("3 videos transcribed, 0.00 hours of sound in ")
    assert line.endswith(" x real time); 1 without sound")
    content = json.loads((tmp_path / "out" / "a.json").read_text())
    assert [each["text"] for each in content["segments"]] == ["tone 1", "tone 2"]
    assert call(videos, tmp_path / "out") == 0
    assert capsys.readouterr().out == "no video was left to transcribe; 3 were there before\n"


def test_a_list_and_a_part_choose(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text("video_path\nb.mkv\na.mkv\n")
    assert call(videos, tmp_path / "out", "--list", str(listed), "--part", "1/2") == 0
    assert names(tmp_path / "out") == ["b.json"]
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert call(videos, tmp_path / "out", "--list", str(listed)) == 0
    assert names(tmp_path / "out") == ["a.json", "b.json"]


def test_word_errors_are_counted_in_what_was_there_as_well(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = tmp_path / "said"
    said.mkdir()
    cue = "1\n00:00:01,000 --> 00:00:02,000\n"
    (said / "a.srt").write_text(f"{cue}Tone 1, tone three.\n")
    (said / "mute.srt").write_text(f"{cue}not heard\n")
    for _ in range(2):
        assert call(videos, tmp_path / "out", "--reference", str(said)) == 0
        *_, line = capsys.readouterr().out.splitlines()
        expected = "word error rate: 50.0% of 6 words of 2 videos (in lower case, without punctuat"
        assert line.startswith(expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "said"]


def test_where_nothing_could_be_written_there_are_no_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "bad.mp4").write_bytes(b"")
    said = tmp_path / "said"
    said.mkdir()
    (said / "bad.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nso we\n")
    options = ("--reference", str(said), "--max-unreadable-fraction", "1")
    assert call(tmp_path / "videos", tmp_path / "out", *options) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("0 videos transcribed")
    assert first.endswith(f"1 cannot be read (why: {tmp_path / 'out' / '.unreadable.jsonl'})")
    assert second == "word error rate: the reference of 0 videos has no word"


def test_other_settings_are_refused_by_name(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(videos, tmp_path, "--language", "en") == 0
    assert call(videos, tmp_path, "--language", "de", "--threads", "2") == 2
    error = capsys.readouterr().err
    assert "was created with other settings: model: 'tiny.en on 0 threads' there, " in error
    assert "language: 'en' there, 'de' now. Resume with the same settings, or give" in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--part", "3/2"], "part='3/2' is not K/N"),
        (["--threads", "-1"], "--threads must be 0 or more, but is -1"),
        (["--max-unreadable-fraction", "2"], "--max-unreadable-fraction"),
        (["--reference", "absent"], "absent cannot be read as captions"),
        (["--language", "xx"], "--language: expected one of en, de, got 'xx'"),
        (["--device", "abacus"], "--device: expected a device such as cpu or cuda:0"),
        (["--list", "absent.csv"], "absent.csv"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(
    videos: Path,
    tmp_path: Path,
    options: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(videos, tmp_path / "out", *options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_too_many_unreadable_videos_end_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "bad.mp4").write_bytes(b"")
    assert call(tmp_path / "videos", tmp_path / "out", "--max-unreadable-fraction", "0") == 2
    error = capsys.readouterr().err
    assert "1 of 1 videos cannot be read" in error
    assert str(tmp_path / "out" / ".unreadable.jsonl") in error
