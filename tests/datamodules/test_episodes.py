from pathlib import Path
from typing import Any

import pytest

from tests.media.features.stores import fill_store
from tests.media.video.writing import write_video
from tests.models import LOADING, quiet_trainer, tiny_learner
from tests.processes import Pool
from vtlearn.batch import Batch
from vtlearn.datamodules import Episodes
from vtlearn.datasets import SampleKey
from vtlearn.errors import ArgumentError, CorpusNotFoundError, FeatureError
from vtlearn.evaluation.few_shot import FewShotRecognition
from vtlearn.heads import FewShot, InfoNCE, Joint
from vtlearn.learner import VideoTextLearner

pytestmark = pytest.mark.filterwarnings(
    "ignore:Total length of `list` across ranks is zero:UserWarning"
)

SPLITS = {"a": "train", "b": "train", "c": "train", "d": "test", "e": "test"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five classes of four videos of two seconds, three of them to train on; only to read."""
    root = tmp_path_factory.mktemp("labelled")
    rows = ["video_path,label,split"]
    for number in range(20):
        label = "abcde"[number % 5]
        write_video(root / f"{number}.mp4", [10 * (number % 5) + 8 * n for n in range(4)], rate=2)
        rows.append(f"{number}.mp4,{label},{SPLITS[label]}")
    (root / "labels.csv").write_text("\n".join(rows))
    return root


def episodes(root: Path, tmp_path: Path, **options: Any) -> Episodes:
    layout = {"ways": 2, "shots": 1, "queries": 2, "episodes": 3, "windows": 2}
    scoring = {"test_shots": [1, 3], "test_episodes": 20}
    options = {**layout, **scoring, "unreadable_log": tmp_path / "unreadable.jsonl", **options}
    return Episodes(root, **LOADING, **options)


def learner(head: Any = None) -> VideoTextLearner:
    return VideoTextLearner(tiny_learner().video_encoder, None, head or FewShot(queries=2))


def test_a_batch_is_an_episode_class_after_class(folder: Path, tmp_path: Path) -> None:
    data = episodes(folder, tmp_path)
    label = {video.id: video.label for video in data.split("train")}
    batches: list[Batch] = list(data.train_dataloader())
    assert len(batches) == 3
    for batch in batches:
        classes = [label[one] for one in batch.ids]
        assert classes == [classes[0]] * 3 + [classes[3]] * 3
        assert classes[0] != classes[3]
        assert len(set(batch.ids)) == 6
        assert batch.num_clips == (2,) * 6
        assert batch.num_texts == (0,) * 6


def test_each_epoch_has_other_episodes_and_each_seed(folder: Path, tmp_path: Path) -> None:
    orders = [
        episodes(folder, tmp_path).epoch_order()(*key).tolist()  # type: ignore[union-attr]
        for key in ((0, 0), (0, 0), (0, 1), (1, 0))
    ]
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders}) == 3


def own_ids(root: Path, tmp_path: Path, ways: int = 2) -> list[list[str]]:
    loader = episodes(root, tmp_path, ways=ways).train_dataloader()
    keys: list[list[SampleKey]] = list(loader.batch_sampler)  # type: ignore[arg-type]
    return [[str(key.sample) for key in batch] for batch in keys]


@pytest.mark.ddp
def test_processes_share_each_episode(folder: Path, tmp_path: Path, two_processes: Pool) -> None:
    first, second = two_processes.run(own_ids, folder, tmp_path)
    together = [own + other for own, other in zip(first, second, strict=True)]
    assert together == own_ids(folder, tmp_path)


def test_it_is_trained_and_scored(folder: Path, tmp_path: Path) -> None:
    data, model = episodes(folder, tmp_path), learner()
    trainer = quiet_trainer(tmp_path)
    trainer.fit(model, datamodule=data)
    assert trainer.global_step == 3
    assert 0 <= trainer.callback_metrics["train/accuracy"] <= 1
    quiet_trainer(tmp_path).test(model, datamodule=data, verbose=False)
    (result,) = model.results
    assert (result.protocol, result.version) == ("few-shot", 1)
    assert result.primary == "dtw_2way_1shot"
    assert result.coverage.complete
    assert result.coverage.expected == 8
    assert result.settings["split"] == "test"
    assert result.annotations is not None


def test_a_stage_without_videos_is_not_scored(folder: Path, tmp_path: Path) -> None:
    data = episodes(folder, tmp_path)
    assert data.tasks("validate") == []
    ((protocol,), items, _, _) = data.tasks("test")[0]
    assert isinstance(protocol, FewShotRecognition)
    assert sorted(protocol.expected) == sorted(item.id for item in items.items)


def test_features_are_made_of_all_videos_and_read(folder: Path, tmp_path: Path) -> None:
    data = episodes(folder, tmp_path)
    listed = data.videos()
    assert len(listed.ids) == 20
    fill_store(tmp_path / "store", dict.fromkeys(listed.ids, 9.0))
    stored = episodes(folder, tmp_path, features=tmp_path / "store")
    assert stored.train_dataset()[0].clips.shape == (2, 2, 4)
    fill_store(tmp_path / "few", dict.fromkeys(listed.ids[:9], 9.0))
    with pytest.raises(FeatureError, match="no features of 11 of 20 videos"):
        episodes(folder, tmp_path, features=tmp_path / "few").train_dataset()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ways": 4}, "the split train has 3 classes, and an episode takes ways=4"),
        ({"shots": 3}, "split train needs 5 videos, 3 to be shown and 2 .* a has 4, b has 4"),
        ({"ways": 0}, "ways must be positive"),
        ({"kitchen": True, "annotations": "x.csv"}, "annotations=x.csv list classes, and kitchen"),
    ],
)
def test_episodes_that_cannot_be_drawn(
    options: dict[str, Any], words: str, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match=words):
        episodes(folder, tmp_path, **options).train_dataloader()


def test_a_split_that_cannot_be_scored(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"test needs 6 videos, 5 to be shown and 1 .* d has 4"):
        episodes(folder, tmp_path, test_shots=[1, 5]).tasks("test")


@pytest.mark.parametrize(
    "head", [FewShot(shots=2, queries=1), Joint({"order": FewShot(shots=2, queries=1)})]
)
def test_a_head_of_another_layout_is_refused(head: Any, folder: Path, tmp_path: Path) -> None:
    message = "the data have shots=1 and queries=2, and FewShot has shots=2 and queries=1: set data"
    with pytest.raises(ArgumentError, match=message):
        quiet_trainer(tmp_path).fit(learner(head), datamodule=episodes(folder, tmp_path))


def test_a_head_that_reads_texts_is_told_that_there_are_none(folder: Path, tmp_path: Path) -> None:
    model = tiny_learner(InfoNCE())
    model.text_encoder.build(["chop"])  # type: ignore[union-attr]
    with pytest.raises(ArgumentError, match="no item of the epoch had a loss"):
        quiet_trainer(tmp_path).fit(model, datamodule=episodes(folder, tmp_path))


def test_nothing_is_there(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusNotFoundError, match="A list of labelled videos was not found"):
        episodes(tmp_path, tmp_path).train_dataset()
    listed = folder / "labels.csv"
    with pytest.raises(CorpusNotFoundError, match=r"the videos listed in .*there are none"):
        episodes(tmp_path, tmp_path, annotations=listed).train_dataset()


def test_a_list_without_test_videos_is_named(folder: Path, tmp_path: Path) -> None:
    listed = tmp_path / "mine.csv"
    listed.write_text("video_path,label,split\n0.mp4,a,train\n")
    with pytest.raises(ArgumentError, match=r"mine\.csv has no video of the split test: list some"):
        episodes(folder, tmp_path, annotations=listed).tasks("test")


def test_kitchen_is_rendered_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[Path] = []
    monkeypatch.setattr(
        "vtlearn.kitchen.KitchenCorpus.prepare", lambda self: rendered.append(self.root)
    )
    for kitchen in (False, True):
        episodes(tmp_path / "kitchen", tmp_path, kitchen=kitchen).prepare_data()
    assert rendered == [tmp_path / "kitchen"]


def test_a_list_beside_kitchen_true_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"labels\.csv is: set data\.init_args\.kitchen=false"):
        episodes(folder, tmp_path, kitchen=True).tasks("test")


def test_kitchens_draw_is_in_the_settings(kitchen_root: Path, tmp_path: Path) -> None:
    data = episodes(kitchen_root, tmp_path, kitchen=True, draw=1)
    groups = {video.group for video in data.split("train")}
    assert not groups & {video.group for video in data.split("test")}
    with pytest.raises(ArgumentError, match=r"the split (train|test) has|needs 4 videos"):
        data.tasks("test")


@pytest.mark.ddp
def test_an_episode_that_processes_cannot_share(
    folder: Path, tmp_path: Path, two_processes: Pool
) -> None:
    with pytest.raises(
        ArgumentError, match=r"3 ways x \(1 shots \+ 2 queries\) has 9 videos, which 2 processes"
    ):
        two_processes.run(own_ids, folder, tmp_path, 3)
