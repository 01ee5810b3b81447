import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from vtlearn.batch import Sample
from vtlearn.datasets.base import SampleKey
from vtlearn.datasets.howto100m import ClipSampling, HowTo100M
from vtlearn.errors import (
    ArgumentError,
    CorpusNotFoundError,
    TooManyUnreadableError,
    TranscriptError,
)

TINY = ClipSampling(num_clips=4, num_frames=4, fps=4.0, size=32)


@pytest.fixture
def root(tmp_path: Path, kitchen_root: Path) -> Path:
    """A copy that a test may damage."""
    shutil.copytree(kitchen_root, tmp_path / "corpus")
    return tmp_path / "corpus"


def corpus(root: Path, sampling: ClipSampling = TINY, **options: object) -> HowTo100M:
    options = {"quarantine": root / "unreadable.jsonl"} | options
    return HowTo100M(root / "captions", videos=root / "videos", sampling=sampling, **options)  # type: ignore[arg-type]


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
    plain = replace(TINY, flip=0.0)
    flipped = corpus(kitchen_root, replace(TINY, flip=1.0))[0]
    assert torch.equal(corpus(kitchen_root, plain)[0].clips, flipped.clips.flip(-1))
    boxed = corpus(kitchen_root, replace(plain, crop="random", crop_pixels=20, size=20))[0]
    assert boxed.clips.shape[-2:] == (20, 20)
    assert not same(
        boxed, corpus(kitchen_root, replace(plain, crop="random", crop_pixels=20, size=20))[1]
    )


def test_one_big_caption_file(root: Path) -> None:
    folder = root / "captions"
    everything = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    (root / "raw_caption.json").write_text(json.dumps(everything))
    whole = HowTo100M(root / "raw_caption.json", videos=root / "videos", sampling=TINY)
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
    with pytest.raises(TooManyUnreadableError, match=r"max_unreadable_fraction=0\.01"):
        corpus(root)[2]


def test_damaged_captions_are_left_out_likewise(root: Path) -> None:
    victim = corpus(root).ids[0]
    bad = {"start": [5.0], "end": [1.0], "text": ["back in time"]}
    (root / "captions" / f"{victim}.json").write_text(json.dumps(bad))
    data = corpus(root, max_unreadable_fraction=0.5)
    assert data[0].id != victim
    assert "back in time" not in set(data.texts())


def test_a_list_chooses_the_videos(root: Path) -> None:
    chosen = corpus(root, video_list=root / "splits" / "val.csv")
    assert [video_id.startswith("kitchen_val") for video_id in chosen.ids] == [True, True]
    (root / "list.csv").write_text("video_path\nmissing.mp4\n")
    with pytest.raises(ArgumentError, match=r"1 of 1 videos listed .*first: missing"):
        corpus(root, video_list=root / "list.csv")
    (root / "list.csv").write_text("path\nx.mp4\n")
    with pytest.raises(ArgumentError, match="has no column video_path"):
        corpus(root, video_list=root / "list.csv")


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


def test_sampling_that_makes_no_sense() -> None:
    with pytest.raises(ArgumentError, match=r"\{'fps': 0\}"):
        ClipSampling(fps=0)
