import numpy as np
import pytest
import torch

from tests.processes import Pool
from vtlearn.datamodules import nearest as module
from vtlearn.datamodules.nearest import nearest, share_nearest
from vtlearn.errors import ArgumentError


def by_hand(vectors: torch.Tensor, count: int) -> list[list[int]]:
    """Every distance by itself, itself first, no two others at the same one."""
    found = []
    for own, query in enumerate(vectors.double()):
        distances = [float((query - other).square().sum()) for other in vectors.double()]
        distances[own] = -1.0
        found.append(sorted(range(len(vectors)), key=lambda other: distances[other])[:count])
    return found


@pytest.mark.parametrize(("rows", "columns"), [(1024, 8192), (7, 5), (3, 40), (1, 1)])
def test_it_is_the_loop_over_all_pairs(
    rows: int, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ROWS", rows)
    monkeypatch.setattr(module, "_COLUMNS", columns)
    vectors = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
    for count in (1, 9, 40):
        assert nearest(vectors, count).tolist() == by_hand(vectors, count)
    assert nearest(vectors, 9, slice(8, 21)).tolist() == by_hand(vectors, 9)[8:21]


def test_vectors_far_from_the_origin_keep_their_distances() -> None:
    vectors = torch.randn(40, 6, generator=torch.Generator().manual_seed(0)) + 4096.0
    assert nearest(vectors, 5).tolist() == by_hand(vectors, 5)


def test_a_vector_is_its_own_neighbour_before_those_that_equal_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_COLUMNS", 4)
    found = nearest(torch.ones(10, 3), 3)
    assert found[:, 0].tolist() == list(range(10))
    assert all(len(set(row)) == 3 for row in found.tolist())


def test_a_model_that_has_diverged_is_told() -> None:
    vectors = torch.ones(5, 2)
    vectors[3, 0] = torch.nan
    with pytest.raises(ArgumentError, match=r"1 of 5 vectors .* first is number 3.*diverged"):
        nearest(vectors, 2)


def drawn() -> torch.Tensor:
    return torch.randn(13, 4, generator=torch.Generator().manual_seed(1))


def found_by_process() -> np.ndarray:
    return share_nearest(drawn(), 5, torch.device("cpu"))


def test_processes_find_together_what_one_finds(two_processes: Pool) -> None:
    alone = found_by_process()
    assert alone.dtype == np.int32
    assert alone.tolist() == by_hand(drawn(), 5)
    for found in two_processes.run(found_by_process):
        assert found.tolist() == alone.tolist()
