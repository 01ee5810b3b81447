import os
from pathlib import Path

import pytest

from tests.media.video.writing import write_audio, write_video
from vtlearn.datasets.files import (
    find_videos,
    first_file,
    first_files,
    locate_videos,
    require_paths,
    video_names,
)
from vtlearn.errors import ArgumentError, CorpusNotFoundError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_videos_are_found_however_deep_and_named_less_their_suffix(tmp_path: Path) -> None:
    touch(
        tmp_path, "b/x/-_id.f137.MP4", "a/other.webm", "notes.txt", "1. Intro.mp4", "1. Outro.mp4"
    )
    found = find_videos(tmp_path)
    assert list(found) == ["-_id.f137", "1. Intro", "1. Outro", "other"]
    assert found["other"] == tmp_path / "a/other.webm"


def test_videos_of_one_name_are_told_apart_by_their_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "b/part1.mp4", "a/x/part1.webm", "part1.mkv", "a/part2.mp4", "b/part2.txt")
    paths = {"a/x/part1": "a/x/part1.webm", "b/part1": "b/part1.mp4", "part1": "part1.mkv"}
    expected = {**paths, "part2": "a/part2.mp4"}
    assert find_videos(tmp_path) == {key: tmp_path / path for key, path in expected.items()}
    monkeypatch.chdir(tmp_path)
    found = find_videos(Path())
    assert found == {key: Path(path) for key, path in expected.items()}
    assert video_names(Path(), found).paths == {**{key: key for key in paths}, "part2": "a/part2"}


def test_a_link_to_a_video_is_no_other_video(tmp_path: Path) -> None:
    touch(tmp_path, "b/v.mp4", "c/gone.mp4")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "v.mp4").symlink_to(tmp_path / "b" / "v.mp4")
    (tmp_path / "a" / "gone.mp4").symlink_to(tmp_path / "absent.mp4")
    found = find_videos(tmp_path)
    assert list(found) == ["a/gone", "c/gone", "v"]
    assert found["v"] == tmp_path / "a/v.mp4"


def test_of_files_of_one_id_the_first_with_a_picture_is_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_audio(tmp_path / "a.m4v")
    write_video(tmp_path / "a.mp4", [20])
    write_video(tmp_path / "a.webm", [20], codec="libvpx-vp9")
    touch(tmp_path, "b.mkv")  # it cannot be told what that is
    write_audio(tmp_path / "b.avi")
    write_audio(tmp_path / "c.mkv")
    write_audio(tmp_path / "c.mov")
    os.mkfifo(tmp_path / "d.avi")  # opening it would never end
    write_video(tmp_path / "d.mp4", [20])
    found = {video_id: path.name for video_id, path in find_videos(tmp_path).items()}
    assert found == {"a": "a.mp4", "b": "b.mkv", "c": "c.mkv", "d": "d.mp4"}
    assert "5 files have the id of another" in caplog.text


def test_formats_left_unmerged_are_one_video(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for folder in ("x", "y", "z"):
        (tmp_path / folder).mkdir()
    write_audio(tmp_path / "x/a.f140-drc.mp4")
    write_video(tmp_path / "x/a.f399.mp4", [20])
    write_audio(tmp_path / "y/a.f251.mkv")
    write_video(tmp_path / "y/a.f399.mp4", [20])
    write_video(tmp_path / "z/b.f137.mp4", [20])
    touch(tmp_path, "z/b.f140.m4a", "z/b.f140.txt", "z/c.f140.txt", "z/.d.f140.m4a")
    found = find_videos(tmp_path)
    assert found == {
        "b": tmp_path / "z/b.f137.mp4",
        "x/a": tmp_path / "x/a.f399.mp4",
        "y/a": tmp_path / "y/a.f399.mp4",
    }
    assert "5 files are formats that yt-dlp has left unmerged" in caplog.text
    names = video_names(tmp_path, found)
    assert names.paths == {"b": "z/b", "x/a": "x/a", "y/a": "y/a"}
    assert names.meant("x/a") == ["x/a"]
    assert locate_videos(tmp_path, ["b"]) == {"b": tmp_path / "z/b.f137.mp4"}


def test_formats_that_are_called_by_words_are_one_video(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.fhls-audio-high.mp4")
    write_video(tmp_path / "a.fhls-720.mp4", [20])
    write_audio(tmp_path / "b.fdash-audio_eng=128000.mp4")
    write_video(tmp_path / "b.fdash-video=1200000.mp4", [20])
    write_video(tmp_path / "c.fhd.mp4", [20])
    write_audio(tmp_path / "c.fsound.mkv")
    write_video(tmp_path / "d.fhttp-720p.mp4", [20])
    touch(tmp_path, "d.fhttp-audio.m4a")
    found = {video_id: path.name for video_id, path in find_videos(tmp_path).items()}
    assert found == {
        "a": "a.fhls-720.mp4",
        "b": "b.fdash-video=1200000.mp4",
        "c": "c.fhd.mp4",
        "d": "d.fhttp-720p.mp4",
    }


def test_words_that_begin_like_a_format_are_kept(tmp_path: Path) -> None:
    for name in ("a.final", "a.first", "b.final", "c.fine", "d.french", "e.fhls"):
        write_video(tmp_path / f"{name}.mp4", [20])
    touch(tmp_path, "b.full.mp4", "b.f140.m4a", "c.fine.m4a", "d.fade.m4a")  # b.full: what it is,
    write_audio(tmp_path / "e.faded out.mp4")  # cannot be told; formats have no spaces
    ids = ["a.final", "a.first", "b.final", "b.full", "c.fine", "d.french", "e.faded out", "e.fhls"]
    assert list(find_videos(tmp_path)) == ids
    assert locate_videos(tmp_path, ["d"])["d"] == tmp_path / "d.mp4"  # not there


def test_a_merged_video_has_the_id_before_its_formats(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", [20])
    write_video(tmp_path / "a.f399.mp4", [20])
    write_audio(tmp_path / "a.f251.mkv")
    write_audio(tmp_path / "b.mkv")
    write_video(tmp_path / "b.f399.mp4", [20])
    touch(tmp_path, "b.f140.m4a")
    found = {video_id: path.name for video_id, path in find_videos(tmp_path).items()}
    assert found == {"a": "a.mp4", "b": "b.f399.mp4"}


def test_formats_beside_sound_are_one_video(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.mkv")  # of the name itself
    write_video(tmp_path / "a.f399.mp4", [20])
    write_video(tmp_path / "b.f137.mp4", [20])
    write_video(tmp_path / "b.f248.mp4", [20])
    write_audio(tmp_path / "b.f251.mkv")
    found = {video_id: path.name for video_id, path in find_videos(tmp_path).items()}
    assert found == {"a": "a.f399.mp4", "b": "b.f137.mp4"}


def test_names_that_end_like_a_format_are_kept(tmp_path: Path) -> None:
    write_video(tmp_path / "a.f1.mp4", [20])
    write_video(tmp_path / "a.f2.mp4", [20])  # two parts of a film
    write_video(tmp_path / "b.f399.mp4", [20])
    write_audio(tmp_path / "c.f140.mkv")
    write_audio(tmp_path / "c.f251.mkv")
    found = find_videos(tmp_path)
    assert list(found) == ["a.f1", "a.f2", "b.f399", "c.f140", "c.f251"]
    located = locate_videos(tmp_path, ["a", "b", "b.f399"])
    assert located["a"] == tmp_path / "a.mp4"  # not there
    assert located["b"] == located["b.f399"] == tmp_path / "b.f399.mp4"


def test_videos_of_other_suffixes_are_found(tmp_path: Path) -> None:
    names = ["a.ts", "b.FLV", "c.mpg", "d.mpeg", "e.wmv", "f.3gp", "g.ogv", "h.m2ts", "i.mts"]
    touch(tmp_path, *names)
    write_video(tmp_path / "x.ts", [20], codec="libx264")
    write_video(tmp_path / "y.flv", [20], codec="libx264")
    write_video(tmp_path / "y.mp4", [20])
    write_video(tmp_path / "z.flv", [20], codec="libx264")
    write_audio(tmp_path / "z.mp4")
    found = {video_id: path.name for video_id, path in find_videos(tmp_path).items()}
    others = {"x": "x.ts", "y": "y.mp4", "z": "z.flv"}  # y is read from what it was read from
    assert found == {name.partition(".")[0]: name for name in names} | others


def test_source_code_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "index.ts").write_text('export const π = "3.14";\n')
    (tmp_path / "module.mts").write_bytes(b"// caf\xe9\r\n\tlet x;\r\n")
    (tmp_path / "index.mp4").touch()
    (tmp_path / "cut.ts").write_bytes(b"G@\0\x10\0")
    touch(tmp_path, "empty.ts")
    found = {video_id: path.name for video_id, path in find_videos(tmp_path).items()}
    assert found == {"cut": "cut.ts", "empty": "empty.ts", "index": "index.mp4"}


def test_odd_folders(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a").mkdir()
    touch(tmp_path, "a/v.mp4", "a/v.avi", "a/._w.mp4", "a/x.mp4")
    (tmp_path / "a" / "again").symlink_to(tmp_path)  # a circle
    (tmp_path / "a" / "too").symlink_to(tmp_path)
    assert find_videos(tmp_path) == {
        "v": tmp_path / "a/v.avi",
        "x": tmp_path / "a/x.mp4",
    }
    assert "1 files have the id of another" in caplog.text
    with pytest.raises(ArgumentError, match=r"nowhere cannot be listed: No such file"):
        find_videos(tmp_path / "nowhere")


def test_what_is_missing_is_listed_with_where_to_get_it(tmp_path: Path) -> None:
    expected = {tmp_path: "videos", tmp_path / "caption.json": "captions"}
    with pytest.raises(
        CorpusNotFoundError, match=r"caption.json: captions  \(not there\)\n.*example.org"
    ):
        require_paths("Corpus", expected, "https://example.org")


def test_the_first_name_that_is_there_is_taken(tmp_path: Path) -> None:
    touch(tmp_path, "b.csv", "lists/a.csv")
    assert first_file(tmp_path, ["a.csv", "b.csv"]) == tmp_path / "b.csv"
    assert first_file(tmp_path, ["a.csv", "b.csv"], ("", "lists")) == tmp_path / "lists" / "a.csv"
    assert first_file(tmp_path, ["c.csv", "d.csv"]) == tmp_path / "c.csv"


def test_of_several_sets_of_files_the_first_with_any_is_taken(tmp_path: Path) -> None:
    sets = [["all.json"], ["one.json", "two.json"], ["old.json"]]
    assert first_files(tmp_path, sets) == [tmp_path / "all.json"]
    touch(tmp_path, "two.json", "old.json")
    assert first_files(tmp_path, sets) == [tmp_path / "two.json"]
    touch(tmp_path, "one.json")
    assert first_files(tmp_path, sets) == [tmp_path / "one.json", tmp_path / "two.json"]


def test_videos_are_located_and_missing_ones_given_a_place(tmp_path: Path) -> None:
    touch(tmp_path, "a/v.webm", "w.mp4")
    located = locate_videos(tmp_path, ["w", "v", "x"])
    assert located == {
        "w": tmp_path / "w.mp4",
        "v": tmp_path / "a" / "v.webm",
        "x": tmp_path / "x.mp4",
    }
    assert locate_videos(tmp_path / "nowhere", ["v"]) == {"v": tmp_path / "nowhere" / "v.mp4"}
    touch(tmp_path, "b/v.mp4")
    with pytest.raises(ArgumentError, match=r"a/v\.webm and .*b/v\.mp4 have the same id"):
        locate_videos(tmp_path, ["v"])


def test_names_may_hold_any_bytes(tmp_path: Path) -> None:
    names = [b"caf\xe9", b"caf%E9", b"caf\xc3\xa9", b"lesson\xff/1", b"lesson/1", b"100%"]
    for name in names:
        path = tmp_path / f"{os.fsdecode(name)}.mp4"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name)
    found = find_videos(tmp_path)
    ids = ["100%", "caf%25E9", "caf%E9", "café", "lesson%FF/1", "lesson/1"]
    assert list(found) == ids
    assert found["caf%E9"].read_bytes() == b"caf\xe9"
    assert found["lesson%FF/1"].read_bytes() == b"lesson\xff/1"
    listed = [os.fsdecode(b"videos/lesson\xff/1"), "caf%E9"]
    known = video_names(tmp_path, found)
    assert [known.meant(name) for name in listed] == [["lesson%FF/1"], ["caf%25E9"]]
    assert locate_videos(tmp_path, ["100%"])["100%"] == found["100%"]
