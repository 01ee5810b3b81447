import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.layouts import LAYOUTS, write_layout
from tests.media.features.stores import make_spec
from tests.media.video.writing import write_audio, write_video
from vtlearn.batch import Sample
from vtlearn.datasets.base import SampleKey
from vtlearn.datasets.checking import check_corpus
from vtlearn.datasets.howto100m import HowTo100M
from vtlearn.datasets.reading import ClipSampling, Pixels, Reading
from vtlearn.errors import (
    ArgumentError,
    CorpusNotFoundError,
    FeatureError,
    TooManyUnreadableError,
    TranscriptError,
)
from vtlearn.media.features.fingerprints import fingerprint
from vtlearn.media.features.shard import StoredVideo
from vtlearn.media.features.store import FeatureStore
from vtlearn.media.ids import former_id

TINY = ClipSampling(num_clips=4, num_frames=4, fps=4.0)
PIXELS = Pixels(size=32)
PLAIN = Pixels(size=32, flip=0.0)


@pytest.fixture
def root(tmp_path: Path, kitchen_root: Path) -> Path:
    """A copy that a test may damage."""
    shutil.copytree(kitchen_root, tmp_path / "corpus")
    return tmp_path / "corpus"


def corpus(
    root: Path,
    sampling: ClipSampling = TINY,
    pixels: Pixels = PIXELS,
    *,
    features: Path | None = None,
    max_unreadable_fraction: float = 0.01,
    seed: int = 0,
    max_bad_cues: float = 0.5,
    **options: Any,
) -> HowTo100M:
    reading = Reading(
        sampling=sampling,
        pixels=pixels,
        features=features,
        max_unreadable_fraction=max_unreadable_fraction,
        unreadable_log=root / "unreadable.jsonl",
        seed=seed,
        max_bad_cues=max_bad_cues,
    )
    options = {"captions": root / "captions", "videos": root / "videos", **options}
    return HowTo100M(**options, reading=reading)


def same(one: Sample, other: Sample) -> bool:
    return one.texts == other.texts and torch.equal(one.clips, other.clips)


def test_a_narration_is_a_run_of_consecutive_captions(kitchen_root: Path) -> None:
    data = corpus(kitchen_root)
    narration = data[0]
    texts = [caption.text for caption in data.transcript(narration.id)]
    run = narration.texts
    assert narration.clips.shape == (4, 4, 3, 32, 32)
    assert narration.clips.dtype == torch.uint8
    assert any(texts[start : start + 4] == run for start in range(len(texts)))
    spans = narration.text_spans
    assert spans.shape == (4, 2)
    assert (spans[:, 0] < spans[:, 1]).all()
    assert (spans[:, 0].diff() >= 0).all()
    assert narration.text_ids == []


def test_what_is_drawn_is_a_function_of_seed_epoch_and_index(kitchen_root: Path) -> None:
    first, second = corpus(kitchen_root), corpus(kitchen_root)
    second[3]  # having read something else changes nothing
    assert same(first[SampleKey(2, 1)], second[SampleKey(2, 1)])
    assert not same(first[SampleKey(2, 1)], first[SampleKey(3, 1)])
    assert not same(first[SampleKey(2, 1)], corpus(kitchen_root, seed=1)[SampleKey(2, 1)])


def test_candidates_are_the_caption_and_those_near_it(kitchen_root: Path) -> None:
    narration = corpus(kitchen_root, replace(TINY, num_clips=1, candidates=3, min_seconds=5.0))[0]
    texts = [caption.text for caption in corpus(kitchen_root).transcript(narration.id)]
    assert (narration.candidates, len(narration.texts), len(narration.text_spans)) == (3, 3, 1)
    places = sorted(texts.index(text) for text in narration.texts)
    assert places == list(range(places[0], places[0] + 3))


def test_fewer_captions_give_fewer_clips_or_are_repeated(root: Path) -> None:
    video_id = corpus(root).ids[0]
    captions = {"start": [1.0, 2.0], "end": [3.0, 4.0], "text": ["one", "two"]}
    (root / "captions" / f"{video_id}.json").write_text(json.dumps(captions))
    fewer = corpus(root)[0]
    assert (len(fewer.clips), fewer.texts) == (2, ["one", "two"])
    repeated = corpus(root, replace(TINY, repeat_last=True))[0]
    assert (len(repeated.clips), repeated.texts) == (4, ["one", "two", "two", "two"])


def test_random_boxes_and_flips_are_drawn_for_each_clip(kitchen_root: Path) -> None:
    flipped = corpus(kitchen_root, pixels=replace(PIXELS, flip=1.0))[0]
    assert torch.equal(corpus(kitchen_root, pixels=PLAIN)[0].clips, flipped.clips.flip(-1))
    boxes = corpus(kitchen_root, pixels=Pixels(size=20, flip=0.0, crop="random", crop_pixels=20))
    assert boxes[0].clips.shape[-2:] == (20, 20)
    assert not same(boxes[0], boxes[1])


def test_one_big_caption_file(root: Path) -> None:
    folder = root / "captions"
    everything = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    (root / "raw_caption.json").write_text(json.dumps(everything))
    whole = corpus(root, captions=root / "raw_caption.json")
    assert same(whole[0], corpus(root)[0])
    assert list(whole.texts()) == list(corpus(root).texts())


def test_a_broken_video_is_replaced_counted_and_written_down(root: Path) -> None:
    victim = corpus(root).ids[2]
    path = root / "videos" / f"{victim}.mp4"
    path.write_bytes(path.read_bytes()[:500])
    data = corpus(root, max_unreadable_fraction=0.5)
    assert data[2].id != victim
    assert same(data[2], corpus(root, max_unreadable_fraction=0.5)[2])
    (line,) = (root / "unreadable.jsonl").read_text().splitlines()
    assert json.loads(line)["id"] == victim
    (root / "unreadable.jsonl").unlink()
    with pytest.raises(TooManyUnreadableError, match=r"max_unreadable_fraction=0\.0 allows"):
        corpus(root, max_unreadable_fraction=0.0)[2]
    (root / "unreadable.jsonl").unlink()
    assert corpus(root)[2].id != victim  # one percent of 8 videos is less than one


def test_damaged_captions_are_left_out_likewise(root: Path) -> None:
    victim = corpus(root).ids[0]
    bad = {"start": [5.0], "end": [1.0], "text": ["back in time"]}
    (root / "captions" / f"{victim}.json").write_text(json.dumps(bad))
    data = corpus(root, max_unreadable_fraction=0.5)
    assert data[0].id != victim
    assert "back in time" not in set(data.texts())


def test_a_bad_caption_costs_itself_alone(root: Path) -> None:
    victim = corpus(root).ids[0]
    said = {"start": [0.0, 5.0, 6.0], "end": [4.0, 1.0, 9.0], "text": ["chop", "back", "stir"]}
    (root / "captions" / f"{victim}.json").write_text(json.dumps(said))
    data = corpus(root)
    assert data.transcript(victim) == [(0.0, 4.0, "chop"), (6.0, 9.0, "stir")]
    assert data[0].id == victim
    with pytest.raises(TooManyUnreadableError, match="unreadable"):
        corpus(root, max_bad_cues=0.0, max_unreadable_fraction=0.0)[0]


def test_a_list_chooses_the_videos(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    chosen = corpus(root, video_list=root / "splits" / "val.csv")
    assert [video_id.startswith("kitchen_val") for video_id in chosen.ids] == [True, True]
    (root / "list.csv").write_text("video_path\nmissing.mp4\n")
    with pytest.raises(ArgumentError, match=r"1 of 1 videos listed .*first: missing"):
        corpus(root, video_list=root / "list.csv")
    names = [*chosen.ids, *corpus(root, video_list=root / "splits" / "train.csv").ids]
    (root / "list.csv").write_text("\n".join(["video_id", *names, "gone", "missing"]))
    total = len(names) + 2
    words = rf"2 of {total} videos listed .*first: gone\), more than the 1 that .*=0\.01 allows"
    with pytest.raises(ArgumentError, match=words) as caught:
        corpus(root, video_list=root / "list.csv")
    assert "--data.init_args.max_missing_fraction" in str(caught.value)
    some = corpus(root, video_list=root / "list.csv", max_missing_fraction=0.5)
    assert list(some.ids) == names
    (root / "list.csv").write_text("\n".join(["video_id", "gone", *names]))
    caplog.clear()
    assert list(corpus(root, video_list=root / "list.csv").ids) == names
    (record,) = [each for each in caplog.records if "listed" in each.getMessage()]
    assert record.getMessage() == (
        f"1 of {total - 1} videos listed in {root / 'list.csv'} are not on disk (first: gone), and "
        "are left out"
    )
    with pytest.raises(ArgumentError, match="more than the 0 that max_missing_fraction=0 allows"):
        corpus(root, video_list=root / "list.csv", max_missing_fraction=0.0)
    with pytest.raises(ArgumentError, match="max_missing_fraction=-1 has to be from 0 to 1"):
        corpus(root, max_missing_fraction=-1)
    (root / "list.csv").write_text("path\nx.mp4\n")
    with pytest.raises(ArgumentError, match="has no column video_path"):
        corpus(root, video_list=root / "list.csv")


def layout(root: Path, **options: Any) -> HowTo100M:
    return corpus(root, replace(TINY, num_clips=1), PLAIN, **options)


def pictures_and_words(data: HowTo100M) -> dict[str, tuple[int, str]]:
    """The number of the video that each narration shows, and what is said in it."""
    narrations = [data[index] for index in range(len(data))]
    return {
        each.id: (round((each.clips.float().mean().item() - 40) / 50), each.texts[0])
        for each in narrations
    }


def test_a_language_without_transcripts_is_named(
    kitchen_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "captions"
    folder.mkdir()
    names = sorted(path.stem for path in (kitchen_root / "videos").glob("*.mp4"))
    for name in names:
        (folder / f"{name}.de.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nso\n")
    with pytest.raises(CorpusNotFoundError, match=r"captions in language=fr  \(there are none\)"):
        HowTo100M(folder, videos=kitchen_root / "videos", language="fr")
    (folder / f"{names[0]}.fra.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nalors\n")
    assert len(HowTo100M(folder, videos=kitchen_root / "videos", language="fr")) == 1
    assert f"{len(names) - 1} of {len(names)} videos have no captions in language=fr" in caplog.text


@pytest.mark.parametrize("ids", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("source", ["folder", "one file", "languages", "list"])
def test_every_video_is_trained_with_its_own_words(
    source: str, ids: Sequence[str], tmp_path: Path
) -> None:
    root = write_layout(tmp_path, ids, ids)
    options: dict[str, Any] = {}
    if source == "one file":
        columns = {name: {"start": [0], "end": [1], "text": [name]} for name in ids}
        (root / "caption.json").write_text(json.dumps(columns))
        shutil.rmtree(root / "captions")
        (root / "caption.json").rename(root / "captions.json")
        options["captions"] = root / "captions.json"
    elif source == "languages":
        for name in ids:
            (root / "captions" / f"{name}.json").rename(root / "captions" / f"{name}.en-US.json")
    elif source == "list":
        rows = [f'"/data/{name}.mp4"' for name in reversed(ids)]
        (root / "list.csv").write_text("\n".join(["video_path", *rows]))
        options["video_list"] = root / "list.csv"
    data = layout(root, **options)
    assert pictures_and_words(data) == {name: (n, name) for n, name in enumerate(ids)}
    assert sorted(data.texts()) == sorted(ids)
    assert list(data.ids) == list(ids[::-1] if source == "list" else ids)


@pytest.mark.parametrize("ids", LAYOUTS.values(), ids=LAYOUTS)
def test_no_video_is_trained_with_the_words_of_another(
    ids: Sequence[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = layout(write_layout(tmp_path, ids, ids[1:]))
    assert pictures_and_words(data) == {ids[1]: (1, ids[1])}
    assert "1 of 2 videos have no captions" in caplog.text
    with pytest.raises(KeyError):
        data.transcript(ids[0])


def test_an_empty_transcript_is_a_video_without_captions(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, *others = corpus(root).ids
    (root / "captions" / f"{first}.json").unlink()
    (root / "captions" / f"{first}.vtt").write_text("WEBVTT\n")
    (root / "captions" / f"{second}.json").write_text("[]")
    with caplog.at_level(logging.WARNING):
        corpus(root)  # opened again, and told once
        data = corpus(root, max_unreadable_fraction=0.0)
    assert list(data.ids) == others
    told = [record.getMessage() for record in caplog.records]
    assert [line for line in told if "captions" in line] == [
        f"2 of {len(others) + 2} videos have no captions"
    ]
    assert len(list(data.texts())) > 0
    (root / "captions" / f"{first}.vtt").write_text("WEBVTT\n\nwithout a time\n")
    unreadable = corpus(root, max_unreadable_fraction=0.0)
    with pytest.raises(TooManyUnreadableError):
        list(unreadable.texts())


def test_nothing_but_empty_transcripts_is_no_corpus(root: Path) -> None:
    for path in (root / "captions").iterdir():
        path.write_text("")
    with pytest.raises(CorpusNotFoundError, match="there are none"):
        corpus(root)


def test_captions_of_two_videos_are_refused_by_both_names(tmp_path: Path) -> None:
    root = write_layout(tmp_path, [*LAYOUTS["lessons"], "lesson3/part2"], ["part1", "part2"])
    sentence = r"captions/part1\.json may be of lesson1/part1 or of lesson2/part1; name it by"
    with pytest.raises(TranscriptError, match=sentence):
        layout(root)
    (root / "list.csv").write_text("video_path\npart2.mp4\n")
    assert list(layout(root, video_list=root / "list.csv").ids) == ["part2"]  # which is clear
    (root / "list.csv").write_text("video_path\npart1.mp4\n")
    with pytest.raises(ArgumentError, match=r"may mean lesson1/part1 or lesson2/part1"):
        layout(root, video_list=root / "list.csv")


def test_two_transcripts_of_a_video_are_refused_by_both_names(tmp_path: Path) -> None:
    root = write_layout(tmp_path, ["food/a"], ["x/a", "y/a"])
    with pytest.raises(
        TranscriptError, match=r"captions/x/a\.json and captions/y/a\.json are both"
    ):
        layout(root)


def stored(root: Path, *ids: str, **options: Any) -> HowTo100M:
    """Read a store of these videos in place of pixels; it holds ones, twos, ..."""
    shutil.rmtree(root / "store", ignore_errors=True)
    store = FeatureStore(root / "store", make_spec(fps=4.0, stride=0.25), list(ids))
    vectors = {one: torch.full((8, 4), float(number)) for number, one in enumerate(ids)}
    videos = {one: StoredVideo(each, 2.0) for one, each in vectors.items()}
    paths = [str(options.get("videos") or root / "videos") + f"/{one}.mp4" for one in ids]
    store.write(0, videos, {}, store.sources(0, paths))
    options = {"features": root / "store", "videos": None, **options}
    return corpus(root, ClipSampling(num_clips=1, num_frames=4), Pixels(), **options)


@pytest.mark.parametrize("ids", LAYOUTS.values(), ids=LAYOUTS)
def test_features_come_with_the_words_of_their_video(ids: Sequence[str], tmp_path: Path) -> None:
    data = stored(write_layout(tmp_path, ids, ids), *ids)
    for number, name in enumerate(ids):
        assert data[number].id == name
        assert data[number].texts[0] == name
        assert (data[number].clips == number).all()


@pytest.mark.parametrize("ids", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("with_videos", [False, True])
def test_an_old_store_is_refused_by_both_names(
    with_videos: bool, ids: Sequence[str], tmp_path: Path
) -> None:
    root = write_layout(tmp_path, ids, ids)
    (old,) = {former_id(one) for one in ids}
    videos = root / "videos" if with_videos else None
    with pytest.raises((FeatureError, TranscriptError)) as caught:
        stored(root, old, "other", videos=videos)
    assert all(one in str(caught.value) for one in ids)
    assert "create the store again, in an empty folder, with `vtlearn predict`" in str(caught.value)


def test_an_old_id_that_is_one_of_today_is_known_by_its_file(tmp_path: Path) -> None:
    root = write_layout(tmp_path, ["abc", "abc.f137"], ["abc"])
    assert list(stored(root, "abc", videos=root / "videos").ids) == ["abc"]
    store = root / "store" / "00000.json"
    record = json.loads(store.read_text())
    record["sources"]["abc"] = fingerprint(root / "videos" / "abc.f137.mp4")  # the first by name
    store.write_text(json.dumps(record))
    with pytest.raises(FeatureError, match=r"'abc', an id of .* both 'abc' and 'abc\.f137' had"):
        corpus(root, features=root / "store")


def test_a_corpus_that_is_not_there_says_what_belongs_where(tmp_path: Path) -> None:
    with pytest.raises(CorpusNotFoundError, match=r"(?s)captions: .*videos: .*howto100m"):
        corpus(tmp_path)
    (tmp_path / "videos").mkdir()
    (tmp_path / "captions").mkdir()
    with pytest.raises(TranscriptError, match="holds no captions"):
        corpus(tmp_path)
    (tmp_path / "captions" / "a.json").write_text('{"start": [1], "end": [2], "text": ["b"]}')
    with pytest.raises(CorpusNotFoundError, match="there are none"):
        corpus(tmp_path)


def test_pseudolabels_are_captions(root: Path) -> None:
    ids = [path.stem for path in sorted((root / "videos").iterdir())]
    records = [
        {"video": one, "start": 2.0 * k, "end": 2.0 * k + 2, "caption": f"{one} {k}", "score": k}
        for one in ids
        for k in range(4)
    ]
    labels = root / "labels"
    labels.mkdir()
    (labels / "pseudolabels.json").write_text("{}")
    (labels / "00000.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in records))
    half = corpus(root, captions=labels, keep=0.5)
    assert list(half.ids) == ids
    assert list(half.texts()) == [f"{one} {k}" for one in ids for k in (2, 3)]
    assert list(corpus(root, captions=labels, min_score=3).texts()) == [f"{one} 3" for one in ids]
    assert set(half[0].texts) <= {f"{ids[0]} {k}" for k in (2, 3)}
    with pytest.raises(ArgumentError, match="has none"):
        corpus(root, keep=0.5)


def test_formats_left_unmerged_are_a_video_with_the_words_of_its_id(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "captions").mkdir()
    write_audio(tmp_path / "videos" / "a.f251.mkv")
    write_video(tmp_path / "videos" / "a.f399.mp4", [20] * 50)
    (tmp_path / "captions" / "a.en.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:01.000\nstir\n")
    data = corpus(tmp_path)
    assert list(data.ids) == ["a"]
    assert data[0].texts == ["stir"]
    report = check_corpus(HowTo100M.expectations(tmp_path), workers=1, time_budget=None)
    assert report.coverage == 100
