from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.media.features.stores import fill_store
from tests.models import quiet_trainer, tiny_kitchen, tiny_learner
from vtlearn.batch import Batch, Sample
from vtlearn.datamodules import Kitchen
from vtlearn.datasets.files import find_videos
from vtlearn.datasets.kitchen import NarratedVideo, narrated_videos
from vtlearn.datasets.reading import ClipSampling, Pixels
from vtlearn.datasets.sampling.overlap import OverlapSampling
from vtlearn.encoders.video import CachedFeatures
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.encoded_item import EncodedItem
from vtlearn.evaluation.full_video import FullVideo
from vtlearn.heads import InfoNCE
from vtlearn.learner import VideoTextLearner
from vtlearn.media.video.reader import VideoReader

TINY: dict[str, Any] = {
    "sampling": ClipSampling(num_clips=3, num_frames=2, fps=4.0),
    "pixels": Pixels(size=16),
}


@pytest.fixture
def data(kitchen_root: Path, small: dict[str, Any]) -> Kitchen:
    return Kitchen(kitchen_root, **TINY, **small)


def test_what_is_there_is_not_rendered_again(data: Kitchen, kitchen_root: Path) -> None:
    data.prepare_data()  # the table of captions may be new
    before = {path: path.stat().st_mtime_ns for path in kitchen_root.rglob("*")}
    data.prepare_data()
    assert before == {path: path.stat().st_mtime_ns for path in kitchen_root.rglob("*")}


def test_another_narrator_is_never_silently_the_same(
    kitchen_root: Path, small: dict[str, Any]
) -> None:
    with pytest.raises(ArgumentError, match="shift"):
        Kitchen(kitchen_root, **TINY, shift=5.0, **small).prepare_data()


def test_training_reads_the_training_split_alone(data: Kitchen) -> None:
    assert all(video_id.startswith("kitchen_train") for video_id in data.train_dataset().ids)


def test_features_are_made_of_all_splits(data: Kitchen, kitchen_root: Path) -> None:
    videos = data.videos()
    assert {Path(path) for path in videos.paths} == set((kitchen_root / "videos").iterdir())
    assert list(videos.ids) == sorted(Path(path).stem for path in videos.paths)
    assert (videos.fps, videos.max_unreadable_fraction) == (4.0, 0.01)


def test_but_not_of_features(kitchen_root: Path, small: dict[str, Any]) -> None:
    data = Kitchen(kitchen_root, **TINY, features=Path("store"), **small)
    with pytest.raises(ArgumentError, match=r"leave data\.init_args\.features out"):
        data.videos()


def test_protocols_expect_the_split(data: Kitchen, kitchen_root: Path) -> None:
    ((retrieval,), (alignment,)) = (task.protocols for task in data.tasks("test"))
    videos = narrated_videos(kitchen_root, "test")
    assert sorted(alignment.expected) == [video.id for video in videos]
    assert len(retrieval.expected) == len({s.caption for v in videos for s in v.truth.steps})
    assert (retrieval.name, retrieval.version, retrieval.primary) == (
        "kitchen-retrieval",
        1,
        "t2v_R@1",
    )
    assert (alignment.name, alignment.version) == ("kitchen-alignment", 1)
    assert retrieval.similarity is None
    assert alignment.similarity is None


def test_whole_and_overlapping_clips_are_trained_on(
    kitchen_root: Path, small: dict[str, Any], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    videos = find_videos(kitchen_root / "videos")
    durations = {name: VideoReader().probe(path).duration for name, path in videos.items()}
    fill_store(store, durations, fps=2.0, stride=0.5)
    whole = ClipSampling(num_clips=3, num_frames=2, whole=True)
    overlap = OverlapSampling(num_clips=5, words=(3, 9), seconds=(1, 3))
    plain = ClipSampling(num_clips=3, num_frames=2)
    loading: dict[str, Any] = {"pixels": Pixels(size=16), "batch_size": 4} | small
    for clips, options in (
        (12, {"sampling": whole}),
        (20, {"sampling": plain, "overlap": overlap}),
        (12, {"sampling": replace(whole, num_frames=9), "features": store}),
        (20, {"sampling": replace(plain, num_frames=9), "features": store, "overlap": overlap}),
    ):
        data = Kitchen(
            kitchen_root, **loading, **options, unreadable_log=tmp_path / "unreadable.jsonl"
        )
        batch: Batch = next(iter(data.train_dataloader()))
        assert len(batch.clips) == len(batch.texts) == clips
        learner = tiny_learner(InfoNCE())
        if "features" in options:
            lengths = set(batch.frame_length.tolist())
            assert len(lengths) > 2
            assert lengths <= set(range(1, 10))
            encoder = CachedFeatures(dim=8, input_dim=4, num_frames=9, layers=1, heads=2)
            learner = VideoTextLearner(encoder, learner.text_encoder, InfoNCE())
        quiet_trainer(tmp_path, limit_train_batches=1, limit_val_batches=0).fit(learner, data)
        assert learner.clips == data.clip_settings()


def test_the_example_knows_the_truth(data: Kitchen) -> None:
    example = data.example()
    assert example is not None
    sample = example.sample
    assert len(sample.texts) == len(sample.text_spans) == len(example.truth)
    assert sample.part == (0, 1)
    assert len(sample.clips) > 16
    assert sample.clip_spans[:, 0].tolist() == list(range(len(sample.clips)))
    (captions,) = (v.captions for v in narrated_videos(data.root, "val") if v.id == sample.id)
    assert sample.text_spans.tolist() == [[caption.start, caption.end] for caption in captions]
    known = [span for span in example.truth if span is not None]
    assert known
    assert all(start < end for start, end in known)


def test_whole_videos_are_scored_where_it_is_asked_for(
    data: Kitchen, kitchen_root: Path, small: dict[str, Any]
) -> None:
    assert len(data.tasks("test")) == 2
    steps, windows = Kitchen(kitchen_root, **TINY, whole_videos=True, **small).tasks("test")[2:]
    videos = narrated_videos(kitchen_root, "test")
    (without,), (background, said) = steps.protocols, windows.protocols
    assert isinstance(background, FullVideo)
    assert isinstance(said, FullVideo)
    assert [
        (one.name, one.version, one.similarity, one.pooling, one.mode)
        for one in (without, background, said)
    ] == [
        (name, 1, None, "head", "exact")
        for name in ("kitchen-video", "kitchen-video-background", "kitchen-narration")
    ]
    assert list(without.texts.values()) == [s.caption for v in videos for s in v.truth.steps]
    assert background.texts == without.texts
    assert list(said.texts.values()) == [c.text for v in videos for c in v.captions]
    assert ((background.whole, background.select), (said.whole, said.select)) == (
        (True, True),
        (True, False),
    )
    assert len(steps.items.items) == len(without.expected)
    assert [item.id for item in windows.items.items] == background.expected == said.expected
    for video, item in zip(videos, windows.items.items, strict=True):
        fitting = int((video.truth.duration - 0.5) // 2) + 1
        assert item.starts == [2.0 * number for number in range(fitting)]


def test_vectors_that_know_the_steps_find_every_video(
    kitchen_root: Path, small: dict[str, Any]
) -> None:
    data = Kitchen(kitchen_root, **TINY, whole_videos=True, **small)
    videos = narrated_videos(kitchen_root, "test")
    known = sorted({step.caption for video in videos for step in video.truth.steps})
    one_hot = dict(zip(known, torch.eye(len(known)), strict=True))
    steps, windows = data.tasks("test")[2:]
    for protocol, items in (
        (steps.protocols[0], steps.items.items),
        (windows.protocols[0], windows.items.items),
    ):
        protocol.begin("cosine", {one: one_hot[text] for one, text in protocol.texts.items()})
        for item in items:
            video = next(video for video in videos if item.id.startswith(video.id))
            clips = [shown(video, start + 0.25, one_hot) for start in item.starts]
            protocol.add(EncodedItem(item.id, windows=torch.stack(clips)))
        metrics = protocol.result().metrics
        assert [metrics[f"{kind}_R@1"] for kind in ("cap_avg", "dtw", "otam")] == [100.0] * 3


def shown(video: NarratedVideo, moment: float, one_hot: dict[str, Tensor]) -> Tensor:
    steps = [s for s in video.truth.steps if s.start <= moment < s.end]
    return one_hot[steps[0].caption] if steps else torch.zeros(len(one_hot))


def test_stored_features_of_whole_videos(
    kitchen_root: Path, small: dict[str, Any], tmp_path: Path
) -> None:
    videos = narrated_videos(kitchen_root, "test")
    vectors = fill_store(tmp_path, {video.id: video.truth.duration for video in videos})
    sampling = ClipSampling(num_clips=3, num_frames=8)
    data = Kitchen(kitchen_root, sampling=sampling, features=tmp_path, whole_videos=True, **small)
    steps, windows = data.tasks("test")[2:]
    lengths = []
    for number, video in enumerate(videos):
        own = vectors[video.id].float()
        whole = windows.items.sample(windows.items.items[number])
        assert whole.clip_spans[:, 0].tolist() == list(range(0, len(own) - 1, 2))
        lengths += whole.frame_length.tolist()
        for clip, length, (start, _) in zip(
            whole.clips, whole.frame_length.tolist(), whole.clip_spans.tolist(), strict=True
        ):
            assert torch.equal(clip[:length], own[int(start) :][:3])
    assert set(lengths) == {3, 2}
    first = steps.items[0]
    assert isinstance(first, Sample)
    step = videos[0].truth.steps[0]
    span = [float(int(step.start)), float(-int(-step.end // 1))]
    assert first.clip_spans.tolist() == [span]


def test_a_video_without_captions_is_scored_without_narration(
    kitchen_root: Path, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Kitchen(kitchen_root, **TINY, whole_videos=True, **small)
    first, *others = narrated_videos(kitchen_root, "test")
    silent = first._replace(captions=[], truth=first.truth._replace(narrated=[]))
    monkeypatch.setitem(data._videos, "test", [silent, *others])
    (background,), (said,) = (task.protocols for task in data.tasks("test")[3:])
    assert len(background.expected) == len(said.expected) + 1 == len(others) + 1


def test_a_model_is_scored_by_whole_videos(
    kitchen_root: Path, small: dict[str, Any], tmp_path: Path
) -> None:
    data = tiny_kitchen(kitchen_root, small, whole_videos=True)
    learner = tiny_learner(InfoNCE())
    assert learner.text_encoder is not None
    learner.text_encoder.build(data.captions())
    quiet_trainer(tmp_path).test(learner, datamodule=data, verbose=False)
    whole = learner.results[2:]
    assert [result.protocol for result in whole] == [
        "kitchen-video",
        "kitchen-video-background",
        "kitchen-narration",
    ]
    assert all(result.coverage.complete for result in whole)
    assert all(0 <= figure <= 100 for result in whole for figure in result.metrics.values())
