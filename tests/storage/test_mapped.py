from pathlib import Path

import numpy as np
import pytest

from vtlearn.storage.mapped import map_array


def test_numbers_come_back_read_only_and_outlive_their_file(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).integers(-(2**60), 2**60, 1000)
    (tmp_path / "a").write_bytes(numbers.astype("<i8").tobytes())
    mapped = map_array(tmp_path / "a", np.int64)
    (tmp_path / "a").unlink()
    np.testing.assert_array_equal(mapped, numbers)
    with pytest.raises(ValueError, match="read-only"):
        mapped[0] = 1


def test_an_empty_file_is_no_numbers(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    assert map_array(tmp_path / "a", np.float64).shape == (0,)


def test_what_ends_within_a_number_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(12))
    with pytest.raises(ValueError, match="multiple of element size"):
        map_array(tmp_path / "a", np.int64)
    with pytest.raises(FileNotFoundError):
        map_array(tmp_path / "b", np.int64)
