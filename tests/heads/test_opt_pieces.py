import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer

from tests.heads.published_opt import CAPTIONS, publish
from vtlearn.errors import CheckpointError
from vtlearn.heads.opt_pieces import LearnedPieces, Pieces, PublishedPieces, pieces_from_state
from vtlearn.heads.opt_weights import read_published
from vtlearn.subwords import Subwords

IDS = {"end": 2, "padding": 1, "rows": 320}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(tmp_path_factory.mktemp("opt"))


@pytest.fixture(scope="module")
def published(folder: Path) -> PublishedPieces:
    pieces = read_published(str(folder)).pieces
    assert pieces is not None
    return pieces


def learned(rows: int = 62) -> LearnedPieces:
    return LearnedPieces(Subwords.learn(CAPTIONS * 5, 60, begin=True, padding=1), rows)


def test_published_pieces_are_those_of_the_tokenizer(
    folder: Path, published: PublishedPieces
) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    wanted = [tokenizer(text, add_special_tokens=False).input_ids for text in CAPTIONS]
    assert published.encode(CAPTIONS) == wanted
    assert published.decode(wanted) == CAPTIONS
    assert all(len(row) < 6 for row in wanted)


def test_texts_come_back(published: PublishedPieces) -> None:
    texts = [*CAPTIONS, "", "Crème brûlée, 2 eggs"]
    assert published.decode(published.encode(texts)) == texts
    assert learned().decode(learned().encode(CAPTIONS)) == CAPTIONS
    assert published.encode([]) == []


def test_no_text_spells_what_begins_or_pads(published: PublishedPieces) -> None:
    for pieces in (published, learned()):
        (row,) = pieces.encode(["</s> chop <pad> the <s>"])
        assert not {pieces.end, pieces.padding, *pieces.never[:2]} & set(row) - {0}
        assert 2 not in row


def test_what_is_never_written(published: PublishedPieces) -> None:
    assert learned(0).never == [0, 1]
    assert learned().never == [0, 1, 60, 61]
    assert {1, 319} <= set(published.never) <= {*range(320)} - {2}
    assert not {index for row in published.encode(CAPTIONS) for index in row} & set(published.never)


def test_a_state_brings_them_back(published: PublishedPieces) -> None:
    for pieces in (published, learned(320)):
        other = pieces_from_state(pieces.state(), **IDS)
        assert isinstance(other, type(pieces))
        assert other.encode(CAPTIONS) == pieces.encode(CAPTIONS)
        assert other.never == pieces.never
    assert pieces_from_state(torch.empty(0, dtype=torch.uint8), **IDS) is None


def test_copies_are_alike(published: PublishedPieces) -> None:
    for pieces in (published, learned()):
        for twin in (copy.deepcopy(pieces), pickle.loads(pickle.dumps(pieces))):  # noqa: S301
            assert isinstance(twin, Pieces)
            assert twin.encode(CAPTIONS) == pieces.encode(CAPTIONS)
            assert twin.never == pieces.never


def test_a_state_of_another_kind_is_refused() -> None:
    with pytest.raises(CheckpointError, match="tokenizer cannot be read"):
        pieces_from_state("{}", **IDS)
    with pytest.raises(CheckpointError, match="to be bytes, got list"):
        pieces_from_state(["chop"], **IDS)
    with pytest.raises(CheckpointError, match="other ids than OPT's"):
        LearnedPieces(Subwords.learn(CAPTIONS, 60, begin=True, end=True))
