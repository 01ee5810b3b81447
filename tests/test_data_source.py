from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytorch_lightning import LightningDataModule

from tests.models import tiny_kitchen
from vtlearn.data_source import DataSource, batch_seed


def test_ours_are_known_by_what_they_have_and_others_are_not(
    tmp_path: Path, small: dict[str, Any]
) -> None:
    assert isinstance(tiny_kitchen(tmp_path, small), DataSource)
    assert not isinstance(LightningDataModule(), DataSource)


def test_a_batch_s_seed_is_of_the_data_or_of_seed_everything(
    tmp_path: Path, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = int(np.random.SeedSequence((7, 2, 3)).generate_state(1)[0])
    monkeypatch.setenv("PL_GLOBAL_SEED", "7")
    assert batch_seed(None, 2, 3) == expected
    data: object = tiny_kitchen(tmp_path, small, seed=7)
    assert isinstance(data, DataSource)
    monkeypatch.setenv("PL_GLOBAL_SEED", "8")
    assert batch_seed(data, 2, 3) == expected != batch_seed(None, 2, 3)
