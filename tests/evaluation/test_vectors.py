import pickle

import pytest
import torch

from vtlearn.errors import EvaluationError
from vtlearn.evaluation.vectors import IdVectors


def test_table_is_sorted_and_float32() -> None:
    store = IdVectors("text", {"a", "b", "c"})
    store.add(["c", "a"], torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64))
    store.add(["b"], torch.tensor([[5.0, 6.0]], dtype=torch.bfloat16))
    table = pickle.loads(pickle.dumps(store.table()))  # noqa: S301 - our own bytes
    assert table.ids == ["a", "b", "c"]
    assert table.vectors.dtype == torch.float32
    assert table.vectors.tolist() == [[3, 4], [5, 6], [1, 2]]
    assert "a" in store
    assert len(store) == 3


def test_what_was_taken_in_does_not_change_with_its_source() -> None:
    store, source = IdVectors("text", {"a"}), torch.ones(1, 2)
    store.add(["a"], source)
    source.zero_()
    assert store.table().vectors.tolist() == [[1, 1]]


def test_of_two_versions_the_same_is_kept_in_either_order() -> None:
    one, other = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 2.0000002]])
    kept = []
    for pair in ((one, other), (other, one)):
        store = IdVectors("text", {"a"})
        for vectors in pair:
            store.add(["a"], vectors, again=True)
        kept.append(store.table().vectors)
    assert torch.equal(*kept)


@pytest.mark.parametrize(
    ("ids", "vectors", "message"),
    [
        (["x"], torch.ones(1, 2), "text id 'x' is not one of the 3"),
        (["b", "b"], torch.ones(2, 2), "text id 'b' came twice"),
        (["b", "a"], torch.ones(2, 2), "text id 'a' came twice"),
        (["b"], torch.tensor([[1.0, torch.nan]]), "text 'b' holds NaN"),
        (["b"], torch.tensor([[1.0, torch.inf]]), "text 'b' holds NaN or infinity"),
        (["b"], torch.ones(2, 2), r"1 text ids came with vectors of shape \(2, 2\)"),
        (["b"], torch.ones(1, 3), "vector of width 2 is needed"),
        (["b"], torch.ones(2), r"shape \(2,\)"),
    ],
)
def test_what_cannot_be_scored_is_refused_whole(
    ids: list[str], vectors: torch.Tensor, message: str
) -> None:
    store = IdVectors("text", {"a", "b", "c"})
    store.add(["a"], torch.ones(1, 2))
    with pytest.raises(EvaluationError, match=message):
        store.add(ids, vectors)
    assert store.table().ids == ["a"]


def test_an_empty_store_has_an_empty_table() -> None:
    assert IdVectors("video", set()).table().vectors.shape == (0, 0)
