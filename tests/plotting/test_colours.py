from itertools import combinations

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgb

from vtlearn.plotting import colours

#: Linear RGB as those see it who lack a kind of cone: G. Machado et al., 2009, severity 1.
DEFICIENCIES = {
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


def seen(colour: str, by: str) -> np.ndarray:
    """CIE L*a*b* of a colour, D65."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(DEFICIENCIES[by]) @ linear, 0, 1)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    x, y, z = np.cbrt(np.maximum(to_xyz @ linear / [0.9505, 1, 1.089], 0.008856))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("by", DEFICIENCIES)
@pytest.mark.parametrize(
    "together",
    [
        [colours.PATH, colours.TRUTH, colours.SPOKEN, colours.ALIGNED],
        [colours.MATCHED, colours.SWAPPED, colours.UNKNOWN],
        list(colours.SERIES),
    ],
)
def test_colours_differ_for_those_who_see_fewer(together: list[str], by: str) -> None:
    distances = {
        (one, other): float(np.linalg.norm(seen(one, by) - seen(other, by)))
        for one, other in combinations(together, 2)
    }
    assert min(distances.values()) > 10, distances


def test_lightness_of_the_maps_grows_evenly() -> None:
    table = colormaps[colours.LIKENESS_MAP](np.linspace(0, 1, 16))[:, :3]
    lightness = table @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > 0).all()
    assert f"{colours.LIKENESS_MAP}_r" == colours.COST_MAP
    assert len(colours.SERIES) == len(set(colours.SERIES)) == len(colours.MARKERS)


def test_lines_have_a_dark_edge() -> None:
    (effect,) = colours.edged(2)
    assert effect._gc == {"linewidth": 3.5, "foreground": colours.EDGE}  # type: ignore[attr-defined]
