from pathlib import Path
from typing import Any

from pytorch_lightning import LightningDataModule

from tests.models import tiny_kitchen
from vtlearn.data_source import DataSource


def test_ours_are_known_by_what_they_have_and_others_are_not(
    tmp_path: Path, small: dict[str, Any]
) -> None:
    assert isinstance(tiny_kitchen(tmp_path, small), DataSource)
    assert not isinstance(LightningDataModule(), DataSource)
