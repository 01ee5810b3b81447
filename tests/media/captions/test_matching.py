import json
import os
from pathlib import Path

import pytest

from vtlearn.errors import ArgumentError
from vtlearn.media.captions.index import CaptionIndex, open_captions
from vtlearn.media.captions.matching import CaptionMatch, match_captions
from vtlearn.media.ids import VideoNames, distinct_ids
from vtlearn.unicode import escape_name


def transcripts(folder: Path, *names: str) -> CaptionIndex:
    """Write transcripts that say their own names."""
    for name in names:
        path = folder / "captions" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = name.encode("utf-8", "replace").decode()
        if name.endswith(".json"):
            path.write_text(json.dumps({"start": [1], "end": [2], "text": [text]}))
        else:
            header = "WEBVTT\n\n" if name.endswith(".vtt") else ""
            path.write_text(f"{header}00:01.000 --> 00:02.000\n{text}\n")
    return open_captions(folder / "captions", progress=False)


def videos(*paths: str) -> VideoNames:
    return VideoNames(dict(zip(distinct_ids(paths), map(escape_name, paths), strict=True)))


def said(captions: CaptionIndex, match: CaptionMatch) -> dict[str, str]:
    """Which transcript each video has."""
    return {video_id: captions[key][0].text for video_id, key in match.keys.items()}


@pytest.mark.parametrize(
    ("paths", "names", "whose", "unclaimed"),
    [
        (["a"], ["a.en.vtt"], {"a": "a.en.vtt"}, []),
        (["food/a"], ["x/a.json", "a.srt"], {"a": "x/a.json"}, []),
        (["1. Intro", "1. Outro"], ["1. Outro.vtt"], {"1. Outro": "1. Outro.vtt"}, []),
        (["vol. 1 [a]"], ["vol. 2 [b].en.vtt"], {}, ["vol. 2 [b]"]),
        (["vol"], ["vol. 2 [b].en.vtt"], {}, ["vol. 2 [b]"]),
        (["a"], ["a.mp4.en.vtt"], {"a": "a.mp4.en.vtt"}, []),
        # the longest name is meant
        (["t", "t.en"], ["t.en.vtt", "t.vtt"], {"t": "t.vtt", "t.en": "t.en.vtt"}, []),
        (["t", "t.en"], ["t.en.vtt"], {"t.en": "t.en.vtt"}, []),
        (["t", "t.en"], ["t.de.vtt", "t.en.json"], {"t": "t.de.vtt", "t.en": "t.en.json"}, []),
        (["t.de", "t"], ["t.de.vtt", "t.en.vtt"], {"t.de": "t.de.vtt", "t": "t.en.vtt"}, []),
        # of several files the first kind is read, and of these the first by name
        (["a"], ["a.srt", "a.vtt", "a.de.vtt"], {"a": "a.de.vtt"}, []),
        (["a"], ["a.en.json", "a.vtt"], {"a": "a.en.json"}, []),
        (["food/a"], ["one/a.json", "other/a.vtt"], {"a": "one/a.json"}, []),
        # of twins each has the transcript of its path
        (
            ["l1/p", "l2/p"],
            ["l1/p.en.vtt", "x/l2/p.srt"],
            {"l1/p": "l1/p.en.vtt", "l2/p": "x/l2/p.srt"},
            [],
        ),
        (["p", "l2/p"], ["p.vtt", "l2/p.vtt"], {"p": "p.vtt", "l2/p": "l2/p.vtt"}, []),
        # whose twin is missing
        (["l1/p"], ["l1/p.vtt", "l2/p.json"], {"p": "l1/p.vtt"}, ["l2/p"]),
        # what yt-dlp calls the formats of a video
        (["a.f137"], ["a.en.vtt"], {"a.f137": "a.en.vtt"}, []),
        (["a.f137"], ["a.vtt", "a.f137.srt"], {"a.f137": "a.f137.srt"}, []),
        (["a"], ["a.f251.en.vtt"], {"a": "a.f251.en.vtt"}, []),
        (["a"], ["x/a.f251.vtt", "a.json"], {"a": "a.json"}, []),
        (["a.f1", "a.f2"], ["a.vtt", "a.f3.vtt"], {}, ["a", "a.f3"]),
        # missing videos count once, however many transcripts they have
        (["b"], ["a.de.vtt", "a.en.vtt", "a.json"], {}, ["a"]),
    ],
)
def test_a_transcript_belongs_to_the_video_it_names(
    paths: list[str], names: list[str], whose: dict[str, str], unclaimed: list[str], tmp_path: Path
) -> None:
    captions = transcripts(tmp_path, *names)
    match = match_captions(captions, videos(*paths))
    assert said(captions, match) == whose
    assert match.unclaimed == unclaimed
    assert match.collisions == {}


def test_captions_in_one_file_are_of_the_only_format_of_their_video(tmp_path: Path) -> None:
    said = {"start": [1], "end": [2], "text": ["stir"]}
    (tmp_path / "all.json").write_text(json.dumps({"a": said, "b": said, "c.f1": said}))
    captions = open_captions(tmp_path / "all.json", progress=False)
    match = match_captions(captions, videos("a.f137", "b.f1", "b.f2", "c.f1"))
    assert match.keys == {"a.f137": "a", "c.f1": "c.f1"}
    assert match.unclaimed == ["b"]


def test_two_transcripts_of_a_video_are_refused_by_name(tmp_path: Path) -> None:
    captions = transcripts(tmp_path, "x/a.vtt", "y/a.en.vtt", "z/a.srt", "b.vtt")
    match = match_captions(captions, videos("food/a", "b"))
    assert list(match.keys) == ["b"]
    assert match.collisions == {
        "a": "captions/x/a.vtt and captions/y/a.en.vtt are both of a, and nothing tells which is "
        "right; remove one"
    }


def test_a_transcript_that_two_videos_may_have_is_refused_by_name(tmp_path: Path) -> None:
    captions = transcripts(tmp_path, "p.en.vtt", "l3/p.vtt")
    match = match_captions(captions, videos("l1/p", "l2/p", "l3/p"))
    assert said(captions, match) == {"l3/p": "l3/p.vtt"}
    sentence = "captions/p.en.vtt may be of l1/p or of l2/p or of l3/p; name it by the video's path"
    assert match.collisions.keys() == {"l1/p", "l2/p"}
    assert all(problem.startswith(sentence) for problem in match.collisions.values())


def test_ids_in_one_file_of_all_are_never_cut(tmp_path: Path) -> None:
    columns = {"start": [1], "end": [2], "text": ["so"]}
    ids = ["1. Intro", "1", "a.en", "l1/p", "x/q", "b.mp4", "n"]
    source = tmp_path / "caption.json"
    source.write_text(json.dumps(dict.fromkeys(ids, columns)))
    known = videos("1. Intro", "1. Outro", "a", "l1/p", "l2/p", "x/q", "b", "l1/n", "l2/n")
    match = match_captions(open_captions(source, progress=False), known)
    assert match.keys == {"1. Intro": "1. Intro", "l1/p": "l1/p", "q": "x/q"}
    sentence = (
        "caption.json: the captions of 'n' may be of l1/n or of l2/n; give them the id of one"
    )
    assert match.collisions == {"l1/n": sentence, "l2/n": sentence}
    assert match.unclaimed == ["1", "a.en", "b.mp4"]


def test_captions_are_chosen_before_what_is_none(tmp_path: Path) -> None:
    transcripts(tmp_path, "a.en.vtt", "b.vtt")
    for name in ("a.json", "b.en.json"):  # of a kind that comes before
        (tmp_path / "captions" / name).write_text('{"title": "not captions"}')
    captions = open_captions(tmp_path / "captions", progress=False)
    match = match_captions(captions, videos("a", "b"))
    assert said(captions, match) == {"a": "a.en.vtt", "b": "b.vtt"}


LANGUAGES = ["a.de.vtt", "a.en-orig.vtt", "a.en.vtt", "b.vtt", "b.en-GB.srt", "b.fr.vtt", "c.vtt"]


@pytest.mark.parametrize(
    ("language", "whose"),
    [
        ("en", {"a": "a.en.vtt", "b": "b.en-GB.srt", "c": "c.vtt", "e.en": "e.en.vtt"}),
        ("EN-gb", {"a": "a.en.vtt", "b": "b.en-GB.srt", "c": "c.vtt", "e.en": "e.en.vtt"}),
        ("de", {"a": "a.de.vtt", "b": "b.vtt", "c": "c.vtt", "d": "d.de.vtt", "e.en": "e.en.vtt"}),
        ("ja", {"b": "b.vtt", "c": "c.vtt", "e.en": "e.en.vtt"}),
    ],
)
def test_a_language_chooses_transcripts(
    language: str, whose: dict[str, str], tmp_path: Path
) -> None:
    captions = transcripts(tmp_path, *LANGUAGES, "d.de.vtt", "e.en.vtt")
    match = match_captions(captions, videos("a", "b", "c", "d", "e.en"), language)
    assert said(captions, match) == whose
    assert not match.unclaimed


def test_what_transcripts_say_decides_where_names_say_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "captions"
    folder.mkdir()
    cue = "00:01.000 --> 00:02.000\nso\n"
    segment = '"segments": [{"start": 1, "end": 2, "text": "so"}]'
    ttml = '<tt xmlns="http://www.w3.org/ns/ttml" xml:lang="{}"><body><p begin="1s" end="2s">so</p>'
    for name, content in {
        "a.json": f'{{"language": "de", {segment}}}',
        "a.en.vtt": f"WEBVTT\nLanguage: de\n\n{cue}",  # its name decides
        "b.json": f'{{"language": "de", {segment}}}',
        "c.json": f'{{{segment}, "language": "en"}}',
        "d.vtt": f"WEBVTT\nKind: captions\nLanguage: fr\n\n{cue}",
        "e.srt": f"WEBVTT\nLanguage: fr\n\n{cue}",
        "f.ttml": ttml.format("de") + "</body></tt>",
        "g.ttml": ttml.format("en-US") + "</body></tt>",
        "h.vtt": f"WEBVTT\n\n{cue}",
    }.items():
        (folder / name).write_text(content)
    captions = open_captions(folder, progress=False)
    found = match_captions(captions, videos(*"abcdefgh"), "en")
    assert said_files(captions, found) == ["a.en.vtt", "c.json", "g.ttml", "h.vtt"]
    assert not found.unclaimed
    german = match_captions(captions, videos(*"abcdefgh"), "ger")
    assert said_files(captions, german) == ["a.json", "b.json", "f.ttml", "h.vtt"]
    assert len(match_captions(captions, videos(*"abcdefgh")).keys) == 8


def said_files(captions: CaptionIndex, match: CaptionMatch) -> list[str]:
    assert captions.files is not None
    return [captions.files[captions.ids.index(key)] for key in match.keys.values()]


def test_marks_tell_which_of_a_language_comes_first(tmp_path: Path) -> None:
    names = ["a.en.auto.vtt", "a.en.default.srt", "a.en.forced.vtt", "a.en.sdh.vtt", "b.en.sdh.srt"]
    captions = transcripts(tmp_path, *names, "b.eng.forced.srt", "c.fre.cc.srt", "c.ger.forced.srt")
    found = match_captions(captions, videos("a", "b", "c"), "en")
    assert said(captions, found) == {"a": "a.en.default.srt", "b": "b.en.sdh.srt"}
    found = match_captions(captions, videos("a", "b", "c"))
    assert said(captions, found)["c"] == "c.fre.cc.srt"
    assert said(captions, match_captions(captions, videos("c"), "de")) == {"c": "c.ger.forced.srt"}


def test_languages_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    captions = transcripts(tmp_path, "a.en.vtt")
    with pytest.raises(ArgumentError, match=r"expected a tag as in .*, got 'english'"):
        match_captions(captions, videos("a"), "english")
    source = tmp_path / "caption.json"
    source.write_text('{"a": {"start": [1], "end": [2], "text": ["so"]}}')
    with pytest.raises(ArgumentError, match=r"caption\.json has the captions of all videos"):
        match_captions(open_captions(source, progress=False), videos("a"), "en")


def test_names_in_any_bytes_are_matched(tmp_path: Path) -> None:
    names = [os.fsdecode(name) for name in (b"caf\xe9", b"caf\xe8", b"caf%E9", b"100%25", b"%")]
    captions = transcripts(tmp_path, *(f"{name}.en.vtt" for name in names))
    match = match_captions(captions, videos(*names))
    assert len(match.keys) == len(names)
    assert said(captions, match) == {
        escape_name(name): f"{name}.en.vtt".encode("utf-8", "replace").decode() for name in names
    }
    former = VideoNames({"caf%E9": "caf%E9"})  # of a feature store, from before ids were escaped
    assert match_captions(captions, former).keys.keys() == {"caf%E9"}


def test_names_in_one_file_are_those_of_the_videos(tmp_path: Path) -> None:
    columns = {"start": [1], "end": [2], "text": ["so"]}
    source = tmp_path / "caption.json"
    source.write_text(json.dumps(dict.fromkeys(["100%25", "caf%E9"], columns)))
    names = ["100%25", os.fsdecode(b"caf\xe9")]
    match = match_captions(open_captions(source, progress=False), videos(*names))
    assert match.keys == {"100%2525": "100%25", "caf%E9": "caf%E9"}
    assert not match.unclaimed


def test_what_stands_beside_a_video_is_no_missing_one(tmp_path: Path) -> None:
    captions = transcripts(tmp_path, "a.en.vtt")
    (tmp_path / "captions" / "a.info.json").write_text('{"title": "yt-dlp writes it"}')
    (tmp_path / "captions" / "b.info.json").write_text('{"title": "of a video that is missing"}')
    captions = open_captions(tmp_path / "captions", progress=False)
    match = match_captions(captions, videos("a"))
    assert said(captions, match) == {"a": "a.en.vtt"}
    assert match.unclaimed == ["b.info"]


def test_a_transcript_that_says_nothing_claims_no_video(tmp_path: Path) -> None:
    folder = tmp_path / "captions"
    (folder / "x").mkdir(parents=True)
    for name in ("a.en.vtt", "b.vtt", "gone.vtt", "x/c.vtt"):
        (folder / name).write_text("WEBVTT\n")
    captions = transcripts(tmp_path, "a.en-US.vtt", "y/c.vtt")
    match = match_captions(captions, videos("a", "b", "c"))
    assert said(captions, match) == {"a": "a.en-US.vtt", "c": "y/c.vtt"}
    assert (match.collisions, match.unclaimed) == ({}, [])
