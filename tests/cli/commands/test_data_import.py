import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from vtlearn.__main__ import main
from vtlearn.media.features.reader import FeatureReader

FACTS = {
    "--backbone": ["S3D"],
    "--weights": ["s3d.pth"],
    "--fps": ["1"],
    "--window": ["1"],
    "--num-frames": ["30"],
    "--resize": ["none"],
    "--crop": ["224"],
    "--mean": ["0", "0", "0"],
    "--std": ["1", "1", "1"],
    "--l2-norm": ["no"],
}


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three files, as VideoCLIP's extraction leaves them."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "bare"
    folder.mkdir()
    for number, name in enumerate(("a.mp4.npy", "-b_c.npy", "d.webm.npy")):
        vectors = np.random.default_rng(number).normal(size=(number + 3, 512))
        np.save(folder / name, vectors.astype(np.float16))
    (tmp_path / "s3d.pth").write_bytes(b"weights")
    return folder


def bring(facts: dict[str, list[str]], *options: str) -> int:
    words = [word for option, values in facts.items() for word in (option, *values)]
    return main(["data", "import", "bare", "--to", "store", *words, *options])


@pytest.mark.usefixtures("bare")
def test_the_facts_are_said_once_and_kept(capsys: pytest.CaptureFixture[str]) -> None:
    Path("vlen.csv").write_text("vid,vlen\n-b_c,3.4\na,2.5\nd,5\n")
    assert bring(FACTS, "--durations", "vlen.csv", "--videos-per-shard", "2") == 0
    output = capsys.readouterr()
    assert output.out == "store: 3 videos, 1 vectors per second of dim=512 in float16\n"
    assert "Importing features" in output.err
    reader = FeatureReader("store")
    assert reader.spec.weights_sha256 == hashlib.sha256(b"weights").hexdigest()
    assert (reader.spec.resize, reader.spec.mean, reader.spec.stride) == (None, (0.0,) * 3, 1.0)
    assert [reader.duration(one) for one in reader.ids] == [3.4, 2.5, 5.0]


@pytest.mark.usefixtures("bare")
def test_all_that_is_missing_is_asked_for_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "import", "bare"]) == 2
    error = capsys.readouterr().err
    for option in ("--to", *FACTS):
        assert f"\n  {option}" in error
    assert not Path("store").exists()
    facts = dict(FACTS)
    del facts["--fps"], facts["--l2-norm"]
    assert bring(facts) == 2
    error = capsys.readouterr().err
    assert error.count("\n  --") == 2
    assert "\n  --fps: vectors per second\n" in error


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"--dim": ["1024"]}, "holds vectors of dim=512 in float16, not of dim=1024"),
        ({"--dtype": ["float32"]}, "not of dim=512 in float32"),
        ({"--l2-norm": ["yes"]}, "l2_norm is said to be true"),
        ({"--fps": ["0"]}, "fps must be positive"),
        ({"--stride": ["2"]}, "not stride=2.0"),
        ({"--weights": ["absent.pth"]}, "--weights absent.pth cannot be read: No such file"),
        ({"--weights-sha256": ["0" * 64]}, "has the hash"),
        ({"--stride": ["0"]}, "stride must be positive"),
        ({"--dim": ["0"]}, "dim must be positive"),
        ({"--resize": ["0"]}, "resize must be positive"),
        ({"--tolerance": ["-1"]}, "tolerance=-1.0 is a number of seconds"),
        ({"--to": ["bare/store"]}, "--to bare/store is in bare, where the .npy files are"),
        ({"--to": ["bare"]}, "--to bare is in bare"),
        ({"--to": ["s3d.pth"]}, "features cannot be kept in s3d.pth: File exists"),
        ({"--durations": ["absent.csv"]}, "absent.csv cannot be read as a csv"),
    ],
)
def test_what_cannot_be_true(
    changed: dict[str, list[str]], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bring(FACTS | changed) == 2
    assert words in capsys.readouterr().err


@pytest.mark.usefixtures("bare")
def test_a_hash_may_be_given_alone() -> None:
    facts = {option: values for option, values in FACTS.items() if option != "--weights"}
    assert bring(facts, "--weights-sha256", "A" * 64) == 0
    assert FeatureReader("store").spec.weights_sha256 == "a" * 64


def test_no_such_folder(capsys: pytest.CaptureFixture[str]) -> None:
    words = [word for option, values in FACTS.items() for word in (option, *values)]
    assert main(["data", "import", "nowhere", "--to", "store", *words]) == 2
    assert "there is no folder nowhere" in capsys.readouterr().err


def test_a_damaged_file_is_left_out_named_and_counted(
    bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = bare / "-b_c.npy"  # the first
    whole = path.read_bytes()
    path.write_bytes(whole[:200])
    assert bring(FACTS) == 0
    output = capsys.readouterr()
    assert output.out.startswith("store: 2 videos, 1 vectors per second of dim=512 in float16")
    assert (
        "1 of 3 files are left out, which store/unreadable.jsonl names:\n  bare/-b_c.npy cannot be"
        in (output.err)
    )
    (line,) = Path("store/unreadable.jsonl").read_text().splitlines()
    assert json.loads(line)["id"] == "-b_c"
    assert bring(FACTS, "--max-unreadable-fraction", "0") == 2
    assert "1 of 3 files so far cannot be imported, more than the 0" in capsys.readouterr().err
    path.write_bytes(whole)
    assert bring(FACTS) == 0
    assert "left out" not in capsys.readouterr().err
    assert not Path("store/unreadable.jsonl").exists()
    assert len(FeatureReader("store").ids) == 3
