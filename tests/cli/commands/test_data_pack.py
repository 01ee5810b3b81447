import argparse
import csv
import errno
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.layouts import LAYOUTS, write_layout
from tests.media.video.writing import write_video
from vtlearn.cli.commands import tree
from vtlearn.cli.commands.data_pack import _bytes, _mixed
from vtlearn.datasets.reading import ClipSampling, Pixels, Reading
from vtlearn.datasets.shard_checking import check_shards
from vtlearn.datasets.shards import ShardStream
from vtlearn.errors import ShardError
from vtlearn.media.webdataset import writer as shard_writer
from vtlearn.media.webdataset.index import open_shards
from vtlearn.media.webdataset.reader import read_pairs, read_shard

KEYS = ("-CTPAZ2euJ2", "6yooogsTG8k", "RoupYOneCIo", "nVbIUDjzWY4", "x_9-")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Five videos in nested folders, with captions a file each."""
    (tmp_path / "captions").mkdir()
    for number, key in enumerate(KEYS):
        folder = tmp_path / "videos" / "food" / key[0]
        folder.mkdir(parents=True)
        write_video(folder / f"{key}.mp4", [20 * number] * 8, rate=4)
        captions = {"start": [0, 1.0], "end": [1.0, 2], "text": ["grüß", f"{number}"]}
        (tmp_path / "captions" / f"{key}.json").write_text(json.dumps(captions))
    return tmp_path


def pack(corpus: Path, *options: str, out: str = "out") -> int:
    argv = [corpus / "videos", corpus / "captions", corpus / out]
    if "--time-budget" not in options:
        options += ("--time-budget", "0")  # which would start a process each time
    return tree.run("data pack", [*map(str, argv), *options])


def left_out(corpus: Path) -> dict[str, str]:
    with (corpus / "out" / "left_out.csv").open(newline="") as file:
        return {row["id"]: row["reason"] for row in csv.DictReader(file)}


def test_shards_hold_videos_as_they_are_and_their_captions(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pack(corpus, "--samples-per-shard", "2") == 0
    index = open_shards(corpus / "out")
    assert sorted(index.keys) == sorted(KEYS)
    samples = [sample for shard in index.shards for sample in read_pairs(shard.path)]
    for sample in samples:
        (video,) = (corpus / "videos").rglob(f"{sample.key}.mp4")
        assert sample.files["mp4"] == video.read_bytes()
        record = json.loads(sample.files["json"])
        transcript = json.loads((corpus / "captions" / f"{sample.key}.json").read_text())
        assert record["captions"] == transcript
        assert (record["duration"], record["width"], record["fps"]) == (2.0, 32, 4.0)
        assert record["path"] == f"food/{sample.key[0]}/{sample.key}.mp4"
    size = sum(shard.path.stat().st_size for shard in index.shards)
    said = capsys.readouterr().out
    assert said == f"3 shards, 5 samples, {size:,} bytes in {corpus / 'out'}\n"
    assert left_out(corpus) == {}


def test_a_bad_caption_is_left_out_of_its_sample_or_takes_it_along(corpus: Path) -> None:
    said = {"start": [0.0, 1.0], "end": [1.0, 0.5], "text": ["chop", "back in time"]}
    (corpus / "captions" / f"{KEYS[1]}.json").write_text(json.dumps(said))
    assert pack(corpus) == 0
    index = open_shards(corpus / "out")
    samples = [sample for shard in index.shards for sample in read_pairs(shard.path)]
    (record,) = (json.loads(each.files["json"]) for each in samples if each.key == KEYS[1])
    assert record["captions"] == {"start": [0.0], "end": [1.0], "text": ["chop"]}
    shutil.rmtree(corpus / "out")
    assert pack(corpus, "--max-bad-cues", "0") == 0
    assert set(left_out(corpus)) == {KEYS[1]}


def test_an_empty_transcript_is_of_a_video_without_captions(corpus: Path) -> None:
    (corpus / "captions" / f"{KEYS[0]}.json").write_text("[]")
    assert pack(corpus) == 0
    assert left_out(corpus) == {KEYS[0]: "without captions"}


def test_what_is_left_out_is_told(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (corpus / "captions" / f"{KEYS[0]}.json").unlink()
    shutil.rmtree(corpus / "videos" / "food" / "6")
    next((corpus / "videos").rglob("Roup*")).write_bytes(b"no video")
    wrong = {"start": [2], "end": [1], "text": ["back in time"]}
    (corpus / "captions" / f"{KEYS[3]}.json").write_text(json.dumps(wrong))
    assert pack(corpus, "--time-budget", "60") == 0
    assert left_out(corpus) == {
        KEYS[0]: "without captions",
        KEYS[1]: "without a video",
        KEYS[2]: "that cannot be opened",
        KEYS[3]: "with captions that cannot be read",
    }
    said = capsys.readouterr().out
    assert said.startswith("1 shards, 1 samples, ")
    assert "1 that cannot be opened, 1 with captions that cannot be read, 1 without a v" in said


def test_captions_outside_their_videos_are_left_out(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    some = {"start": [-2, 1.5, 2.0], "end": [0, 4.5, 3], "text": ["before", "partly", "after"]}
    (corpus / "captions" / f"{KEYS[0]}.json").write_text(json.dumps(some))
    every = {"start": [2.0, 7.0], "end": [3.0, 8.0], "text": ["after", "later"]}
    (corpus / "captions" / f"{KEYS[1]}.json").write_text(json.dumps(every))
    assert pack(corpus) == 0
    index = open_shards(corpus / "out")
    samples = {one.key: one for shard in index.shards for one in read_pairs(shard.path)}
    assert sorted(samples) == sorted(set(KEYS) - {KEYS[1]})
    kept = json.loads(samples[KEYS[0]].files["json"])["captions"]
    assert kept == {"start": [1.5], "end": [2.0], "text": ["partly"]}
    assert left_out(corpus) == {
        KEYS[0]: "captions outside their videos",
        KEYS[1]: "with all captions outside",
    }
    said = capsys.readouterr().out
    assert "2 captions outside their videos, 1 with all captions outside" in said


def test_names_that_are_no_utf8_are_left_out_escaped(corpus: Path) -> None:
    name = os.fsdecode(b"caf\xe9.mp4")
    (corpus / "videos" / name).write_bytes(b"")
    assert pack(corpus) == 0
    assert left_out(corpus) == {"caf%E9": "without captions"}
    assert sorted(open_shards(corpus / "out").keys) == sorted(KEYS)


def test_names_that_are_no_utf8_are_packed(corpus: Path) -> None:
    key = os.fsdecode(b"caf\xe9")  # and its id is caf%E9, whose key escapes the % again
    for folder, suffix in (("videos", "mp4"), ("captions", "json")):
        shutil.copy(
            next((corpus / folder).rglob(f"x_9-.{suffix}")), corpus / folder / f"{key}.{suffix}"
        )
    assert pack(corpus) == 0
    index = open_shards(corpus / "out")
    assert set(index.keys) == {"caf%E9", *KEYS}
    samples = {sample.key: sample for shard in index.shards for sample in read_pairs(shard.path)}
    packed = samples["caf%25E9"]
    assert packed.id == "caf%E9"
    assert packed.files["mp4"] == samples["x_9-"].files["mp4"]
    assert json.loads(packed.files["json"])["path"] == "caf%E9.mp4"


def test_what_the_reader_would_refuse_is_left_out(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, suffix in (("videos", "mp4"), ("captions", "json")):
        source = next((corpus / folder).rglob(f"x_9-.{suffix}"))
        shutil.copy(source, corpus / folder / f"C:x.{suffix}")  # elsewhere a drive
    large = next((corpus / "videos").rglob(f"{KEYS[0]}.mp4"))
    with large.open("ab") as file:
        file.write(bytes(50_000))
    monkeypatch.setattr(shard_writer, "LARGEST", 40_000)
    assert pack(corpus) == 0
    reason = "that shards cannot hold"
    assert left_out(corpus) == {KEYS[0]: reason, "C:x": reason}
    assert f"left out: 2 {reason}" in capsys.readouterr().out
    index = open_shards(corpus / "out")
    assert sorted(index.keys) == sorted(KEYS[1:])
    for shard in index.shards:
        assert len(list(read_shard(shard.path, largest=40_000))) == shard.samples


def test_a_full_disk_is_no_reason_to_leave_a_video_out(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shard_writer, "_write_tar", full)
    assert pack(corpus, "--samples-per-shard", "1") == 2
    assert "00000.tar cannot be written: [Errno 28] No space left" in capsys.readouterr().err
    assert not (corpus / "out" / "left_out.csv").exists()


@pytest.mark.parametrize("out", ["caption.json", "caption.json/out", "/proc/absent"])
def test_where_shards_cannot_be_written_is_found_out_first(
    corpus: Path, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (corpus / "caption.json").touch()
    assert pack(corpus, out=out) == 2
    assert f"{corpus / out} cannot be written to (" in capsys.readouterr().err
    assert not (corpus / ".vtlearn").exists()  # no captions have been read


def test_a_report_that_cannot_be_written_is_a_sentence(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (corpus / "out" / "left_out.csv").mkdir(parents=True)
    assert pack(corpus) == 2
    assert "left_out.csv cannot be written: Is a directory" in capsys.readouterr().err
    (corpus / "out" / "left_out.csv").rmdir()
    assert pack(corpus) == 0  # and it goes on


def test_a_list_chooses(corpus: Path) -> None:
    rows = ["video_path", f"food/x/{KEYS[4]}.webm", f"{KEYS[1]}.mp4", "absent.mp4"]
    (corpus / "list.csv").write_text("\n".join(rows) + "\n")
    assert pack(corpus, "--list", str(corpus / "list.csv")) == 0
    assert set(open_shards(corpus / "out").keys) == {KEYS[1], KEYS[4]}
    assert left_out(corpus) == {"absent": "without a video"}


@pytest.mark.parametrize("ids", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("indexed", [True, False])
def test_ids_with_dots_and_twins_are_read_back(
    indexed: bool, ids: Sequence[str], tmp_path: Path
) -> None:
    root = write_layout(tmp_path, [*ids, "50%"], [*ids, "50%"])
    assert pack(root, "--samples-per-shard", "1") == 0
    for shard in (root / "out").glob("*.tar"):
        for sample in read_pairs(shard):  # as WebDataset has it
            assert "." not in sample.key.rpartition("/")[2]
            record = json.loads(sample.files["json"])
            assert record["captions"]["text"] == [record["id"]]
            assert sample.files["mp4"] == (root / "videos" / record["path"]).read_bytes()
    if not indexed:  # another program copied the shards alone
        (root / "out" / "index.jsonl").unlink()
    index = open_shards(root / "out", progress=False)
    assert sorted(index.keys) == sorted([*ids, "50%"])
    reading = Reading(
        sampling=ClipSampling(num_clips=1, num_frames=4, fps=4.0),
        pixels=Pixels(size=32),
        unreadable_log=root / "unreadable.jsonl",
    )
    stream = ShardStream(index, reading=reading)
    narrations = list(stream)
    assert sorted(each.id for each in narrations) == sorted([*ids, "50%"])
    assert all(each.texts == [each.id] for each in narrations)
    report = check_shards(root / "out", workers=1, time_budget=None)
    assert sorted(report.usable) == sorted([*ids, "50%"])
    assert report.coverage == 100


def test_words_of_two_videos_are_not_packed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_layout(tmp_path, LAYOUTS["lessons"], ["part1"])
    assert pack(root) == 2
    assert "captions/part1.json may be of lesson1/part1 or of less" in capsys.readouterr().err
    (root / "captions" / "part1.json").unlink()
    write_layout(root, (), ["lesson2/part1"])
    assert pack(root) == 0
    assert left_out(root) == {"lesson1/part1": "without captions"}
    assert list(open_shards(root / "out").keys) == ["lesson2/part1"]


def test_packing_of_escaped_ids_goes_on_where_it_was_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_layout(tmp_path, LAYOUTS["volumes"], LAYOUTS["volumes"])
    assert pack(root, "--samples-per-shard", "1", out="whole") == 0
    with monkeypatch.context() as patch:
        patch.setattr(shard_writer.ShardWriter, "finish", lambda _: None)
        assert pack(root, "--samples-per-shard", "1") == 0
    assert len(list((root / "out").glob("*.tar"))) == 1
    assert pack(root, "--samples-per-shard", "1") == 0
    for path in (root / "whole").iterdir():
        assert (root / "out" / path.name).read_bytes() == path.read_bytes()


def test_the_order_mixes_the_corpus_and_stays() -> None:
    """Whatever else there is."""
    ids = [f"{task}_{number:02d}" for task in ("bake", "chop") for number in range(50)]
    order = _mixed(ids)
    assert sorted(order) == ids
    assert 15 < sum(one.startswith("bake") for one in order[:50]) < 35
    assert [one for one in order if one.startswith("bake")] == _mixed(ids[:50])


def test_packing_goes_on_where_it_was_cut_off(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pack(corpus, "--samples-per-shard", "2", out="whole") == 0
    last = open_shards(corpus / "whole").keys[4]
    victim = next((corpus / "videos").rglob(f"{last}.mp4"))
    real = Path.stat

    def stat(path: Path, **options: bool) -> object:
        if path == victim:
            raise KeyboardInterrupt
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    assert pack(corpus, "--samples-per-shard", "2") == 130
    monkeypatch.undo()
    assert [path.name for path in (corpus / "out").glob("*.tar")] == ["00000.tar"]
    first = (corpus / "out" / "00000.tar").stat().st_mtime_ns
    assert pack(corpus, "--samples-per-shard", "2") == 0
    assert (corpus / "out" / "00000.tar").stat().st_mtime_ns == first  # it was not written again
    for path in (corpus / "whole").iterdir():
        assert (corpus / "out" / path.name).read_bytes() == path.read_bytes()


def test_what_was_left_out_before_packing_was_cut_off_is_told(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for key in KEYS:
        some = {"start": [1.5, 9], "end": [2, 10], "text": ["in, or so", "after"]}
        (corpus / "captions" / f"{key}.json").write_text(json.dumps(some))
    next((corpus / "videos").rglob(f"{_mixed(KEYS)[0]}.*")).write_bytes(b"no video")
    assert pack(corpus, "--samples-per-shard", "1", out="whole") == 0
    whole = (corpus / "whole" / "left_out.csv").read_bytes()
    assert whole.count(b"captions outside") == 4
    told = capsys.readouterr().out.partition("left out: ")[2].partition(" (")[0]
    real = shard_writer._write_tar
    written: list[object] = []

    def stop(*given: Any) -> str:
        written.append(given)
        if len(written) == 3:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(shard_writer, "_write_tar", stop)
    assert pack(corpus, "--samples-per-shard", "1") == 130
    monkeypatch.undo()
    report = corpus / "out" / "left_out.csv"
    report.write_bytes(report.read_bytes() + b"x,unfinish")
    assert pack(corpus, "--samples-per-shard", "1") == 0
    assert report.read_bytes() == whole
    assert told in capsys.readouterr().out


@pytest.fixture
def labels(corpus: Path) -> Path:
    """Pseudolabels of the five videos in the place of their captions; two of each."""
    folder = corpus / "captions"
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "pseudolabels.json").write_text("{}")
    records = [
        {"video": key, "start": 0, "end": 1, "caption": f"{number} {score}", "score": score}
        for number, key in enumerate(KEYS)
        for score in (0.25, 0.75)
    ]
    (folder / "00000.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in records))
    return folder


def cut_off(corpus: Path, *options: str) -> None:
    """Pack five shards of a sample each, but for the last."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard_writer.ShardWriter, "finish", lambda _: None)
        assert pack(corpus, "--samples-per-shard", "1", *options) == 0


@pytest.mark.usefixtures("labels")
@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--keep", "1"), "keep: 0.5 there, 1.0 now"),
        ((), "keep: 0.5 there, None now"),
        (("--keep", "0.5", "--min-score", "0.5"), "min_score: None there, 0.5 now"),
        (("--keep", "0.5", "--max-bad-cues", "0.2"), "max_bad_cues: 0.5 there, 0.2 now"),
        (("--keep", "0.5", "--samples-per-shard", "2"), "max_samples: 1 there, 2 now"),
    ],
)
def test_other_options_do_not_resume(
    corpus: Path, options: tuple[str, ...], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cut_off(corpus, "--keep", "0.5")
    there = {path.name: path.read_bytes() for path in (corpus / "out").iterdir()}
    shutil.rmtree(corpus / ".vtlearn")
    assert pack(corpus, "--samples-per-shard", "1", *options) == 2
    error = capsys.readouterr().err
    assert f"were created with other settings: {named}. Resume with the same settings" in error
    assert not (corpus / ".vtlearn").exists()  # no captions have been read
    assert {path.name: path.read_bytes() for path in (corpus / "out").iterdir()} == there
    assert pack(corpus, "--samples-per-shard", "1", "--keep", "0.5") == 0


def test_other_captions_do_not_resume(
    corpus: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut_off(corpus)
    path = labels / "00000.jsonl"
    text = path.read_text()
    path.write_text(text.replace('"0 0.25"', '"0 0.26"'))
    assert pack(corpus, "--samples-per-shard", "1") == 2
    assert "other settings: captions_sha256: '" in capsys.readouterr().err
    path.write_text(text)
    assert pack(corpus, "--samples-per-shard", "1") == 0


def test_another_list_does_not_resume(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut_off(corpus)
    (corpus / "list.csv").write_text(f"video_id\n{KEYS[0]}\n")
    options = ("--samples-per-shard", "1", "--list", str(corpus / "list.csv"))
    assert pack(corpus, *options) == 2
    assert "other settings: list_sha256: None there, '" in capsys.readouterr().err


def test_limits_that_make_no_sense_are_found_out_first(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pack(corpus, "--samples-per-shard", "0") == 2
    assert "max_samples=0 and " in capsys.readouterr().err
    assert not (corpus / ".vtlearn").exists()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        ("videos", "videos is not a directory; VIDEOS is where the videos are"),
        ("captions", "captions is not there; CAPTIONS is a folder"),
        ("everything", "nothing to pack: none of 5 ids has both a video and captions"),
    ],
)
def test_mistakes_are_sentences(
    corpus: Path, spoil: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if spoil == "everything":
        shutil.rmtree(corpus / "videos" / "food")
    else:
        shutil.rmtree(corpus / spoil)
    assert pack(corpus) == 2
    assert sentence in capsys.readouterr().err


def test_finished_shards_stay(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pack(corpus) == 0
    assert pack(corpus) == 2
    assert "holds finished shards; choose another folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "size"),
    [("500MB", 5 * 10**8), ("1.5 GiB", 3 << 29), ("12", 12), ("2t", 2 * 10**12), ("1kb", 1000)],
)
def test_sizes(text: str, size: int) -> None:
    assert _bytes(text) == size


@pytest.mark.parametrize("text", ["big", "GB", "-1GB", "1XB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(
        argparse.ArgumentTypeError, match="expected a size such as 500MB or 1GB, got"
    ):
        _bytes(text)


def members(folder: Path) -> dict[str, dict[str, bytes]]:
    """What all samples of a folder hold, by key."""
    shards = open_shards(folder).shards
    samples = [sample for shard in shards for sample in read_pairs(shard.path)]
    assert len({sample.key for sample in samples}) == len(samples)
    return {sample.key: dict(sample.files) for sample in samples}


def test_the_parts_of_several_machines_hold_what_one_packs(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (corpus / "captions" / f"{KEYS[0]}.json").unlink()
    assert pack(corpus, out="whole") == 0
    assert pack(corpus, "--part", "2/2", out="parts") == 0
    assert pack(corpus, out="parts") == 2
    assert "parts holds part-2-of-2, and the whole corpus would" in capsys.readouterr().err
    with pytest.raises(ShardError, match="part-2-of-2: part-1-of-2 is missing; pack all parts"):
        open_shards(corpus / "parts")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert pack(corpus, out="parts") == 0  # as torchrun starts it
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name)
    assert members(corpus / "parts") == members(corpus / "whole")
    rows = [path.read_text().splitlines()[1:] for path in (corpus / "parts").rglob("left_out.csv")]
    assert sorted(map(len, rows)) == [0, 1]
    assert pack(corpus, "--part", "1/3", out="parts") == 2
    assert pack(corpus, "--part", "1/3", out="whole") == 2
    assert "whole holds 00000.tar, and part 1/3 would" in capsys.readouterr().err
    assert pack(corpus, "--part", "3/2", out="parts") == 2
