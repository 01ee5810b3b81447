import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from tests.media.video.writing import write_video
from tests.media.webdataset.tars import member, write_tar
from vtlearn.batch import Sample
from vtlearn.datasets.base import SampleKey, generator
from vtlearn.datasets.clips import ClipLoader
from vtlearn.datasets.reading import ClipSampling, Pixels, Reading
from vtlearn.datasets.sampling.narrations import NarrationReader
from vtlearn.datasets.sampling.overlap import OverlapSampling
from vtlearn.datasets.shards import ShardStream, told
from vtlearn.distributed import Process
from vtlearn.errors import (
    ArgumentError,
    NoCaptionsError,
    ShardError,
    TooManyUnreadableError,
    TranscriptError,
)
from vtlearn.media.captions.caption import Caption
from vtlearn.media.webdataset.index import INDEX, open_shards
from vtlearn.media.webdataset.reader import ShardSample
from vtlearn.media.webdataset.writer import ShardWriter

TINY = ClipSampling(num_clips=3, num_frames=2, fps=4.0)
PIXELS = Pixels(size=16, flip=0.0)
NO_TEXT = bytes.fromhex("cd072cd8be6f9f62") * 5  # in no encoding


# streaming


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Twelve videos of three seconds, each of its own grey."""
    folder = tmp_path_factory.mktemp("videos")
    return {
        f"video{number:02d}": write_video(
            folder / f"{number}.mp4", [20 * number + 10] * 12, rate=4
        ).read_bytes()
        for number in range(12)
    }


def captions(key: str) -> dict[str, list[object]]:
    texts: list[object] = [f"{key} says {number}" for number in range(4)]
    return {"start": [0.0, 0.5, 1.0, 1.5], "end": [0.5, 1.0, 1.5, 2.5], "text": texts}


@pytest.fixture
def folder(tmp_path: Path, videos: dict[str, bytes]) -> Path:
    """Six shards of two videos each."""
    with ShardWriter(tmp_path / "shards", max_samples=2) as writer:
        for key, data in videos.items():
            record = json.dumps({"captions": captions(key)}).encode()
            writer.add(key, {"mp4": data, "json": record})
    return tmp_path / "shards"


def stream(
    folder: Path,
    sampling: ClipSampling = TINY,
    *,
    max_unreadable_fraction: float = 0.01,
    time_budget: float | None = None,
    **options: Any,
) -> ShardStream:
    reading = Reading(
        sampling=sampling,
        pixels=PIXELS,
        max_unreadable_fraction=max_unreadable_fraction,
        unreadable_log=folder / "unreadable.jsonl",
        time_budget=time_budget,
    )
    return ShardStream(open_shards(folder, progress=False), reading=reading, **options)


def ids(narrations: ShardStream | list[Sample]) -> list[str]:
    return [narration.id for narration in narrations]


def test_an_epoch_is_a_permutation(folder: Path, videos: dict[str, bytes]) -> None:
    data = stream(folder)
    first = ids(data)
    assert first == ids(data)
    data.set_epoch(1)
    second = ids(data)
    assert sorted(first) == sorted(second) == sorted(videos)
    assert len({tuple(first), tuple(second), tuple(sorted(first))}) == 3
    assert len(data) == 12


def test_a_narration_is_what_a_file_would_give(
    folder: Path, videos: dict[str, bytes], tmp_path: Path
) -> None:
    data = stream(folder)
    data.set_epoch(3)
    for narration in data:
        number = sorted(videos).index(narration.id)
        path = tmp_path / "one.mp4"
        path.write_bytes(videos[narration.id])
        columns = captions(narration.id)
        wanted = NarrationReader(ClipLoader(Reading(sampling=TINY, pixels=PIXELS))).read(
            narration.id,
            path,
            [Caption(*entry) for entry in zip(*columns.values(), strict=True)],
            generator(0, SampleKey(3, number)),
        )
        assert torch.equal(narration.clips, wanted.clips)
        assert narration.texts == wanted.texts
        assert torch.equal(narration.text_spans, wanted.text_spans)
        assert torch.equal(narration.clip_spans, wanted.clip_spans)
        assert abs(float(narration.clips.float().mean()) - (20 * number + 10)) < 6


def test_a_time_budget_changes_nothing_for_videos_that_keep_to_it(folder: Path) -> None:
    free, watched = (list(stream(folder, time_budget=budget)) for budget in (None, 60.0))
    assert ids(free) == ids(watched)
    for one, other in zip(free, watched, strict=True):
        assert torch.equal(one.clips, other.clips)


def test_what_is_drawn_of_a_sample_depends_on_no_reader(folder: Path) -> None:
    sampling = replace(TINY, num_clips=1)

    def texts(rank: int, world: int) -> dict[str, list[str]]:
        data = stream(folder, sampling=sampling, process=Process(rank, world))
        return {narration.id: narration.texts for narration in data}

    assert texts(0, 1) == texts(0, 2) | texts(1, 2)


def test_the_buffer_shuffles_over_shards(folder: Path) -> None:
    def pairs(buffer: int) -> int:
        order = [int(one[5:]) // 2 for one in ids(stream(folder, shuffle_buffer=buffer))]
        return sum(one == other for one, other in zip(order[::2], order[1::2], strict=True))

    assert pairs(1) == 6  # as they lie in the shards
    assert pairs(12) < 5
    with pytest.raises(ArgumentError, match="shuffle_buffer=0"):
        stream(folder, shuffle_buffer=0)


@pytest.mark.parametrize(("world", "workers"), [(1, 2), (2, 1), (3, 1), (3, 2)])
def test_readers_see_disjoint_and_complete_sets(folder: Path, world: int, workers: int) -> None:
    seen: list[str] = []
    for rank in range(world):
        data = stream(folder, process=Process(rank, world), workers=workers)
        loader = DataLoader(data, batch_size=None, num_workers=workers if workers > 1 else 0)
        own = ids(list(loader))
        assert len(own) == len(data) == 12 // world
        seen += own
    assert len(set(seen)) == len(seen) == 12


def test_workers_that_outlive_an_epoch_learn_of_the_next(folder: Path) -> None:
    data = stream(folder, workers=2)
    loader = DataLoader(data, batch_size=None, num_workers=2, persistent_workers=True)
    orders = []
    for epoch in (0, 1, 1, 0):
        data.set_epoch(epoch)
        orders.append(ids(list(loader)))
    assert orders[0] == orders[3] != orders[1] == orders[2]
    data.set_epoch(2)
    next(iter(loader))  # given up early
    data.set_epoch(1)
    assert ids(list(loader)) == orders[1]


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("done", [1, 2, 3])
def test_an_epoch_goes_on_where_it_was_stopped(
    folder: Path, videos: dict[str, bytes], workers: int, done: int
) -> None:
    """What has been given is not given again, and the rest is what it would have been."""
    options: dict[str, Any] = {"workers": max(1, workers), "max_unreadable_fraction": 0.2}
    folder = spoil(folder, videos, "video07")

    def batches(data: ShardStream) -> list[list[Any]]:
        loader = DataLoader(data, batch_size=2, num_workers=workers, collate_fn=list)
        return [[(x.id, x.texts, x.clips.float().mean().item()) for x in batch] for batch in loader]

    data = stream(folder, **options)
    data.set_epoch(4)
    whole = batches(data)
    assert "video07" in data.unreadable.read()
    assert len(whole) > done
    resumed = stream(folder, **options)
    resumed.unreadable.read()
    resumed.begin_at(4, done, batch_size=2)
    resumed.set_epoch(4)
    assert batches(resumed) == whole[done:]
    resumed.set_epoch(5)
    assert len(batches(resumed)) == len(whole)


def test_a_stream_is_read_by_the_workers_it_was_made_for(folder: Path) -> None:
    with pytest.raises(ArgumentError, match=r"1 workers read a stream .* workers=2"):
        next(iter(stream(folder, workers=2)))


def test_every_reader_gives_as_much_whatever_its_share(folder: Path) -> None:
    for epoch in range(4):
        for rank in range(4):  # six shards: two of the four have one more
            data = stream(folder, process=Process(rank, 4))
            data.set_epoch(epoch)
            assert len(ids(data)) == len(data) == 2
    assert len(ids(stream(folder, samples_per_reader=5))) == 5
    with pytest.raises(ArgumentError, match="samples_per_reader=13 has to be from 1 to 12"):
        stream(folder, samples_per_reader=13)


# what cannot be read


def spoil(folder: Path, videos: dict[str, bytes], *keys: str) -> Path:
    """The same shards with videos cut short, and one whose captions are none."""
    with ShardWriter(folder / "spoiled", max_samples=2) as writer:
        for key, data in videos.items():
            record = json.dumps({"captions": captions(key)} if key != "video03" else [1]).encode()
            writer.add(key, {"mp4": data[:300] if key in keys else data, "json": record})
    return folder / "spoiled"


def test_the_next_sample_takes_an_unreadable_ones_place(
    folder: Path, videos: dict[str, bytes]
) -> None:
    spoiled = spoil(folder, videos, "video07")
    data = stream(spoiled, max_unreadable_fraction=0.2)
    for _ in range(2):
        seen = ids(data)
        assert len(seen) == 12  # the number of steps holds
        assert set(seen) == set(videos) - {"video03", "video07"}
    records = data.unreadable.read()
    assert sorted(records) == ["video03", "video07"]
    assert records["video03"].stage == "captions"
    assert "00001.tar, sample video03: its .json has neither" in records["video03"].reason
    assert records["video07"].path.endswith("00003.tar/video07.mp4")
    with pytest.raises(TooManyUnreadableError, match=r"max_unreadable_fraction=0\.01"):
        ids(stream(spoiled))


def test_a_reader_that_runs_out_begins_again(folder: Path, videos: dict[str, bytes]) -> None:
    spoiled = spoil(folder, videos, *(key for key in videos if key != "video05"))
    sampling = replace(TINY, num_clips=1)
    narrations = list(stream(spoiled, max_unreadable_fraction=1.0, sampling=sampling))
    assert ids(narrations) == ["video05"] * 12
    assert len({narration.texts[0] for narration in narrations}) > 1  # drawn anew each time


def test_a_reader_without_anything_readable_ends(folder: Path, videos: dict[str, bytes]) -> None:
    spoiled = spoil(folder, videos, *videos)
    with pytest.raises(TooManyUnreadableError, match="12 of 12"):
        ids(stream(spoiled, max_unreadable_fraction=1.0))


def test_captions_are_streamed_without_the_videos(folder: Path, videos: dict[str, bytes]) -> None:
    spoiled = spoil(folder, videos, *videos)
    data = stream(spoiled, max_unreadable_fraction=0.1)
    told = list(data.texts())
    assert told == [text for key in videos if key != "video03" for text in captions(key)["text"]]
    assert list(data.unreadable.read()) == ["video03"]


def test_a_shard_that_is_not_its_indexs_is_an_error(folder: Path) -> None:
    index = (folder / INDEX).read_text().replace('"samples": 2', '"samples": 3')
    (folder / INDEX).write_text(index)
    with pytest.raises(ShardError, match=r"holds 2 samples, but its index says 3"):
        ids(stream(folder))


# pictures, and videos with one text


def encoded(kind: str, level: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((24, 32, 3), level, np.uint8)).save(file, kind)
    return file.getvalue()


def test_pictures_stream_as_videos_do(tmp_path: Path) -> None:
    """img2dataset's layout, in all its kinds of pictures."""
    kinds = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}
    members = []
    for number, (extension, kind) in enumerate(kinds.items()):
        key = f"00000{number:04d}"
        record = json.dumps({"caption": "not this", "url": "x", "width": 32}).encode()
        members += [
            member(f"{key}.{extension}", encoded(kind, 60 * number + 50)),
            member(f"{key}.json", record),
            member(f"{key}.txt", f"picture {number}\n".encode()),
        ]
    write_tar(tmp_path / "00000.tar", *members)
    narrations = {narration.id: narration for narration in stream(tmp_path)}
    for number in range(3):
        narration = narrations[f"00000{number:04d}"]
        assert narration.texts == [f"picture {number}"]
        assert narration.clips.shape == (1, 2, 3, 16, 16)
        assert narration.text_spans.tolist() == [[0.0, 0.0]]
        assert abs(float(narration.clips.float().mean()) - (60 * number + 50)) < 6


def test_overlapping_and_whole_clips_stream_as_others_do(
    folder: Path, tmp_path: Path, videos: dict[str, bytes]
) -> None:
    overlap = OverlapSampling(num_clips=5, words=(3, 9), seconds=(1, 2))
    whole = ClipSampling(num_clips=2, num_frames=2, whole=True)
    for sampling, drawn, budget in ((TINY, overlap, None), (whole, None, None), (whole, None, 60)):
        reading = Reading(
            sampling=sampling,
            overlap=drawn,
            pixels=PIXELS,
            unreadable_log=tmp_path / "unreadable.jsonl",
            time_budget=budget,
        )
        data = ShardStream(open_shards(folder, progress=False), reading=reading)
        for sample in data:
            number = sorted(videos).index(sample.id)
            assert len(sample.clips) == len(sample.texts) == (2 if drawn is None else 5)
            assert sample.clip_spans.max() <= 3.0
            assert abs(float(sample.clips.float().mean()) - (20 * number + 10)) < 6
    write_tar(
        tmp_path / "00000.tar",
        member("a.jpg", encoded("JPEG", 50)),
        member("a.txt", b"one frame"),
    )
    picture = replace(Reading(), sampling=TINY, overlap=overlap, pixels=PIXELS)
    (sample,) = ShardStream(open_shards(tmp_path / "00000.tar", progress=False), reading=picture)
    assert sample.clips.shape == (5, 2, 3, 16, 16)
    assert set(sample.texts) == {"one frame"}


def test_one_text_of_a_video_lasts_as_long_as_it(tmp_path: Path, videos: dict[str, bytes]) -> None:
    write_tar(
        tmp_path / "00000.tar",
        member("a.mp4", videos["video01"]),
        member("a.txt", b"from a text file"),
        member("b.mp4", videos["video02"]),
        member("b.json", b'{"caption": "from a record"}'),
    )
    narrations = sorted(stream(tmp_path))
    assert [one.texts for one in narrations] == [["from a text file"], ["from a record"]]
    assert narrations[0].text_spans.tolist() == [[0.0, 3.0]]


def sets(folder: Path, broken: str) -> list[Path]:
    """Two as img2dataset makes them: both count from 0; one sample of the first is broken."""
    for name in ("a", "b"):
        (folder / name).mkdir()
        members = []
        for number in range(4):
            key, good = f"{number:09d}", name == "b" or number != 1
            picture = encoded("JPEG", 50) if good or broken == "txt" else b"no picture"
            text = f"{key} of {name}".encode() if good or broken == "jpg" else NO_TEXT
            members += [member(f"{key}.jpg", picture), member(f"{key}.txt", text)]
        write_tar(folder / name / "00000.tar", *members)
    return [folder / "a", folder / "b"]


@pytest.mark.parametrize("broken", ["jpg", "txt"])
def test_a_broken_sample_takes_none_of_another_set_with_it(tmp_path: Path, broken: str) -> None:
    index = open_shards(sets(tmp_path, broken), progress=False)
    reading = Reading(
        sampling=TINY,
        pixels=PIXELS,
        max_unreadable_fraction=0.2,
        unreadable_log=tmp_path / "unreadable.jsonl",
    )
    data = ShardStream(index, reading=reading)
    bad = "a/00000.tar/000000001"
    for epoch in range(2):
        data.set_epoch(epoch)
        told = {narration.id: narration.texts for narration in data}
        assert told == {
            f"{name}/00000.tar/{number:09d}": [f"{number:09d} of {name}"]
            for name in ("a", "b")
            for number in range(4)
            if (name, number) != ("a", 1)
        }
        assert list(data.unreadable.read()) == [bad]


def test_a_text_that_cannot_be_read_is_noted_by_its_id(tmp_path: Path) -> None:
    index = open_shards(sets(tmp_path, "txt"), progress=False)
    log = tmp_path / "unreadable.jsonl"
    data = ShardStream(index, reading=Reading(max_unreadable_fraction=0.2, unreadable_log=log))
    assert len(list(data.texts())) == 7
    assert list(data.unreadable.read()) == ["a/00000.tar/000000001"]


def test_a_bad_caption_of_a_sample_costs_itself_alone() -> None:
    columns = {"start": [0.0, 5.0, 6.0], "end": [4.0, 1.0, 9.0], "text": ["chop", "back", "stir"]}
    sample = ShardSample("a", {"json": json.dumps({"captions": columns}).encode()})
    assert told(Path("a.tar"), sample) == [(0.0, 4.0, "chop"), (6.0, 9.0, "stir")]
    with pytest.raises(TranscriptError, match=r"a.tar, sample a: caption 1 ends .*allows"):
        told(Path("a.tar"), sample, max_bad_cues=0.0)


def test_records_of_nothing_but_brackets_are_transcript_errors() -> None:
    """However deep: reading one ends Python's recursion, and so may saying what was in it."""
    path = Path("00000.tar")
    for depth in (100_000, *range(1000)):
        nested = b"[" * depth + b"]" * depth
        columns = b'{"start": [0], "end": [1], "text": [' + nested + b"]}"
        for record in (nested, nested[:depth], b'{"captions": ' + columns + b"}"):
            with pytest.raises((TranscriptError, NoCaptionsError), match=r"00000\.tar, sample a"):
                told(path, ShardSample("a", {"json": record}))


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.txt", NO_TEXT, r"its \.txt cannot be read: it is not UTF-8"),
        ("a.json", b"{", r"its \.json cannot be read"),
        ("a.json", b"[" * 100_000, r"its \.json cannot be read"),
        ("a.json", NO_TEXT, r"its \.json cannot be read: it is not UTF-8"),
        ("a.json", b"[1]", "expected an object, got a list"),
        ("a.json", b'{"caption": ["a"]}', r"expected a string for its caption, got \['a'\]"),
        ("a.json", b'{"caption": NaN}', "expected a string for its caption, got nan"),
        ("a.json", b'{"captions": {"start": [1]}}', "captions need the lists"),
    ],
)
def test_texts_that_cannot_be_read(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    write_tar(tmp_path / "00000.tar", member("a.jpg", encoded("JPEG", 9)), member(name, data))
    pictures = stream(tmp_path, max_unreadable_fraction=1.0)
    with pytest.raises(TooManyUnreadableError):
        ids(pictures)
    reason = pictures.unreadable.read()["a"].reason
    assert reason.startswith(f"{tmp_path / '00000.tar'}, sample a")
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(reason)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.txt", b" \n"),
        ("a.json", b"[]"),
        ("a.json", b'{"caption": null}'),
        ("a.json", b'{"caption": " "}'),
        ("a.json", b'{"captions": {"start": [], "end": [], "text": []}}'),
    ],
)
def test_samples_without_captions_are_skipped(
    tmp_path: Path, name: str, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    picture = encoded("JPEG", 9)
    others = [member("b.jpg", picture), member("b.txt", b"two apples")]
    write_tar(tmp_path / "00000.tar", member("a.jpg", picture), member(name, data), *others)
    pictures = stream(tmp_path, max_unreadable_fraction=0.0)
    assert ids(pictures) == ["b", "b"]
    assert list(pictures.texts()) == ["two apples"]
    assert not pictures.unreadable.read()
    assert caplog.text.count("samples without captions are skipped, such as: ") == 1
