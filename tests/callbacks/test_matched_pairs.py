from itertools import islice
from pathlib import Path

import pytest
import torch

from tests.models import LOADING, tiny_learner
from vtlearn.batch import collate
from vtlearn.callbacks.matched_pairs import score_pairs, write_pairs
from vtlearn.datamodules import WebVid
from vtlearn.datasets.base import Corpus
from vtlearn.datasets.fixed_samples import fixed_samples
from vtlearn.heads import InfoNCE
from vtlearn.plotting import MatchedPair


def test_a_clip_is_scored_with_a_caption_of_the_next(webvid_root: Path, tmp_path: Path) -> None:
    corpus = WebVid(webvid_root, unreadable_log=tmp_path / "u.jsonl", **LOADING).train_dataset()
    assert isinstance(corpus, Corpus)
    head = InfoNCE()
    learner = tiny_learner(head).eval()
    assert learner.text_encoder is not None
    learner.text_encoder.build(corpus.texts())
    with torch.no_grad():
        pairs = list(score_pairs(learner, head, corpus, {}, 256))
    assert len(pairs) == len(corpus)
    assert {pair.id for pair in pairs} == set(corpus.ids)
    first, following = islice(fixed_samples(corpus), 2)
    with torch.no_grad():
        (clip,) = head.embed(learner.predict_step(collate([first]), 0))
        p = head.match(clip, learner.encode_text([*first.texts, *following.texts])).sigmoid()
    assert [pairs[0].match, pairs[0].wrong] == pytest.approx(p.tolist(), abs=1e-6)
    assert pairs[-1].wrong is None  # there is no next one


def test_a_csv_has_all_pairs(tmp_path: Path) -> None:
    pairs = [MatchedPair("chop, then fry", 0.25, None, known, "7") for known in (True, False, None)]
    write_pairs(tmp_path / "pairs.csv", pairs)
    assert (tmp_path / "pairs.csv").read_text() == "id,caption,p,matches\n" + "".join(
        f'7,"chop, then fry",0.2500,{known}\n' for known in ("1", "0", "")
    )
