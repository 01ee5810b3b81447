import json
import shutil
from pathlib import Path

import pytest

from tests.pseudolabel.models import aligner_checkpoint, captioner_checkpoint
from vtlearn.cli.commands import tree
from vtlearn.media.captions import open_captions
from vtlearn.media.webdataset.reader import read_pairs
from vtlearn.media.webdataset.writer import ShardWriter

OURS = "tests.pseudolabel.models.Brightness"


def pseudolabel(root: Path, out: Path, *options: str, captioner: str = OURS) -> int:
    options = ("--captioner", captioner, "--time-budget", "0", *options)
    return tree.run("pseudolabel", [str(root / "videos"), "-o", str(out), *options])


@pytest.fixture(scope="module")
def few(kitchen_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos and a list of two; tests only read it."""
    root = tmp_path_factory.mktemp("few")
    (root / "videos").mkdir()
    for path in sorted((kitchen_root / "videos").iterdir())[:3]:
        shutil.copy(path, root / "videos")
    names = sorted(path.name for path in (root / "videos").iterdir())[:2]
    (root / "list.csv").write_text("video_path\n" + "".join(f"{name}\n" for name in names))
    return root


def test_it_captions_windows_and_says_what_it_did(
    few: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pseudolabel(few, tmp_path / "out") == 0
    rate, there, half = capsys.readouterr().out.splitlines()
    lines = (tmp_path / "out" / "00000.jsonl").read_text().splitlines()
    assert rate.startswith(f"{len(lines)} windows captioned in ")
    assert "windows per second" in rate
    assert there.startswith(f"pseudolabels: captions of {len(lines)} of {len(lines)} windows of 3 ")
    score = float(half.removeprefix("half of them is kept at min_score=").split()[0])
    scores = [json.loads(line)["score"] for line in lines]
    assert sum(one >= score for one in scores) * 2 >= len(scores)
    assert sum(one > score for one in scores) * 2 <= len(scores)
    kept = open_captions(tmp_path / "out", progress=False, min_score=score)
    assert kept.num_captions == sum(one >= score for one in scores)
    assert pseudolabel(few, tmp_path / "out") == 0
    assert capsys.readouterr().out.splitlines()[0] == "no window was left to caption"


def test_other_options_in_a_folder_that_was_begun_are_refused_by_name(
    few: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pseudolabel(few, tmp_path, "--list", str(few / "list.csv")) == 0
    assert pseudolabel(few, tmp_path, "--frames", "2", "--windows", "fixed:3") == 2
    error = capsys.readouterr().err
    assert "was created with other settings: windows: 'fixed:2' there, 'fixed:3' now" in error
    assert "frames: 3 there, 2 now" in error
    assert "videos: 2 there, 3 now" in error
    assert "Traceback" not in error


def test_a_reference_that_was_replaced_between_parts_is_refused_by_name(
    few: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, labels = Path(shutil.copytree(few, tmp_path / "few")), tmp_path / "labels"
    assert pseudolabel(root, labels, "--part", "2/2") == 0  # which has no shard
    first, second, *_ = sorted((root / "videos").iterdir())
    before = json.loads((labels / "pseudolabels.json").read_text())["settings"]["references"]
    shutil.copy(second, first)
    assert pseudolabel(root, labels, "--part", "1/2") == 2
    now = before[second.stem]
    expected = f"references[{first.stem}]: '{before[first.stem]}' there, '{now}' now. Resume with"
    assert expected in capsys.readouterr().err


def test_a_checkpoint_writes_and_another_scores(few: Path, tmp_path: Path) -> None:
    captioner = str(captioner_checkpoint(tmp_path / "c.ckpt"))
    aligner = str(aligner_checkpoint(tmp_path / "a.ckpt"))
    options = ("--scorer", f"match:{aligner}", "--frames", "1", "--batch-size", "8")
    assert pseudolabel(few, tmp_path / "out", *options, captioner=captioner) == 0
    settings = json.loads((tmp_path / "out" / "pseudolabels.json").read_text())["settings"]
    assert settings["captioner"].startswith("c.ckpt:")
    assert settings["scorer"].startswith("match:a.ckpt:")
    assert settings["references"] == {}


def test_under_a_launcher_each_process_takes_its_part(
    few: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert pseudolabel(few, tmp_path / "out") == 0
    out = capsys.readouterr().out
    assert "part 2/2 is whole; 1 of 1 shards are not in" in out
    assert "min_score" not in out
    assert pseudolabel(few, tmp_path / "out", "--part", "1/2") == 0
    assert "half of them is kept at" in capsys.readouterr().out


def test_the_best_captions_are_packed_with_their_videos(few: Path, tmp_path: Path) -> None:
    labels, shards = tmp_path / "labels", tmp_path / "shards"
    assert pseudolabel(few, labels, "--pack", str(shards), "--keep", "0.5") == 0
    kept = open_captions(labels, progress=False, keep=0.5)
    (tar,) = shards.glob("*.tar")
    packed = {
        record["id"]: record["captions"]["text"]
        for sample in read_pairs(tar)
        for record in [json.loads(sample.files["json"])]
    }
    assert packed == {one: [caption.text for caption in kept[one]] for one in kept}
    assert packed


def test_shards_that_cannot_be_written_are_found_out_before_any_caption(
    few: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shards = tmp_path / "shards"
    with ShardWriter(shards) as writer:
        writer.add("a", {"txt": b"chop"})
    assert pseudolabel(few, tmp_path / "labels", "--pack", str(shards)) == 2
    assert "holds finished shards; choose another folder" in capsys.readouterr().err
    assert not (tmp_path / "labels").exists()


def test_a_score_that_no_caption_has_is_said(
    few: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--pack", str(tmp_path / "shards"), "--min-score", "99")
    assert pseudolabel(few, tmp_path / "out", *options) == 2
    assert "no caption has a score of min_score=99: the highest is " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--keep", "0.5"], "--min-score and --keep are of --pack"),
        (["--pack", "x", "--keep", "2"], "keep=2.0 has to be above 0 and at most 1"),
        (["--pack", "x", "--part", "1/2"], "run the same command without a part"),
        (["--frames", "0"], "--frames must be positive, but is 0"),
        (["--batch-size", "0"], "--batch-size must be positive, but is 0"),
        (["--part", "3/2"], "part='3/2' is not K/N"),
        (["--windows", "shots"], "windows: expected fixed:SECONDS, asr:FOLDER or scenes:THRESH"),
        (["--scorer", "likelihood"], "scorer: expected lift, match:CHECKPOINT or clip:MODEL"),
        (["--device", "abacus"], "--device: expected a device such as cpu or cuda:0, got 'abacus'"),
        (["--device", "meta"], "--device meta cannot be used ("),
        (["--device", "cuda:99"], "--device cuda:99 cannot be used ("),
        (["--time-budget", "-1"], "--time-budget is -1.0; it must be 0 or more"),
        (["--captioner", "absent.ckpt"], "absent.ckpt: No such file or directory"),
    ],
)
def test_a_mistake_is_one_sentence(
    few: Path, tmp_path: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pseudolabel(few, tmp_path / "out", *options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_videos_have_to_be_there(
    few: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pseudolabel(tmp_path, tmp_path / "out") == 2
    assert "is not a directory; VIDEOS is where the videos are" in capsys.readouterr().err
    (tmp_path / "videos").mkdir()
    assert pseudolabel(tmp_path, tmp_path / "out") == 2
    assert f"no video is in {tmp_path / 'videos'}" in capsys.readouterr().err
    listed = tmp_path / "list.csv"
    there = next((few / "videos").iterdir()).name
    listed.write_text("video_path\n" + "".join(f"{k}.mp4\n" for k in range(7)) + f"{there}\n")
    assert pseudolabel(few, tmp_path / "out", "--list", str(listed)) == 2
    error = capsys.readouterr().err
    assert f"7 of 8 videos of {listed} are not in {few / 'videos'}: 0, 1, 2, 3, 4, ..." in error
    assert "Download them, or remove them from the list" in error
    listed.write_text("video_path\n")
    assert pseudolabel(few, tmp_path / "out", "--list", str(listed)) == 2
    assert f"no video is in {listed}" in capsys.readouterr().err
