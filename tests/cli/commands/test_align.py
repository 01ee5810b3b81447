import base64
import json
from pathlib import Path

import pytest
import torch

from tests.inference.shades import SHADES, shade_model
from tests.media.video.writing import write_video
from vtlearn.cli.commands import align, tree
from vtlearn.inference import Model
from vtlearn.media.captions import Caption, read_transcript
from vtlearn.media.captions.writing import format_webvtt

SAID = [
    Caption(1.0, 2.9, "now it gets bright & <b>nice</b>"),
    Caption(4.0, 6.5, "an arrow --> subscribe"),
    Caption(8.0, 9.9, "so dark"),
]


@pytest.fixture(autouse=True)
def _seeing(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, *, device: torch.device) -> Model:
        assert (name, device) == ("shades.ckpt", torch.device("cpu"))
        return shade_model()

    monkeypatch.setattr(align, "load", load)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dark for 4 s, grey for 14, bright for 4."""
    levels = [SHADES["dark"]] * 16 + [SHADES["grey"]] * 56 + [SHADES["bright"]] * 16
    return write_video(tmp_path_factory.mktemp("shades") / "talk.mp4", levels, rate=4)


@pytest.fixture
def folder(seen: Path, tmp_path: Path) -> Path:
    (tmp_path / "talk.mp4").write_bytes(seen.read_bytes())
    (tmp_path / "talk.vtt").write_text(format_webvtt(SAID))
    return tmp_path


def call(folder: Path, *options: str, transcript: str = "talk.vtt") -> int:
    given = [str(folder / "talk.mp4"), "--transcript", str(folder / transcript)]
    return tree.run("align", [*given, "--model", "shades.ckpt", "--device", "cpu", *options])


def test_it_prints_where_captions_went(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(folder) == 0
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert [line.split()[:3] for line in lines[:4]] == [
        ["spoken", "shown", "moved"],
        ["0:01.0", "0:18.8", "+17.8"],
        ["0:04.0", "-", "-"],
        ["0:08.0", "0:00.8", "-7.2"],
    ]
    assert lines[2].endswith("an arrow --> subscribe")
    moved = "2 of 3 captions match what is shown, and were moved by 12.5 s in the median"
    assert lines[4] == moved
    assert output.err == ""


def test_json_is_printed_and_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "out.json"
    assert call(folder, "--json", "-o", str(out), "--spread", "0", "--stride", "0.5") == 0
    text = capsys.readouterr().out
    assert out.read_text() == text
    found = json.loads(text)
    assert found["settings"] == {"stride": 0.5, "spread": 0.0}
    assert found["model"] == {"name": "shades.ckpt", "sha256": shade_model().sha256}
    bright = found["segments"][0]
    assert {name: bright[name] for name in ("spoken_start", "spoken_end", "matched")} == {
        "spoken_start": 1.0,
        "spoken_end": 2.9,
        "matched": True,
    }
    assert 0.5 <= bright["confidence"] <= 1
    new = {caption.text: caption.start for caption in read_transcript(out)}
    assert new == {each["text"]: each["start"] for each in found["segments"]}
    assert new["an arrow --> subscribe"] == 4.0


def test_subtitles_are_read_with_the_same_times_and_words(folder: Path) -> None:
    vtt, srt, figures = (folder / f"new.{suffix}" for suffix in ("vtt", "srt", "json"))
    assert call(folder, "-o", str(vtt), "-o", str(srt), "-o", str(figures)) == 0
    wanted = read_transcript(figures)
    assert [caption.text for caption in wanted] == [SAID[number].text for number in (2, 1, 0)]
    assert read_transcript(vtt) == wanted
    plain = wanted[-1]._replace(text="now it gets bright & nice")  # SubRip has nothing but tags
    assert read_transcript(srt) == [*wanted[:-1], plain]
    blocks = vtt.read_text().split("\n\n")
    names = [block.splitlines()[0].split() for block in blocks[2:]]
    assert [name[:2] for name in names] == [
        ["1", "matched"],
        ["2", "unmatched"],
        ["3", "matched"],
    ]
    assert "an arrow --&gt; subscribe" in vtt.read_text()


@pytest.mark.parametrize("link", [False, True])
def test_a_page_holds_what_was_found(folder: Path, link: bool) -> None:
    page = folder / "page.html"
    options = ["--link-video"] if link else []
    assert call(folder, "-o", str(page), *options) == 0
    text = page.read_text()
    assert text.startswith("<!doctype html>")
    assert "talk.mp4" in text
    assert "<b>nice</b>" not in text
    whole = base64.b64encode((folder / "talk.mp4").read_bytes()).decode()
    assert (whole in text) is not link


def test_damaged_captions_are_left_out_and_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (folder / "talk.vtt").open("a") as file:
        file.write("\n00:09.000 --> 00:07.000\nback in time\n")
    assert call(folder) == 0
    output = capsys.readouterr()
    assert output.out.splitlines()[-1].startswith("2 of 3 captions match")
    assert output.err.startswith(f"1 of 4 captions of {folder / 'talk.vtt'} cannot be read, and ")
    assert "ends at 7.0 s, before it starts" in output.err


def test_nothing_of_the_users_is_overwritten(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "talk.vtt").read_text()
    (folder / "link.vtt").symlink_to(folder / "talk.vtt")
    (folder / "hard.vtt").hardlink_to(folder / "talk.vtt")
    for name in ("talk.vtt", "link.vtt", "hard.vtt"):
        assert call(folder, "-o", str(folder / name), "--overwrite") == 2
        assert "is the transcript itself, which stays as it is" in capsys.readouterr().err
    (folder / "mine.srt").write_text("mine")
    assert call(folder, "-o", str(folder / "mine.srt")) == 2
    assert "is there already: give another name, or --overwrite" in capsys.readouterr().err
    assert (folder / "mine.srt").read_text() == "mine"
    assert call(folder, "-o", str(folder / "mine.srt"), "--overwrite") == 0
    assert "so dark" in (folder / "mine.srt").read_text()
    assert (folder / "talk.vtt").read_text() == before


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["-o", "a.txt"], "-o a.txt: expected a name that ends in .html, .vtt, .srt, .json"),
        (["-o", "no/a.vtt"], "-o no/a.vtt: no is not a directory; make it first"),
        (["-o", "a.vtt", "-o", "./a.vtt"], "-o a.vtt is given twice"),
        (["--spread", "-1"], "--spread is -1.0; it must be 0 or more"),
        (["--spread", "nan"], "--spread is nan; it must be 0 or more"),
        (["--stride", "0"], "--stride"),
    ],
)
def test_mistakes_are_told_before_anything_is_read(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    sentence: str,
) -> None:
    monkeypatch.setattr(align, "read_transcript", None)
    monkeypatch.setattr(align, "load", None)
    monkeypatch.chdir(folder)
    assert call(folder, *options) == 2
    assert capsys.readouterr().err.startswith(f"vtlearn: error: {sentence}")


def test_files_that_are_not_there_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(folder, transcript="absent.vtt") == 2
    error = capsys.readouterr().err
    assert error.endswith("absent.vtt: there is no such file; the transcript must be one\n")
    (folder / "talk.mp4").write_bytes(b"no video")
    assert call(folder, "-o", str(folder / "new.vtt")) == 2
    assert "talk.mp4 cannot be read" in capsys.readouterr().err
    assert not (folder / "new.vtt").exists()
