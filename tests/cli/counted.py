"""A Kitchen that counts how often it is prepared."""

import os
from pathlib import Path
from typing import Any

from vtlearn.datamodules import Kitchen


class CountedKitchen(Kitchen):
    """Kitchen, whose every preparation leaves a file in the folder where the command runs."""

    def __init__(self, root: Path, **options: Any) -> None:
        super().__init__(root, **options)

    def prepare_data(self) -> None:
        super().prepare_data()
        Path(f"prepared-{os.getpid()}").touch(exist_ok=False)
