import subprocess
import sys

import pytest

from vtlearn.cli.suggestions import nearest


@pytest.mark.parametrize(
    ("wanted", "known", "end"),
    [
        ("max_epoch", ["max_epochs", "max_steps"], "; did you mean max_epochs?"),
        ("s2dtw", ["SoftDTW", "S2DTW"], "; did you mean S2DTW?"),
        ("configs/vtwins.yaml", {"configs/vttwins.yaml"}, "; did you mean configs/vttwins.yaml?"),
        ("xyzzy", ["fit", "test"], ""),
        ("fit", [], ""),
    ],
)
def test_the_nearest_name_ends_the_sentence(wanted: str, known: list[str], end: str) -> None:
    assert nearest(wanted, known) == end


def test_the_order_of_the_names_does_not_matter() -> None:
    names = ["gamma", "gamut", "game"]
    assert len({nearest("gam", order) for order in (names, names[::-1], sorted(names))}) == 1


def test_torch_is_not_needed() -> None:
    code = "import sys, vtlearn.cli.suggestions; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
