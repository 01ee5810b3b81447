import logging
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.captioning import LetterCaptioner
from tests.media.features.stores import fill_store
from tests.models import LOADING, quiet_trainer, tiny_kitchen, tiny_learner
from vtlearn.batch import collate
from vtlearn.callbacks import CorrespondencePictures, correspondence_pictures
from vtlearn.datamodules import Kitchen, WebVid
from vtlearn.datasets.files import find_videos
from vtlearn.datasets.fixed_samples import fixed_samples
from vtlearn.encoders.video import CachedFeatures
from vtlearn.errors import ArgumentError
from vtlearn.heads import CaliNCE, HeadOutput, InfoNCE, Joint
from vtlearn.learner import VideoTextLearner
from vtlearn.plotting import MatchedPair, draw_match_histogram, draw_pairs

HALF = "results_2M_train_mismatched_50.csv"


def webvid(root: Path, tmp_path: Path, **options: Any) -> WebVid:
    options = {"train_list": HALF, "batch_size": 4, **options}
    return WebVid(root, unreadable_log=tmp_path / "unreadable.jsonl", **LOADING, **options)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[MatchedPair]]:
    """The pairs of each histogram, in the order of drawing."""
    kept: list[Sequence[MatchedPair]] = []

    def histogram(pairs: Sequence[MatchedPair], *, title: str) -> object:
        kept.append(pairs)
        return draw_match_histogram(pairs, title=title)

    monkeypatch.setattr(correspondence_pictures, "draw_match_histogram", histogram)
    return kept


@pytest.mark.slow
def test_pictures_go_to_the_run_and_to_tensorboard(webvid_root: Path, tmp_path: Path) -> None:
    logger = TensorBoardLogger(tmp_path, "run")
    callback = CorrespondencePictures(every_n_validations=2)
    trainer = quiet_trainer(tmp_path, max_epochs=3, callbacks=[callback], logger=logger)
    trainer.fit(tiny_learner(CaliNCE()), datamodule=webvid(webvid_root, tmp_path))
    pictures = sorted((Path(logger.log_dir) / "correspondence").iterdir())
    kinds = ("histogram", "pairs")
    assert [path.name for path in pictures] == [
        f"epoch-00{n}-{x}" for n in (0, 2) for x in ("histogram.png", "pairs.csv", "pairs.png")
    ]
    with Image.open(pictures[2]) as picture:
        assert picture.width > 1500
    events = EventAccumulator(logger.log_dir).Reload()
    for kind in kinds:
        assert [event.step for event in events.Images(f"correspondence/{kind}")] == [7, 21]


def test_the_same_pairs_each_time_as_training_scores_them(
    webvid_root: Path, tmp_path: Path, drawn: list[Sequence[MatchedPair]]
) -> None:
    data, learner = webvid(webvid_root, tmp_path), tiny_learner(CaliNCE(warmup_steps=0))
    callback = CorrespondencePictures(num_pairs=5)
    quiet_trainer(tmp_path, max_epochs=2, callbacks=[callback]).fit(learner, datamodule=data)
    first, last = drawn
    assert len(first) == 5
    assert {pair.caption for pair in first} == {pair.caption for pair in last}
    assert [pair.match for pair in last] == sorted(pair.match for pair in last)
    # the head's own p of the same clips with their captions
    learner.eval()
    wanted = []
    for sample in islice(fixed_samples(data.train_dataset()), 5):
        output: HeadOutput = learner.head(learner.encode(collate([sample])))
        p, known = output.logs["p_own"].item(), data.matches()[sample.id]
        wanted.append(MatchedPair(sample.texts[0], p, sample.clips[0, 1], known, sample.id))
    for pair, own in zip(last, sorted(wanted, key=lambda pair: pair.match), strict=True):
        assert (pair.caption, pair.matches, pair.id) == (own.caption, own.matches, own.id)
        assert pair.match == pytest.approx(own.match, abs=1e-5)
        assert pair.frame is not None
        assert own.frame is not None
        assert torch.equal(pair.frame, own.frame)
        assert pair.frame.untyped_storage().nbytes() == pair.frame.numel()  # keeps no clip alive


def test_of_few_pairs_none_is_among_the_best_and_the_worst(
    webvid_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[dict[str, list[float]]] = []

    def pictures(groups: Mapping[str, Sequence[MatchedPair]], *, title: str) -> object:
        shown.append({name: [pair.match for pair in pairs] for name, pairs in groups.items()})
        return draw_pairs(groups, title=title)

    monkeypatch.setattr(correspondence_pictures, "draw_pairs", pictures)
    callback = CorrespondencePictures(num_pairs=5)
    data = webvid(webvid_root, tmp_path)
    quiet_trainer(tmp_path, callbacks=[callback]).fit(tiny_learner(CaliNCE()), datamodule=data)
    best, worst = shown[0]["best"], shown[0]["worst"]
    assert len(best) == len(worst) == 2
    assert min(best) > max(worst)


def test_no_more_clips_are_encoded_at_once_than_in_scoring(
    webvid_root: Path, tmp_path: Path
) -> None:
    learner, sizes = tiny_learner(InfoNCE()), list[int]()
    trainer = quiet_trainer(tmp_path, callbacks=[CorrespondencePictures(num_pairs=5)])
    data = webvid(webvid_root, tmp_path, evaluation_chunk=2, evaluation_batch_size=1, windows=1)

    def count(module: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
        if not module.training:
            sizes.append(len(arguments[0]))

    learner.video_encoder.register_forward_pre_hook(count)
    trainer.fit(learner, datamodule=data)
    assert max(sizes) == 2


def test_without_truth_or_frames_there_are_captions(
    kitchen_root: Path,
    small: dict[str, Any],
    tmp_path: Path,
    drawn: list[Sequence[MatchedPair]],
) -> None:
    data = tiny_kitchen(kitchen_root, small)
    callback = CorrespondencePictures()
    head = Joint({"letters": LetterCaptioner(), "pairs": InfoNCE()})
    quiet_trainer(tmp_path, callbacks=[callback]).fit(tiny_learner(head), datamodule=data)
    assert len(drawn[0]) == 8 * 3  # each clip of a sample with its caption
    assert {pair.matches for pair in drawn[0]} == {None}
    fill_store(tmp_path / "store", dict.fromkeys(find_videos(kitchen_root), 100.0))
    learner = VideoTextLearner(
        CachedFeatures(dim=8, input_dim=4, width=8, layers=0, heads=1, num_frames=2),
        tiny_learner().text_encoder,
        InfoNCE(),
    )
    data = Kitchen(kitchen_root, features=tmp_path / "store", batch_size=4, **small)
    quiet_trainer(tmp_path / "features", callbacks=[callback]).fit(learner, datamodule=data)
    assert drawn[1]
    assert {pair.frame for pair in drawn[1]} == {None}
    names = sorted(path.name for path in (tmp_path / "features" / "correspondence").iterdir())
    assert names == ["epoch-000-histogram.png", "epoch-000-pairs.csv"]  # no frames to show


def test_a_head_that_compares_nothing_has_no_pictures(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    learner = VideoTextLearner(tiny_learner().video_encoder, None, LetterCaptioner())
    data = tiny_kitchen(kitchen_root, small)
    trainer = quiet_trainer(tmp_path, max_epochs=3)
    trainer.datamodule = data  # type: ignore[attr-defined]
    callback = CorrespondencePictures()
    with caplog.at_level(logging.INFO, "vtlearn"):
        for _ in range(2):
            callback.on_validation_end(trainer, learner)
    told = [record.getMessage() for record in caplog.records if record.name.startswith("vtlearn.c")]
    assert told == ["no pictures of correspondence: no texts are compared, or data streamed"]
    assert not (tmp_path / "correspondence").exists()


def test_none_are_drawn_when_none_are_wanted(
    kitchen_root: Path, small: dict[str, int], tmp_path: Path
) -> None:
    trainer = quiet_trainer(tmp_path, callbacks=[CorrespondencePictures(every_n_validations=0)])
    trainer.fit(tiny_learner(), datamodule=tiny_kitchen(kitchen_root, small))
    assert not (tmp_path / "correspondence").exists()
    with pytest.raises(ArgumentError, match="num_pairs"):
        CorrespondencePictures(num_pairs=0)
