"""What the tests of the scripts share."""

from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts import each other by name, as when one of them is run."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
