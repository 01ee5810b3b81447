import json
import logging
import multiprocessing
import os
import pickle
import random
import signal
import time
from collections.abc import Iterable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from vtlearn.errors import ArgumentError, TranscriptError
from vtlearn.media.captions import index as module
from vtlearn.media.captions.caption import Caption
from vtlearn.media.captions.index import CaptionIndex, open_captions
from vtlearn.media.captions.sources import read_entries

Columns = dict[str, list[Any]]
WORDS = ["chop", "stir", "crème", "brûlée", "😀", "salt", "\ud800", ""]


def corpus(videos: int) -> dict[str, Columns]:
    rng = random.Random(videos)
    made: dict[str, Columns] = {}
    for _ in range(videos):
        starts = sorted(round(rng.uniform(0, 100), 2) for _ in range(rng.randint(1, 20)))
        words = WORDS if rng.random() < 0.5 else ["fry", "an", "onion"]
        texts = [" ".join(rng.choices(words, k=4)) for _ in starts]
        ends = [start + 1.5 for start in starts]
        video_id = "".join(rng.choices("-_ab9Z", k=11))
        made[video_id] = {"start": starts, "end": ends, "text": texts}
    return made


def plain(videos: dict[str, Columns]) -> dict[str, list[Caption]]:
    """Return the captions that a corpus should give; halves of surrogate pairs are replaced."""
    given = {key: map(Caption, *columns.values()) for key, columns in videos.items()}
    return {
        key: [each._replace(text=each.text.replace("\ud800", "\ufffd")) for each in captions]
        for key, captions in given.items()
    }


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def tables(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.startswith("captions-")]


def open_quietly(source: Path, cache: Path | None = None) -> CaptionIndex:
    return open_captions(source, cache=cache, progress=False)


def test_it_is_a_mapping_like_a_dict_of_lists(tmp_path: Path) -> None:
    source = write(tmp_path / "raw_caption.json", corpus(300))
    index, known = open_quietly(source), plain(corpus(300))
    assert index == known
    assert list(index) == list(index.ids) == list(known)
    assert len(index) == len(known)
    assert index.num_captions == sum(map(len, known.values()))
    for video_id in random.Random(0).sample(list(known), 100):
        assert video_id in index
        assert index.last_end(video_id) == max(caption.end for caption in known[video_id])
        assert all(type(caption) is Caption for caption in index[video_id])
    assert not index.damaged
    assert index.num_left_out == 0
    assert "absent" not in index
    assert index.get("absent") is None
    for ask in (index.__getitem__, index.last_end):
        with pytest.raises(KeyError, match="absent"):
            ask("absent")


def test_a_folder_gives_what_one_file_gives(tmp_path: Path) -> None:
    (tmp_path / "captions").mkdir()
    for video_id, columns in corpus(30).items():
        write(tmp_path / "captions" / f"{video_id}.json", columns)
    index = open_quietly(tmp_path / "captions")
    assert index == plain(corpus(30))
    assert list(index) == sorted(corpus(30))
    assert tables(tmp_path / ".vtlearn")


def test_it_knows_its_files_and_tables_that_do_not_are_built_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "raw_caption.json", corpus(2))
    (tmp_path / "captions").mkdir()
    for name in ("b.en", "1. a"):
        columns = {"start": [1], "end": [2], "text": [name]}
        write(tmp_path / "captions" / f"{name}.json", columns)
    with monkeypatch.context() as patch:
        patch.setattr(module, "VERSION", 1)
        patch.setattr("vtlearn.media.captions.table.VERSION", 1)
        open_quietly(tmp_path / "captions")
    (old,) = tables(tmp_path / ".vtlearn")
    index = open_quietly(tmp_path / "captions")
    assert old not in tables(tmp_path / ".vtlearn")
    assert list(zip(index.ids, index.files or [], strict=True)) == [
        ("1. a", "1. a.json"),
        ("b", "b.en.json"),
    ]
    assert index.source == "captions"
    assert open_quietly(source).files is None


def test_metadata_is_no_damaged_transcript(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = tmp_path / "captions"
    source.mkdir()
    for name in "ab":
        about = {"id": name, "title": name, "_type": "video", "subtitles": {}}
        (source / f"{name}.info.json").write_text(json.dumps(about))
    chat = {"clickTrackingParams": "", "replayChatItemAction": {"actions": []}}
    (source / "b.live_chat.json").write_text(f"{json.dumps(chat)}\n" * 2)
    (source / "b.json").write_text(json.dumps({"title": "b", "extractor": "youtube"}))
    with pytest.raises(TranscriptError, match="captions holds no captions of any video"):
        open_quietly(source)
    (source / "b.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nso\n")
    index = open_quietly(source)
    assert list(index) == ["b"]
    assert not index.damaged
    assert "are damaged" not in caplog.text


def test_what_is_damaged_is_told_once_and_when_it_is_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = {"start": [1.0], "end": [0.0], "text": ["a"]}
    silent: Columns = {"start": [], "end": [], "text": []}
    holes = {"start": [1.0, 2.0], "end": [3.0, 4.0], "text": [None, "b"]}
    content = {**corpus(5), "bad": bad, "silent": silent, "holes": holes}
    source = write(tmp_path / "raw_caption.json", content)
    with caplog.at_level(logging.WARNING):
        index = open_quietly(source)
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{source}: the captions of 1 of 8 videos are damaged (first: bad: caption 0 ends at "
        "0.0 s, before it starts at 1.0 s); 1 captions of 1 videos are left out, since they "
        "cannot be read (first: holes: caption 0 has None for a text; remove it, or write what is "
        "said)"
    )
    assert set(index.damaged) == {"bad"}
    assert index.silent == {"silent"}
    assert index["holes"] == [Caption(2.0, 4.0, "b")]
    assert index["holes"].skipped == index.skipped["holes"]
    assert [line for line, _ in index.skipped["holes"]] == [0]
    assert index.num_left_out == 1
    assert "bad" in index.ids
    for ask in (index.__getitem__, index.last_end):
        with pytest.raises(TranscriptError, match="captions of video bad: caption 0 ends at"):
            ask("bad")
    with pytest.raises(TranscriptError, match="video silent: it holds no caption"):
        index.get("silent")
    assert {key: index[key] for key in corpus(5)} == plain(corpus(5))


def test_videos_of_which_nothing_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    nothing: dict[str, Any] = {"a": {}, "b": [], "c": {"start": [], "end": [], "text": []}}
    places = [write(tmp_path / "raw_caption.json", {**corpus(2), **nothing})]
    (tmp_path / "packed.pickle").write_bytes(pickle.dumps({**nothing, "d": b"", **corpus(2)}))
    rows = "vid,start,end,text\na,,,\nv0,0,1,x\nb\nb,,\nc, , ,\nv1,1,2,y\n"
    (tmp_path / "rows.csv").write_text(rows)
    folder = tmp_path / "captions"
    folder.mkdir()
    cue = "00:01,000 --> 00:02,000\nso\n"
    for name, content in {"a.vtt": "WEBVTT\n", "b.srt": "", "c.json": "[]", "v.srt": cue}.items():
        (folder / name).write_text(content)
    places += [tmp_path / "packed.pickle", tmp_path / "rows.csv", folder]
    with caplog.at_level(logging.WARNING):
        for place in places:
            index = open_quietly(place)
            assert index.silent >= {"a", "b", "c"}
            assert not index.damaged
            assert len(index) - len(index.silent) >= 1
            with pytest.raises(TranscriptError, match="video b: it holds no caption"):
                index["b"]
    assert not caplog.records


def test_the_share_of_bad_captions_is_an_argument_and_tables_keep_apart(tmp_path: Path) -> None:
    said = {"start": [0.0, 2.0, 4.0], "end": [1.0, 1.0, 3.0], "text": ["a", "b", "c"]}
    source = write(tmp_path / "raw_caption.json", {"v": said})
    (tmp_path / "captions").mkdir()
    write(tmp_path / "captions" / "v.json", said)
    for place in (source, tmp_path / "captions"):
        with pytest.raises(TranscriptError, match=r"caption 1 ends at 1.0 s, .*\(2 of 3 captions"):
            open_quietly(place)["v"]
        index = open_captions(place, progress=False, max_bad_cues=0.7)
        assert index["v"] == [Caption(0.0, 1.0, "a")]
        assert index.num_left_out == 2
        assert set(open_quietly(place).damaged) == {"v"}
        with pytest.raises(ArgumentError, match=r"max_bad_cues=1\.5 has to be from 0 to 1"):
            open_captions(place, progress=False, max_bad_cues=1.5)
    assert len(tables(tmp_path / ".vtlearn")) == 4


def test_a_folder_goes_on_after_absurd_files(tmp_path: Path) -> None:
    source = tmp_path / "captions"
    source.mkdir()
    (source / "good.srt").write_text("00:01,000 --> 00:02,000\nso\n")
    absurd = {
        "a.ttml": '<?xml version="1.0" encoding="foo"?><tt/>',
        "b.ttml": '<?xml version="1.0" encoding="shift_jis"?><tt/>',
        "c.ttml": f'<tt><p begin="0s" end="{"9" * 400}s">a</p></tt>',
        "d.ttml": '<tt frameRate="1e400000000"/>',
        "e.vtt": f"WEBVTT\n\n00:01.000 --> {'9' * 5000}:00:02.000\nso\n",
        "f.srt": f"{'9' * 5000}:00:01,000 --> {'9' * 5000}:00:02,000\nso\n",
        "g.csv": 'start,end,text\n0,1,"a\n1,2,b\n',
        "h.json": f'{{"start": [{"9" * 5000}], "end": [1], "text": ["a"]}}',
    }
    for name, content in absurd.items():
        (source / name).write_text(content)
    index = open_quietly(source)
    assert sorted(index.damaged) == sorted(name[0] for name in absurd)
    assert index["good"] == [Caption(1, 2, "so")]


def test_it_is_built_once_until_the_source_changes(tmp_path: Path) -> None:
    source = write(tmp_path / "raw_caption.json", {"a": {"start": [1], "end": [2], "text": ["x"]}})
    facts = source.stat()
    open_quietly(source)
    source.write_text(source.read_text().replace('"x"', '"y"'))
    os.utime(source, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert open_quietly(source)["a"] == [Caption(1, 2, "x")]  # it was not read again
    old = tables(tmp_path / ".vtlearn")
    os.utime(source, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    assert open_quietly(source)["a"] == [Caption(1, 2, "y")]
    new = tables(tmp_path / ".vtlearn")
    assert len(old) == len(new) == 1
    assert old != new


def test_a_folder_changes_with_any_of_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "captions"
    folder.mkdir()
    said = {"start": [1], "end": [2], "text": ["x"]}
    write(folder / "a.json", said)
    assert list(open_quietly(folder)) == ["a"]
    write(folder / "b.json", said)
    assert list(open_quietly(folder)) == ["a", "b"]
    (folder / "a.json").unlink()
    assert list(open_quietly(folder)) == ["b"]
    assert len(tables(tmp_path / ".vtlearn")) == 1


def test_sources_of_one_name_share_a_cache_and_may_move_with_it(tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / "old" / split).mkdir(parents=True)
        said = {split: {"start": [1], "end": [2], "text": [split]}}
        write(tmp_path / "old" / split / "captions.json", said)
    for _ in range(2):
        for split in ("train", "val"):
            source = tmp_path / "old" / split / "captions.json"
            assert list(open_quietly(source, tmp_path / "old" / "cache")) == [split]
    before = {path.name for path in tables(tmp_path / "old" / "cache")}
    assert len(before) == 2
    (tmp_path / "old").rename(tmp_path / "new")
    source = tmp_path / "new" / "val" / "captions.json"
    assert list(open_quietly(source, tmp_path / "new" / "cache")) == ["val"]
    assert {path.name for path in tables(tmp_path / "new" / "cache")} == before


@pytest.mark.parametrize("letter", ["a", "\u5207"])
def test_a_source_s_name_may_be_as_long_as_the_disk_allows(letter: str, tmp_path: Path) -> None:
    longest = os.pathconf(tmp_path, "PC_NAME_MAX") - len(".json")
    for end in "12":
        name = letter * ((longest - 1) // len(letter.encode()))
        source = tmp_path / f"{name}{end}.json"
        source.write_text(json.dumps({"v": {"start": [1], "end": [2], "text": [end]}}))
        assert open_captions(source, progress=False)["v"] == [Caption(1, 2, end)]
    assert len(list((tmp_path / ".vtlearn").iterdir())) == 2


@pytest.mark.parametrize("name", ["spans", "text", "ids.order", "meta.json"])
def test_a_damaged_table_is_built_anew(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = write(tmp_path / "raw_caption.json", corpus(20))
    open_quietly(source)
    (table,) = tables(tmp_path / ".vtlearn")
    for damage in ("cut off", "gone"):
        content = (table / name).read_bytes()
        (table / name).unlink()
        if damage == "cut off":
            (table / name).write_bytes(content[: len(content) // 2])
        caplog.clear()
        assert open_quietly(source) == plain(corpus(20))
        assert f"{table} is damaged: it is built again" in caplog.text
    assert list((tmp_path / ".vtlearn").iterdir()) == [table]


def test_a_cache_that_cannot_be_written_to(tmp_path: Path) -> None:
    source = write(tmp_path / "raw_caption.json", corpus(2))
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(ArgumentError, match="give another folder as cache"):
        open_quietly(source, tmp_path / "cache")


def test_a_source_that_is_being_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "raw_caption.json", corpus(2))

    def slow(*arguments: Any, **options: Any) -> Iterable[Any]:
        yield from read_entries(*arguments, **options)
        with source.open("a") as file:
            file.write(" ")

    monkeypatch.setattr(module, "read_entries", slow)
    with pytest.raises(TranscriptError, match="changed while it was read"):
        open_quietly(source)
    assert not list((tmp_path / ".vtlearn").iterdir())


def test_errors_of_the_source_leave_nothing_behind(tmp_path: Path) -> None:
    source = tmp_path / "raw_caption.json"
    source.write_text(json.dumps(corpus(20))[:-5])
    with pytest.raises(TranscriptError, match="cannot be read as captions: it is not valid JSON"):
        open_quietly(source)
    assert not list((tmp_path / ".vtlearn").iterdir())


def test_it_pickles_as_a_path(tmp_path: Path) -> None:
    index = open_quietly(write(tmp_path / "raw_caption.json", corpus(300)))
    assert not index.damaged
    message = pickle.dumps(index)
    assert len(message) < 500
    assert pickle.loads(message) == index  # noqa: S301
    assert repr(pickle.loads(message)) == repr(index)  # noqa: S301


def build_in_halves(source: Path, connection: "Connection[Any, Any]") -> None:
    """Build, and wait in the middle until told to go on; in a process of its own."""

    def halting(*arguments: Any, **options: Any) -> Iterable[Any]:
        for number, entry in enumerate(read_entries(*arguments, **options)):
            if number == 1000:
                connection.send("one half")
                connection.recv()
            yield entry

    pytest.MonkeyPatch().setattr(module, "read_entries", halting)
    open_quietly(source)


def test_processes_may_build_it_at_once_and_be_killed(tmp_path: Path) -> None:
    known = corpus(2500)
    source = write(tmp_path / "raw_caption.json", known)
    cache = tmp_path / ".vtlearn"
    context = multiprocessing.get_context("fork")
    pipes = [context.Pipe() for _ in range(3)]
    processes = [
        context.Process(target=build_in_halves, args=(source, theirs)) for _, theirs in pipes
    ]
    for process in processes:
        process.start()
    for ours, _ in pipes:
        assert ours.poll(60)  # all three are in the middle of it
    assert len(list(cache.glob(".captions-*/table/text"))) == 3
    processes[0].kill()
    for ours, _ in pipes:
        ours.send("the other half")
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [-signal.SIGKILL, 0, 0]
    assert len(tables(cache)) == 1
    assert open_quietly(source) == plain(known)


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux tells")
def test_forked_workers_share_it(tmp_path: Path) -> None:
    said = {"start": [1.5] * 50, "end": [2.5] * 50, "text": ["put it into the pan"] * 50}
    source = write(tmp_path / "raw_caption.json", {str(number): said for number in range(2500)})
    index = open_quietly(source)
    held = {video_id: index[video_id] for video_id in index}
    shared, copied = (growth(captions) for captions in (index, held))
    assert max(shared) < 5e6  # though the table has 7 MB
    assert min(copied) > 10e6  # a dict is copied by looking at it


def growth(captions: Mapping[str, list[Caption]]) -> list[int]:
    """Return how much unique memory each of two workers gains by reading everything."""
    context = multiprocessing.get_context("fork")
    barrier, sizes = context.Barrier(2), context.SimpleQueue()
    workers = [
        context.Process(target=read_all, args=(captions, seed, barrier, sizes)) for seed in range(2)
    ]
    for worker in workers:
        worker.start()
    gained = [sizes.get() for _ in workers]
    for worker in workers:
        worker.join()
    return gained


def read_all(captions: Mapping[str, list[Caption]], seed: int, barrier: Any, sizes: Any) -> None:
    ids = list(captions)
    random.Random(seed).shuffle(ids)
    barrier.wait()
    before = unique_bytes()
    characters = sum(len(caption.text) for video_id in ids for caption in captions[video_id])
    barrier.wait()  # both have read everything, and both are there
    sizes.put(unique_bytes() - before)
    barrier.wait()
    assert characters > 0


def unique_bytes() -> int:
    """Return the memory that only this process has."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def test_what_killed_builds_left_is_removed_after_a_day(tmp_path: Path) -> None:
    source = write(tmp_path / "raw_caption.json", corpus(2))
    open_quietly(source)
    (table,) = tables(tmp_path / ".vtlearn")
    old, new = (table.with_name(f".{table.name}.{name}") for name in ("old", "new"))
    for folder, age in ((old, 90_000), (new, 3600)):
        (folder / "table").mkdir(parents=True)
        (folder / "table" / "text").write_text("a part")
        moment = time.time() - age
        for path in (folder / "table" / "text", folder / "table", folder):
            os.utime(path, (moment, moment))
    os.utime(source, (0, 0))
    open_quietly(source)
    assert new.exists()
    assert not old.exists()


def test_progress_is_shown_on_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_captions(write(tmp_path / "raw_caption.json", corpus(2)))
    printed = capsys.readouterr()
    assert "Indexing raw_caption.json" in printed.err
    assert not printed.out


def test_its_hash_is_of_all_that_is_said(tmp_path: Path) -> None:
    facts = ("a", 1.0, "chop"), ("b", 1.0, "chop"), ("a", 1.5, "chop"), ("a", 1.0, "chap")
    for number, (video_id, start, text) in enumerate(facts):
        content = {video_id: {"start": [start], "end": [2.0], "text": [text]}}
        (tmp_path / f"{number}.json").write_text(json.dumps(content))
    paths = sorted(tmp_path.glob("*.json"))
    assert len({open_captions(path, progress=False).sha256 for path in paths}) == 4
    twin = tmp_path / "twin.json"
    twin.write_text(f" {paths[0].read_text()}")
    assert open_captions(twin, progress=False).sha256 == (
        open_captions(paths[0], progress=False).sha256
    )
