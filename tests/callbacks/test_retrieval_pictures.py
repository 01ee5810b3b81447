import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor

from tests.captioning import LetterCaptioner
from tests.models import quiet_trainer, tiny_kitchen, tiny_learner
from vtlearn.batch import collate
from vtlearn.callbacks import RetrievalPictures, retrieval_pictures
from vtlearn.errors import ArgumentError
from vtlearn.heads import S2DTW
from vtlearn.learner import VideoTextLearner
from vtlearn.plotting import draw_retrieval_matrix

Drawn = list[tuple[Tensor, list[str], Tensor, list[str]]]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """What each picture shows, in the order of drawing."""
    kept: Drawn = []

    def draw(
        similarity: Tensor, labels: list[str], *, relevant: Tensor, clips: list[str], title: str
    ) -> Figure:
        kept.append((similarity, labels, relevant, clips))
        return draw_retrieval_matrix(similarity, labels, relevant=relevant, title=title)

    monkeypatch.setattr(retrieval_pictures, "draw_retrieval_matrix", draw)
    return kept


def test_texts_find_clips_by_the_heads_match(
    kitchen_root: Path, small: dict[str, Any], tmp_path: Path, drawn: Drawn
) -> None:
    head = S2DTW()
    data, learner = tiny_kitchen(kitchen_root, small), tiny_learner(head)
    trainer = quiet_trainer(
        tmp_path,
        max_epochs=2,
        limit_train_batches=1,
        limit_val_batches=1,
        callbacks=[RetrievalPictures(num_pairs=4)],
    )
    trainer.fit(learner, datamodule=data)
    pictures = sorted(path.name for path in (tmp_path / "retrieval").iterdir())
    assert pictures == ["epoch-000.png", "epoch-001.png"]
    (_, labels, right, clips), (last, *again) = drawn
    assert (labels, right.tolist(), clips) == (again[0], [[0], [1], [2], [3]], again[2])
    items = {item.id: item for item in data.tasks("validate")[0].items.items}
    assert [items[clip].texts[0] for clip in clips] == labels
    learner.eval()
    texts = learner.encode_text(labels)
    for column, clip in enumerate(clips):
        sample = data.tasks("validate")[0].items.sample(items[clip])
        vector = head.embed(learner.predict_step(collate([sample]), 0))[0]
        torch.testing.assert_close(last[:, column], head.match(vector, texts))


def test_a_text_may_find_several_clips() -> None:
    right = [frozenset(ids) for ids in ("ab", "bx", "c")]
    positions = retrieval_pictures._positions(["a", "b", "c"], right)
    assert positions.tolist() == [[0, 1], [1, -1], [2, -1]]


def test_a_head_that_writes_has_none(
    kitchen_root: Path, small: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tiny_kitchen(kitchen_root, small, task="captioning")
    learner = VideoTextLearner(tiny_learner().video_encoder, None, LetterCaptioner())
    trainer = quiet_trainer(tmp_path, limit_train_batches=1, callbacks=[RetrievalPictures()])
    with caplog.at_level(logging.INFO, logger="vtlearn"):
        trainer.fit(learner, datamodule=data)
    assert not (tmp_path / "retrieval").exists()
    assert "no pictures of retrieval" in caplog.text


def test_there_is_at_least_one_pair() -> None:
    with pytest.raises(ArgumentError, match="num_pairs must be positive"):
        RetrievalPictures(num_pairs=0)
