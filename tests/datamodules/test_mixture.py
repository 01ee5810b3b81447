import shutil
from itertools import chain
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric.utilities.data import _set_sampler_epoch
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import ModelCheckpoint

import vtlearn.datamodules.base
from tests.damage import lose_index
from tests.media.webdataset.tars import pack_kitchen
from tests.models import LOADING, quiet_trainer, tiny_learner
from tests.processes import Pool
from vtlearn.batch import Batch
from vtlearn.callbacks import UnreadableReport
from vtlearn.data_source import Stage
from vtlearn.datamodules import AlignmentExample, Kitchen, Mixture, Shards
from vtlearn.datamodules.mixture_loader import MixtureLoader
from vtlearn.datasets import ClipSampling, Pixels
from vtlearn.distributed import Process
from vtlearn.encoders.video import TinyVideo
from vtlearn.errors import ArgumentError
from vtlearn.evaluation.evaluator import EvaluationTask
from vtlearn.heads import CaptioningDecoder, InfoNCE, TextDecoder
from vtlearn.learner import VideoTextLearner

PICTURE = ClipSampling(num_frames=1)
EVEN = {"videos": 1.0, "pictures": 1.0}
SMALL = {"train": 8, "validation": 2, "test": 3, "size": 32}  # what kitchen_root is rendered with


def narrations(root: Path, **options: Any) -> Kitchen:
    """Two batches of four narrations, clips of two frames."""
    return Kitchen(root, **{**LOADING, "batch_size": 4, **SMALL, **options})


def pictures(root: Path, **options: Any) -> Kitchen:
    """The steps of four videos in batches of eight, clips of one frame."""
    asked = {"sampling": PICTURE, "pixels": Pixels(size=16), "batch_size": 8, "caption_videos": 4}
    return Kitchen(root, task="captioning", **{**asked, **SMALL, **options})


def mixture(root: Path, weights: dict[str, float] | None = None, **options: Any) -> Mixture:
    workers = {"num_workers": options.pop("num_workers", None)}
    sources = {"videos": narrations(root), "pictures": pictures(root)}
    return Mixture(sources, weights or EVEN, **workers, **options)


def ids(batches: Any) -> list[list[str]]:
    return [batch.ids for batch in batches]


def epoch_of(loader: Any, epoch: int) -> list[list[str]]:
    _set_sampler_epoch(loader, epoch)  # as Lightning does
    return ids(loader)


# What an epoch has


def test_each_batch_is_of_one_source(kitchen_root: Path) -> None:
    data = mixture(kitchen_root)
    alone = [len(source.train_dataloader()) for source in data.sources.values()]
    loader = data.train_dataloader()
    batches: list[Batch] = list(loader)
    assert len(loader) == len(batches) == sum(alone)
    shapes = {tuple(batch.clips.shape[1:]): len(batch.ids) for batch in batches}
    assert shapes == {(2, 3, 16, 16): 4, (1, 3, 16, 16): 8}
    of_videos = sum(len(batch.ids) == 4 for batch in batches)
    assert of_videos in (len(batches) // 2, -(-len(batches) // 2))


def test_an_epoch_begins_each_source_anew_and_again_when_it_runs_out(kitchen_root: Path) -> None:
    data = mixture(kitchen_root, {"videos": 3, "pictures": 1}, batches_per_epoch=7)
    for epoch in (2, 0):
        given = epoch_of(data.train_dataloader(), epoch)
        assert len(given) == 7
        alone = narrations(kitchen_root).train_dataloader()  # two batches
        rounds = list(chain(*(epoch_of(alone, 1000 * epoch + number) for number in range(3))))
        of_videos = [batch for batch in given if len(batch) == 4]
        assert len(of_videos) in (5, 6)
        assert of_videos == rounds[: len(of_videos)]
        of_pictures = [batch for batch in given if len(batch) == 8]
        first = epoch_of(pictures(kitchen_root).train_dataloader(), 1000 * epoch)
        assert of_pictures == first[: len(of_pictures)]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_depends_on_nothing_before_it(
    kitchen_root: Path, tmp_path: Path, workers: int
) -> None:
    shards = pack_kitchen(kitchen_root, tmp_path / "shards")

    def loader() -> MixtureLoader:
        stream = Shards(shards, **LOADING, batch_size=2, unreadable_log=tmp_path / "unread.jsonl")
        sources = {"shards": stream, "pictures": pictures(kitchen_root)}
        weights = {"shards": 2, "pictures": 1}
        return Mixture(
            sources, weights, batches_per_epoch=9, num_workers=workers
        ).train_dataloader()

    used = loader()
    first = epoch_of(used, 0)
    begun = iter(used)
    next(begun)  # and an epoch that is left early
    del begun
    assert epoch_of(used, 1) == epoch_of(loader(), 1) != first
    assert epoch_of(used, 0) == first


def read_by_process(root: str) -> list[list[str]]:
    return epoch_of(mixture(Path(root), batches_per_epoch=6).train_dataloader(), 3)


def test_any_number_of_processes_shares_the_same_batches(
    kitchen_root: Path, two_processes: Pool
) -> None:
    shares = two_processes.run(read_by_process, str(kitchen_root))
    assert {len(batch) for batch in shares[0]} == {2, 4}
    joined = [[*one, *other] for one, other in zip(*shares, strict=True)]
    assert joined == read_by_process(str(kitchen_root))


class Recorder(Callback):
    """Which samples each epoch has shown."""

    def __init__(self) -> None:
        self.epochs: dict[int, list[list[str]]] = {}

    def on_train_batch_start(self, trainer: Any, _module: Any, batch: Any, _index: int) -> None:
        self.epochs.setdefault(trainer.current_epoch, []).append(batch.ids)


def writer() -> VideoTextLearner:
    """A captioner that reads pictures and videos."""
    torch.manual_seed(0)
    encoder = TinyVideo(dim=8, num_frames=2, size=16, width=4, patches=True)
    decoder = TextDecoder(width=8, heads=2, dropout=0.0)
    return VideoTextLearner(encoder, None, CaptioningDecoder(decoder, beams=1, max_new=4))


@pytest.mark.filterwarnings("ignore:Checkpoint directory")
@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_a_resumed_training_is_the_one_that_was_not_stopped(
    kitchen_root: Path, tmp_path: Path, workers: int
) -> None:
    def fit(checkpoint: Path | None = None) -> tuple[Recorder, VideoTextLearner]:
        recorder, learner = Recorder(), writer()
        saving = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1, every_n_epochs=1)
        options = {"max_epochs": 2, "limit_val_batches": 0, "enable_checkpointing": True}
        trainer = quiet_trainer(tmp_path, callbacks=[recorder, saving], **options)
        data = mixture(kitchen_root, batches_per_epoch=4, num_workers=workers)
        trainer.fit(learner, datamodule=data, ckpt_path=checkpoint)
        assert set(active_children()) == others  # no worker is left to the garbage collector
        return recorder, learner

    others = set(active_children())

    whole, trained = fit()
    resumed, again = fit(tmp_path / "epoch=0.ckpt")
    assert {len(batch) for batch in whole.epochs[1]} == {4, 8}
    assert resumed.epochs == {1: whole.epochs[1]}
    assert whole.epochs[0] != whole.epochs[1]
    weights = again.state_dict()
    for name, value in trained.state_dict().items():
        if isinstance(value, torch.Tensor):
            torch.testing.assert_close(weights[name], value, rtol=0, atol=0)


def test_its_draws_are_of_the_first_sources_seed(kitchen_root: Path) -> None:
    sources = {"videos": narrations(kitchen_root, seed=7), "pictures": pictures(kitchen_root)}
    assert Mixture(sources, EVEN).train_dataloader().seed == 7


def test_a_mixture_takes_no_other_order(kitchen_root: Path) -> None:
    data = mixture(kitchen_root)
    data.order_epochs(None)
    with pytest.raises(ArgumentError, match=r"Mixture draws .*leave the callback out"):
        data.order_epochs(lambda seed, epoch: [0])  # noqa: ARG005


# What the sources share


def test_captions_come_one_of_each_source_in_turn(kitchen_root: Path) -> None:
    data = mixture(kitchen_root)
    said, written = (list(source.captions()) for source in data.sources.values())
    told = list(data.captions())
    assert sorted(told) == sorted(said + written)
    assert told[:4] == [said[0], written[0], said[1], written[1]]
    fewer = min(len(said), len(written))
    assert told[2 * fewer :] == max(said, written, key=len)[fewer:]


def test_workers_are_shared_out_by_the_weights(kitchen_root: Path) -> None:
    for total, shares in ((0, [0, 0]), (2, [1, 1]), (5, [4, 1]), (8, [6, 2])):
        data = mixture(kitchen_root, {"videos": 3, "pictures": 1}, num_workers=total)
        assert [source.num_workers for source in data.sources.values()] == shares
        assert data.num_workers == total
    with pytest.raises(ArgumentError, match="num_workers=1 is shared out among the 2 sources vid"):
        mixture(kitchen_root, num_workers=1)
    own = {
        "videos": narrations(kitchen_root, num_workers=2),
        "pictures": pictures(kitchen_root, num_workers=1),
    }
    data = Mixture(own, EVEN)
    assert [source.num_workers for source in own.values()] == [2, 1]
    assert data.num_workers == 3


def test_each_source_has_an_account_of_what_cannot_be_read(
    kitchen_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(shutil.copytree(kitchen_root, tmp_path / "kitchen"))
    lose_index(root / "videos" / "kitchen_train_0003.mp4")
    run = tmp_path / "run"
    run.mkdir()
    (run / "unreadable-videos.jsonl").write_text("{}\n")  # of an earlier training
    options = {"limit_val_batches": 0, "callbacks": [UnreadableReport()]}
    trainer = quiet_trainer(run, **options)
    sources = {
        "videos": narrations(root, max_unreadable_fraction=0.2),
        "pictures": pictures(root, max_unreadable_fraction=0.5),
    }
    trainer.fit(writer(), datamodule=Mixture(sources, EVEN, batches_per_epoch=12))
    lines = {name: (run / f"unreadable-{name}.jsonl").read_text().splitlines() for name in sources}
    steps = len(lines["pictures"])
    assert len(lines["videos"]) == 1
    assert steps > 1
    assert not (run / "unreadable.jsonl").exists()
    assert trainer.callback_metrics["train/unreadable"] == 1 + steps
    printed = capsys.readouterr().out
    assert f"1 of 8 videos could not be read: {run}/unreadable-videos.jsonl" in printed
    assert f"could not be read: {run}/unreadable-pictures.jsonl" in printed


def test_reports_that_were_given_apart_keep_their_names(kitchen_root: Path, tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name}.jsonl" for name in EVEN}
    sources = {
        "videos": narrations(kitchen_root, unreadable_log=paths["videos"]),
        "pictures": pictures(kitchen_root, unreadable_log=paths["pictures"]),
    }
    data = Mixture(sources, EVEN)
    data.train_dataloader()
    assert [log.path for log in data.unreadable_logs()] == list(paths.values())


# What the first source has that has it


def test_it_is_scored_looked_at_and_predicted_by_the_first_source_that_can_be(
    kitchen_root: Path, tmp_path: Path
) -> None:
    shards = Shards(pack_kitchen(kitchen_root, tmp_path / "shards"), **LOADING, batch_size=2)
    sources = {
        "shards": shards,
        "pictures": pictures(kitchen_root),
        "videos": narrations(kitchen_root),
    }
    data = Mixture(sources, dict.fromkeys(sources, 1.0))
    for stage in ("validate", "test"):
        (task,) = data.tasks(stage)
        assert task.protocols[0].name == "kitchen-caption"
    assert isinstance(data.example(), AlignmentExample)
    assert list(data.videos().ids) == list(sources["pictures"].videos().ids)
    assert data.matches() == {}
    nothing = Mixture({"shards": shards}, {"shards": 1.0})
    assert nothing.tasks("test") == []
    assert nothing.example() is None
    with pytest.raises(ArgumentError, match=r"no source has videos .*shards: Shards has no videos"):
        nothing.videos()


def test_a_training_keeps_the_longest_clips_and_a_test_those_it_scores(
    kitchen_root: Path, tmp_path: Path
) -> None:
    def data() -> Mixture:
        sources = {
            "pictures": pictures(kitchen_root, evaluation_chunk=5, max_unreadable=1),
            "videos": narrations(kitchen_root),
        }
        return Mixture(sources, EVEN, batches_per_epoch=2)

    learner, trained = writer(), data()
    trainer = quiet_trainer(tmp_path)
    trainer.fit(learner, datamodule=trained)
    assert "val/kitchen-caption/CIDEr" in trainer.callback_metrics
    assert learner.clips is not None
    assert learner.clips["num_frames"] == 2
    assert (trained.evaluation_chunk, trained.max_unreadable) == (5, 1)
    quiet_trainer(tmp_path).test(learner, datamodule=data(), verbose=False)
    (result,) = learner.results
    assert result.protocol == "kitchen-caption"
    clips: Any = result.settings["clips"]
    assert clips["num_frames"] == 1


def test_what_is_not_validated_need_not_be_there(kitchen_root: Path, tmp_path: Path) -> None:
    class Unlisted(Kitchen):
        def tasks(self, stage: Stage) -> list[EvaluationTask]:
            raise FileNotFoundError(stage)

    videos = Unlisted(kitchen_root, **LOADING, batch_size=4, **SMALL)  # type: ignore[arg-type]
    data = Mixture({"videos": videos}, {"videos": 2.0}, batches_per_epoch=1)
    quiet_trainer(tmp_path, limit_val_batches=0).fit(tiny_learner(), datamodule=data)
    assert data.weights == {"videos": 1.0}


# What is refused


def test_sources_and_weights_that_do_not_fit_are_refused(kitchen_root: Path) -> None:
    with pytest.raises(ArgumentError, match="Mixture has no sources"):
        Mixture({}, {})
    for weights, named in (
        ({"videos": 1.0}, "given for videos, and the sources are videos, pictures"),
        ({**EVEN, "films": 1.0}, "given for videos, pictures, films, and"),
        ({}, "given for none, and"),
        ({**EVEN, "pictures": 0.0}, "weight of source pictures is 0.0"),
        ({**EVEN, "pictures": -1.0}, "weight of source pictures is -1.0"),
        ({**EVEN, "videos": float("nan")}, "weight of source videos is nan"),
        ({**EVEN, "videos": float("inf")}, "weight of source videos is inf"),
    ):
        with pytest.raises(ArgumentError, match=named):
            Mixture({"videos": Kitchen(), "pictures": Kitchen()}, weights)
    for strings in ({**EVEN, "pictures": "1"}, {**EVEN, "pictures": None}):
        with pytest.raises(
            ArgumentError, match=r"weight of source pictures is ('1'|None), and it has"
        ):
            Mixture({"videos": Kitchen(), "pictures": Kitchen()}, strings)  # type: ignore[arg-type]
    for lists in ({"sources": [Kitchen()]}, {"weights": [1.0]}):
        given: dict[str, Any] = {"sources": {"videos": Kitchen()}, "weights": {"videos": 1}} | lists
        with pytest.raises(ArgumentError, match="expected one for each name of a source, got"):
            Mixture(**given)
    for option in ("batches_per_epoch", "num_workers"):
        with pytest.raises(ArgumentError, match=f"{option}: expected an int, got '3'"):
            mixture(kitchen_root, **{option: "3"})  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="batches_per_epoch must be positive"):
        mixture(kitchen_root, batches_per_epoch=0)
    for name in ("a/b", "a.b", ""):
        with pytest.raises(ArgumentError, match=f"as the name of a source, got '{name}'"):
            Mixture({name: Kitchen()}, {name: 1.0})
    with pytest.raises(ArgumentError, match="source both is a Mixture itself"):
        Mixture({"both": mixture(kitchen_root)}, {"both": 1.0})


def test_two_sizes_are_refused_by_name(kitchen_root: Path, tmp_path: Path) -> None:
    sources = {
        "videos": narrations(kitchen_root),
        "pictures": pictures(kitchen_root, pixels=Pixels(size=8)),
    }
    data = Mixture(sources, EVEN)
    sizes = "videos has frames of 16 x 16 pixels, pictures has frames of 8 x 8 pixels"
    with pytest.raises(ArgumentError, match=sizes):
        data.train_dataloader()
    with pytest.raises(ArgumentError, match=sizes):
        quiet_trainer(tmp_path).fit(writer(), datamodule=data)


def test_every_source_is_one_that_the_encoder_takes(kitchen_root: Path, tmp_path: Path) -> None:
    class Fixed(TinyVideo):
        def accepts(self, num_frames: int, size: int) -> bool:
            return (num_frames, size) == (self.num_frames, self.size)

    text = tiny_learner().text_encoder
    learner = VideoTextLearner(Fixed(dim=8, num_frames=2, size=16, width=4), text, InfoNCE())
    refused = "source pictures gives clips of 1 frames, size 16, and Fixed was made for 2 of size"
    with pytest.raises(ArgumentError, match=refused):
        quiet_trainer(tmp_path).fit(learner, datamodule=mixture(kitchen_root))


def test_a_batch_that_cannot_be_shared_is_refused(
    kitchen_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vtlearn.datamodules.base, "process", lambda: Process(0, 3))
    with pytest.raises(ArgumentError, match="batch_size=4 is the whole batch over all processes"):
        mixture(kitchen_root).train_dataloader()


def test_it_is_not_listed_without_its_videos(kitchen_root: Path) -> None:
    with pytest.raises(ArgumentError, match="give --data the source that is to be scored"):
        mixture(kitchen_root).list_only()
