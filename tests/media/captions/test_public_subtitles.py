import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest

FOLDER = os.environ.get("VTLEARN_SUBTITLES", "")
SCRIPT = Path(__file__).parents[3] / "benchmarks" / "subtitles.py"


def script() -> Any:
    spec = importlib.util.spec_from_file_location("benchmark_of_subtitles", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_screens_show_what_is_displayed_from_one_change_to_the_next() -> None:
    cues = [(0, 2000, "wash it"), (1000, 3000, "all"), (3000, 4000, "all"), (9000, 9000, "no")]
    assert script().screens(cues) == [
        (0, 1000, "it wash"),
        (1000, 2000, "all it wash"),
        (2000, 4000, "all"),
    ]


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER, reason="VTLEARN_SUBTITLES names a folder of subtitle files")
def test_public_files_are_read_as_the_peers_read_them() -> None:
    pytest.importorskip("webvtt")
    pytest.importorskip("ttconv")
    outcomes = list(script().compare(Path(FOLDER)))
    assert outcomes
    unexplained = [each for each in outcomes if not each.is_equal and not each.reason]
    assert unexplained == []
