import sys
from pathlib import Path
from typing import Any

import pytest

from tests.media.features.stores import fill_store
from tests.models import quiet_trainer, tiny_learner
from vtlearn.batch import Sample
from vtlearn.datamodules import HMDB51, UCF101
from vtlearn.datasets import ClipSampling, Pixels, SampleKey, ucf101
from vtlearn.datasets.files import find_videos
from vtlearn.errors import ArgumentError, FeatureError, MissingPackageError
from vtlearn.evaluation import LinearProbe, NeighbourRetrieval, ZeroShotRecognition
from vtlearn.kitchen.recipes import ACTIONS

pytest.importorskip("sklearn")


def data_of(root: Path, **options: Any) -> UCF101:
    sampling = options.pop("sampling", ClipSampling(num_frames=2))
    return UCF101(root, sampling=sampling, pixels=Pixels(size=16), **options)


def test_three_protocols_read_the_same_windows(ucf101_root: Path) -> None:
    (task,) = data_of(ucf101_root).tasks("test")
    linear, nearest, names = task.protocols
    assert nearest.settings["split"] == 1
    assert isinstance(linear, LinearProbe)
    assert isinstance(nearest, NeighbourRetrieval)
    assert isinstance(names, ZeroShotRecognition)
    assert [protocol.name for protocol in task.protocols] == [
        "ucf101-linear",
        "ucf101-nn",
        "ucf101-zeroshot",
    ]
    ids = sorted(find_videos(ucf101_root))
    for protocol in task.protocols:
        assert protocol.expected == ids  # each video is tested by one split
        assert protocol.annotations is not None
        assert protocol.annotations.published is False
        assert protocol.windows == "10, each from a frame on, spread evenly over a video"
    assert linear.videos.classes == sorted(name.capitalize() for name in ACTIONS)
    assert names.texts["Chop#0"] == "chop"
    sample = task.items[0]
    assert isinstance(sample, Sample)
    assert sample.clips.shape == (10, 2, 3, 16, 16)
    first = sample.clip_spans[:, 0] * 8
    assert first.tolist() == pytest.approx(first.round().tolist())  # frames of 8 per second
    assert (sample.clip_spans[:, 1] - sample.clip_spans[:, 0]).tolist() == [0.25] * 10


def test_a_model_is_scored_by_all_of_them(ucf101_root: Path, tmp_path: Path) -> None:
    learner = tiny_learner()
    assert learner.text_encoder is not None
    learner.text_encoder.build([*ACTIONS])
    data = data_of(ucf101_root, evaluation_batch_size=4)
    quiet_trainer(tmp_path).test(learner, datamodule=data, verbose=False)
    assert [result.protocol for result in learner.results] == [
        "ucf101-linear",
        "ucf101-nn",
        "ucf101-zeroshot",
    ]
    for result in learner.results:
        assert result.coverage.complete
        assert result.settings["clips"]["fps"] == "native"  # type: ignore[index]
        assert 0 <= result.metrics[result.primary] <= 100
        assert result.chance[result.primary].value == pytest.approx(12.5, abs=0.1)


def test_names_alone_are_compared_with_test_videos_alone(hmdb51_root: Path) -> None:
    prompts = ["{}", "a cook does {}"]
    data = HMDB51(hmdb51_root, protocols=["zeroshot"], prompts=prompts, windows=2, pooling="unit")
    data.list_only(num_frames=2)
    (task,) = data.tasks("test")
    (protocol,) = task.protocols
    assert protocol.texts["chop#1"] == "a cook does chop"
    assert (protocol.pooling, protocol.settings["prompts"]) == ("unit", prompts)
    assert len(task.items.items) == len(protocol.expected) == 24
    assert protocol.left_out_by == "data.init_args.protocols=[linear, nn]"


def test_a_rate_may_be_given(ucf101_root: Path) -> None:
    data = data_of(ucf101_root, sampling=ClipSampling(num_frames=2, fps=2.0), windows=3)
    assert data.clip_settings()["fps"] == 2.0
    sample = data.tasks("test")[0].items[0]
    assert isinstance(sample, Sample)
    spans = sample.clip_spans
    assert (spans[:, 1] - spans[:, 0]).tolist() == [1.0] * 3
    assert ((spans[:, 0] * 2) % 1).tolist() == [0.0] * 3
    assert len(data.videos().ids) == 24
    with pytest.raises(ArgumentError, match=r"sampling\.fps=native leaves the frame rate"):
        data_of(ucf101_root).videos()


def test_of_features_a_video_is_one_window(ucf101_root: Path, tmp_path: Path) -> None:
    videos = dict.fromkeys(find_videos(ucf101_root), 4.0)
    fill_store(tmp_path / "store", videos)
    data = data_of(ucf101_root, features=tmp_path / "store", sampling=ClipSampling(num_frames=3))
    (task,) = data.tasks("test")
    sample = task.items[0]
    assert isinstance(sample, Sample)
    assert sample.clips.shape == (1, 3, 4)
    assert task.protocols[0].windows.startswith("the stored vectors of a clip")
    fill_store(tmp_path / "few", {next(iter(videos)): 4.0})
    few = data_of(ucf101_root, features=tmp_path / "few")
    with pytest.raises(FeatureError, match="has no features of 23 of 24 videos"):
        few.tasks("test")


def test_it_is_not_trained_on(ucf101_root: Path, tmp_path: Path) -> None:
    data = data_of(ucf101_root)
    assert data.tasks("validate") == []
    assert data_of(ucf101_root, allow_test_selection=True).tasks("validate") != []
    with pytest.raises(ArgumentError, match=r"UCF101 is scored, and not trained on.*data/ucf101"):
        quiet_trainer(tmp_path).fit(tiny_learner(), datamodule=data)


def test_its_corpus_can_be_read_in_python(ucf101_root: Path) -> None:
    data = data_of(ucf101_root)
    corpus = ucf101.UCF101(data.clips("all"), data.reading)
    assert set(corpus.texts()) == set(ACTIONS)
    assert corpus[SampleKey(0, 3)].clips.shape == (1, 2, 3, 16, 16)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocols": ["svm"]}, "expected protocols of linear, nn, zeroshot, got 'svm'"),
        ({"protocols": []}, "expected protocols of linear, nn, zeroshot, got none"),
        ({"mode": "reference"}, "UCF101 has one way of scoring: leave mode=reference out"),
        ({"task": "captioning"}, "UCF101 has no captions"),
        ({"windows": 0}, "windows must be positive"),
    ],
)
def test_choices_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        UCF101(Path("data/ucf101"), **options)


def test_without_scikit_learn_nothing_is_decoded(
    ucf101_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingPackageError, match=r"vtlearn\[eval\]"):
        data_of(ucf101_root).tasks("test")
    assert data_of(ucf101_root, protocols=["nn", "zeroshot"]).tasks("test")
