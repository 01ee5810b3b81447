import json
from pathlib import Path
from typing import Any

import pytest

from tests.captioning import LetterCaptioner
from tests.models import quiet_trainer, tiny_learner
from vtlearn.batch import Batch
from vtlearn.datamodules import ImageCaptions
from vtlearn.datasets import ClipSampling, Pixels
from vtlearn.errors import ArgumentError, CorpusNotFoundError
from vtlearn.heads import InfoNCE
from vtlearn.learner import VideoTextLearner

pytestmark = pytest.mark.filterwarnings(
    "ignore:Total length of `list` across ranks is zero:UserWarning"
)

COCO = {"annotations": Path("annotations/captions_train2017.json"), "pictures": Path("train2017")}


def data_of(root: Path, tmp_path: Path, **options: Any) -> ImageCaptions:
    options = {"unreadable_log": tmp_path / "unreadable.jsonl", "batch_size": 3, **options}
    return ImageCaptions(root, **{"pixels": Pixels(size=16), **options})


def test_a_batch_is_of_pictures_each_with_a_caption(coco_root: Path, tmp_path: Path) -> None:
    data = data_of(coco_root, tmp_path, **COCO)
    assert data.clip_shape == (1, 16)
    captions = {clip.id: clip.texts for clip in data.clips()}
    batches: list[Batch] = list(data.train_dataloader())
    assert len(batches) == len(captions) // 3
    for batch in batches:
        assert (batch.num_clips, batch.clips.shape) == ((1,) * 3, (3, 1, 3, 16, 16))
        for one, text in zip(batch.ids, batch.texts, strict=True):
            assert text in captions[one]
    assert len(list(data.captions())) == 2 * len(captions)


def test_frames_and_size_come_from_the_encoder_but_for_their_number(
    coco_root: Path, tmp_path: Path
) -> None:
    data = data_of(coco_root, tmp_path, **COCO, pixels=Pixels())
    quiet_trainer(tmp_path).fit(tiny_learner(InfoNCE()), datamodule=data)  # of 2 frames of 16
    assert data.clip_shape == (1, 16)
    repeated = data_of(coco_root, tmp_path, **COCO, sampling=ClipSampling(num_frames=2))
    assert repeated.clip_shape == (2, 16)


@pytest.mark.parametrize("layout", ["coco", "cc", "img2dataset"])
def test_a_head_that_writes_and_one_that_compares_train(
    layout: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    root: Path = request.getfixturevalue(f"{layout}_root")
    places: dict[str, Any] = {
        "coco": COCO,
        "cc": {"annotations": Path("Train_GCC-training.tsv"), "pictures": Path("training")},
        "img2dataset": {},
    }
    learner = VideoTextLearner(tiny_learner().video_encoder, None, LetterCaptioner())
    for each in (learner, tiny_learner(InfoNCE())):
        trainer = quiet_trainer(tmp_path, max_steps=2)
        trainer.fit(each, datamodule=data_of(root, tmp_path, **places[layout]))
        assert trainer.global_step == 2


def test_there_is_nothing_to_be_scored_by(coco_root: Path, tmp_path: Path) -> None:
    data = data_of(coco_root, tmp_path, **COCO)
    assert data.tasks("validate") == data.tasks("test") == []
    with pytest.raises(ArgumentError, match="ImageCaptions has no protocol to test a model by"):
        quiet_trainer(tmp_path).test(tiny_learner(InfoNCE()), datamodule=data, verbose=False)


def test_pictures_that_are_gone_are_counted(coco_root: Path, tmp_path: Path) -> None:
    captions = json.loads((coco_root / COCO["annotations"]).read_text())
    captions["images"].append({"id": 1, "file_name": "gone.jpg"})
    captions["annotations"].append({"image_id": 1, "caption": "a dog"})
    path = tmp_path / "more.json"
    path.write_text(json.dumps(captions))
    places = {"annotations": path, "pictures": coco_root / "train2017"}
    with pytest.raises(
        ArgumentError, match=r"1 of \d+ pictures listed in .*more\.json are missing"
    ):
        data_of(tmp_path, tmp_path, **places, max_unreadable_fraction=0.0).train_dataloader()
    data = data_of(tmp_path, tmp_path, **places)
    corpus = data.train_dataset()
    gone = corpus.ids.index("1")
    assert corpus[gone].id != "1"
    assert data.train_dataloader().dataset.unreadable.read().keys() == {"1"}  # type: ignore[attr-defined]


def test_features_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="pictures are read as such; leave it out"):
        data_of(tmp_path, tmp_path, features=tmp_path)
    with pytest.raises(ArgumentError, match="expected kitchen coco, cc or img2dataset, got 'msvd'"):
        data_of(tmp_path, tmp_path, kitchen="msvd")


@pytest.mark.parametrize(
    ("layout", "name"),
    [("coco", "KitchenCOCO"), ("cc", "KitchenCC"), ("img2dataset", "KitchenImg2Dataset")],
)
def test_kitchen_renders_what_is_missing(
    layout: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[Path] = []
    monkeypatch.setattr(
        f"vtlearn.kitchen.layouts.{name}.prepare", lambda self: rendered.append(self.root)
    )
    for kitchen in (None, layout):
        data_of(tmp_path / "corpus", tmp_path, kitchen=kitchen).prepare_data()
    assert rendered == [tmp_path / "corpus"]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CorpusNotFoundError, match="ImageCaptions was not found"):
        data_of(tmp_path / "nowhere", tmp_path).train_dataloader()
