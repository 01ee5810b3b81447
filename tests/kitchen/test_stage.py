import numpy as np
import pytest
from PIL import Image

from vtlearn.kitchen.stage import Stage


def centre(frame: Image.Image) -> tuple[float, float]:
    """The centre of what is not white, in units of 1/64 frame."""
    rows, columns = np.nonzero(np.asarray(frame).mean(-1) < 128)
    unit = frame.width / 64
    return (columns.mean() + 0.5) / unit, (rows.mean() + 0.5) / unit


@pytest.mark.parametrize("size", [32, 64, 256])
@pytest.mark.parametrize(("mirrored", "x"), [(False, 40.0), (True, 20.0)])
def test_units_become_pixels(size: int, mirrored: bool, x: float) -> None:
    frame = Image.new("RGB", (size, size), "white")
    stage = Stage(frame, x=30.0, y=34.0, scale=0.5, mirrored=mirrored)
    stage.slab(20, -10, (16, 16), (0, 0, 0), (0, 0, 0))
    assert centre(frame) == pytest.approx((x, 29.0), abs=1)


def test_what_lies_outside_is_cut_off() -> None:
    frame = Image.new("RGB", (32, 32), "white")
    stage = Stage(frame, x=0.0, y=0.0, scale=1.0, mirrored=False)
    stage.disc(-2, 0, (20, 20), (0, 0, 0), (0, 0, 0))
    stage.line((-5, -5), (5, 5), 1, (0, 0, 0))
    stage.disc(500, 500, (20, 20), (0, 0, 0), (0, 0, 0))
    assert 0 < (np.asarray(frame) == 0).mean() < 0.2
